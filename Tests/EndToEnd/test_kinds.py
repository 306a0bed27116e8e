"""Every kind of market stream, as `import`, `replay` and the sinks have it."""

import json
import random
import re

import pytest

from conftest import ROOT
from support import oracle
from support.delivery import assert_dense, assert_items, assert_objects, local_items, local_objects
from support.kinds import kinds


@pytest.mark.parametrize("seed", [1, 2])
def test_variations_of_every_kind_become_what_python_makes_of_them(tickwal, seed):
    dice = random.Random(seed)
    messages, expected = [], []
    for kind in kinds() * 25:
        message, ticks = kind.varied(dice)
        messages.append(message)
        expected += ticks
    file = tickwal.folder / "kinds.jsonl"
    file.write_text("\n".join(messages) + "\n")
    tickwal.succeed("import", file)
    ticks = tickwal.log.ticks()
    assert_dense(ticks)
    assert [(tick.stream, tick.payload) for tick in ticks] == expected
    assert [tick.event_time for tick in ticks] == [oracle.event_time(tick) for tick in ticks]
    assert tickwal.log.ask("select cause, payload from dead_letters") == []
    rows = tickwal.succeed("replay", "--from-offset", "1", "--to", "stdout").out
    assert rows.splitlines(keepends=True) == [oracle.row(tick) for tick in ticks]
    tickwal.drain("--local", tickwal.folder)
    assert_objects(tickwal.log, local_objects(tickwal.folder), ticks, most_rows=100)
    assert_items(local_items(tickwal.folder), ticks)


def test_the_documented_rows_are_the_rows(tickwal):
    """Each row of docs/formats.md comes out of its own data; the time of receipt is the only thing that changes."""
    page = (ROOT / "docs" / "formats.md").read_text()
    documented = re.findall(r'^\{"event_type".*"data":.*$', page, re.MULTILINE)
    assert len(documented) > 25
    messages = []
    for row in documented:
        data = row[row.index('"data":') + len('"data":'):-1]
        messages.append(f'{{"stream":"{json.loads(row)["stream_type"]}","data":{data}}}')
    file = tickwal.folder / "documented.jsonl"
    file.write_text("\n".join(messages) + "\n")
    tickwal.succeed("import", file)
    rows = tickwal.succeed("replay", "--from-offset", "1", "--to", "stdout").out.decode().splitlines()
    assert len(rows) == len(documented)
    receipt = re.compile(r'"event_time":\d+,"iso_timestamp":"[^"]*"')
    for row, wanted, tick in zip(rows, documented, tickwal.log.ticks()):
        if oracle.event_time(tick) is None:
            row, wanted = receipt.sub("", row), receipt.sub("", wanted)
        assert row == wanted

"""Compares what the fuzzed decoder made of its inputs with what Python's json makes of them.

Argument: a file with a line for each tick, which has its stream, its payload and its row in hex.
"""

import json
import re
import sys

STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def members(text: str):
    """With every member of a key that occurs twice, and numbers digit for digit."""
    return json.loads(text, object_pairs_hook=lambda pairs: ("object", pairs), parse_int=str, parse_float=str)


def check(stream: str, payload: str, row: str) -> None:
    event, line = json.loads(payload), json.loads(row)
    data = line.pop("data", None)
    assert row.startswith(json.dumps(line, separators=(",", ":"))[:-1]), "the head is not as json.dumps writes it"
    assert not re.search(r"\s", STRING.sub("", row[:-1])), "white space between tokens"
    assert line["stream_type"] == stream, "another stream"
    for name, key in (("event_type", "e"), ("symbol", "s")):
        if isinstance(event.get(key), str):
            assert line[name] == event[key], f"another {name}"
    if data is None:
        assert [line[name] for name in ("close_price", "open_price", "high_price", "low_price")] == [
            event[key] for key in "cohl"
        ], "other prices"
    else:
        [(_, pair)] = [(key, value) for key, value in members(row)[1] if key == "data"]
        assert pair == members(payload), "another event"


count = deep = 0
for line in open(sys.argv[1]):
    stream, payload, row = (bytes.fromhex(part).decode() for part in line.rstrip("\n").split(" "))
    try:
        check(stream, payload, row)
        count += 1
    except RecursionError:
        deep += 1
    except Exception as error:
        sys.exit(f"{error!r}: {stream!r} {payload!r} became {row!r}")
print(f"{count} rows are what Python's json says, {deep} are nested too deep for it")
assert count > 0, "no row was looked at"

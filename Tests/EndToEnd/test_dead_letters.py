"""What could not be delivered is seen, tried again, and given up only on demand."""

import json
import sqlite3
import subprocess

import pytest

from support.program import PATIENCE
from support.ticks import combined, mini_tickers

COUNT = 50
BAD = 20
"""The offset of an item that is larger than DynamoDB takes."""


@pytest.fixture
def refused(tickwal, make_place, make_exchange, ministack):
    """`run`, with one item of fifty that no table takes, and which heard one message that is no tick."""
    place = make_place("a@miniTicker")
    tickwal.environment |= place.environment(ministack.url)
    exchange = make_exchange()
    run = tickwal.start("run", BINANCE_WS_URL=exchange.url)
    ticks = mini_tickers(COUNT)
    trade = {"e": "trade", "E": 1_665_778_598_000, "s": "A", "t": 1, "pad": "1" * (401 << 10)}
    ticks[BAD - 1] = ("a@trade", json.dumps(trade))
    for tick in ticks:
        exchange.client().send(combined(*tick).encode())
    exchange.client().send(b'{"rubbish":')
    run.wait_until(lambda: tickwal.log.is_shipped(COUNT), "all is delivered or dead")
    run.wait_until(lambda: tickwal.log.value("select count(*) from dead_letters") == 2, "two dead letters")
    yield tickwal, run, place


def listed(tickwal, *arguments):
    return json.loads(tickwal.succeed("dead-letters", "list", "--json", *arguments).out)


def ids(tickwal) -> dict[str, int]:
    return {letter["consumer"]: letter["id"] for letter in listed(tickwal)["dead_letters"]}


def test_they_are_said_and_shown(refused):
    tickwal, run, _ = refused
    run.wait_until_said("ticks became dead letters")
    assert "consumer=dynamodb" in next(line for line in run.err.splitlines() if "became dead letters" in line)
    status = tickwal.succeed("status").out.decode()
    assert "1 of feed, 1 of dynamodb; see `tickwal dead-letters list`" in status
    document = listed(tickwal)
    assert document["counts"] == {"dynamodb": 1, "feed": 1}
    letters = {letter["consumer"]: letter for letter in document["dead_letters"]}
    assert letters["dynamodb"]["offset"] == BAD and letters["dynamodb"]["attempts"] == 1
    assert "400 KiB is the most" in letters["dynamodb"]["cause"]
    assert letters["feed"]["offset"] is None and letters["feed"]["payload"] == '{"rubbish":'
    assert [each["consumer"] for each in listed(tickwal, "--consumer", "feed")["dead_letters"]] == ["feed"]
    assert len(listed(tickwal, "--limit", "1")["dead_letters"]) == 1
    shown = tickwal.succeed("dead-letters", "show", letters["dynamodb"]["id"]).out.decode()
    assert "1" * (401 << 10) in shown and "400 KiB is the most" in shown


def test_a_retry_that_is_refused_counts_and_discard_records(refused):
    tickwal, _, _ = refused
    letters = ids(tickwal)
    ended = tickwal.run_to_end("dead-letters", "retry", "--all")
    assert ended.code == 1 and b"2 refused again" in ended.out, ended
    assert {letter["attempts"] for letter in listed(tickwal)["dead_letters"]} == {2}
    ended = tickwal.succeed("dead-letters", "discard", *map(str, letters.values()))
    assert b"2 discarded" in ended.out
    assert listed(tickwal) == {"counts": {}, "dead_letters": []}
    assert tickwal.log.ask("select consumer, first_offset, last_offset, why from skipped") == [
        ("dynamodb", BAD, BAD, "dead letter discarded")
    ]
    tickwal.succeed("verify")
    ended = tickwal.run_to_end("dead-letters", "discard", letters["feed"])
    assert ended.code == 1 and b"not there" in ended.out


@pytest.mark.parametrize("is_up", [True, False])
def test_a_retry_that_succeeds_takes_the_letter_away(refused, make_exchange, is_up):
    tickwal, run, place = refused
    # As if an item and an input had been refused that are good now.
    run.terminate()
    before = place.items()
    gone = sorted(before)[0]
    place.delete_item(gone)
    log = sqlite3.connect(tickwal.path)
    [(offset,)] = log.execute(
        "select offset from ticks where stream = ? and offset <> ? order by offset limit 1", (gone[0], BAD))
    log.execute("update dead_letters set offset = ? where consumer = 'dynamodb'", (offset,))
    message = combined("b@trade", '{"e":"trade","E":1665778598000,"s":"B","t":1}')
    log.execute("update dead_letters set payload = ? where consumer = 'feed'", (message.encode(),))
    log.commit()
    log.close()
    if is_up:
        again = tickwal.start("run", BINANCE_WS_URL=make_exchange().url)
        again.wait_until_said("the log is open")
    ended = tickwal.succeed("dead-letters", "retry", "--all", "--consumer", "dynamodb")
    assert b"1 delivered" in ended.out
    assert place.items()[gone] == before[gone]
    ended = tickwal.succeed("dead-letters", "retry", ids(tickwal)["feed"])
    assert f"appended at offset {COUNT + 1}".encode() in ended.out
    assert listed(tickwal)["dead_letters"] == []
    assert tickwal.log.ticks()[-1].payload == '{"e":"trade","E":1665778598000,"s":"B","t":1}'
    if is_up:
        again.wait_until(lambda: tickwal.log.is_shipped(COUNT + 1), "the new tick is shipped")
        assert again.terminate().code == 0
    else:
        tickwal.drain()
    assert ("b@trade", "2022-10-14T20-16-38.000000Z#1") in place.items()


def test_a_seek_back_tries_them_again(refused):
    tickwal, run, _ = refused
    ended = tickwal.succeed("seek", "--consumer", "dynamodb", "--offset", "1")
    assert b"1 dead letter is tried again" in ended.out
    run.wait_until(lambda: tickwal.log.is_shipped(COUNT), "all is delivered again")
    letters = [each for each in listed(tickwal)["dead_letters"] if each["consumer"] == "dynamodb"]
    assert [(each["offset"], each["attempts"]) for each in letters] == [(BAD, 1)]


def test_wrong_words_are_explained(tickwal):
    (tickwal.folder / "in.jsonl").write_text(combined(*mini_tickers(1)[0]) + "\n")
    tickwal.succeed("import", tickwal.folder / "in.jsonl")
    for arguments, code, said in [
        (["retry"], 64, "Missing expected argument '<id> ...' or '--all' (see tickwal dead-letters retry --help)"), (["discard"], 64, "--all"), (["discard", "--all", "3"], 78, "--all"), (["retry", "x"], 78, "id is 'x'"),
        (["retry", "3", "--consumer", "feed"], 78, "--consumer"), (["list", "--limit", "0"], 78, "--limit"),
        (["show", "5"], 1, "no dead letter 5"), (["nonsense"], 64, ""),
    ]:
        ended = tickwal.run_to_end("dead-letters", *arguments)
        assert ended.code == code and said in ended.err, (arguments, ended)
    assert b"no dead letters" in tickwal.succeed("dead-letters", "retry", "--all").out
    # A name that is misspelt shows in the answer.
    assert tickwal.succeed("dead-letters", "list", "--consumer", "dinamodb").out == b"no dead letters of dinamodb\n"
    assert tickwal.succeed("dead-letters", "retry", "--all", "--consumer", "x").out == b"no dead letters of x\n"


def test_all_are_given_up_by_who_means_it_and_counted(tickwal):
    file = tickwal.folder / "mixed.jsonl"
    file.write_text(combined("a@trade", '{"n":1}') + "\n" + "no tick\n" * 150)
    tickwal.succeed("import", file)
    ended = tickwal.run_to_end("dead-letters", "discard", "--all")
    assert ended.code == 64 and "this gives up 150 dead letters" in ended.err and "--yes" in ended.err
    assert tickwal.log.ask("select count(*) from dead_letters") == [(150,)]
    assert tickwal.succeed("dead-letters", "discard", "--all", "--yes").out == b"150 discarded\n"
    assert tickwal.log.ask("select count(*) from dead_letters") == [(0,)]


def test_a_terminal_is_asked_before_all_are_given_up(tickwal):
    file = tickwal.folder / "mixed.jsonl"
    file.write_text(combined("a@trade", '{"n":1}') + "\n" + "no tick\n" * 3)
    tickwal.succeed("import", file)

    def answer(word: str) -> tuple[int, str]:
        import os
        import pty

        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [tickwal.binary, "dead-letters", "discard", "--all"], stdin=theirs, stdout=subprocess.PIPE, stderr=theirs,
            env={**tickwal.environment, "TERM": "xterm"}, cwd=tickwal.folder,
        )
        os.close(theirs)
        said = b""
        while b"Type yes" not in said:
            said += os.read(ours, 1000)
        os.write(ours, word.encode() + b"\n")
        out, _ = process.communicate(timeout=PATIENCE)
        os.close(ours)
        return process.returncode, out.decode()

    assert answer("no")[0] == 1
    assert tickwal.log.ask("select count(*) from dead_letters") == [(3,)]
    code, said = answer("yes")
    assert code == 0 and said.endswith("3 discarded\n")

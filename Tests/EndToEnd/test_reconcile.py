"""`reconcile` finds what is missing, double or different at the destinations, and ships what is missing again."""

import gzip
import json
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from support import oracle
from support.aws import REGION
from support.delivery import local_objects
from support.ticks import combined, mini_tickers

COUNT = 250
IAM = Path(__file__).resolve().parents[2] / "deploy/iam"


def rights(place, *files: str) -> list[tuple[str, str]]:
    """What those policies allow, for this test's bucket and table."""
    names = {
        "crypto-live-bucket": place.bucket, "crypto-live-miniticker": place.table, "111122223333": "*", REGION: "*",
        "crypto-live-ticks": getattr(place, "kinesis_stream", "-"),
    }
    pairs = []
    for file in files:
        for statement in json.loads((IAM / file).read_text())["Statement"]:
            on = statement["Resource"]
            for written, here in names.items():
                on = on.replace(written, here)
            actions = statement["Action"]
            pairs += [(action, on) for action in ([actions] if isinstance(actions, str) else actions)]
    return pairs


def as_user_with(ministack, secrets, place, *files: str) -> dict[str, str]:
    keys = ministack.make_user(f"{place.bucket}-{len(secrets)}", rights(place, *files))
    secrets.append(keys.secret)
    return keys.environment


class Compared:
    """What `reconcile --json` said."""

    def __init__(self, ended):
        assert ended.code in (0, 1), f"{ended.code}\n{ended.err[-4000:]}"
        self.code, self.document = ended.code, json.loads(ended.out)
        self.consumers = {each["consumer"]: each for each in self.document["consumers"]}
        assert self.document["agrees"] == (self.code == 0)

    def wrong(self, consumer: str) -> dict[str, int]:
        each = self.consumers[consumer]
        return {kind: each[kind] for kind in ("missing", "double", "different") if each[kind]}

    def texts(self, consumer: str) -> list[str]:
        return [problem["text"] for problem in self.consumers[consumer]["problems"]]


class Shipped:
    """A log whose ticks were all delivered to one place, and what `reconcile` says of it."""

    def __init__(self, tickwal, arguments=(), count=COUNT):
        self.tickwal, self.arguments = tickwal, arguments
        file = tickwal.folder / "ticks.jsonl"
        file.write_text("".join(combined(*tick) + "\n" for tick in mini_tickers(count)))
        tickwal.succeed("import", file)
        tickwal.drain(*arguments)

    def compare(self, *arguments: str) -> Compared:
        return Compared(self.tickwal.run_to_end("reconcile", "--json", *self.arguments, *arguments))


@pytest.fixture
def in_aws(tickwal, make_place, ministack, secrets):
    place = make_place("a@miniTicker")
    tickwal.environment |= place.environment(ministack.url)
    shipped = Shipped(tickwal)
    tickwal.environment |= as_user_with(ministack, secrets, place, "policy.json", "reconcile.json")
    return shipped, place


@pytest.fixture
def in_folder(tickwal):
    folder = tickwal.folder / "out"
    return Shipped(tickwal, ("--local", str(folder))), folder


@pytest.mark.parametrize("how", [(), ("--full",)])
def test_what_was_shipped_agrees(in_aws, how):
    shipped, place = in_aws
    place.put("batch_jsonl/dt=2026-11-22/notes.txt", b"not ours")
    place.put("batch_jsonl/miniticker-2026-11-22T02-48-30.602897Z-00000000000000ff-1-500.jsonl.gz", b"of another log")
    compared = shipped.compare(*how)
    assert compared.code == 0
    objects = compared.consumers["s3"]
    assert objects["checked"] == objects["agreeing"] == len(place.objects_of(shipped.tickwal.log.log_id)) == 3
    items = compared.consumers["dynamodb"]
    assert items["checked"] == items["agreeing"] == COUNT and not items["sample"]
    ended = shipped.tickwal.succeed("reconcile")
    assert b"s3: 3 objects compared, 3 agree, 0 missing, 0 double, 0 different\n" in ended.out
    assert b"dynamodb: 250 items compared, 250 agree, 0 missing, 0 double, 0 different\n" in ended.out


def test_a_missing_object_is_found_and_shipped_again_as_it_was(in_aws):
    shipped, place = in_aws
    before = {stored.key: (stored.body, stored.headers["Metadata"]) for stored in place.objects()}
    key = sorted(before)[1]
    place.delete_object(key)
    next_offsets = shipped.tickwal.log.next_offsets()
    compared = shipped.compare("--consumer", "s3")
    assert compared.code == 1 and compared.wrong("s3") == {"missing": 1}
    assert key in compared.texts("s3")[0]
    assert set(place.keys_under("batch_jsonl/dt")) == set(before) - {key}, "it only looked"

    repaired = shipped.compare("--consumer", "s3", "--repair")
    assert repaired.code == 0 and repaired.consumers["s3"]["repaired"] == 1
    assert {stored.key: (stored.body, stored.headers["Metadata"]) for stored in place.objects()} == before
    assert shipped.compare("--consumer", "s3", "--full").code == 0
    assert shipped.tickwal.log.next_offsets() == next_offsets


def test_a_missing_item_is_found_and_written_again_as_it_was(in_aws):
    shipped, place = in_aws
    before = place.items()
    for key in sorted(before)[:3]:
        place.delete_item(key)
    compared = shipped.compare("--full")
    assert compared.code == 1 and compared.wrong("dynamodb") == {"missing": 3} and not compared.wrong("s3")
    assert any(all(part in text for part in sorted(before)[0]) for text in compared.texts("dynamodb"))
    assert len(place.items()) == COUNT - 3, "it only looked"
    repaired = shipped.compare("--full", "--repair")
    assert repaired.code == 0 and repaired.consumers["dynamodb"]["repaired"] == 3
    assert place.items() == before


def test_an_item_that_was_changed_is_found_and_left_alone(in_aws):
    shipped, place = in_aws
    changed, older = sorted(place.items())[:2]
    place.change_item(changed, "close_price", {"N": "0.5"})
    place.change_item(older, "ttl_days", {"N": "1999999999"})
    compared = shipped.compare("--full", "--repair")
    assert compared.code == 1 and compared.wrong("dynamodb") == {"different": 1}
    [text] = compared.texts("dynamodb")
    assert changed[0] in text and text.endswith("differs in close_price")
    assert compared.consumers["dynamodb"]["other_ttl"] == 1
    assert str(place.items()[changed]["close_price"][1]) == "0.5"


def test_ticks_of_one_stream_and_millisecond_are_one_item(tickwal, make_place, ministack, secrets):
    place = make_place("a@miniTicker")
    tickwal.environment |= place.environment(ministack.url)
    [(stream, event)] = mini_tickers(1)
    other = json.dumps(json.loads(event) | {"c": "1.25"}, separators=(",", ":"))
    file = tickwal.folder / "ticks.jsonl"
    file.write_text("".join(combined(stream, each) + "\n" for each in (event, other, event)))
    tickwal.succeed("import", file)
    tickwal.drain()
    tickwal.environment |= as_user_with(ministack, secrets, place, "policy.json", "reconcile.json")
    [key] = place.items()
    compared = Compared(tickwal.run_to_end("reconcile", "--json", "--full"))
    assert compared.code == 0 and compared.consumers["dynamodb"]["agreeing"] == 3
    place.change_item(key, "close_price", {"N": "0.5"})
    compared = Compared(tickwal.run_to_end("reconcile", "--json", "--full"))
    assert compared.wrong("dynamodb") == {"different": 3}


def test_an_item_that_is_dead_or_passed_over_or_expired_is_not_missing(in_aws):
    shipped, place = in_aws
    ticks = shipped.tickwal.log.ticks()
    for tick in (ticks[6], ticks[7]):
        [key] = oracle.items([tick])
        place.delete_item(key)
    log = sqlite3.connect(shipped.tickwal.path)
    log.execute("insert into dead_letters values (null, 7, 'dynamodb', 'a test', 1, x'00', 0)")
    log.execute("insert into skipped values ('dynamodb', 8, 8, 'a test', 0)")
    log.commit()
    log.close()
    compared = shipped.compare("--full")
    items = compared.consumers["dynamodb"]
    assert compared.code == 0 and items["dead_letters"] == items["skipped"] == 1
    assert items["checked"] == COUNT - 2


def test_ranges_look_no_further_than_they_say(in_aws):
    shipped, place = in_aws
    place.delete_object(sorted(place.keys_under("batch_jsonl/dt"))[0])  # 1 to 100
    assert shipped.compare("--consumer", "s3", "--from-offset", "101").code == 0
    assert shipped.compare("--consumer", "s3", "--to-offset", "1").wrong("s3") == {"missing": 1}
    received_at = shipped.tickwal.log.value("select min(received_at) from ticks")
    day = shipped.tickwal.log.value("select date(? / 1000000, 'unixepoch')", received_at)
    assert shipped.compare("--consumer", "s3", "--day", day).wrong("s3") == {"missing": 1}
    ended = shipped.tickwal.run_to_end("reconcile", "--day", "2001-02-03")
    assert ended.code == 1 and "2001-02-03" in ended.err
    ended = shipped.tickwal.run_to_end("reconcile", "--to-offset", "251")
    assert ended.code == 1 and "251" in ended.err and "250" in ended.err


def test_another_content_is_found_and_left_alone(in_aws):
    shipped, place = in_aws
    first, second, _ = sorted(place.objects(), key=lambda stored: int(stored.name["first"]))
    # One whose headers say so, and one whose headers still say what it was.
    place.put(first.key, gzip.compress(b"{}\n"), Metadata={"sha256": "0" * 64})
    changed = gzip.compress(second.text.replace(b"SYM", b"sym", 1))
    place.put(second.key, changed, Metadata=second.headers["Metadata"])
    compared = shipped.compare("--consumer", "s3", "--repair")
    assert compared.code == 1 and compared.wrong("s3") == {"different": 1}
    assert first.key in compared.texts("s3")[0]
    compared = shipped.compare("--consumer", "s3", "--full", "--repair")
    assert compared.wrong("s3") == {"different": 2} and compared.consumers["s3"]["repaired"] == 0
    assert place.get(second.key).body == changed


def test_an_offset_in_two_objects_is_found(in_aws):
    shipped, place = in_aws
    log_id = shipped.tickwal.log.log_id
    name = f"batch_jsonl/miniticker-2026-11-22T02-48-30.602897Z-{log_id}"
    place.put(f"{name}-100-101.jsonl.gz", gzip.compress(b""))
    place.put(f"{name}-900-999.jsonl.gz", gzip.compress(b""))
    compared = shipped.compare("--consumer", "s3")
    assert compared.code == 1 and compared.wrong("s3") == {"double": 2}
    assert any("-100-101." in text and "-1-100." in text for text in compared.texts("s3"))
    assert any("-900-999." in text and "never planned" in text for text in compared.texts("s3"))


def test_what_is_not_shipped_yet_and_what_was_passed_over_is_not_missing(in_aws):
    shipped, _ = in_aws
    file = shipped.tickwal.folder / "more.jsonl"
    file.write_text("".join(combined(*tick) + "\n" for tick in mini_tickers(COUNT + 40)[COUNT:]))
    shipped.tickwal.succeed("import", file)
    assert shipped.compare("--full").code == 0


def test_what_run_is_shipping_meanwhile_is_not_wrong(tickwal, make_place, ministack, simulate, secrets):
    place = make_place("btcusdt@miniTicker", "ethusdt@trade")
    tickwal.environment |= place.environment(ministack.url) | {"BINANCE_WS_URL": simulate("--rate", "60")}
    tickwal.environment |= {"MAX_BATCH_SIZE": "20"}
    run = tickwal.start("run")
    environment = as_user_with(ministack, secrets, place, "policy.json", "reconcile.json")
    for _ in range(4):
        head = tickwal.log.head
        run.wait_until(lambda: tickwal.log.is_shipped(head + 50), "more was shipped")
        compared = Compared(tickwal.run_to_end("reconcile", "--json", "--full", **environment))
        assert compared.code == 0, compared.document
        assert compared.consumers["s3"]["checked"] > 0 and compared.consumers["dynamodb"]["checked"] > 0
    run.terminate()


def test_a_place_that_run_would_refuse_is_refused(in_aws):
    shipped, _ = in_aws
    ended = shipped.tickwal.run_to_end("reconcile", S3_BUCKET="another-bucket")
    assert ended.code == 78 and "another-bucket" in ended.err
    ended = shipped.tickwal.run_to_end("reconcile", "--consumer", "nobody")
    assert ended.code == 78 and "nobody" in ended.err
    ended = shipped.tickwal.run_to_end("reconcile", "--day", "2026-02-30", "--from-offset", "0")
    assert ended.code == 78 and "2026-02-30" in ended.err and "--from-offset" in ended.err


def test_a_folder_is_compared_likewise(in_folder):
    shipped, folder = in_folder
    assert shipped.compare("--full").code == 0
    before = {stored.key: stored.body for stored in local_objects(folder)}
    gone, changed, _ = sorted(before)
    (folder / "objects" / gone).unlink()
    (folder / "objects" / changed).write_bytes(before[changed][:-9])
    log_id = shipped.tickwal.log.log_id
    shutil.copy(
        folder / "objects" / sorted(before)[2],
        folder / "objects/batch_jsonl" / f"copy-2026-11-22T02-48-30.602897Z-{log_id}-201-250.jsonl.gz",
    )
    with sqlite3.connect(folder / "table.db") as table:
        table.execute("delete from items where rowid = 3")
        table.execute("update items set symbol = 'OTHER' where rowid = 5")
    table.close()
    compared = shipped.compare()
    assert compared.wrong("local-s3") == {"missing": 1, "double": 1, "different": 1}
    assert compared.wrong("local-dynamodb") == {"missing": 1, "different": 1}
    repaired = shipped.compare("--consumer", "local-dynamodb", "--repair", "--full")
    assert repaired.wrong("local-dynamodb") == {"missing": 1, "different": 1}
    assert shipped.compare("--consumer", "local-dynamodb").wrong("local-dynamodb") == {"different": 1}
    repaired = shipped.compare("--consumer", "local-s3", "--repair")
    assert repaired.code == 1 and repaired.consumers["local-s3"]["repaired"] == 1
    assert (folder / "objects" / gone).read_bytes() == before[gone]
    assert shipped.compare("--consumer", "local-s3").wrong("local-s3") == {"double": 1, "different": 1}


def test_a_folder_that_is_not_there_is_not_made(in_folder):
    shipped, folder = in_folder
    elsewhere = folder.parent / "elsewhere"
    ended = shipped.tickwal.run_to_end("reconcile", "--local", elsewhere)
    assert ended.code == 78 and "elsewhere" in ended.err
    assert not elsewhere.exists()


def test_rows_that_went_bad_in_the_log_are_told(in_folder):
    shipped, _ = in_folder
    log = sqlite3.connect(shipped.tickwal.path)
    log.execute("update ticks set checksum = checksum + 1 where offset = 17")
    log.commit()
    log.close()
    assert shipped.compare("--consumer", "local-s3").code == 0
    compared = shipped.compare("--consumer", "local-s3", "--full")
    assert compared.wrong("local-s3") == {"different": 1} and "1 of its rows" in compared.texts("local-s3")[0]


def test_an_offset_that_was_passed_without_a_plan_is_missing(in_folder):
    shipped, folder = in_folder
    log = sqlite3.connect(shipped.tickwal.path)
    log.execute("delete from batches where first_offset = 101")
    log.commit()
    compared = shipped.compare("--consumer", "local-s3")
    # Its object is there without a plan, and so it is told twice.
    assert compared.wrong("local-s3") == {"missing": 1, "double": 1}
    assert any("101 to 200" in text for text in compared.texts("local-s3"))
    log.execute("insert into skipped values ('local-s3', 101, 200, 'a test', 0)")
    log.commit()
    log.close()
    next(folder.rglob("*-101-200.jsonl.gz")).unlink()
    compared = shipped.compare("--consumer", "local-s3")
    assert compared.code == 0 and compared.consumers["local-s3"]["skipped"] == 100


def test_an_object_that_is_planned_and_not_confirmed_is_not_missing(in_folder):
    shipped, folder = in_folder
    log = sqlite3.connect(shipped.tickwal.path)
    log.execute("update batches set state = 'planned', shipped_at = null where first_offset > 100")
    log.execute("update consumers set next_offset = 101 where name = 'local-s3'")
    log.commit()
    log.close()
    next(folder.rglob("*-101-200.jsonl.gz")).unlink()
    objects = shipped.compare().consumers["local-s3"]
    assert (objects["pending"], objects["agreeing"], objects["missing"]) == (1, 2, 0)


def test_objects_of_ticks_that_were_trimmed_are_outside_the_log(in_folder):
    shipped, _ = in_folder
    log = sqlite3.connect(shipped.tickwal.path)
    log.execute("delete from ticks where offset <= 100")
    log.execute("delete from batches where last_offset <= 100")
    log.execute("insert into meta values ('trimmed', 100)")
    log.commit()
    log.close()
    compared = shipped.compare("--full")
    assert compared.code == 0
    assert compared.consumers["local-s3"]["outside"] == 1 and compared.consumers["local-s3"]["checked"] == 2
    assert compared.consumers["local-dynamodb"]["checked"] == COUNT - 100
    with sqlite3.connect(shipped.tickwal.path) as log:
        log.execute("delete from ticks")
        log.execute("delete from batches")
        log.execute("update meta set value = 250 where key = 'trimmed'")
    log.close()
    compared = shipped.compare("--full")
    assert compared.code == 0 and compared.consumers["local-s3"]["outside"] == 3


def test_a_hundred_thousand_ticks_take_no_more_memory_than_a_few(in_folder):
    shipped, _ = in_folder
    few = peak_memory(shipped)
    file = shipped.tickwal.folder / "many.jsonl"
    file.write_text("".join(combined(*tick) + "\n" for tick in mini_tickers(100_000, seed=3)))
    shipped.tickwal.succeed("import", file)
    shipped.tickwal.drain(*shipped.arguments)
    many = peak_memory(shipped)
    assert many < few + 24 * 1024, f"{few} KiB for {COUNT} ticks, {many} KiB for 100,000 more"


def peak_memory(shipped) -> int:
    """KiB, of a full comparison of everything, which agrees."""
    said = subprocess.run(
        ["/usr/bin/env", "python3", "-c", "import resource, subprocess, sys\n"
         "subprocess.run(sys.argv[1:], check=True)\n"
         "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)",
         shipped.tickwal.binary, "reconcile", "--full", *shipped.arguments],
        env=shipped.tickwal.environment | {"PATH": "/usr/bin:/bin"}, cwd=shipped.tickwal.folder, check=True,
        stdout=subprocess.PIPE, text=True,
    ).stdout
    assert f"{shipped.tickwal.log.head:,} items compared, {shipped.tickwal.log.head:,} agree" in said
    return int(said.splitlines()[-1])


def test_what_is_found_is_printed_before_all_is_compared(in_aws, ministack, relay):
    """One place answers no more, and what the other one lacks is told by then."""
    shipped, place = in_aws
    gone = place.keys_under("batch_jsonl/dt=")[0]
    place.delete_object(gone)
    relay.stall()
    process = shipped.tickwal.start("reconcile", AWS_ENDPOINT_URL_DYNAMODB=relay.url)
    process.wait_until(lambda: b"3 objects compared" in process.out, "the objects are reported")
    assert process.out.decode().startswith(f"s3 missing: {gone} (offsets 1 to 100): not there\n")
    process.kill()


def test_the_right_it_needs_beyond_those_of_run_is_needed(in_aws, ministack, secrets):
    shipped, place = in_aws
    assert shipped.compare("--full").code == 0
    environment = as_user_with(ministack, secrets, place, "policy.json")
    ended = shipped.tickwal.run_to_end("reconcile", "--full", **environment)
    assert ended.code == 1 and "s3: 3 objects compared, 3 agree" in ended.out.decode()
    assert "BatchGetItem" in ended.err and "AccessDenied" in ended.err
    assert f"the right dynamodb:BatchGetItem on arn:aws:dynamodb:{REGION}:*:table/{place.table} (deploy/iam/reconcile.json)" in ended.err
    compared = Compared(shipped.tickwal.run_to_end("reconcile", "--full", "--json", **environment))
    assert compared.consumers["s3"]["failure"] is None
    assert "could not read the items of" in compared.consumers["dynamodb"]["failure"]

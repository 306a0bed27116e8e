"""AWS being away, or refusing, never stops ingest; all is shipped in the end.

OUTAGE_SECONDS makes the outages longer than the tests need: `OUTAGE_SECONDS=120 … -k test_outages`.
"""

import os
import time

from support.delivery import assert_dense, assert_items, assert_objects
from support.program import PATIENCE

OUTAGE = float(os.environ.get("OUTAGE_SECONDS", "0"))
STREAMS = [f"sym{number:03}usdt@miniTicker" for number in range(20)]


def more_ticks(tickwal, run, count):
    target = tickwal.log.head + count
    run.wait_until(lambda: tickwal.log.head >= target, f"{count} more ticks in the log")


class Outage:
    """Keeps the place shut until OUTAGE_SECONDS have passed since it was made."""

    def __init__(self, relay):
        self.relay = relay
        self.ends = time.monotonic() + OUTAGE
        relay.shut()

    def end(self, run):
        run.wait_until(lambda: time.monotonic() >= self.ends, "the outage is over", OUTAGE + PATIENCE)
        self.relay.open()


def assert_all_shipped(tickwal, run, place):
    head = tickwal.log.head
    run.wait_until(lambda: tickwal.log.is_shipped(head), f"all up to {head} is shipped", 2 * PATIENCE)
    ended = run.terminate(seconds=2 * PATIENCE)
    assert ended.code == 0, ended.err
    ticks = tickwal.log.ticks()
    assert_dense(ticks)
    assert_objects(tickwal.log, place.objects(), ticks, most_rows=100)
    assert_items(place.items(), ticks)


def settings(place, relay, url):
    return {
        **place.environment(relay.url), "BINANCE_WS_URL": url, "DRAIN_ON_STOP": "1",
        "SHUTDOWN_TIMEOUT": str(PATIENCE),
    }


def test_sinks_go_away_and_come_back(tickwal, make_place, relay, simulate):
    place = make_place(*STREAMS)
    run = tickwal.start("run", **settings(place, relay, simulate("--rate", "200")))
    run.wait_until(lambda: tickwal.log.is_shipped(100), "the first ticks are shipped")
    outage = Outage(relay)
    shipped = tickwal.log.next_offsets()
    more_ticks(tickwal, run, 1_000)
    run.wait_until(lambda: relay.refused >= 4, "both sinks have tried again")
    lag = tickwal.log.backlog()
    assert lag["s3"] > 500 and lag["dynamodb"] > 500
    for consumer, offset in tickwal.log.next_offsets().items():
        assert offset - shipped[consumer] < 500, "an offset moved on although nothing was confirmed"
    outage.end(run)
    assert_all_shipped(tickwal, run, place)


def test_a_start_while_aws_is_away_uses_the_last_known_streams(tickwal, make_place, relay, simulate):
    place = make_place(*STREAMS)
    environment = settings(place, relay, simulate("--rate", "200"))
    run = tickwal.start("run", **environment)
    run.wait_until(lambda: tickwal.log.head >= 50, "the first ticks are in the log")
    run.kill()
    outage = Outage(relay)
    run = tickwal.start("run", **environment)
    more_ticks(tickwal, run, 500)
    assert relay.refused > 0
    outage.end(run)
    assert_all_shipped(tickwal, run, place)


def test_wrong_credentials_are_tried_again_until_they_are_right(tickwal, make_place, relay, simulate, secrets):
    place = make_place(*STREAMS)
    file = tickwal.folder / "credentials"
    wrong = "wrongwrongwrongwrongwrongwrongwrongwrong"
    secrets.append(wrong)

    def write(secret):
        file.write_text(f"[old]\naws_access_key_id = {place.keys.id}\naws_secret_access_key = {secret}\n")

    write(wrong)
    environment = settings(place, relay, simulate("--rate", "200"))
    for name in place.keys.environment:
        del environment[name]
    run = tickwal.start(
        "run", PIPELINE_IAM_USER="old", AWS_SHARED_CREDENTIALS_FILE=str(file), STREAMS=",".join(STREAMS), **environment
    )
    more_ticks(tickwal, run, 300)
    # The first request to S3 is for the marker.
    run.wait_until(
        lambda: relay.count("UpdateItem") > 2 and sum(not request.target for request in relay.requests) > 2, "tries"
    )
    run.wait_until_said("SignatureDoesNotMatch")
    assert place.items() == {} and place.objects() == []
    write(place.keys.secret)
    assert_all_shipped(tickwal, run, place)


def test_a_bucket_and_a_table_that_are_missing_are_waited_for(tickwal, make_place, relay, simulate):
    place = make_place(*STREAMS, has_sinks=False)
    run = tickwal.start("run", **settings(place, relay, simulate("--rate", "100")))
    run.wait_until_said("NoSuchBucket")
    run.wait_until_said("ResourceNotFoundException")
    more_ticks(tickwal, run, 100)
    assert tickwal.log.value("select count(*) from dead_letters") == 0
    assert tickwal.log.next_offsets() == {"s3": 1, "dynamodb": 1}
    place.make_sinks()
    assert_all_shipped(tickwal, run, place)


def test_the_very_first_start_waits_for_the_secret(tickwal, make_place, relay, simulate):
    place = make_place(*STREAMS)
    environment = settings(place, relay, simulate("--rate", "200"))
    relay.shut()
    run = tickwal.start("run", **environment)
    run.wait_until(lambda: relay.refused > 2, "the secret has been asked for")
    assert run.terminate().code == 0
    tried = relay.refused
    run = tickwal.start("run", **environment)
    run.wait_until(lambda: relay.refused > tried + 2, "the secret has been asked for again")
    relay.open()
    more_ticks(tickwal, run, 200)
    assert_all_shipped(tickwal, run, place)

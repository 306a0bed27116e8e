"""The feed starts first: nothing of AWS's keeps ticks waiting where the streams are known."""

import json

import pytest

from support.program import PATIENCE
from support.ticks import combined

SINKS_OFF = {"S3_WRITE": "0", "DYNAMO_WRITE": "0"}


def send(tickwal, run, client, number, stream="a@trade"):
    client.send(combined(stream, f'{{"n":{number}}}').encode())
    run.wait_until(lambda: tickwal.path.exists() and tickwal.log.head == number, f"tick {number} is in the log")


@pytest.fixture
def sleeping_keys(tickwal):
    """A profile whose keys come from a program that never says anything."""
    program = tickwal.folder / "keys.sh"
    program.write_text(f"#!/bin/sh\n: >{tickwal.folder}/asked\nexec sleep 3600\n")
    program.chmod(0o755)
    config = tickwal.folder / "config"
    config.write_text(f"[profile slow]\ncredential_process = {program}\n")
    return {"AWS_CONFIG_FILE": str(config), "PIPELINE_IAM_USER": "slow"}


def test_keys_that_hang_do_not_keep_the_feed_from_starting(tickwal, make_exchange, sleeping_keys):
    exchange = make_exchange()
    run = tickwal.start("run", BINANCE_WS_URL=exchange.url, STREAMS="a@trade", **sleeping_keys)
    send(tickwal, run, exchange.client(), 1)
    assert (tickwal.folder / "asked").exists()
    assert "there are no credentials yet" not in run.err
    assert run.terminate().code == 0


def test_a_secret_that_hangs_does_not_keep_the_known_streams_from_starting(
    tickwal, make_exchange, make_place, relay
):
    place, exchange = make_place("a@trade"), make_exchange()
    environment = {**place.environment(relay.url), **SINKS_OFF, "BINANCE_WS_URL": exchange.url}
    first = tickwal.start("run", **environment)
    send(tickwal, first, exchange.client(0), 1)
    assert first.terminate().code == 0
    place.change_secret(streams=["a@trade", "b@trade"])
    relay.stall()
    run = tickwal.start("run", **environment)
    send(tickwal, run, exchange.client(1), 2)
    for failure in ("could not read the secret", "could not be read again", "Secrets Manager does not answer"):
        assert failure not in run.err
    relay.open()
    # Taken over as at a reload: the second connection has both.
    send(tickwal, run, exchange.client(2), 3, "b@trade")
    assert json.loads(tickwal.log.value("select value from meta where key = 'streams'")) == ["a@trade", "b@trade"]


def test_a_profile_that_does_not_exist_still_ends_the_start(tickwal):
    ended = tickwal.run_to_end(
        "run", BINANCE_WS_URL="ws://127.0.0.1:9", STREAMS="a@trade", PIPELINE_IAM_USER="nobody", seconds=PATIENCE
    )
    assert ended.code == 78 and "nobody" in ended.err
    assert not tickwal.path.exists()

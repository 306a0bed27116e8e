"""Nothing secret is in any output or in the log, at the most talkative level.

The search itself is in the fixtures, after every test and once more at the end for all tests together; here it
gets something to find.
"""

import json

import pytest

from support.search import SecretSearch
from support.ticks import combined, mini_tickers
from support.waiting import wait_until


def test_nothing_secret_is_written_down(tickwal, make_place, make_exchange, relay, secrets):
    place = make_place("btcusdt@miniTicker", api_key="topsecretapikey", api_secret="topsecretapisecret")
    secrets += ["hunter2", "sessiontokenthatnobodysees"]
    exchange = make_exchange()
    url = exchange.url + "/stream?listenKey=hunter2"
    environment = place.environment(relay.url)
    run = tickwal.start("run", BINANCE_WS_URL=url, LOG_LEVEL="trace", LOG_FORMAT="json", **environment)
    for tick in mini_tickers(120):
        exchange.client().send(combined(*tick).encode())
    run.wait_until(lambda: tickwal.log.is_shipped(120), "all is shipped")
    relay.shut()
    exchange.client().drop()
    exchange.client(1).send(combined(*mini_tickers(1)[0]).encode())
    run.wait_until(lambda: relay.refused > 2, "errors have been logged")
    run.kill()
    # Refused with a token that is nobody's: the answer may repeat what was sent.
    relay.open()
    refused = tickwal.start(
        "run", BINANCE_WS_URL=url, LOG_LEVEL="trace", **environment, AWS_SESSION_TOKEN="sessiontokenthatnobodysees"
    )
    tried = len(relay.requests)
    wait_until(lambda: len(relay.requests) > tried + 2, "requests with the token were made")
    refused.kill()
    for command in (["config"], ["config", "--json"], ["status"], ["status", "--json"]):
        tickwal.succeed(*command, **(environment | {"BINANCE_WS_URL": url}))


@pytest.mark.parametrize("where", ["000-config.out", "000-run.err", "ticks.db"])
def test_the_search_finds_what_is_there(tickwal, where):
    """The search is worth nothing if it cannot fail."""
    secret = "planted+secret/=="
    search = SecretSearch(tickwal.folder)
    if where == "000-config.out":
        tickwal.succeed("config", S3_JSONL_DIR_PATH=secret)
    elif where == "000-run.err":
        assert tickwal.run_to_end("run", S3_FILENAME=secret).code == 78
    else:
        assert tickwal.run_with_input(combined("a@x", json.dumps({"x": secret})).encode(), "import", "-").code == 0
    search.add(["another secret"])
    search.check()
    search.add([secret])
    found = search.found()
    assert any(where in line and line.endswith(f":{secret}") for line in found), found
    with pytest.raises(AssertionError, match="secrets were written down"):
        search.check()


def test_what_hands_secrets_over_is_not_searched(tmp_path):
    search = SecretSearch(tmp_path)
    search.add(["planted+secret"])
    (tmp_path / "credentials").write_text("planted+secret")
    search.check()
    (tmp_path / "encoded.err").write_text("planted%2Bsecret")
    assert search.found() == [f"{tmp_path}/encoded.err:planted%2Bsecret"]


def test_the_search_at_the_end_knows_what_this_session_uses(tickwal, search, ministack):
    assert ministack.admin.secret in ministack.secrets
    assert tickwal.folder.is_relative_to(search.folder)

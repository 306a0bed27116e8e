"""Nothing secret is in any output or in the log, at the most talkative level.

The search itself is in the fixture `tickwal`, for every test; here it gets something to find.
"""

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


def test_the_search_finds_what_is_there(tickwal):
    """The fixture's search is worth nothing if it cannot fail."""
    ended = tickwal.succeed("config", S3_FILENAME="findme")
    found = [path for path in tickwal.folder.rglob("*") if path.is_file() and b"findme" in path.read_bytes()]
    assert found and b"findme" in ended.out

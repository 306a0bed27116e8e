"""`DYNAMO_WRITE_MODE=batch`: the same items with fewer requests, and nothing is given up or passed for it."""

import json

import pytest

from support.delivery import assert_items
from support.ticks import combined, mini_tickers
from test_metrics import address_of, wait_for
from test_odd_services import gateway, keep, place  # noqa: F401

BATCH = {"DYNAMO_WRITE_MODE": "batch", "S3_WRITE": "0"}


@pytest.fixture
def seen(gateway):  # noqa: F811
    """The sizes of the requests of one operation."""

    def sizes(operation: str) -> list[int]:
        bodies = [json.loads(seen.body) for seen in gateway.seen if seen.operation == operation]
        return [sum(map(len, body["RequestItems"].values())) if "RequestItems" in body else 1 for body in bodies]

    return sizes


def test_the_items_are_those_of_update(tickwal, place, make_place, ministack, seen):  # noqa: F811
    keep(tickwal, mini_tickers(310))
    tickwal.drain(**BATCH)
    assert seen("UpdateItem") == [] and sorted(seen("BatchWriteItem")) == [10] + [25] * 12
    assert_items(place.items(), tickwal.log.ticks())
    other = make_place("a@miniTicker")
    tickwal.drain("--accept-destination", S3_WRITE="0", **other.environment(ministack.url))
    tickwal.succeed("replay", "--from-offset", "1", "--to", "dynamodb", **other.environment(ministack.url))
    assert other.items() == place.items()


@pytest.mark.parametrize("mode, stays", [("update", True), ("batch", False)])
def test_what_others_have_added_to_an_item_stays_only_with_update(tickwal, place, ministack, mode, stays):  # noqa: F811
    keep(tickwal, mini_tickers(3))
    tickwal.drain(S3_WRITE="0")
    stream, time = next(iter(place.items()))
    ministack.client("dynamodb").update_item(
        TableName=place.table, Key={"stream_type": {"S": stream}, "iso_timestamp": {"S": time}},
        UpdateExpression="SET note = :n", ExpressionAttributeValues={":n": {"S": "mine"}})
    tickwal.succeed("seek", "--consumer", "dynamodb", "--offset", "1")
    tickwal.drain(S3_WRITE="0", DYNAMO_WRITE_MODE=mode)
    assert ("note" in place.items()[stream, time]) == stays
    tickwal.succeed("replay", "--from-offset", "1", "--to", "dynamodb", DYNAMO_WRITE_MODE=mode)
    assert ("note" in place.items()[stream, time]) == stays, "a replay updates in both modes"


def test_what_the_table_does_not_get_to_is_sent_again_and_counted(
    tickwal, place, gateway, make_exchange, ministack  # noqa: F811
):
    """Of the first ten requests it carries out a part, or nothing."""
    parts, table = iter([0, 1, 0.5, 0.5, 0.9, 0, 0.2, 0.5, 0.5, 0]), ministack.client("dynamodb")
    busy = []

    def before(request):
        if request.operation != "BatchWriteItem" or (part := next(parts, None)) is None:
            return None
        [(name, puts)] = json.loads(request.body)["RequestItems"].items()
        done = int(len(puts) * part)
        if puts[:done]:
            table.batch_write_item(RequestItems={name: puts[:done]})
        busy.append(done < len(puts))
        left = {name: puts[done:]} if puts[done:] else {}
        return 200, {"x-amzn-RequestId": "R"}, json.dumps({"UnprocessedItems": left}).encode()

    gateway.before = before
    exchange = make_exchange()
    run = tickwal.start("run", BINANCE_WS_URL=exchange.url, HTTP_LISTEN="127.0.0.1:0", **BATCH)
    address = address_of(run)
    exchange.client(0)
    for tick in mini_tickers(500):
        exchange.client(0).send(combined(*tick).encode())
    run.wait_until(lambda: tickwal.log.head == 500 and tickwal.log.is_shipped(500), "all is shipped")
    counted = wait_for(run, address, "it is counted", lambda scrape: scrape['ship_lag_ticks{consumer="dynamodb"}'] == 0)
    assert sum(busy) >= 7
    assert counted['aws_throttles_total{service="dynamodb"}'] == sum(busy)
    assert counted['aws_retries_total{service="dynamodb",reason="throttled"}'] == sum(busy)
    assert counted['aws_requests_total{service="dynamodb",operation="BatchWriteItem",result="ok"}'] > sum(busy)
    ended = run.terminate()
    assert "items came too fast for the table" in ended.err
    assert_items(place.items(), tickwal.log.ticks())
    assert tickwal.log.value("select count(*) from dead_letters") == 0


def test_a_request_that_is_refused_gives_up_nothing(tickwal, place, gateway, seen):  # noqa: F811
    keep(tickwal, mini_tickers(60))
    refusal = json.dumps({"__type": "com.amazonaws.dynamodb.v20120810#ValidationException", "message": "no"}).encode()
    gateway.before = lambda seen: (400, {}, refusal) if seen.operation == "BatchWriteItem" else None
    ended = tickwal.drain(**BATCH)
    assert sorted(seen("BatchWriteItem")) == [10, 25, 25] and len(seen("UpdateItem")) == 60
    assert_items(place.items(), tickwal.log.ticks())
    assert tickwal.log.value("select count(*) from dead_letters") == 0 and "ERROR" not in ended.err


def test_the_right_that_is_missing_is_named_and_waited_for(tickwal, place, gateway, ministack, secrets):  # noqa: F811
    keep(tickwal, mini_tickers(30))
    table = f"arn:aws:dynamodb:*:*:table/{place.table}"
    poor = ministack.make_user(f"poor-{place.table}", [("dynamodb:UpdateItem", table), ("dynamodb:DescribeTable", table)])
    secrets.append(poor.secret)
    run = tickwal.start("ship", AWS_ENDPOINT_URL=ministack.url, **poor.environment, **BATCH)
    run.wait_until(lambda: "ERROR" in run.err, "the refusal is said")
    [line] = [line for line in run.err.splitlines() if "ERROR" in line][:1]
    assert f"the right dynamodb:BatchWriteItem on arn:aws:dynamodb:ap-southeast-1:*:table/{place.table} (deploy/iam/policy.json)" in line
    assert place.items() == {} and tickwal.log.backlog()["dynamodb"] == 30
    iam = ministack.root("iam")
    statements = [{"Effect": "Allow", "Action": f"dynamodb:{right}", "Resource": table}
                  for right in ("BatchWriteItem", "UpdateItem", "DescribeTable")]
    iam.put_user_policy(UserName=f"poor-{place.table}", PolicyName="allowed",
                        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}))
    assert run.end().code == 0
    assert_items(place.items(), tickwal.log.ticks())


def test_doctor_tries_a_batch_only_where_run_sends_some(tickwal, place):  # noqa: F811
    def names(**environment):
        ended = tickwal.run_to_end("doctor", "--json", **environment)
        return {check["name"]: check["verdict"] for check in json.loads(ended.out)["checks"]}

    assert "table-write-batches" not in names()
    assert names(**BATCH)["table-write-batches"] == "ok" and place.items() == {}

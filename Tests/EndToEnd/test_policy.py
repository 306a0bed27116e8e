"""`deploy/iam/policy.json` is what is needed: with it everything works, and each statement is for one thing."""

import json
from pathlib import Path

import pytest

POLICY = json.loads((Path(__file__).resolve().parents[2] / "deploy/iam/policy.json").read_text())

NEEDED_FOR = {
    "ReadTheStreams": "secret",
    "PutAndLookAtObjects": "bucket",
    "TellAbsentObjectsFromForbiddenOnes": "bucket",
    "WriteItems": "table-write",
    "LookAtTheTable": "table",
}
"""The check of `doctor` that fails first without each statement."""


@pytest.fixture
def allowed(tickwal, make_place, simulate, ministack, secrets):
    """Runs `doctor` as a user with these statements, for this test's bucket, table and secret."""
    place = make_place("btcusdt@miniTicker")
    names = {
        "crypto-live-bucket": place.bucket, "crypto-live-miniticker": place.table,
        "crypto-live.binance_ws-??????": f"{place.secret}*", "111122223333": "*",
    }
    url = simulate()

    def run(statements: list[dict]) -> dict[str, dict]:
        pairs = []
        for statement in statements:
            resource = statement["Resource"]
            for written, here in names.items():
                resource = resource.replace(written, here)
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            pairs += [(action, resource) for action in actions]
        keys = ministack.make_user(f"{place.bucket}-{len(secrets)}", pairs)
        secrets.append(keys.secret)
        environment = place.environment(ministack.url) | keys.environment | {"BINANCE_WS_URL": url}
        ended = tickwal.run_to_end("doctor", "--json", "--write", **environment)
        return {check["name"]: check for check in json.loads(ended.out)["checks"]}

    return run


def test_it_is_enough(allowed):
    checks = allowed(POLICY["Statement"])
    bad = {name: check for name, check in checks.items() if check["verdict"] != "ok" and name != "space"}
    assert not bad, bad


@pytest.mark.parametrize("missing", NEEDED_FOR)
def test_each_statement_is_needed_for_one_thing(allowed, missing):
    rest = [statement for statement in POLICY["Statement"] if statement["Sid"] != missing]
    assert len(rest) == len(POLICY["Statement"]) - 1
    failed = [name for name, check in allowed(rest).items() if check["verdict"] == "failed"]
    assert failed == [NEEDED_FOR[missing]], failed


def test_each_statement_is_tested():
    assert {statement["Sid"] for statement in POLICY["Statement"]} == set(NEEDED_FOR)

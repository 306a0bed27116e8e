"""`deploy/iam/policy.json` is what is needed: with it everything works, and each statement is for one thing."""

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from support.ticks import combined, mini_tickers
from test_reconcile import as_user_with

ROOT = Path(__file__).resolve().parents[2]
POLICY = json.loads((ROOT / "deploy/iam/policy.json").read_text())

NEEDED_FOR = {
    "ReadTheStreams": "secret",
    "PutAndLookAtObjects": "bucket",
    "TellAbsentObjectsFromForbiddenOnes": "bucket",
    "WriteItems": "table-write",
    "WriteItemsInBatches": "table-write-batches",
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
        environment = place.environment(ministack.url) | keys.environment | {
            "BINANCE_WS_URL": url, "DYNAMO_WRITE_MODE": "batch",
        }
        ended = tickwal.run_to_end("doctor", "--json", "--write", **environment)
        return {check["name"]: check for check in json.loads(ended.out)["checks"]}

    return run


def test_it_is_enough(allowed):
    checks = allowed(POLICY["Statement"])
    bad = {name: check for name, check in checks.items() if check["verdict"] != "ok" and name not in ("space", "kinesis")}
    assert not bad, bad
    # It has rights of its own, which test_kinesis.py tries.
    assert checks["kinesis"]["verdict"] == "skipped"


@pytest.mark.parametrize("missing", NEEDED_FOR)
def test_each_statement_is_needed_for_one_thing(allowed, missing):
    rest = [statement for statement in POLICY["Statement"] if statement["Sid"] != missing]
    assert len(rest) == len(POLICY["Statement"]) - 1
    failed = [name for name, check in allowed(rest).items() if check["verdict"] == "failed"]
    assert failed == [NEEDED_FOR[missing]], failed


def test_each_statement_is_tested():
    assert {statement["Sid"] for statement in POLICY["Statement"]} == set(NEEDED_FOR)


def rights() -> set[tuple[str, str]]:
    pairs = set()
    for statement in POLICY["Statement"]:
        actions = statement["Action"]
        pairs |= {(action, statement["Resource"]) for action in ([actions] if isinstance(actions, str) else actions)}
    return pairs


def test_the_readme_names_the_same_rights_word_for_word():
    rows = re.findall(r"^\| `(\w+:\w+)` \| `(arn:\S+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(rows) == len(set(rows)) and set(rows) == rights()


def test_each_folder_that_a_page_or_a_help_names_is_allowed():
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "Sources/App/Output/HelpText.swift"]
    text = "".join(page.read_text() for page in pages)
    folders = set(re.findall(r"S3_JSONL_DIR_PATH=([\w/]+)|--prefix (\w+)", text))
    named = {folder for pair in folders for folder in pair if folder and folder != "P"}
    assert {"batch_jsonl_tickwal", "batch_jsonl_2"} <= named
    for action in ("s3:PutObject", "s3:GetObject"):
        [allowed] = [resource for right, resource in rights() if right == action]
        for folder in named | {"batch_jsonl"}:
            assert fnmatchcase(f"arn:aws:s3:::crypto-live-bucket/{folder}/dt=1/x", allowed), (folder, allowed)


@pytest.fixture
def shipped(tickwal, make_place, ministack, secrets):
    """A log that was shipped by README's own steps, with the rights of its policy."""
    place = make_place("btcusdt@miniTicker")
    tickwal.environment |= place.environment(ministack.url) | as_user_with(ministack, secrets, place, "policy.json")
    file = tickwal.folder / "ticks.jsonl"
    file.write_text("".join(combined(*tick) + "\n" for tick in mini_tickers(30)))
    tickwal.succeed("import", file)
    tickwal.drain(S3_JSONL_DIR_PATH="batch_jsonl_tickwal")
    return tickwal, place


def test_the_steps_of_the_readme_work_with_it(shipped):
    tickwal, place = shipped
    assert place.objects("batch_jsonl_tickwal/")
    tickwal.drain("--accept-destination")
    tickwal.succeed("replay", "--from-offset", "1", "--to", "s3", "--prefix", "batch_jsonl_2")
    assert place.objects("batch_jsonl_2/")


def test_a_replay_that_is_refused_ends_and_names_the_right(shipped):
    tickwal, place = shipped
    ended = tickwal.run_to_end("replay", "--from-offset", "1", "--to", "s3", "--prefix", "elsewhere")
    last = ended.err.splitlines()[-1]
    assert ended.code == 1 and last.startswith(f"tickwal: could not upload: PutObject on s3://{place.bucket}/elsewhere/"), ended.err
    # It is not tried for ever, and the object is named once a line.
    assert "until it works" not in ended.err and "five refusals in a row end the command" in ended.err
    assert " key=" not in ended.err
    assert f"the right s3:PutObject on arn:aws:s3:::{place.bucket}/elsewhere/" in last
    ended = tickwal.run_to_end("replay", "--from-offset", "1", "--to", "dynamodb", DYNAMO_TABLE_NAME="not-there")
    assert ended.code == 1 and "table not-there in ap-southeast-1" in ended.err.splitlines()[-1], ended.err

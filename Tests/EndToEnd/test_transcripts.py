"""The transcripts of docs/transcripts are of this program, and what they tell still happens."""

import re
from pathlib import Path

import pytest

import transcripts
from support import messages

ROOT = Path(__file__).resolve().parents[2]
LINE = re.compile(r"^\d{4}-\d\d-\d\dT\S+Z (?:DEBUG|INFO|NOTE|WARN|ERROR) +(.*)$", re.MULTILINE)
FACT = re.compile(r"^([a-z]+(?: [a-z]+)?)  +\S", re.MULTILINE)


@pytest.fixture(params=transcripts.STORIES)
def page(request) -> str:
    return (ROOT / f"docs/transcripts/{request.param}.md").read_text()


def test_what_the_pages_show_is_what_the_program_says(page):
    """Each message is one of the code's, and each fact of `status` has a name that its report gives."""
    said = [text for source in messages.sources().values() for text in messages.literals(source)]
    shown = LINE.findall(page)
    assert len(shown) > 10
    unknown = [line for line in shown if not any(begins(line, text) for text in said)]
    assert unknown == []
    reports = [text for path, source in messages.sources().items() if path.parent.name in ("Terminal", "Doctor")
               for text in messages.literals(source)]
    facts = {name for block in statuses(page) for name in facts_of(block)}
    assert len(facts) >= 8 and [name for name in facts if name not in reports] == []


def statuses(page: str) -> list[str]:
    return re.findall(r"\$ tickwal status\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def facts_of(status: str) -> list[str]:
    return FACT.findall(status.partition("\nconsumer ")[0])


def test_the_status_that_the_readme_shows_is_as_it_looks(tickwal, simulate):
    """Of the program as README starts it, a little later: the facts, their order and their words, and the tables."""
    shown = (ROOT / "README.md").read_text().partition("```sh\ntickwal status\n```\n```\n")[2].partition("```")[0]
    assert shown.splitlines()[0] == "healthy"
    run = tickwal.start(
        "run", "--local", "out", BINANCE_WS_URL=simulate("--rate", "50"), HTTP_LISTEN="127.0.0.1:0",
        STREAMS="btcusdt@miniTicker,ethusdt@miniTicker", DISK_LOW="0", DISK_STOP="0",
    )
    run.wait_until(lambda: "2 of 2 granted" in status(tickwal), "the feed is connected")
    run.wait_until(lambda: "rates" in (seen := status(tickwal)) and seen.startswith("healthy"), "rates are known")
    seen = status(tickwal)
    assert [words(line) for line in shown.splitlines()] == [words(line) for line in seen.splitlines()]
    assert run.terminate().code == 0


def status(tickwal) -> str:
    return tickwal.run_to_end("status").out.decode()


UNITS = re.compile(r"\b(?:ms|s|min|[KMGT]iB|B)\b")


def words(line: str) -> list[str]:
    """Without figures, their units, and the names of this machine's files."""
    plain = re.sub(r"\([0-9a-f]{16}\)|\S*/\S*", " ", line)
    return re.findall(r"[A-Za-z][\w'-]*", UNITS.sub(" ", re.sub(r"[\d.,:]+", " ", plain)))


def begins(line: str, text: str) -> bool:
    """Whether a line begins with a message; what follows it is its metadata."""
    if len(text.split()) < 2 or messages.ANYTHING in text[:12]:
        return False
    pattern = ".*?".join(re.escape(part) for part in text.split(messages.ANYTHING))
    return re.match(pattern + r"( \w+=|$)", line) is not None


def test_what_the_night_tells_still_happens(ministack, tmp_path, binary, secrets):
    """The first hour is tried by `make transcripts` alone: it takes longer, and other tests have its steps."""
    name = "night"
    text, own = transcripts.write(name, ministack, tmp_path, binary)
    secrets.extend(own)
    assert not any(secret in text for secret in own)
    headings = re.findall(r"^##? .*", text, re.MULTILINE)
    assert headings == re.findall(r"^##? .*", (ROOT / f"docs/transcripts/{name}.md").read_text(), re.MULTILINE)

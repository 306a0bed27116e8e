"""The runbook has all that a person on call can meet: exit codes and reasons to hold (alerts: test_alerts.py)."""

import re
from pathlib import Path

from support import messages

ROOT = Path(__file__).resolve().parents[2]
RUNBOOK = (ROOT / "docs/runbook.md").read_text()


def source(path: str) -> str:
    return (ROOT / "Sources" / path).read_text()


def test_each_exit_code_has_its_section():
    codes = set(re.findall(r"^  case \w+ = (\d+)$", source("App/Configuration/ExitCode.swift"), re.MULTILINE))
    assert len(codes) == 7
    assert set(re.findall(r"^### Exit code (\d+)$", RUNBOOK, re.MULTILINE)) == codes


def test_each_reason_to_hold_is_there():
    reasons = set(re.findall(r'case \w+ =\s*"([^"]+)"', source("Shippers/Objects/Lease/LogIdentity.swift")))
    reasons |= {
        text.replace("\\(Self.limitInARow)", "10")
        for text in re.findall(r'\.hold\("([^"]+)"\)', source("Shippers/Items/RefusalPolicy.swift"))
    }
    assert len(reasons) == 7
    for text in messages.sources().values():
        for call in re.finditer(r"attempts\.hold\(\s*(?=\")", text):
            reasons.add(messages.literal(text, call.end()).text)
    assert len(reasons) == 10
    missing = [reason for reason in sorted(reasons) if reason not in RUNBOOK]
    assert missing == []


def test_its_links_lead_somewhere():
    for page in ("runbook.md", "upgrade.md"):
        for file, anchor in re.findall(r"\]\(([\w.]*)(?:#([\w-]+))?\)", (ROOT / "docs" / page).read_text()):
            target = (ROOT / "docs" / (file or page)).read_text()
            headings = re.findall(r"^#+ (.+)$", target, re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert not anchor or anchor in anchors, f"{page}: {file}#{anchor}"

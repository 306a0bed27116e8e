"""What the documents say of the program and of its tests is so."""

import re
from pathlib import Path

from support import messages

ROOT = Path(__file__).resolve().parents[2]
FUNCTION = re.compile(r"func (?:`([^`]+)`|(\w+))\s*[(<]")


def test_the_tests_that_the_documents_name_exist():
    text = (ROOT / "docs/durability.md").read_text()
    named = set(re.findall(r"`(\w+Tests(?:/[^`]+)?|test_\w+\.py(?:::\w+)?)`", text))
    assert len(named) > 40
    missing = []
    for name in sorted(named):
        if name.startswith("test_"):
            file, _, test = name.partition("::")
            path = ROOT / "Tests/EndToEnd" / file
            if not path.exists() or test and f"def {test}(" not in path.read_text():
                missing.append(name)
        else:
            suite, _, test = name.partition("/")
            paths = list((ROOT / "Tests").rglob(f"{suite}.swift"))
            if not paths or test and test not in {a or b for a, b in FUNCTION.findall(paths[0].read_text())}:
                missing.append(name)
    assert missing == []


def test_each_message_of_the_code_is_in_docs_operations_md():
    said = messages.said_by_the_code()
    assert len(said) > 80
    shown, _ = messages.documented()
    missing = [f"{file}: {text}" for text, file in said.items() if not any(messages.covers(text, each) for each in shown)]
    assert missing == []


def test_each_last_line_of_a_command_is_in_docs_operations_md():
    said = messages.ends_in_the_code()
    assert len(said) > 80
    _, ends = messages.documented()
    missing = [f"{file}: {text}" for text, file in said.items() if not messages.has_a_clause(ends, text)]
    assert missing == []


def test_each_message_of_docs_operations_md_is_in_the_code():
    shown, ends = messages.documented()
    assert len(shown) > 80 and len(ends) > 30
    texts = [text for source in messages.sources().values() for text in messages.literals(source)]
    missing = [each for each in shown + ends if not messages.has_parts(texts, each)]
    assert missing == []


def test_each_problem_of_status_and_each_finding_of_doctor_is_in_docs_operations_md():
    found = messages.found_by_the_code()
    assert len(found) > 25
    shown = messages.documented_findings()
    missing = [f"{file}: {text}" for text, file in found.items() if not messages.has_a_clause(shown, text)]
    assert missing == []


def test_each_finding_of_docs_operations_md_is_in_the_code():
    shown = messages.documented_findings()
    assert len(shown) > 25
    texts = [text for source in messages.sources().values() for text in messages.literals(source)]
    assert [each for each in shown if not messages.has_parts(texts, each)] == []

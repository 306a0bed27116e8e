"""docs/durability.md names the tests that attack each promise: they must be there."""

import re
from pathlib import Path

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

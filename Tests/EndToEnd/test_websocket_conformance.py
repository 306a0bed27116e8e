"""The feed's WebSocket client against the Autobahn test suite, which is what implementations are measured by."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from support.ports import free_port
from support.program import PATIENCE, find_binary
from support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
SUITE = ROOT / ".build-autobahn"

NOT_APPLICABLE = ("12.", "13.")
"""Compression, which the client does not offer."""
LATER_THAN_COULD_BE = {"6.4.1", "6.4.2", "6.4.3", "6.4.4"}
"""Text that stops being UTF-8 in one of several fragments is refused at the message's end, which is allowed."""


@pytest.fixture
def fuzzing_server(tmp_path):
    """The server's URL, the folder of its reports, and how many cases it has."""
    if not (SUITE / "installed.txt").exists():
        pytest.skip("the Autobahn suite is not installed: it needs Python 2.7 (scripts/autobahn.sh)")
    url = f"ws://127.0.0.1:{free_port()}"
    specification = tmp_path / "fuzzing.json"
    specification.write_text(
        json.dumps({"url": url, "outdir": str(tmp_path / "reports"), "cases": ["*"], "exclude-cases": [],
                    "exclude-agent-cases": {}})
    )
    said = tmp_path / "server.log"
    with open(said, "wb") as log:
        server = subprocess.Popen(
            [SUITE / "python", ROOT / "Tests/EndToEnd/autobahn/fuzzing_server.py", specification],
            env={"PYTHONPATH": str(SUITE / "packages"), "PYTHONUNBUFFERED": "1"}, cwd=tmp_path, stdout=log,
            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )
    try:
        wait_until(lambda: "\nready\n" in said.read_text() or server.poll() is not None, "the server is ready", PATIENCE)
        assert server.poll() is None, said.read_text()
        yield url, tmp_path / "reports", int(re.search(r"will run (\d+) test cases", said.read_text())[1])
    finally:
        server.kill()
        server.wait()


def test_no_case_of_the_autobahn_suite_fails(fuzzing_server):
    url, reports, count = fuzzing_server
    tests = find_binary(ROOT).parent / "tickwalPackageTests.xctest"
    # On a busy machine the suite has been seen to report before the last connection of a case had ended there, and
    # to leave the case out. It is asked once more then; what it has said of a case stands.
    for _ in range(2):
        done = subprocess.run(
            [tests, "--testing-library", "swift-testing", "--filter", "WebSocketConformanceTests"],
            env={"PATH": os.environ["PATH"], "WEBSOCKET_FUZZING_SERVER": url}, capture_output=True, text=True,
            timeout=600, stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        cases = json.loads((reports / "index.json").read_text())["tickwal"]
        if len(cases) == count:
            break
    assert len(cases) == count > 500

    def named(key, *verdicts):
        return {name for name, case in cases.items() if case[key] in verdicts}

    compression = {name for name in cases if name.startswith(NOT_APPLICABLE)}
    assert named("behavior", "UNIMPLEMENTED") == compression
    assert named("behavior", "NON-STRICT") <= LATER_THAN_COULD_BE
    good = named("behavior", "OK", "INFORMATIONAL", "NON-STRICT") | compression
    assert good == set(cases), "failed: " + ", ".join(sorted(set(cases) - good))
    closed = named("behaviorClose", "OK", "INFORMATIONAL")
    assert closed == set(cases), "not closed as they should be: " + ", ".join(sorted(set(cases) - closed))

"""Nothing that a soak has started goes on after it, whatever ends it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.program import PATIENCE
from support.waiting import wait_until

BENCHMARKS = Path(__file__).resolve().parents[2] / "Benchmarks"
# One that runs, one that is frozen, and one whose parent has ended.
SOAK = """
import signal, subprocess, sys, time
from soaking.children import Children
with Children():
    running, frozen = (subprocess.Popen(["sleep", "600"], start_new_session=True) for _ in range(2))
    frozen.send_signal(signal.SIGSTOP)
    orphan = subprocess.run(
        ["sh", "-c", "sleep 600 >&2 & echo $!"], start_new_session=True, stdout=subprocess.PIPE, check=True)
    print(running.pid, frozen.pid, int(orphan.stdout), flush=True)
    if sys.argv[1] == "fault":
        raise ValueError("what nobody thought of")
    time.sleep(600 if sys.argv[1] == "signal" else 0)
"""


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return True
    except ProcessLookupError:
        return False


@pytest.mark.parametrize("way", ["end", "fault", signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_nothing_goes_on_after_a_soak(way):
    by_signal = isinstance(way, signal.Signals)
    with subprocess.Popen(
        [sys.executable, "-c", SOAK, "signal" if by_signal else way], cwd=BENCHMARKS,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as soak:
        children = [int(pid) for pid in soak.stdout.readline().split()]
        assert len(children) == 3
        if by_signal:
            assert all(map(is_there, children))
            soak.send_signal(way)
        _, said = soak.communicate(timeout=PATIENCE)
    assert (soak.returncode == 0) == (way == "end")
    assert ("KeyboardInterrupt" in said) == by_signal and ("ValueError" in said) == (way == "fault")
    # They are its children, waited for before it ended.
    assert not any(map(is_there, children))


@pytest.fixture
def soak(binary, tmp_path):
    """The feed's soak, which starts the least."""
    process = subprocess.Popen(
        [sys.executable, BENCHMARKS / "soak.py", "--kind", "feed", "--tickwal", binary, "--seconds", "600", "--streams",
         "10", "--rate", "200", "--stops-every", "0", "--folder", tmp_path],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    yield process
    process.kill()
    process.wait()


def test_sigterm_has_a_soak_stopped_in_order_and_checked(soak, tmp_path):
    [folder] = wait_until(lambda: list(tmp_path.glob("tickwal-soak.*/")), "it has a folder")
    wait_until(lambda: (folder / "ticks.db").exists(), "the program has opened its log")
    wait_until(lambda: (folder / "journal").stat().st_size > 100_000, "ticks are made")
    soak.terminate()
    said, _ = soak.communicate(timeout=PATIENCE)
    assert soak.returncode == 0, said
    assert "stopping" in said and said.endswith("everything is right\n")
    assert not folder.exists()

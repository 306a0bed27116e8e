"""`make bench` measures every stage and ends. Nothing here says how fast anything is."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.program import PATIENCE

BENCH = Path(__file__).resolve().parents[2] / "Benchmarks/bench.py"
BASELINES = {"feed", "import", "objects", "level3", "items", "batch"}
STAGES = BASELINES | {"local", "both", "steady"}


@pytest.fixture
def bench(binary, tmp_path):
    def run(*options: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, BENCH, "--tickwal", binary, "--ticks", "600", "--slow-ticks", "300", "--repeat", "1",
             "--steady-seconds", "2", *options],
            env={"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)}, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=len(STAGES) * PATIENCE,
        )

    return run


def test_every_stage_has_its_figures(bench, tmp_path):
    done = bench("--limit", str(PATIENCE), "--json", str(tmp_path / "figures.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert set(figures) == STAGES
    for stage, of_stage in figures.items():
        compared = of_stage.pop("baseline_per_second")
        assert (compared is not None and compared > 0) == (stage in BASELINES), stage
        assert all(figure > 0 for figure in of_stage.values()), (stage, of_stage)
        [line] = [line for line in done.stdout.splitlines() if line.startswith(stage)]
        assert line.endswith("x") == (stage in BASELINES), line


def test_a_stage_that_does_not_end_is_ended_and_named(bench, tmp_path):
    done = bench("--limit", "0.01", "--only", "feed")
    assert done.returncode == 1 and "tickwal run ended, or was ended after 0.01 s" in done.stderr, done.stderr
    assert list(tmp_path.glob("tickwal-bench.*")) == []


def test_every_limit_has_its_figures(binary, tmp_path):
    done = subprocess.run(
        [sys.executable, BENCH.with_name("limits.py"), "--tickwal", binary, "--backlog", "600", "--repeat", "1",
         "--seconds", "1", "--streams", "1,20", "--limit", str(PATIENCE)],
        env={"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)}, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=7 * PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = [line.split() for line in done.stdout.splitlines()[2:]]
    assert {words[0] for words in figures} == {"latency", "table", "drain", "streams", "growth", "start", "memory"}
    assert all(float(words[-2].replace(",", "")) > 0 for words in figures), done.stdout

"""The figures of docs/scale.md are those of its formulas, of the program's limits and of the simulation."""

import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.replica_year import MACHINES, YEAR, Simulation, common, joined, minutes

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/scale.md").read_text()
FLEET = PAGE.split("## 1, 10 and 100 machines\n")[1].split("\n## ")[0]


def number(text: str) -> float:
    return float(text.replace(",", ""))


def inputs() -> dict[str, float]:
    """What the formulas name; a line may have several names with as many values."""
    found = {}
    for names, values in re.findall(r"^\| (`[a-z0-9]+`(?:, `[a-z0-9]+`)*) \| ([^|]+) \|", FLEET, re.MULTILINE):
        found |= zip(re.findall(r"`(\w+)`", names), map(number, values.split(", ")), strict=True)
    return found


def test_each_number_is_its_formula():
    rows = re.findall(r"^\|[^|]+\| `([^`]+)` \| ([\d.,]+) \| ([\d.,]+) \| ([\d.,]+) \|$", FLEET, re.MULTILINE)
    assert len(rows) == 21
    known = inputs()
    for formula, *shown in rows:
        for machines, text in zip((1, 10, 100), shown):
            value = eval(formula, {"n": machines, "ceil": math.ceil, **known})
            assert number(text) == pytest.approx(value, rel=0.005), (formula, machines, value)


def test_what_was_measured_is_what_the_other_pages_say():
    sizing, performance = (ROOT / "docs/sizing.md").read_text(), (ROOT / "docs/performance.md").read_text()
    known = inputs()
    [measured] = re.findall(r"^\| 5,000, objects of 20,000 rows alone \| (\d+) s \|.*\| ([\d.]+) MB \| ([\d.]+) GB \|$", sizing, re.MULTILINE)
    assert tuple(map(number, measured)) == (known["cpu"], known["packed"], known["written"])
    assert f"about {known['row']:g} bytes a miniTicker" in sizing
    for name in ("0.0836 an hour", "0.096 a GB and month", "0.005 an hour", "0.005 a thousand", "0.025 a GB and month", "0.71 a million"):
        assert name in sizing
    for stage, words in [("feed", "feed to the log"), ("objects", "objects, a backlog"), ("items", "items, a backlog"), ("both", "both, a backlog")]:
        [rate] = re.findall(rf"^\| {stage}: [^|]*\| ([\d,]+) \|", performance, re.MULTILINE)
        assert f"| {words}, as fast as it goes | {rate} ticks/s |" in PAGE


def test_the_exchanges_limits_are_those_that_the_program_keeps():
    source = (ROOT / "Sources/Ingest/Binance/BinanceLimits.swift").read_text()
    kept = {name: int(value.replace("_", "")) for name, value in re.findall(r"(\w+): (?:\.seconds\()?([\d_]+)", source)}
    for line in [
        f"| Binance | {kept['streamsPerConnection']:,} streams a connection |",
        f"{kept['attempts']} attempts to connect in {kept['attemptWindow'] // 60} minutes, for an address",
        f"{kept['messagesPerSecond']} messages a second to the server",
    ]:
        assert line in PAGE, line


def test_the_minutes_missing_are_what_the_simulation_prints():
    script = ROOT / "Tests/EndToEnd/support/replica_year.py"
    printed = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, timeout=120).stdout
    assert printed.strip() in PAGE


def test_the_simulation_counts_what_it_should():
    assert joined([(5, 6), (1, 3), (2, 4), (4, 4.5)]) == [(1, 4.5), (5, 6)]
    assert common([(1, 4), (6, 9)], [(0, 2), (3, 7), (8, 10)]) == [(1, 2), (3, 4), (6, 7), (8, 9)]
    assert common([(1, 2)], [(2, 3)]) == [] and minutes([(1, 4), (6, 9)]) == 6
    simulation = Simulation(seed=3)
    for _ in range(20):
        simulation.add_year()
    assert simulation.one.shard_years == 20 * MACHINES == 2 * simulation.two.shard_years
    # What happened to machines is what is missing of single replicas, but for what overlaps.
    lost = sum(simulation.by_cause.values())
    assert 0.98 * lost < simulation.one.minutes <= lost < 20 * MACHINES * YEAR
    assert simulation.two_alone.minutes <= simulation.two.minutes < simulation.one.minutes / 2

"""The unit for systemd: what it says is understood, restricts the program, and fits what the program does."""

import re
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).resolve().parents[2] / "deploy/systemd/tickwal.service"
TEXT = UNIT.read_text()
MOST_EXPOSURE = 1.4


def settings() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", TEXT, re.MULTILINE):
        found.setdefault(name, []).append(value)
    return found


def test_it_is_understood(tmp_path, binary):
    # Where the program lies here; that there is a manual page is the package's business.
    unit = tmp_path / "tickwal.service"
    unit.write_text(re.sub(r"^Documentation=.*$", "", TEXT.replace("/usr/bin/tickwal", str(binary)), flags=re.MULTILINE))
    said = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    about = [line for line in said.stderr.splitlines() if "tickwal" in line]
    assert said.returncode == 0 and about == []


def test_it_is_restricted():
    said = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSURE * 10:.0f}", "--no-pager", UNIT],
        capture_output=True, text=True)
    assert said.returncode == 0, said.stdout[-2000:] + said.stderr
    level = re.search(r"Overall exposure level for tickwal.service: ([\d.]+)", said.stdout)
    assert float(level[1]) <= MOST_EXPOSURE
    # The log's clock reads the boot's id; the instance's metadata lies at a link-local address.
    assert "ProcSubset" not in settings() and "IPAddressDeny" not in settings()


@pytest.mark.parametrize("name, value", [
    ("Type", "notify"), ("Restart", "always"), ("RestartSec", "5"), ("RestartPreventExitStatus", "64 78"),
    ("StartLimitIntervalSec", "0"), ("KillMode", "mixed"), ("WatchdogSec", "60"), ("UMask", "0077"),
    ("StateDirectory", "tickwal"), ("StateDirectoryMode", "0750"), ("ExecReload", "/bin/kill -HUP $MAINPID"),
    ("RequiresMountsFor", "/var/lib/tickwal"), ("EnvironmentFile", "-/etc/default/tickwal"),
])
def test_it_says_what_operators_count_on(name, value):
    assert settings()[name] == [value]


def test_the_time_to_stop_is_longer_than_the_program_takes():
    page = (UNIT.parents[2] / "docs/settings.md").read_text()
    default = float(re.search(r"`SHUTDOWN_TIMEOUT` \| ([\d.]+) s", page)[1])
    assert float(settings()["TimeoutStopSec"][0]) > default + 3

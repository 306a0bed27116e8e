"""The command blocks of README and docs run as they are written, against stand-ins, with the rights of the policies
that README names."""

import re
import time
from pathlib import Path

import pytest

from support.machine import Machine
from support.ports import free_port
from support.shell import Shell, blocks, commands
from support.ticks import combined, mini_tickers
from support.waiting import wait_until
from test_reconcile import rights

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted(page for page in (ROOT / "docs").glob("*.md") if page.name != "scale.md")]
"""Several machines are needed for docs/scale.md; test_replicas.py has them."""
COUNT = 1_200

NOT_RUN = ("make ", "mv ", "chmod ", "while sleep")
"""What builds the program, moves its files away, or never ends."""

ENDS_WITH_1 = {
    r"--since|--at 02:10": "the log has no ticks that were received",
    r"dead-letters retry 12 13": "2 of 2 could not be settled",
    # Nothing has the log open here.
    r"(?:tickwal|tw) status": "",
    r"tickwal fleet": "no living log ships here",
}
"""What finds nothing in this small log, and says so."""


def test_each_block_is_of_a_page_that_is_run():
    assert {page.name for page in PAGES if blocks(page)} == {
        "README.md", "kinesis.md", "operations.md", "runbook.md", "settings.md", "simulate.md", "upgrade.md",
    }


COMMAND = re.compile(r"^(?:tickwal|tw|tw\(\)|systemd-run|sudo|systemctl|journalctl|sqlite3|aws|u?mount|cp|mv|apt|curl) ")
RUN_BY_OTHERS = {"terraform.md": "test_terraform.py", "sizing.md": "test_bench.py"}
"""Pages whose commands need what no test of blocks has: an instance of EC2, minutes of measuring."""


def test_no_command_hides_in_a_block_that_is_not_run():
    """What follows a fence without a language is what a program says."""
    hidden = []
    for page in PAGES:
        for block in re.findall(r"^```(?:\w+\n.*?|\n(.*?))^```", page.read_text(), re.MULTILINE | re.DOTALL):
            hidden += [f"{page.name}: {line}" for line in block.splitlines() if COMMAND.match(line)]
    assert [line for line in hidden if line.partition(":")[0] not in RUN_BY_OTHERS] == []


class Page:
    """Runs the commands of one page in a shell."""

    def __init__(self, shell: Shell, url: str):
        self.shell, self.url = shell, url
        self.places: dict[str, str] = {}

    def fill(self, log: Path | None = None) -> None:
        lines = [combined(*tick) for tick in mini_tickers(COUNT)] + ["no tick"] * 20
        (self.shell.folder / "ticks.jsonl").write_text("".join(line + "\n" for line in lines))
        (self.shell.folder / "other").mkdir(exist_ok=True)
        self.check("tickwal import ticks.jsonl" + (f" --wal-path {log}" if log else ""))

    def here(self, command: str) -> str:
        """With places and numbers that there are here."""
        for written, here in {
            "--listen 127.0.0.1:9443": "--listen 127.0.0.1:0", "ws://127.0.0.1:9443": self.url,
            "/mnt/other": str(self.shell.folder / "other"), "120000": "1000", "250000": "1100",
            "--day 2026-11-22": f"--day {time.strftime('%Y-%m-%d', time.gmtime())}", **self.places,
        }.items():
            command = command.replace(written, here)
        return command

    def check(self, command: str) -> None:
        done = self.shell.run(self.here(command))
        [words] = [words for line, words in ENDS_WITH_1.items() if re.search(line, command)] or [None]
        if words is not None and done.returncode == 1:
            assert words in done.stdout + done.stderr, (command, done.stderr)
        else:
            # `head` has seen enough.
            fine = (0, 141) if "| head" in command else (0,)
            assert done.returncode in fine, (command, done.returncode, done.stdout[-2000:], done.stderr[-2000:])

    def run(self, block: str) -> None:
        if block.startswith("#!"):
            assert self.shell.run(f"bash -n <<'END'\n{block}END").returncode == 0
            return
        for command in commands(block):
            if not command.startswith(NOT_RUN):
                self.check(command)


@pytest.fixture
def make_page(tmp_path, binary, ministack, simulate, secrets, make_place):
    def make(place=None) -> Page:
        names = place or type("Default", (), {
            "bucket": "crypto-live-bucket", "table": "crypto-live-miniticker", "secret": "crypto-live.binance_ws",
        })
        allowed = [
            (action, on.replace("crypto-live.binance_ws-??????", f"{names.secret}*"))
            for action, on in rights(names, "policy.json", "reconcile.json", "kinesis.json")
        ]
        keys = ministack.make_user(f"blocks-{tmp_path.name}", allowed)
        secrets.append(keys.secret)
        url = simulate("--rate", "50")
        environment = place.environment(ministack.url) if place else {}
        return Page(Shell(tmp_path, binary, ministack, environment | keys.environment | {"BINANCE_WS_URL": url}), url)

    return make


def test_the_blocks_of_the_readme(make_page):
    page = make_page()
    page.fill()
    page.shell.environment["STREAMS"] = "btcusdt@miniTicker,ethusdt@miniTicker"
    for block in blocks(PAGES[0]):
        page.run(block)
        if "aws secretsmanager" in block:
            # From here on the streams are the secret's, and what was imported is shipped.
            del page.shell.environment["STREAMS"]
            page.check("tickwal ship")


def test_the_blocks_of_the_runbook(make_page, make_place, binary):
    """With stand-ins for systemd, the service's user and the volumes; all else is as it is."""
    runbook = ROOT / "docs/runbook.md"
    [tw] = re.findall(r"^tw\(\) \{ (.*); \}$", runbook.read_text(), re.MULTILINE)
    place = make_place("btcusdt@miniTicker", "ethusdt@miniTicker")
    page = make_page(place)
    machine, port = Machine(page.shell.folder, binary), free_port()
    page.shell.environment["HTTP_LISTEN"] = f"127.0.0.1:{port}"
    for log in (machine.log, page.shell.folder / "mnt/lost/ticks.db"):
        page.fill(log)
    page.places = machine.places | {"localhost:9464": f"127.0.0.1:{port}"}
    machine.define("tw", page.here(tw))
    page.check("systemctl start tickwal")
    try:
        wait_until(lambda: place.objects(), "an object is there")
        page.places["BUCKET/KEY"] = f"{place.bucket}/{place.objects()[0].key}"
        page.places["BUCKET/quarantine/KEY"] = f"{place.bucket}/quarantine/object"
        for block in blocks(runbook):
            page.run(block)
    finally:
        page.check("systemctl stop tickwal")
    # The log has moved to the new volume, and that of the orphaned one is shipped.
    assert machine.log.resolve() == page.shell.folder / "mnt/new/ticks.db"
    page.check("tickwal verify --wal-path /var/lib/tickwal/ticks.db")
    page.check("tickwal reconcile --wal-path /mnt/orphan/ticks.db")


@pytest.mark.parametrize("name", ["kinesis.md", "operations.md", "settings.md", "simulate.md", "upgrade.md"])
def test_the_blocks_of_a_page(make_page, make_place, name):
    place = make_place("btcusdt@miniTicker", "ethusdt@miniTicker")
    place.kinesis_stream = "crypto-live-ticks"
    page = make_page(place)
    page.fill()
    page.check("tickwal ship")
    for block in blocks(ROOT / "docs" / name):
        page.run(block)

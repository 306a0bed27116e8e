"""The Debian package: what is in it, and what installing, upgrading, removing and purging it does. Packed from the
program under test; `make package-test` does the same with the release build in a whole Debian."""

import fcntl
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from support.log import Log
from support.program import Tickwal
from support.ticks import combined, mini_tickers

ROOT = Path(__file__).resolve().parents[2]
STATE = "var/lib/tickwal"
SETTINGS = "etc/default/tickwal"


def ask(*command: str | Path, **more) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, **more)
    assert done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def packed(binary, tmp_path_factory, worker_id) -> dict[str, Path]:
    """Paths of the packages by name, and of all that says so. Of several processes one packs, the others wait."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "packages"
    folder.mkdir(exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not list(folder.glob("*.changes")):
            ask(ROOT / "scripts/deb.sh", binary, folder, env={**os.environ, "DEB_COMPRESSION": "-Zgzip -z1"})
    return {path.name.partition("_")[0]: path for path in folder.glob("*.deb")} | {
        "changes": next(folder.glob("*.changes"))
    }


@pytest.fixture(scope="module")
def unpacked(packed, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    ask("dpkg-deb", "--raw-extract", packed["tickwal"], folder / "package")
    return folder / "package"


def test_lintian_finds_nothing(packed, binary):
    said = subprocess.run(
        ["lintian", "--allow-root", "--fail-on", "none", packed["changes"]], capture_output=True, text=True)
    tags = [line for line in said.stdout.splitlines() if not line.startswith("N:")]
    if "libswiftCore.so" in ask("ldd", binary):
        # Where to find the Swift runtime, which the release build has within.
        tags = [tag for tag in tags if "custom-library-search-path" not in tag]
    assert tags == [] and said.returncode == 0, said.stderr


def test_the_package_has_what_belongs_to_a_service(packed, unpacked, tickwal):
    fields = ask("dpkg-deb", "--field", packed["tickwal"])
    depends = re.search(r"^Depends: (.*)$", fields, re.MULTILINE)[1]
    for library in ("libc6", "libcurl4", "libdeflate0", "libsqlite3-0", "libssl3", "zlib1g"):
        assert re.search(rf"\b{library} ", depends), depends
    version = tickwal.succeed("--version").out.decode().strip()
    assert f"\nVersion: {version}\n" in fields and "\nArchitecture: all" not in fields
    assert (unpacked / "DEBIAN/conffiles").read_text() == f"/{SETTINGS}\n"
    assert (unpacked / SETTINGS).stat().st_mode & 0o777 == 0o640
    unit = "lib/systemd/system/tickwal.service"
    assert (unpacked / unit).read_text() == (ROOT / "deploy/systemd/tickwal.service").read_text()
    program = unpacked / "usr/bin/tickwal"
    assert ".debug_info" not in ask("readelf", "--sections", "--wide", program)
    build = re.search(r"Build ID: (\w\w)(\w+)", ask("readelf", "--notes", program))
    symbols = ask("dpkg-deb", "--contents", packed["tickwal-dbgsym"])
    assert f"./usr/lib/debug/.build-id/{build[1]}/{build[2]}.debug" in symbols
    for name in ("runbook.md", "operations.md"):
        assert (unpacked / "usr/share/doc/tickwal" / name).exists(), name


SYSTEM = {"/bin/grep", "/bin/kill"}
"""What a unit may call that every Debian has."""


def paths_named(unit: str) -> set[str]:
    """Absolute paths of programs, their arguments and documents in a unit's text; not what it is told to make."""
    lines = re.findall(r"^(?:Exec\w+|Documentation|EnvironmentFile)=(.*)$", unit, re.MULTILINE)
    return {found.removeprefix("file://") for line in lines for found in re.findall(r"(?:file://)?/[\w.+/-]+", line)}


def test_whatever_a_unit_names_is_in_the_package(unpacked):
    units = sorted((unpacked / "lib/systemd/system").iterdir())
    assert {unit.name for unit in units} == {"tickwal.service", "tickwal-columns.service", "tickwal-columns.timer"}
    # An environment of Python's that docs/query.md tells how to make.
    by_hand = "/opt/tickwal-columns/bin/python"
    assert by_hand.rpartition("/bin/")[0] in (unpacked / "usr/share/doc/tickwal/query.md").read_text()
    for unit in units:
        named = paths_named(unit.read_text())
        assert named and {path for path in named - SYSTEM - {by_hand} if not (unpacked / path[1:]).exists()} == set()
        for page, name in re.findall(r"man:([\w-]+)\((\d)\)", unit.read_text()):
            assert (unpacked / f"usr/share/man/man{name}/{page}.{name}.gz").exists()
    # The script finds what it reads beside itself, and needs what the page says.
    columns = unpacked / "usr/share/tickwal/columns"
    assert {path.name for path in columns.iterdir()} == {
        path.name for path in (ROOT / "deploy/columns").iterdir() if path.suffix in (".py", ".sql", ".txt")
    }
    said = ask(ROOT / ".build-venv/bin/python", columns / "columns.py", "--help", env={"PYTHONDONTWRITEBYTECODE": "1"})
    assert "--source" in said
    page = (unpacked / "usr/share/doc/tickwal/query.md").read_text()
    assert "/usr/share/tickwal/columns/requirements.txt" in page


def test_each_setting_is_in_its_file_and_none_is_set(unpacked, tickwal):
    lines = (unpacked / SETTINGS).read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == []
    shown = dict(re.fullmatch(r"#([A-Z0-9_]+)=(.*)", line).groups() for line in lines if re.match(r"#[A-Z0-9_]+=", line))
    known = json.loads(tickwal.succeed("config", "--json").out)["settings"]
    keys = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    assert set(shown) == {name for name in known if not name.startswith("AWS_")} | keys
    # Each default is a value that the program takes.
    values = {name: value for name, value in shown.items() if value and name != "WAL_PATH"}
    said = Tickwal(tickwal.binary, tickwal.folder, values).succeed("config", "--json")
    here = json.loads(said.out)["settings"]
    differ = {name for name in values if here[name]["value"] != known[name]["value"]}
    ours = {"DISK_LOW", "DISK_STOP", "BALLAST_SIZE", "MAX_BATCH_SIZE", "MAX_BATCH_TIMEOUT", "HTTP_LISTEN"}
    assert differ <= ours


def test_the_manual_and_the_completions_have_all_commands(unpacked, tickwal):
    page = ask("man", "--warnings", "-l", unpacked / "usr/share/man/man1/tickwal.1.gz", env={
        "PATH": os.environ["PATH"], "MANWIDTH": "200", "LC_ALL": "C.UTF-8",
    })
    listed = re.findall(r"^  ([a-z-]+) {2,}", tickwal.succeed("--help").out.decode().split("SUBCOMMANDS:")[1], re.M)
    assert len(listed) > 10
    for command in listed:
        assert re.search(rf"^   tickwal {command}\b", page, re.MULTILINE), f"{command} is not in the manual"
    for part in ("ENVIRONMENT", "EXIT STATUS", "WAL_RETENTION_HOURS (24 hours)", "--accept-destination", "/etc/default"):
        assert part in page
    assert ".." not in page.replace("...", "").replace("../", "")
    script = unpacked / "usr/share/bash-completion/completions/tickwal"
    shell = f"source {script}; COMP_WORDS=(tickwal ''); COMP_CWORD=1; COMP_LINE='tickwal '; COMP_POINT=8; _tickwal; "
    offered = ask("bash", "-O", "extglob", "-c", shell + 'printf "%s\\n" "${COMPREPLY[@]}"', env={"PATH": "/bin"}).split()
    assert set(listed) <= set(offered)
    for path in ("usr/share/zsh/vendor-completions/_tickwal", "usr/share/fish/vendor_completions.d/tickwal.fish"):
        text = (unpacked / path).read_text()
        assert all(command in text for command in listed)


class Machine:
    """A folder in which packages are installed as if it were a machine, with nothing else there."""

    def __init__(self, folder: Path):
        self.root = folder
        (folder / "var/lib/dpkg").mkdir(parents=True)
        for name in ("info", "updates"):
            (folder / "var/lib/dpkg" / name).mkdir()
        (folder / "var/lib/dpkg/status").touch()
        (folder / "etc").mkdir()
        notes = folder.parent / "notes"
        notes.mkdir()
        self.tickwal = Tickwal(folder / "usr/bin/tickwal", notes, {"WAL_PATH": str(self.state / "ticks.db")})
        self.tickwal.path = self.state / "ticks.db"
        self.tickwal.log = Log(self.tickwal.path)

    def dpkg(self, *arguments: str | Path) -> str:
        done = subprocess.run(
            ["dpkg", f"--root={self.root}", "--force-script-chrootless,depends", *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    @property
    def state(self) -> Path:
        return self.root / STATE

    def receive(self, count: int) -> None:
        lines = "".join(combined(*tick) + "\n" for tick in mini_tickers(count))
        self.tickwal.run_with_input(lines.encode(), "import", "-")
        assert self.tickwal.log.head == count


@pytest.fixture
def machine(tmp_path, packed) -> Machine:
    if os.geteuid() != 0:
        pytest.skip("giving a folder to a user needs root")
    made = Machine(tmp_path / "machine")
    made.dpkg("--install", packed["tickwal"])
    return made


def newer(package: Path, folder: Path) -> Path:
    """The same package as a later version."""
    ask("dpkg-deb", "--raw-extract", package, folder / "newer")
    control = folder / "newer/DEBIAN/control"
    control.write_text(re.sub(r"^Version: .*$", "Version: 99", control.read_text(), flags=re.MULTILINE))
    ask("dpkg-deb", "-Znone", "--build", folder / "newer", folder / "newer.deb")
    return folder / "newer.deb"


def test_it_is_installed_with_a_user_and_upgraded_without_touching_what_is_there(machine, packed, tmp_path):
    users = (machine.root / "etc/passwd").read_text()
    [number] = re.findall(r"^tickwal:x:(\d+):\d+:[^:]*:/var/lib/tickwal:/usr/sbin/nologin$", users, re.MULTILINE)
    about = machine.state.stat()
    assert (about.st_mode & 0o777, about.st_uid) == (0o750, int(number))
    assert (machine.root / "etc/systemd/system/multi-user.target.wants/tickwal.service").is_symlink()
    machine.receive(10)
    (machine.root / SETTINGS).write_text("STREAMS=a@trade\n")
    (machine.root / SETTINGS).chmod(0o600)
    of_somebody = machine.state / "archive.db"
    of_somebody.touch()
    os.chown(of_somebody, 12345, 12345)
    (machine.root / "etc/systemd/system/multi-user.target.wants/tickwal.service").unlink()
    machine.dpkg("--install", newer(packed["tickwal"], tmp_path))
    assert (machine.root / SETTINGS).read_text() == "STREAMS=a@trade\n"
    assert of_somebody.stat().st_uid == 12345 and machine.state.stat().st_uid == int(number)
    assert machine.tickwal.log.head == 10
    # Who has disabled it keeps it so.
    assert not (machine.root / "etc/systemd/system/multi-user.target.wants/tickwal.service").exists()
    scripts = machine.root / "var/lib/dpkg/info"
    assert "deb-systemd-invoke try-restart 'tickwal.service'" in (scripts / "tickwal.postinst").read_text()
    assert "deb-systemd-invoke start" not in (scripts / "tickwal.postinst").read_text()
    assert not (scripts / "tickwal.preinst").exists() or "stop" not in (scripts / "tickwal.preinst").read_text()
    machine.dpkg("--remove", "tickwal")
    assert (machine.root / SETTINGS).exists() and machine.tickwal.log.head == 10
    said = machine.dpkg("--purge", "tickwal")
    assert f"{machine.state}/ticks.db STAYS" in said
    assert machine.tickwal.log.head == 10 and of_somebody.exists() and not (machine.root / SETTINGS).exists()


@pytest.mark.parametrize("what", ["shipped", "one consumer is behind", "nobody ships", "a dead letter", "changed since"])
def test_a_purge_deletes_only_a_log_whose_ticks_are_all_shipped(machine, what):
    machine.receive(10)
    out = machine.state.parent / "out"
    out.mkdir()
    if what == "one consumer is behind":
        machine.tickwal.succeed("ship", "--local", out, DYNAMO_WRITE="0", MAX_BATCH_TIMEOUT="0.1")
        machine.tickwal.succeed("adopt")
        machine.tickwal.succeed("seek", "--consumer", "local-s3", "--offset", "1")
    elif what != "nobody ships":
        machine.tickwal.succeed("ship", "--local", out)
    if what == "a dead letter":
        machine.tickwal.run_with_input(b"no tick\n", "import", "--force", "-")
    machine.dpkg("--remove", "tickwal")
    if what == "changed since":
        with open(machine.tickwal.path, "ab") as log:
            log.write(b"x")
    said = machine.dpkg("--purge", "tickwal")
    if what == "shipped":
        assert "all that" in said and not machine.state.exists()
    else:
        assert "STAYS" in said and machine.tickwal.path.exists()

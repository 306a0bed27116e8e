"""The stand-ins for a machine that runs tickwal as a service: systemd, a second user, volumes."""

import sys
from pathlib import Path

from .program import PATIENCE

SYSTEMCTL = '''#!{python}
"""Starts and stops the service, in place of systemd, and shows it."""
import os, signal, subprocess, sys, time
command, name = sys.argv[1:3]
assert name == "tickwal"
note, journal = {note!r}, {journal!r}

def wait_until(condition, what):
    end = time.monotonic() + {patience}
    while not condition():
        if time.monotonic() > end:
            sys.exit(what + ": " + open(journal).read()[-2000:])
        time.sleep(0.05)

def pid():
    return int(open(note).read()) if os.path.exists(note) else None

def runs(pid):
    # Whoever adopts what the shell has left may not look after its end.
    try:
        return open("/proc/%d/stat" % pid).read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False

if command == "start":
    assert pid() is None, "it runs already"
    with open(journal, "ab") as said:
        place = said.tell()
        process = subprocess.Popen(
            [{binary!r}, "run", "--wal-path", {log!r}], stdin=subprocess.DEVNULL, stdout=said, stderr=said,
            start_new_session=True)
    with open(note, "w") as file:
        file.write(str(process.pid))
    wait_until(lambda: b"connected to the exchange" in open(journal, "rb").read()[place:], "it did not start")
elif command == "stop" and pid() is not None:
    os.kill(pid(), signal.SIGTERM)
    wait_until(lambda: not runs(pid()), "it did not end")
    os.remove(note)
elif command == "status":
    print(name, "pid", pid())
'''

SCRIPTS = {
    # The machine of the tests has no such user.
    "sudo": '[ "$1 $2" = "-u tickwal" ] && shift 2 && exec "$@"',
    "chown": '[ "$1 $2" = "-R tickwal:" ]',
    "install": '[ "$1 $2 $3 $4" = "-o tickwal -g tickwal" ] && shift 4 && exec /usr/bin/install "$@"',
    "systemd-run": 'while [ "$1" != tickwal ]; do case $1 in Environment=*) export "${1#*=}" ;; esac; shift; done; exec "$@"',
    # A device is a link to a folder, and so is what it is mounted on.
    "mount": 'if [ -e "$2" ]; then mv "$2" "$2.below"; fi; ln -s "$(readlink "$1")" "$2"',
    "umount": 'mv "$1" "$1.unmounted"',
    # All volumes of the machine may take long.
    "sync": "true",
}
"""What there is in place of programs that need root, another user or a device."""


class Machine:
    """Folders in place of those of the Debian package, and what a runbook needs beside tickwal."""

    def __init__(self, folder: Path, binary: Path):
        self.folder = folder
        self.log = folder / "var/lib/tickwal/ticks.db"
        self.journal = folder / "journal"
        for name in ("var/lib/tickwal", "backup", "mnt/new", "mnt/lost", "dev"):
            (folder / name).mkdir(parents=True)
        (folder / "dev/NEW").symlink_to(folder / "mnt/new")
        (folder / "dev/ORPHAN").symlink_to(folder / "mnt/lost")
        systemctl = SYSTEMCTL.format(
            python=sys.executable, note=str(folder / "pid"), journal=str(self.journal), binary=str(binary),
            log=str(self.log), patience=PATIENCE,
        )
        scripts = SCRIPTS | {"journalctl": f"cat '{self.journal}'"}
        for name, text in [("systemctl", systemctl), *((name, f"#!/bin/bash\n{text}\n") for name, text in scripts.items())]:
            (folder / "bin" / name).write_text(text)
            (folder / "bin" / name).chmod(0o755)

    def define(self, name: str, command: str) -> None:
        """A function of a page, for the shells of its other blocks as well."""
        script = self.folder / "bin" / name
        script.write_text(f"#!/bin/bash\n{command}\n")
        script.chmod(0o755)

    @property
    def places(self) -> dict[str, str]:
        """What the documents call them, and where they are here."""
        names = ("/var/lib/tickwal", "/backup", "/mnt/", "/dev/NEW", "/dev/ORPHAN")
        return {name: f"{self.folder}{name}" for name in names}

"""System calls of the program that fail when a test says so, without any rights on the machine."""

import shutil
import subprocess
from pathlib import Path


def build_library(name: str, folder: Path) -> Path:
    """Of the source beside this file, for LD_PRELOAD."""
    compiler = shutil.which("cc") or shutil.which("clang")
    assert compiler, "neither cc nor clang is there, which Swift itself needs"
    library = folder / f"{name}.so"
    source = Path(__file__).with_name(f"{name}.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-Wall", "-o", library, source, "-ldl"], check=True)
    return library


class Disk:
    """The disk below one log: full or broken for as long as a test likes."""

    def __init__(self, library: Path, folder: Path, log: Path):
        self._folder = folder / "faults"
        self._folder.mkdir()
        self.environment = {
            "LD_PRELOAD": str(library), "TICKWAL_FAULTS": str(self._folder), "TICKWAL_FAULTS_ON": str(log.resolve())
        }

    def fill(self) -> None:
        (self._folder / "full").touch()

    def free(self) -> None:
        (self._folder / "full").unlink()

    def exhaust_quota(self) -> None:
        (self._folder / "quota").touch()

    def raise_quota(self) -> None:
        (self._folder / "quota").unlink()

    def break_syncs(self) -> None:
        (self._folder / "broken").touch()

    def mend(self) -> None:
        (self._folder / "broken").unlink()

    def refuse_a_connection(self) -> None:
        (self._folder / "no-descriptor").touch()

    @property
    def has_refused(self) -> bool:
        return not (self._folder / "no-descriptor").exists()

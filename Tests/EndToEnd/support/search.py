"""The search of everything that programs wrote for everything that must not be in it."""

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote


class SecretSearch:
    """Files with `credentials` in their names are where tests hand secrets over; the others must have none."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._secrets: set[str] = set()

    def __contains__(self, secret: str) -> bool:
        return secret in self._secrets

    def add(self, secrets: Iterable[str]) -> None:
        for secret in secrets:
            # A short one is anywhere by chance, and a line's end would divide it.
            assert len(secret) >= 6 and "\n" not in secret, f"{secret!r} cannot be searched for"
            self._secrets |= {secret, quote(secret, safe=""), secret.replace("/", "\\/")}

    def found(self) -> list[str]:
        """Each file that has a secret, with the secret: `folder/name:secret`."""
        if not self._secrets:
            return []
        done = subprocess.run(
            ["grep", "-raoF", "--exclude=*credentials*", "-f", "-", "--", self.folder],
            input="\n".join(sorted(self._secrets)).encode(), capture_output=True,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        )
        assert done.returncode in (0, 1), f"the search failed: {done.stderr.decode()}"
        return sorted(set(done.stdout.decode(errors="replace").splitlines()))

    def check(self) -> None:
        found = self.found()
        assert not found, "secrets were written down:\n" + "\n".join(found[:50])

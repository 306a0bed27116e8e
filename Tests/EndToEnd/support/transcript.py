"""A page of what a person types and sees, made while it happens."""

import os
import re
import signal
import subprocess
from pathlib import Path

from .waiting import wait_until

WIDTH = 160
PATIENCE = 90


class Background:
    """A program whose messages the page shows as they come."""

    def __init__(self, page: "Transcript", command: str, environment: dict[str, str]):
        self._page = page
        page.lines += ["```", f"$ {command} &", "```", ""]
        self._path = page.folder / f"messages-{len(page.background)}"
        self._shown = 0
        with open(self._path, "wb") as output:
            self._process = subprocess.Popen(
                ["bash", "-c", f"exec env {command}"], cwd=page.folder, env=page.environment | environment,
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )
        page.background.append(self)

    @property
    def said(self) -> str:
        return self._path.read_text()

    def wait(self, words: str, since: int | None = None) -> None:
        """Until it says so; of what was said before it is shown nothing."""
        start = self._shown if since is None else since
        wait_until(lambda: words in self.said[start:], f"it says '{words}'", PATIENCE, self._check)

    def _check(self) -> None:
        assert self._process.poll() is None, self.said[-4_000:]

    def show(self) -> str:
        """What it has said since the last time."""
        # A line that is being written comes with the next ones.
        new = self.said[self._shown :].rpartition("\n")[0]
        self._shown += len(new) + 1 if new else 0
        if new:
            self._page.block(new)
        return new

    def stop(self, number: int = signal.SIGTERM) -> int:
        self._process.send_signal(number)
        code = self._process.wait(PATIENCE)
        self.show()
        return code


class Transcript:
    """Text, commands and their output, in the order in which they were."""

    def __init__(self, title: str, folder: Path, binary: Path, environment: dict[str, str]):
        self.lines = [f"# {title}", ""]
        self.folder = folder
        (folder / "bin").mkdir(exist_ok=True)
        (folder / "bin/tickwal").unlink(missing_ok=True)
        (folder / "bin/tickwal").symlink_to(binary)
        self.environment = {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "HOME": str(folder), "AWS_EC2_METADATA_DISABLED": "true",
            "COLUMNS": str(WIDTH), "TZ": "UTC", **environment,
        }
        self.background: list[Background] = []
        self.outputs: list[str] = []

    def tell(self, text: str) -> None:
        self.lines += [text, ""]

    def block(self, text: str) -> None:
        self.lines += ["```", self._plain(text.rstrip("\n")), "```", ""]

    def _plain(self, text: str) -> str:
        """Without what is of this machine alone."""
        text = text.replace(str(self.folder), "/home/me")
        return re.sub(r"http://127\.0\.0\.1:\d+(?=[^\d/]|$)", "http://127.0.0.1:4566", text)

    def do(self, command: str, code: int | None = 0, shown: str | None = None) -> str:
        """What a command prints, stdout and stderr as a terminal mixes them."""
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=2 * PATIENCE,
        )
        assert code is None or done.returncode == code, (command, done.returncode, done.stdout)
        tail = f"\n(exit code {done.returncode})" if done.returncode else ""
        self.block(f"$ {shown or command}\n{done.stdout.rstrip()}{tail}".rstrip())
        self.outputs.append(done.stdout)
        return done.stdout

    def status(self, *words: str) -> str:
        """At this moment; it must say these words, sooner or later."""

        def asked() -> str:
            done = subprocess.run(
                ["tickwal", "status"], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                capture_output=True, text=True, timeout=PATIENCE,
            )
            return done.stdout if all(word in done.stdout for word in words) else ""

        text = wait_until(asked, f"status says {words}", PATIENCE)
        self.block(f"$ tickwal status\n{text}")
        self.outputs.append(text)
        return text

    def start(self, command: str, **environment: str) -> Background:
        return Background(self, command, environment)

    def stop_all(self) -> None:
        for each in self.background:
            if each._process.poll() is None:
                each._process.kill()
                each._process.wait()

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

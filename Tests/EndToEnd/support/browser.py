"""A headless Chromium that looks at one page, and what it asked for meanwhile."""

import base64
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

# Nobody else can be found, whatever the browser wants for itself.
FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-proxy-server", "--no-first-run",
    "--disable-background-networking", "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


def binary() -> str:
    chromium = shutil.which("chromium")
    assert chromium, "chromium is not there: scripts/packages.sh test installs it"
    return chromium


class Look:
    """What stands in the page after its scripts have run for a few seconds of its own time, and its picture as PNG."""

    def __init__(self, address: str, picture: Path | None = None, size: str = "1200,1900", dark: bool = False):
        more = [f"--screenshot={picture}", f"--window-size={size}", "--hide-scrollbars"] if picture else []
        if dark:
            more.append("--blink-settings=preferredColorScheme=0")
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            log = Path(folder) / "net.json"
            done = subprocess.run(
                [
                    binary(), *FLAGS, "--enable-logging=stderr", f"--user-data-dir={folder}/profile",
                    f"--log-net-log={log}", "--virtual-time-budget=3000", *more, "--dump-dom", f"http://{address}/",
                ],
                capture_output=True, text=True, timeout=120, env={"HOME": folder, "PATH": "/usr/bin:/bin"})
            assert done.returncode == 0, done.stderr[-2000:]
            self.dom = done.stdout
            self.console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
            text = log.read_text()
        # An event a line. Requests of the browser's own, for its updates, have no page that began them.
        asked = re.findall(r'"initiator":"http[^"]*".*?"url":"([^"]*)"', text)
        self.asked = {json.loads(f'"{url}"') for url in asked}

    def text(self, id: str) -> str:
        """Without its markup."""
        inner = re.search(rf'<(\w+)[^>]*\bid="{id}"[^>]*>(.*?)</\1>', self.dom, re.DOTALL).group(2)
        return re.sub(r"<[^>]+>", "", inner)

    @property
    def state(self) -> str:
        return re.search(r'<html[^>]*data-state="(\w+)"', self.dom).group(1)

    @property
    def charts(self) -> list[str]:
        """What they say to those who do not see them."""
        return re.findall(r'<svg[^>]*role="img"[^>]*aria-label="([^"]*)"', self.dom)


def without_scripts(address: str, picture: Path | None = None) -> str:
    """The page's document in a browser that runs no scripts; its picture as PNG, if wanted.

    Reference: https://chromedevtools.github.io/devtools-protocol/, over --remote-debugging-pipe.
    """
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [binary(), *FLAGS, f"--user-data-dir={folder}/profile", "--remote-debugging-pipe", "about:blank"]
        # It reads from descriptor 3 and writes to 4.
        browser = subprocess.Popen(
            ["bash", "-c", f'exec 3<&{to_read} 4>&{from_write}; exec "$@"', "bash", *command],
            pass_fds=(to_read, from_write), stderr=subprocess.DEVNULL, env={"HOME": folder, "PATH": "/usr/bin:/bin"})
        os.close(to_read)
        os.close(from_write)
        with os.fdopen(to_write, "wb", buffering=0) as out, os.fdopen(from_read, "rb") as back:
            try:
                return _Session(out, back).look(f"http://{address}/", picture)
            finally:
                browser.terminate()
                browser.wait(30)


class _Session:
    def __init__(self, out, back):
        self._out, self._back, self._number, self._target = out, back, 0, {}

    def _read(self) -> dict:
        message = bytearray()
        while (byte := self._back.read(1)) != b"\0":
            assert byte, "the browser has ended"
            message += byte
        return json.loads(message)

    def _ask(self, method: str, **parameters) -> dict:
        self._number += 1
        question = {"id": self._number, "method": method, "params": parameters, **self._target}
        self._out.write(json.dumps(question).encode() + b"\0")
        while (answer := self._read()).get("id") != self._number:
            pass
        assert "error" not in answer, (method, answer)
        return answer["result"]

    def look(self, url: str, picture: Path | None) -> str:
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._target = {"sessionId": self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        self._ask("Emulation.setScriptExecutionDisabled", value=True)
        self._ask("Page.enable")
        self._ask("Page.navigate", url=url)
        while self._read().get("method") != "Page.loadEventFired":
            pass
        if picture:
            picture.write_bytes(base64.b64decode(self._ask("Page.captureScreenshot")["data"]))
        root = self._ask("DOM.getDocument")["root"]["nodeId"]
        return self._ask("DOM.getOuterHTML", nodeId=root)["outerHTML"]

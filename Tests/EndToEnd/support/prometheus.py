"""A Prometheus of its own, that scrapes a program under test."""

import json
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path

from .ports import free_port
from .waiting import wait_until

CONFIGURATION = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: tickwal
    static_configs: [{{targets: ["{target}"]}}]
"""


class Prometheus:
    def __init__(self, folder: Path, target: str, rules: Path):
        folder.mkdir()
        (folder / "prometheus.yml").write_text(CONFIGURATION.format(target=target, rules=rules))
        self._address = f"127.0.0.1:{free_port()}"
        with open(folder / "prometheus.log", "wb") as log:
            self._process = subprocess.Popen(
                ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
                 f"--web.listen-address={self._address}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={"PATH": "/usr/bin:/bin"},
            )
        wait_until(self._is_there, "Prometheus answers")

    def _is_there(self) -> bool:
        try:
            return bool(self.ask("query", query="vector(1)"))
        except OSError:
            return False

    def ask(self, what: str, **parameters: str):
        """The `data` of an answer of its API."""
        url = f"http://{self._address}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=20) as answer:
            return json.load(answer)["data"]

    def samples(self, query: str) -> list[dict]:
        return self.ask("query", query=query)["result"]

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

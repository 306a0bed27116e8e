"""The queries of docs/query.md, as they are written there."""

import re
from pathlib import Path

import duckdb

PAGE = (Path(__file__).resolve().parents[3] / "docs/query.md").read_text()
BUCKET = "s3://crypto-live-bucket/"
STREAM = "btcusdt@miniTicker"
"""That the page asks for."""


def blocks(kind: str) -> dict[str, list[str]]:
    """The blocks of a language by the heading that they are under."""
    found: dict[str, list[str]] = {}
    for section in re.split(r"^#+ ", PAGE, flags=re.MULTILINE)[1:]:
        found[section.split("\n")[0]] = re.findall(rf"^```{kind}\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    return {heading: texts for heading, texts in found.items() if texts}


class Folder:
    """The page's views of objects in a folder, and its queries of several replicas."""

    def __init__(self, objects: Path):
        self.database = duckdb.connect()
        self.database.execute("set timezone = 'UTC'")
        [_, ticks, gaps] = blocks("sql duckdb")["DuckDB"][0].split("create or replace view")
        # DuckDB reads no pattern that nothing matches.
        for view in [ticks, gaps] if list(objects.glob("batch_jsonl/_gaps/*/*")) else [ticks]:
            self.database.execute("create or replace view" + view.replace(BUCKET, f"{objects}/"))
        [once] = blocks("sql duckdb")["Each tick once, of several replicas"]
        self._macro, self._counts = once.strip().rstrip(";").split(";\n")
        self.database.execute(self._macro)

    def once(self) -> dict[str, int]:
        """How many ticks of each stream there are."""
        return dict(self.database.execute(self._counts).fetchall())

    def missing_in_all(self, stream: str = STREAM) -> list[tuple]:
        [by_time, _] = blocks("sql duckdb")["What no replica has"]
        return self.database.execute(by_time.replace(STREAM, stream)).fetchall()

    def ids_missing_in_all(self) -> list[tuple]:
        [_, by_id] = blocks("sql duckdb")["What no replica has"]
        return self.database.execute(by_id).fetchall()

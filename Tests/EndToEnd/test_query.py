"""The queries of docs/query.md run as they are written, and find what is there."""

import gzip
import json
import re
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.request import urlopen

import boto3
import duckdb
import polars
import pyarrow.dataset
import pyarrow.fs
import pytest
from duckdb_extensions import import_extension

from support.aws import REGION
from support.queries import PAGE, STREAM, blocks
from support.ticks import combined, mini_ticker
from test_columns import Columns, place as columns_place

HOURS = ["02", "03", "04", "05"]
"""Of yesterday, each with an object; the rest is of the present hour."""

pytestmark = pytest.mark.xdist_group("query")


def test_each_block_of_the_page_is_run_or_marked():
    assert sum(map(len, blocks("sql duckdb").values())) == 9 and set(blocks("python")) == {"Polars", "pandas", "boto3"}
    for heading in blocks("sql"):
        section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
        assert section.strip().startswith("*Not run*"), heading


class Delivered:
    """Forty ticks of two symbols and ten trades, at a bucket and a table; the older ones as if received yesterday."""

    def __init__(self, program, place, ministack):
        self.place, self.ministack = place, ministack
        self.now = int(time.time() * 1000)
        self.prices = {number: f"{60_000 + number}.12345678" for number in range(40)}
        with open(program.folder / "ticks.jsonl", "w") as file:
            for number in range(40):
                symbol = "BTCUSDT" if number % 2 == 0 else "ETHUSDT"
                event = json.loads(mini_ticker(symbol, self.now - 60_000 + number, 1)) | {"c": self.prices[number]}
                file.write(combined(f"{symbol.lower()}@miniTicker", json.dumps(event)) + "\n")
                if number % 4 == 0:
                    trade = f'{{"e":"trade","E":{self.now + number},"s":"BTCUSDT","t":{number},"p":"{number}.10","q":1.10,"T":1}}'
                    file.write(combined("btcusdt@trade", trade) + "\n")
        program.environment |= place.environment(ministack.url) | {"MAX_BATCH_SIZE": "10"}
        program.succeed("import", program.folder / "ticks.jsonl")
        program.drain()
        self.log_id = program.log.log_id
        self.yesterday = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"
        objects = sorted(place.objects("batch_jsonl/"), key=lambda each: int(each.name["first"]))
        for hour, each in zip(HOURS, objects):
            self.move(each, hour)
        self.gap(7, f"{self.yesterday}T04:10:00.000000Z", f"{self.yesterday}T04:20:00.000000Z", "closed")
        self.gap(8, f"{self.yesterday}T03:10:00.000000Z", f"{self.yesterday}T03:20:00.000000Z", "stale", "ethusdt@miniTicker")

    def move(self, each, hour: str) -> None:
        name = each.key.rsplit("/", 1)[1]
        moved = re.sub(r"\d{4}-\d\d-\d\dT\d\d", f"{self.yesterday}T{hour}", name, count=1)
        self.place.put(
            f"batch_jsonl/dt={self.yesterday}/hour={hour}/{moved}", each.body, Metadata=each.headers["Metadata"],
            ContentType="application/json", ContentEncoding="gzip",
        )
        self.place.delete_object(each.key)

    def gap(self, number: int, started: str, ended: str, cause: str, stream: str = STREAM) -> None:
        key = f"batch_jsonl/_gaps/dt={started[:10]}/miniticker-{started.replace(':', '-')}-{self.log_id}-{number}.jsonl"
        line = {"gap": number, "log_id": self.log_id, "started_at": started, "ended_at": ended, "cause": cause, "streams": [stream]}
        self.place.put(key, json.dumps(line).encode() + b"\n")

    def here(self, block: str) -> str:
        """With the names that there are here."""
        for written, here in {
            "crypto-live-bucket": self.place.bucket, "crypto-live-miniticker": self.place.table,
            "dt=2026-11-22": f"dt={self.yesterday}",
        }.items():
            block = block.replace(written, here)
        return block


@pytest.fixture
def delivered(tickwal, make_place, ministack, secrets, monkeypatch):
    made = Delivered(tickwal, make_place("btcusdt@miniTicker"), ministack)
    keys = ministack.admin
    secrets.append(keys.secret)
    # As boto3, and what else follows the chain, finds them.
    for name, value in {"AWS_ENDPOINT_URL": ministack.url, "AWS_DEFAULT_REGION": REGION, **keys.environment}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_CA_BUNDLE", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    # The place is read from the environment, which is gone before this is.
    bucket = made.place.bucket
    columns = Columns(columns_place(f"s3://{bucket}/batch_jsonl"), columns_place(f"s3://{bucket}/parquet"), tickwal.folder)
    now = datetime.now(UTC)
    assert columns.run([now.date() - timedelta(days=1), now.date()], now) == 0
    return made


def test_duckdb(delivered, ministack):
    import_extension("httpfs")
    database = duckdb.connect()
    database.execute("set timezone = 'UTC'")
    [views, last_hour, trades] = blocks("sql duckdb")["DuckDB"]
    keys = ministack.admin
    # The chain's keys, at an endpoint of this machine.
    database.execute(delivered.here(views).replace(
        "provider credential_chain,",
        f"key_id '{keys.id}', secret '{keys.secret}', endpoint '127.0.0.1:{ministack.port}', use_ssl false, url_style 'path',",
    ))

    assert database.execute(last_hour).fetchall() == [("BTCUSDT", 20, "60038.12345678", Decimal("60038.12345678"))]
    rows = database.execute(trades).fetchall()
    assert [row[1] for row in rows] == [f"{number}.10" for number in (36, 32, 28, 24, 20)]

    [complete, before] = blocks("sql duckdb")["Which hours are complete?"]
    found = database.execute(complete).fetchall()
    hours = {hour: done for hour, done, _ in found if f"{hour:%Y-%m-%d %H}" <= f"{delivered.yesterday} 05"}
    assert [f"{hour:%H}" for hour in hours] == ["03", "04", "05"]
    assert list(hours.values()) == [True, False, True]
    assert len(database.execute(before).fetchall()) == 5

    [minutes] = blocks("sql duckdb")["Columns"]
    found = database.execute(delivered.here(minutes)).fetchall()
    assert found and found[0][0] == "BTCUSDT" and str(found[0][2]).endswith(".12345678")

    # What the page says of globs and names.
    glob = f"s3://{delivered.place.bucket}/batch_jsonl/**/*"
    files = [name for (name,) in database.execute("select file from glob(?)", [glob]).fetchall()]
    assert any("/_gaps/" in name for name in files) and any("/_logs/" in name for name in files)


def test_duckdb_reads_a_folder_and_its_readers_traps(tickwal):
    """The same view over a folder; and why `data` is read as text."""
    (tickwal.folder / "ticks.jsonl").write_text(combined("btcusdt@trade", '{"e":"trade","E":1665778598190,"s":"B","p":1.10}') + "\n")
    tickwal.succeed("import", tickwal.folder / "ticks.jsonl")
    tickwal.drain("--local", "out")
    [views, *_] = blocks("sql duckdb")["DuckDB"]
    here = f"{tickwal.folder}/out/objects/"
    [ticks] = [each for each in views.replace("s3://crypto-live-bucket/", here).split(";") if "view ticks" in each]
    database = duckdb.connect()
    database.execute(ticks)
    assert database.execute("select log_id, data from ticks").fetchall() == [
        (tickwal.log.log_id, '{"e":"trade","E":1665778598190,"s":"B","p":1.1}')
    ]
    for path in (tickwal.folder / "out/objects").rglob("*.jsonl.gz"):
        (tickwal.folder / "half.jsonl").write_bytes(gzip.decompress(path.read_bytes()).replace(b'"s":"B"', rb'"s":"\ud83d"'))
    with pytest.raises(duckdb.InvalidInputException, match="surrogate"):
        database.execute("select * from read_ndjson_objects(?)", [f"{tickwal.folder}/half.jsonl"]).fetchall()


def test_polars_pandas_and_boto3(delivered, ministack, capsys):
    keys = ministack.admin
    bucket = delivered.place.bucket
    options = {
        "aws_access_key_id": keys.id, "aws_secret_access_key": keys.secret, "aws_region": REGION,
        "aws_endpoint_url": ministack.url, "aws_allow_http": "true", "aws_virtual_hosted_style_request": "false",
    }
    [block] = blocks("python")["Polars"]
    said = {"options": options}
    exec(delivered.here(block), said)
    assert said["rows"].height == 20
    # Of the hours that are over, which hold 32 of the 40 tickers.
    assert said["minute"]["close_price"][-1] == Decimal(delivered.prices[30])
    with pytest.raises(polars.exceptions.PolarsError, match="different file extensions"):
        polars.scan_ndjson(f"s3://{bucket}/batch_jsonl/", storage_options=options).collect()

    filesystem = pyarrow.fs.S3FileSystem(
        access_key=keys.id, secret_key=keys.secret, region=REGION, endpoint_override=ministack.url
    )
    [block] = blocks("python")["pandas"]
    said = {"filesystem": filesystem, "pyarrow": pyarrow}
    exec(delivered.here(block), said)
    assert set(said["prices"]["symbol"]) == {"BTCUSDT"} and str(said["prices"]["close_price"].iloc[0]).endswith(".12345678")
    assert any(str(price).endswith(".12345678") for price in said["rows"]["close_price"].dropna())
    # A folder's dataset leaves out what begins with `_`.
    files = pyarrow.dataset.dataset(f"{bucket}/batch_jsonl", filesystem=filesystem, format="json").files
    assert len(files) == len(delivered.place.objects("batch_jsonl/"))

    [block] = blocks("python")["boto3"]
    said = {}
    exec(delivered.here(block), said)
    assert said["latest"]["close_price"] == Decimal(delivered.prices[38])
    assert len(said["last_hour"]) == 20
    # Nothing unpacks at the header.
    s3 = boto3.client("s3", region_name=REGION)
    key = delivered.place.objects("batch_jsonl/")[0].key
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read(2) == b"\x1f\x8b"
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key})
    with urlopen(url) as answer:
        assert answer.headers["Content-Encoding"] == "gzip" and answer.read(2) == b"\x1f\x8b"


"""What the other tests stand on holds."""

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from support import oracle
from support.aws import REGION
from support.log import Tick

MINI_TICKER = (
    '{"e":"24hrMiniTicker","E":1665778598188,"s":"BTCUSDT","c":"19182.10000000","o":"19478.02000000",'
    '"h":"19951.87000000","l":"19100.01000000","v":"363872.29609000","q":"7119945056.15496440"}'
)


def test_the_oracle_writes_the_documented_row():
    tick = Tick(1, 1_665_778_598_190_000, 1_665_778_598_188, "btcusdt@miniTicker", MINI_TICKER)
    assert oracle.row(tick) == (
        b'{"event_type":"24hrMiniTicker","event_time":1665778598188,"iso_timestamp":"2022-10-14T20-16-38.188000Z",'
        b'"stream_type":"btcusdt@miniTicker","symbol":"BTCUSDT","close_price":"19182.10000000",'
        b'"open_price":"19478.02000000","high_price":"19951.87000000","low_price":"19100.01000000",'
        b'"total_traded_volume":"363872.29609000","total_traded_base_asset_volume":"7119945056.15496440"}\n'
    )


def test_the_oracle_keeps_numbers_and_escapes_text():
    payload = '{ "e":"trade", "E":1, "s":"é😀", "x":[1.10, -0, 1E5, 12345678901234567890], "t":true }'
    assert oracle.row(Tick(1, 5, 1, "é@trade", payload)) == (
        b'{"event_type":"trade","event_time":1,"iso_timestamp":"1970-01-01T00-00-00.001000Z",'
        b'"stream_type":"\\u00e9@trade","symbol":"\\u00e9\\ud83d\\ude00","data":{"e":"trade","E":1,'
        b'"s":"\\u00e9\\ud83d\\ude00","x":[1.10,-0,1E5,12345678901234567890],"t":true}}\n'
    )


def client_of(place, url, secret=None):
    return boto3.client(
        "s3", endpoint_url=url, region_name=REGION, aws_access_key_id=place.keys.id,
        aws_secret_access_key=secret or place.keys.secret,
        config=Config(
            retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, connect_timeout=2, read_timeout=2
        ),
    )


def test_the_stand_in_verifies_signatures_and_rights(make_place, ministack):
    one, other = make_place(), make_place()
    client_of(one, ministack.url).put_object(Bucket=one.bucket, Key="k", Body=b"1")
    for client, bucket in (
        (client_of(one, ministack.url, "wrong"), one.bucket), (client_of(one, ministack.url), other.bucket)
    ):
        with pytest.raises(ClientError):
            client.put_object(Bucket=bucket, Key="k", Body=b"2")
    client_of(one, ministack.url).put_object(Bucket=one.bucket, Key="k", Body=b"3")
    assert one.versions() == {"k": 2}


def test_the_relay_counts_shuts_stalls_and_opens(make_place, relay):
    place = make_place()
    client = client_of(place, relay.url)
    client.put_object(Bucket=place.bucket, Key="k", Body=b"x" * 300_000)
    client.put_object(Bucket=place.bucket, Key="l", Body=b"y")
    assert relay.count("PUT") == 2
    relay.shut()
    with pytest.raises(BotoCoreError):
        client.put_object(Bucket=place.bucket, Key="refused", Body=b"z")
    assert relay.refused > 0
    relay.open()
    client.put_object(Bucket=place.bucket, Key="m", Body=b"z")
    relay.stall()
    with pytest.raises(BotoCoreError):
        client.put_object(Bucket=place.bucket, Key="stalled", Body=b"z")
    assert "stalled" not in place.versions()
    relay.open()
    client_of(place, relay.url).put_object(Bucket=place.bucket, Key="n", Body=b"z")
    assert {"k", "l", "m", "n"} <= set(place.versions()) <= {"k", "l", "m", "n", "stalled"}

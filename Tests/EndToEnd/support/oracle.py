"""What a tick must become in S3 and DynamoDB, written down a second time with Python's own means."""

import hashlib
import json
import re
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from .log import Tick

PRICES = {
    "c": "close_price", "o": "open_price", "h": "high_price", "l": "low_price",
    "v": "total_traded_volume", "q": "total_traded_base_asset_volume",
}
OWN_ID = {"trade": "t", "aggTrade": "a", "depthUpdate": "u", "bookTicker": "u"}
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def iso(microseconds: int) -> str:
    return (EPOCH + timedelta(microseconds=microseconds)).strftime("%Y-%m-%dT%H-%M-%S.%fZ")


def rfc3339(microseconds: int) -> str:
    return (EPOCH + timedelta(microseconds=microseconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _head(tick: Tick, event: dict) -> dict:
    kind = event.get("e") if isinstance(event.get("e"), str) else tick.stream.split("@")[1]
    own_time = isinstance(event.get("E"), int)
    head = {
        "event_type": kind,
        "event_time": event["E"] if own_time else tick.received_at // 1000,
        "iso_timestamp": iso(event["E"] * 1000 if own_time else tick.received_at),
        "stream_type": tick.stream,
    }
    if isinstance(event.get("s"), str):
        head["symbol"] = event["s"]
    return head


def _is_mini_ticker(event: dict) -> bool:
    return event.get("e") == "24hrMiniTicker" and all(isinstance(event.get(key), str) for key in PRICES)


def _as_written(text: str) -> str:
    return f"\0{text}\0"


_NUMBER = re.compile(r'"\\u0000(.*?)\\u0000"')


def compact(payload: str) -> str:
    """The JSON without white space, as json.dumps writes it, but numbers digit for digit."""
    value = json.loads(payload, parse_float=_as_written, parse_int=_as_written)
    return _NUMBER.sub(r"\1", json.dumps(value, separators=(",", ":")))


def row(tick: Tick) -> bytes:
    """The line of an object, as the Python pipeline wrote it."""
    event = json.loads(tick.payload)
    head = _head(tick, event)
    if _is_mini_ticker(event):
        head |= {name: event[key] for key, name in PRICES.items()}
        return json.dumps(head, separators=(",", ":")).encode() + b"\n"
    start = json.dumps(head, separators=(",", ":"))
    return f'{start[:-1]},"data":{compact(tick.payload)}}}\n'.encode()


def item(tick: Tick, days: int = 1) -> dict:
    """The attributes, in DynamoDB's own notation except that numbers are decimals."""
    event = json.loads(tick.payload)
    head = _head(tick, event)
    attributes: dict = {
        key: ("N", Decimal(value)) if key == "event_time" else ("S", value) for key, value in head.items()
    }
    attributes["ttl_days"] = ("N", Decimal(tick.received_at // 1_000_000 + days * 86_400))
    if _is_mini_ticker(event):
        attributes |= {name: ("N", Decimal(event[key])) for key, name in PRICES.items()}
    else:
        attributes["data"] = ("S", tick.payload)
        own = event.get(OWN_ID.get(head["event_type"], ""))
        suffix = own if own is not None else hashlib.sha256(tick.payload.encode()).hexdigest()[:16]
        attributes["iso_timestamp"] = ("S", f"{head['iso_timestamp']}#{suffix}")
    return attributes


def items(ticks: list[Tick], days: int = 1) -> dict[tuple[str, str], list[dict]]:
    """By key, what may stand there: ticks that share a key overwrite one another, in no certain order."""
    by_key: dict = {}
    for tick in ticks:
        attributes = item(tick, days)
        key = attributes["stream_type"][1], attributes["iso_timestamp"][1]
        by_key.setdefault(key, []).append(attributes)
    return by_key

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
    moment = (EPOCH + timedelta(microseconds=microseconds)).strftime("%Y-%m-%dT%H-%M-%S.%fZ")
    # glibc leaves out the zeros before a year under 1000.
    return moment.zfill(len("2022-10-14T20-16-38.188000Z"))


FIRST_DATE, NO_DATE = -62_135_596_800_000_000, 253_402_300_800_000_000
"""Microseconds of 0001-01-01 and of 10000-01-01."""


def own_time(event: dict) -> int | None:
    """`E` in microseconds; it comes in milliseconds unless those would be no date."""
    time = event.get("E")
    if not isinstance(time, int) or isinstance(time, bool):
        return None
    for microseconds in (time * 1000, time if time > 0 else None):
        if microseconds is not None and FIRST_DATE <= microseconds < NO_DATE:
            return microseconds
    return None


def event_time(tick: Tick) -> int | None:
    """The log's column."""
    time = own_time(json.loads(tick.payload))
    return None if time is None else time // 1000


def _symbol(event: dict):
    order = event.get("o")
    if not isinstance(event.get("s"), str) and event.get("e") == "forceOrder" and isinstance(order, dict):
        return order.get("s")
    return event.get("s")


def rfc3339(microseconds: int) -> str:
    return (EPOCH + timedelta(microseconds=microseconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _head(tick: Tick, event: dict) -> dict:
    time = own_time(event)
    time = tick.received_at if time is None else time
    head = {}
    if isinstance(event.get("e"), str):
        head["event_type"] = event["e"]
    elif "@" in tick.stream:
        head["event_type"] = tick.stream.split("@")[1]
    head |= {"event_time": time // 1000, "iso_timestamp": iso(time), "stream_type": tick.stream}
    if isinstance(_symbol(event), str):
        head["symbol"] = _symbol(event)
    return head


def _is_mini_ticker(event: dict) -> bool:
    return (
        event.get("e") == "24hrMiniTicker" and own_time(event) is not None
        and all(isinstance(event.get(key), str) for key in ["s", *PRICES])
    )


def _as_written(text: str) -> str:
    return f"\0{text}\0"


_NUMBER = re.compile(r'"\\u0000(.*?)\\u0000"')


def compact(payload: str) -> str:
    """The JSON without white space, as json.dumps writes it, but numbers digit for digit."""
    value = json.loads(payload, parse_float=_as_written, parse_int=_as_written)
    return _NUMBER.sub(r"\1", json.dumps(value, separators=(",", ":")))


def row(tick: Tick, compacted=compact) -> bytes:
    """The line of an object, as the Python pipeline wrote it. `compacted` may say that nothing is to be done."""
    event = json.loads(tick.payload)
    head = _head(tick, event)
    if _is_mini_ticker(event):
        head |= {name: event[key] for key, name in PRICES.items()}
        return json.dumps(head, separators=(",", ":")).encode() + b"\n"
    start = json.dumps(head, separators=(",", ":"))
    return f'{start[:-1]},"data":{compacted(tick.payload)}}}\n'.encode()


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
        own = event.get(OWN_ID.get(head.get("event_type"), ""))
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

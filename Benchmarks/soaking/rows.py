"""A row of the log, and the line of an object that it became, as whoever compares them understands them."""

import json
import struct
import zlib
from datetime import datetime

from support import oracle

SECOND = 1_000_000
HELD_BACK = 3
"""Seconds: while two connections run side by side, ticks wait up to 2 s for their turn, behind later ones."""


def checksum(offset, received, event_time, stream: bytes, payload: bytes) -> int:
    data = struct.pack("<qq", offset, received)
    data += b"\0" if event_time is None else b"\1" + struct.pack("<q", event_time)
    return zlib.crc32(b"".join(
        (data, struct.pack("<I", len(stream)), stream, struct.pack("<I", len(payload)), payload)))


def microseconds(text: str) -> int:
    moment = datetime.strptime(text + "+0000", "%Y-%m-%dT%H-%M-%S.%fZ%z")
    return int(moment.timestamp()) * SECOND + moment.microsecond


def event_of(row: bytes) -> tuple[str, str, int | None, int]:
    """Of a row that the simulated exchange's event became: stream, payload, the time of receipt if it tells that, and
    a time not before the event was made, by less than a millisecond."""
    fields = json.loads(row)
    received, made = None, (fields["event_time"] + 1) * 1_000
    if "data" in fields:
        payload = row[row.index(b',"data":') + 8:row.rindex(b"}")].decode()
        if "E" not in fields["data"]:
            received = made = microseconds(fields["iso_timestamp"])
    else:
        amounts = ",".join(f'"{letter}":"{fields[name]}"' for letter, name in oracle.PRICES.items())
        payload = f'{{"e":"{fields["event_type"]}","E":{fields["event_time"]},"s":"{fields["symbol"]}",{amounts}}}'
    return fields["stream_type"], payload, received, made


def is_alike(item: dict, expected: dict, ttl_slack: int) -> bool:
    """Whether they differ in `ttl_days` alone, where that of the batch's first row is expected: not by too much."""
    late = item.get("ttl_days", ("N", 0))[1] - expected["ttl_days"][1]
    if not ttl_slack or not -HELD_BACK <= late <= ttl_slack / SECOND:
        return False
    return {**expected, "ttl_days": 0} == {**item, "ttl_days": 0}

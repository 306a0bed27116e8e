"""The exchange's kinds of messages from the table that the other tests read as well, and variations of them."""

import json
import random
import re
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).resolve().parents[2] / "Kinds" / "kinds.tsv"
TIMES = [
    "0", "-1", "-0", "1665778598188", "1665778598188999", "253402300799999", "253402300800000",
    "253402300799999999", "253402300800000000", "-62135596800000", "-62135596800001", "9223372036854775807",
    "9223372036854775808", "1" + "0" * 40, "1e3", "1665778598188.0", '"1665778598188"', "null", "true", "[]",
]
SYMBOLS = ["币安人生USDT", "1000É", "_PERP", "A", "SYM😀", "BNBUSDT_261225"]


@dataclass(frozen=True)
class Kind:
    names: list[str]
    stream: str
    events: list[dict]
    is_array: bool

    def varied(self, dice: random.Random) -> tuple[str, list[tuple[str, str]]]:
        """A combined message, and the stream and payload of each tick that it must become."""
        symbol = dice.choice(SYMBOLS)
        separators = dice.choice([(",", ":"), (", ", ": "), ("\t,", " :\t")])
        ascii_only = dice.random() < 0.5
        ticks = []
        for name, event in zip(self.names, self.events):
            members = list(event.items())
            dice.shuffle(members)
            payload = json.dumps(dict(members), separators=separators, ensure_ascii=ascii_only)
            if dice.random() < 0.7:
                payload = re.sub(r'("E"\s*:\s*)\d+', lambda found: found[1] + dice.choice(TIMES), payload)
            if dice.random() < 0.5:
                old, _, kind = name.partition("@")
                new = "".join(letter.lower() if letter.isascii() else letter for letter in symbol)
                if f'"{old.upper()}"' in payload:
                    payload = payload.replace(f'"{old.upper()}"', json.dumps(symbol, ensure_ascii=ascii_only))
                    if self.is_array or self.stream.startswith("!"):
                        name = f"{new}@{kind}"
            ticks.append((name, payload))
        events = " ,".join(payload for _, payload in ticks)
        data = f"[{events}]" if self.is_array else events
        members = [f'"stream": "{self.stream}"', f'"data" :{data}']
        dice.shuffle(members)
        return "{" + ",".join(members) + "}", ticks


def kinds() -> list[Kind]:
    lines = [line for line in TABLE.read_text().splitlines() if not line.startswith("#")]
    found = []
    for line in lines:
        columns = line.split("\t")
        message = json.loads(columns[6])
        is_array = isinstance(message["data"], list)
        events = message["data"] if is_array else [message["data"]]
        found.append(Kind(columns[0].split(","), message["stream"], events, is_array))
    return found

"""What all logs of a fleet have together, against what the exchange made: read from the bucket and the table alone,
but for the gaps and what is still in the logs, which must say the same."""

import json
from collections import Counter, defaultdict
from decimal import Decimal

from support import oracle
from support.continuity import Cover, Gap, NEVER
from support.delivery import NAME
from support.log import Log, Tick

from .rows import event_of, microseconds

SECOND = 1_000_000
UNDER_WAY = 2 * SECOND
"""So long before a gap begins may what is lost in it have been made, see continuity.py."""
MOST_EXAMPLES = 20


class Replica:
    """One log, as it lies in the bucket."""

    def __init__(self, log: Log, listed: dict):
        rows = log.ask("select started_at, ended_at, cause, streams from gaps")
        self.log, self.log_id = log, log.log_id
        self.gaps = [
            Gap(started, NEVER if ended is None else ended, cause, frozenset(name.encode() for name in json.loads(streams)))
            for started, ended, cause, streams in rows
        ]
        self._cover = Cover(self.gaps)
        self._listed: defaultdict[str, list] = defaultdict(list)
        for entry in listed["streams"]:
            self._listed[entry["name"]].append(
                (microseconds(entry["from"]), NEVER if entry["to"] is None else microseconds(entry["to"])))

    def has_in_list(self, stream: str, moment: int) -> bool:
        return any(since <= moment <= until for since, until in self._listed[stream])

    def how_early(self, stream: str, made: int) -> int | None:
        """By how much this was made before a gap that covers it began; none if none does."""
        gaps = self._cover.find(stream.encode(), made, early=UNDER_WAY)
        return min((max(0, gap.started - made) for gap in gaps), default=None)


class Union:
    def __init__(self, journal, cloud, logs: list[Log]):
        self.figures: dict = {}
        self._journal, self._cloud, self._logs = journal, cloud, logs
        self._found: Counter = Counter()
        """By stream and payload, of how many logs."""
        self._items: defaultdict[tuple, list] = defaultdict(list)
        """What may be there under a key, but for `ttl_days`."""
        self._wrong: Counter = Counter()
        self._examples: list[str] = []
        self._missing: list[tuple[int, str]] = []

    @property
    def problems(self) -> list[str]:
        return [f"{kind}: {count:,}" for kind, count in self._wrong.items()] + self._examples

    def _say(self, kind: str, example: str) -> None:
        self._wrong[kind] += 1
        if self._wrong[kind] <= 3 and len(self._examples) < MOST_EXAMPLES:
            self._examples.append(f"{kind}: {example}")

    # Reading

    def read(self) -> None:
        keys = defaultdict(list)
        for key in self._cloud.new_objects():
            if (name := NAME.fullmatch(key)) is None:
                self._say("keys that nobody knows", key)
            else:
                keys[name["log"]].append((int(name["first"]), int(name["last"]), key))
        self._replicas, rows = [], 0
        for log in self._logs:
            self._replicas.append(Replica(log, self._cloud.listed_streams(log.log_id)))
            rows += self._read_objects(log, sorted(keys.pop(log.log_id, [])))
        for log_id in keys:
            self._say("objects of no log", log_id)
        self._compare_items(rows)

    def _read_objects(self, log: Log, objects: list[tuple[int, int, str]]) -> int:
        """How many rows there are; the ticks that the log still has must be just these."""
        expected = 1
        ticks = {tick.offset: tick for tick in log.ticks()}
        for first, last, key in objects:
            if first != expected:
                self._say("offsets in two objects or in none", f"{key} begins at {first}, not at {expected}")
            expected = last + 1
            lines = self._cloud.read(key).text.splitlines(keepends=True)
            if len(lines) != last - first + 1:
                self._say("objects with other rows than their name says", key)
            began = microseconds(NAME.fullmatch(key)["time"])
            for offset, line in enumerate(lines, first):
                stream, payload, received, _ = event_of(line)
                tick = ticks.get(offset)
                if tick and oracle.row(tick, compacted=str) != line:
                    self._say("rows that are not their ticks", f"offset {offset} of {log.log_id}")
                self._found[stream, payload] += 1
                item = oracle.item(Tick(offset, received or began, None, stream, payload))
                key_of_item = item["stream_type"][1], item["iso_timestamp"][1]
                del item["ttl_days"]
                if item not in self._items[key_of_item]:
                    self._items[key_of_item].append(item)
        if expected != log.head + 1:
            self._say("offsets in two objects or in none", f"{log.log_id} has {log.head}, its objects {expected - 1}")
        return expected - 1

    def _compare_items(self, rows: int) -> None:
        there = 0
        for key, item in self._cloud.all_items():
            there += 1
            if not isinstance(item.pop("ttl_days", (None, None))[1], Decimal):
                self._say("items without an end", str(key))
            if item not in self._items.pop(key, []):
                self._say("items of no tick", f"{key}: {item}")
        for key in self._items:
            self._say("ticks without an item", str(key))
        self.figures |= {"ticks in all logs together": rows, "different ticks": len(self._found), "items": there}

    # Judging

    def judge(self, since: int, until: int) -> None:
        """What is missing in all logs, of what was made between these times, must be in gaps of each that had it in
        its list."""
        made, twice, early = 0, 0, 0
        with open(self._journal, "rb", buffering=1 << 20) as journal:
            for line in journal:
                parts = line.rstrip(b"\n").split(b" ", 4)
                if parts[1] != b"sent" or not since <= (moment := int(parts[0])) <= until:
                    continue
                made += 1
                stream, payload = parts[3].decode(), parts[4].decode()
                if count := self._found.get((stream, payload)):
                    twice += count > 1
                    continue
                self._missing.append((moment, stream))
                replicas = [replica for replica in self._replicas if replica.has_in_list(stream, moment)]
                if not replicas:
                    self._say("ticks of streams in nobody's list", f"{stream} at {moment}")
                for replica in replicas:
                    earlier = replica.how_early(stream, moment)
                    early = max(early, earlier or 0)
                    if earlier is None:
                        self._say("missing, and in no gap of one that had it in its list",
                                  f"{stream} at {moment}, {replica.log_id}")
        if not made:
            self._say("nothing was made", "the journal is empty")
        self.figures |= {
            "made by the exchange meanwhile": made, "in more than one log": twice,
            "in no log, and in gaps of all": len(self._missing),
            "made before its gap began by, ms": early / 1_000,
            "gaps": dict(Counter(gap.cause for replica in self._replicas for gap in replica.gaps)),
        }

    def compare_with_fleet(self, document: dict, since: int, until: int) -> None:
        """Each tick that is in no log lies in a stretch that `fleet` calls missing."""
        stretches: defaultdict[str, list] = defaultdict(list)
        for stretch in document["missing"]:
            time = [microseconds(stretch[name].replace(":", "-")) for name in ("from", "to")]
            for stream in stretch["streams"]:
                stretches[stream].append(time)
        for moment, stream in self._missing:
            if not any(first - UNDER_WAY <= moment <= last for first, last in stretches[stream]):
                self._say("missing, and not called so by fleet", f"{stream} at {moment}")
        seconds = sum(last - first for times in stretches.values() for first, last in times) / SECOND
        self.figures |= {
            "stretches that fleet calls missing": len(document["missing"]), "their seconds, each stream's": seconds,
            "their share of all, %": 100 * seconds * SECOND / max(1, (until - since) * len(stretches)),
        }
        if not self._missing and len(stretches) == 0:
            self.figures["their share of all, %"] = 0

"""Ten processes, five shards of two replicas each: some of them killed, frozen, cut off or without room, then six
shards while they run. `tickwal fleet` must name each trouble while it lasts, and in the end what is in no log."""

import json
import pathlib
import random
import subprocess
import time
from collections import Counter
from urllib.parse import urlsplit

from support.aws import MiniStack, Place

from .machines import Machine, Way
from .parts import Exchange, environment, limits_broken, names
from .result import show
from .runs import Broken
from .stores import Cloud
from .union import Union
from .volume import Volume

SHARDS, REPLICAS = 5, "ab"
LOOK_SECONDS = 10
PATIENCE_SECONDS = 240
"""For what should happen at once, on a busy machine."""
DRAIN_SECONDS = 900
HEARTBEAT_SECONDS = 300
"""Of the notes: with a shorter patience than that, `fleet` calls logs silent that are well."""
SECOND = 1_000_000
NOTHING, SILENT = "nothing is received", "no word of it"


class FleetSoak:
    def __init__(self, options, folder: pathlib.Path):
        self.options, self.folder = options, folder
        self.dice = random.Random(options.seed)
        self.shards = SHARDS
        self.volume = Volume(folder, options.volume << 20)
        self.exchange = Exchange(options, folder)
        self.streams = names(options.streams)
        self.stack = MiniStack(folder, hears_the_terminal=False)
        self.place = Place(self.stack, "soak", self.streams)
        self._exchange_port = urlsplit(self.exchange.url).port
        self.machines: dict[str, Machine] = {}
        for name in [f"{shard}{replica}" for replica in REPLICAS for shard in range(1, SHARDS + 1)]:
            self._make(name)
        self.named: Counter = Counter()
        """How many looks of `fleet` named a trouble."""
        self.besides: Counter = Counter()
        """What it named besides, of logs that were well but for what the exchange did to them."""
        self.figures: dict = {}

    def describe(self) -> str:
        return (f"{self.options.streams:,} streams, {SHARDS} shards of {len(REPLICAS)} replicas, "
                f"the log of 2b on {self.volume.note}")

    def _make(self, name: str) -> Machine:
        on_volume = name == "2b" and self.volume.is_small
        home = self.volume.folder if on_volume else self.folder / name
        home.mkdir(exist_ok=True)
        exchange = Way(self._exchange_port, can_be_cut=name == f"{SHARDS}a")
        aws = Way(self.stack.port, can_be_cut=name == "1b")
        variables = environment(
            **self.place.environment(f"http://127.0.0.1:{aws.port}"), STREAMS=",".join(self.streams),
            BINANCE_WS_URL=f"ws://127.0.0.1:{exchange.port}", DYNAMO_WRITE_MODE="batch", HTTP_LISTEN="off",
            FEED_STALE_SECONDS=str(self.options.stale),
            **({} if on_volume else {"DISK_LOW": "0", "DISK_STOP": "0", "BALLAST_SIZE": "0"}))
        self.machines[name] = machine = Machine(
            name, int(name[:-1]), self.options.tickwal, self.folder, home / "ticks.db", variables, exchange, aws)
        return machine

    # Time that passes

    def _until(self, question, what: str, seconds: float = PATIENCE_SECONDS):
        deadline = time.monotonic() + seconds
        while not (answer := question()):
            if time.monotonic() > deadline:
                raise Broken(f"{seconds:g} s were not enough until {what}")
            self._wait(0.3)
        return answer

    def _wait(self, seconds: float) -> None:
        time.sleep(seconds)
        for machine in self.machines.values():
            machine.check()
        if (code := self.exchange.process.poll()) is not None:
            raise Broken(f"simulate ended with {code}")

    def _say(self, text: str) -> None:
        print(f"{time.monotonic() - self._began:6,.0f} s  {text}", flush=True)

    def _until_received(self, *machines: Machine) -> None:
        for machine in machines:
            machine.ask_again()
        for machine in machines:
            self._until(machine.receives, f"{machine.name} has appended something")

    # What `fleet` says

    def ask(self, *arguments: str) -> dict:
        done = subprocess.run(
            [self.options.tickwal, "fleet", "--json", *arguments],
            env=environment(**self.place.environment(self.stack.url)), capture_output=True, text=True,
            timeout=PATIENCE_SECONDS)
        try:
            document = json.loads(done.stdout)
            if done.returncode == (0 if document["healthy"] else 1):
                return document
        except (ValueError, KeyError):
            pass
        raise Broken(f"fleet ended with {done.returncode}: {done.stdout[-1000:]}{done.stderr[-1000:]}")

    def _look(self, trouble: dict[str, str]) -> set[str]:
        """Those in trouble whom `fleet` names, each by what is expected to be said of it; a shard under its number."""
        document = self.ask("--silent-after", str(self.options.silent_after))
        by_log = {machine.log_id: name for name, machine in self.machines.items()}
        found = set()
        for problem in document["problems"]:
            name, what = by_log.get(problem["log_id"]), problem["what"]
            if name is None:
                name = what.split(" ")[1] if what.startswith("shard ") else what
            if trouble.get(name, "\0") in what:
                found.add(name)
            elif name not in trouble:
                self._note_besides(name, what)
        return found

    def _note_besides(self, name: str, what: str) -> None:
        if self.options.silent_after <= HEARTBEAT_SECONDS:
            return
        kind = SILENT if SILENT in what else NOTHING if NOTHING in what else "" if what in name else what[:20]
        self.besides[f"{name[:20]} {kind}"] += 1
        if SILENT in what and name not in self._was_silent:
            raise Broken(f"fleet calls {name} silent, which is well: {what}")

    def _until_named(self, trouble: dict[str, str], keep=lambda: None) -> None:
        """Until each of the troubles was named; all of them last, for which `keep` is called again and again."""
        began, left = time.monotonic(), set(trouble)
        deadline = began + self.options.silent_after + HEARTBEAT_SECONDS + PATIENCE_SECONDS
        self._was_silent |= set(trouble)
        while left:
            keep()
            for name in sorted(self._look(trouble) & left):
                self._say(f"fleet names {name}, after {time.monotonic() - began:.0f} s: {trouble[name]}")
                self.named[trouble[name]] += 1
                left.discard(name)
            if left and time.monotonic() > deadline:
                raise Broken(f"fleet has not named {', '.join(sorted(left))}")
            self._wait(LOOK_SECONDS if left else 0)

    def _until_well(self) -> None:
        """Until `fleet` finds nobody silent, held, or without data."""
        began = time.monotonic()

        def is_well() -> bool:
            self._wait(1)
            document = self.ask("--silent-after", str(max(self.options.silent_after, 2 * HEARTBEAT_SECONDS)))
            self._problems = document["problems"]
            return not self._problems

        try:
            self._until(is_well, "fleet finds everybody well", HEARTBEAT_SECONDS + PATIENCE_SECONDS)
        except Broken as error:
            raise Broken(f"{error}: {self._problems}") from None
        self._was_silent = set()
        self._say(f"fleet finds everybody well, after {time.monotonic() - began:.0f} s")

    # What goes wrong

    def watch(self, seconds: float) -> list[str]:
        self._began, self._was_silent = time.monotonic(), set()
        deadline = self._began + seconds
        try:
            for machine in self.machines.values():
                machine.start(self.shards)
            self._until_received(*self.machines.values())
            self._until_well()
            # From here on each stream was subscribed to by both.
            self._wait(10)
            self.since = int(time.time() * SECOND)
            self._killed_frozen_and_cut_off()
            self._without_aws_and_without_room()
            self._one_shard_more()
            self._say("calm until the end")
            while time.monotonic() < deadline:
                self._wait(1)
            self._until_received(*self.machines.values())
            self.until = int(time.time() * SECOND)
        except Broken as error:
            self.until = int(time.time() * SECOND)
            return [str(error)]
        return []

    def _killed_frozen_and_cut_off(self) -> None:
        killed, frozen, cut_off = [self.machines[name] for name in ("1a", "2a", "3a")], self.machines["4a"], self.machines["5a"]
        for machine in killed:
            machine.kill()
        frozen.freeze()
        cut_off.exchange.shut()
        self._say("1a, 2a and 3a are killed, 4a is frozen, 5a is cut off from the exchange")
        self._until_named({**{machine.name: SILENT for machine in [*killed, frozen]}, cut_off.name: NOTHING})
        for machine in killed:
            machine.start(self.shards)
        frozen.thaw()
        cut_off.exchange.open()
        self._until_received(*killed, frozen, cut_off)
        self._until_well()

    def _without_aws_and_without_room(self) -> None:
        lonely, full = self.machines["1b"], self.machines["2b"]
        trouble = {lonely.name: SILENT}
        lonely.aws.shut()

        def fill() -> None:
            # It trims what is shipped, and has room again.
            if self.volume.is_small:
                self.volume.fill(0.01)

        if self.volume.is_small:
            trouble[full.name] = NOTHING
        fill()
        self._say("1b is cut off from AWS" + (", the disk of 2b is full" if self.volume.is_small else ""))
        self._until_named(trouble, fill)
        lonely.aws.open()
        self.volume.free()
        self._until_received(lonely, full)
        self._until_well()

    def _one_shard_more(self) -> None:
        """The new shard first, then one replica after the other."""
        self.shards += 1
        old, new = list(self.machines.values()), [self._make(f"{self.shards}{replica}") for replica in REPLICAS]
        for machine in new:
            machine.start(self.shards)
        self._until_received(*new)
        self._say(f"shard {self.shards} of {self.shards} has both its replicas")
        self._until_named({f"{shard}/{self.shards}": "has no living log" for shard in range(1, self.shards)})
        for machine in old:
            machine.ask_to_stop()
            if problems := machine.stopped():
                raise Broken(problems[0])
            machine.start(self.shards)
            self._until_received(machine)
        self._say(f"{len(old)} replicas were restarted, one after the other")
        self._until_well()

    # The end

    def stop(self) -> list[str]:
        problems = []
        for machine in self.machines.values():
            if machine.process and machine.process.poll() is None:
                machine.thaw()
            machine.ask_to_stop()
        for machine in self.machines.values():
            problems += machine.stopped()
        problems += self.exchange.stop()
        began = time.monotonic()
        for machine in self.machines.values():
            problems += machine.command("ship", seconds=DRAIN_SECONDS)
        self.figures["seconds to ship the rest"] = time.monotonic() - began
        return problems

    def check(self) -> list[str]:
        problems = []
        if hasattr(self, "since"):
            problems += self._compare()
        for machine in self.machines.values():
            problems += machine.command("verify", seconds=DRAIN_SECONDS)
        report = json.loads(self.exchange.report.read_text()) if self.exchange.report.exists() else {}
        problems += limits_broken(report, allow_slow=True) if report else ["the exchange has left no report"]
        show("fleet", {
            "starts": sum(machine.starts for machine in self.machines.values()),
            **{f"named: {what}": count for what, count in self.named.items()},
            **{f"besides: {what}": count for what, count in sorted(self.besides.items())},
            **self.figures,
        })
        for machine in self.machines.values():
            machine.exchange.stop()
            machine.aws.stop()
        self.stack.stop()
        self.volume.close()
        return problems

    def _compare(self) -> list[str]:
        began = time.monotonic()
        cloud = Cloud(self.stack.url, self.stack.admin, self.place.bucket, self.place.table)
        union = Union(self.exchange.journal, cloud, [machine.log for machine in self.machines.values()])
        union.read()
        union.judge(self.since, self.until)
        times = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment // SECOND)) for moment in (self.since, self.until)]
        union.compare_with_fleet(self.ask("--since", times[0], "--until", times[1]), self.since, self.until)
        self.figures |= union.figures | {"seconds to compare": time.monotonic() - began}
        return union.problems

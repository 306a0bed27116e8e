#!/usr/bin/env python3
"""How many minutes are missing of a shard in a year: 100 machines in two zones, taken as 100 shards of one replica
each, and as 50 shards of two. Prints the tables of docs/scale.md; the same for the same seed.

    replica_year.py [--years 500] [--seed 16]
"""

import argparse
import random
from dataclasses import dataclass

MACHINES = 100
YEAR = 365 * 24 * 60
"""Minutes."""
BETWEEN_DEPLOYS = 10
"""Minutes from when the first replica is stopped to when the second one is."""

Stretch = tuple[float, float]
"""From minute to minute of a year."""


@dataclass(frozen=True)
class Cause:
    name: str
    per_year: float
    minutes: float
    """The mean; how long one lasts is drawn from an exponential distribution."""
    source: str


OF_A_MACHINE = [
    Cause("host fails", 0.08, 10, "8 % of servers a year (a); a new one in 10 minutes (assumed)"),
    Cause("host retired or maintained", 0.5, 5, "\"not frequently\" (b); stopped and started in 5 minutes (both assumed)"),
    Cause("volume lost", 0.002, 15, "0.1 to 0.2 % a year (c); a new, empty one in 15 minutes (assumed)"),
    Cause("volume out of reach", 0.5, 10.5, "available 99.999 % (c): 5.3 minutes a year, in stretches of 10 (assumed)"),
    Cause("connection lost", 52, 5 / 60, "once a week for 5 seconds (assumed)"),
]
OF_A_ZONE = Cause("zone fails", 0.1, 240, "five of six zones' in 15 years (d) are 0.06, not all are told: 0.1 for 4 hours (assumed)")
DEPLOY = Cause("deploy", 26, 10 / 60, "every two weeks for 10 seconds, one replica after the other (assumed)")
OF_ALL = Cause("what strikes both replicas", 0.1, 60, "a wrong setting on both, the region's network: once in ten years for an hour (assumed)")


def drawn(dice: random.Random, cause: Cause) -> list[Stretch]:
    """When it happens in a year, and how long it lasts."""
    found, moment = [], dice.expovariate(cause.per_year / YEAR)
    while moment < YEAR:
        found.append((moment, min(YEAR, moment + dice.expovariate(1 / cause.minutes))))
        moment += dice.expovariate(cause.per_year / YEAR)
    return found


def joined(stretches: list[Stretch]) -> list[Stretch]:
    """In order, those that overlap as one."""
    found: list[Stretch] = []
    for since, until in sorted(stretches):
        if found and since <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], until))
        else:
            found.append((since, until))
    return found


def common(one: list[Stretch], other: list[Stretch]) -> list[Stretch]:
    """What lies in both; each is joined."""
    found, place = [], 0
    for since, until in one:
        while place < len(other) and other[place][1] <= since:
            place += 1
        further = place
        while further < len(other) and other[further][0] < until:
            found.append((max(since, other[further][0]), min(until, other[further][1])))
            further += 1
    return found


def minutes(stretches: list[Stretch]) -> float:
    return sum(until - since for since, until in stretches)


@dataclass
class Total:
    shard_years: int = 0
    minutes: float = 0
    worst: float = 0
    without_loss: int = 0

    def add(self, missing: float) -> None:
        self.shard_years += 1
        self.minutes += missing
        self.worst = max(self.worst, missing)
        self.without_loss += missing == 0

    def row(self, name: str) -> str:
        expected = self.minutes / self.shard_years
        return (
            f"| {name} | {expected:.3f} | {100 - 100 * expected / YEAR:.7f} % "
            f"| {100 * self.without_loss / self.shard_years:.1f} % | {self.worst:.1f} |"
        )


class Simulation:
    def __init__(self, seed: int):
        self._dice = random.Random(seed)
        self.by_cause = dict.fromkeys([*OF_A_MACHINE, OF_A_ZONE, DEPLOY, OF_ALL], 0.0)
        self.one, self.two, self.two_alone = Total(), Total(), Total()

    def add_year(self) -> None:
        dice, half = self._dice, MACHINES // 2
        zones, deploys, of_all = [drawn(dice, OF_A_ZONE) for _ in range(2)], drawn(dice, DEPLOY), drawn(dice, OF_ALL)
        self.by_cause[OF_ALL] += minutes(of_all) * MACHINES
        machines = [self._machine(zones[zone], deploys, zone) for zone in range(2) for _ in range(half)]
        for machine in machines:
            self.one.add(minutes(joined(machine + of_all)))
        for first, second in zip(machines[:half], machines[half:]):
            missing = common(first, second)
            self.two_alone.add(minutes(missing))
            self.two.add(minutes(joined(missing + of_all)))

    def _machine(self, zone: list[Stretch], deploys: list[Stretch], turn: int) -> list[Stretch]:
        happened = {cause: drawn(self._dice, cause) for cause in OF_A_MACHINE}
        happened[OF_A_ZONE] = zone
        happened[DEPLOY] = [(since + turn * BETWEEN_DEPLOYS, until + turn * BETWEEN_DEPLOYS) for since, until in deploys]
        for cause, stretches in happened.items():
            self.by_cause[cause] += minutes(stretches)
        return joined([stretch for stretches in happened.values() for stretch in stretches])

    @property
    def report(self) -> list[str]:
        years = self.one.shard_years // MACHINES
        causes = [
            f"| {cause.name} | {cause.per_year:g} | {cause.minutes:.3g} | {cause.per_year * cause.minutes:.2f} "
            f"| {lost / MACHINES / years:.2f} | {cause.source} |"
            for cause, lost in self.by_cause.items()
        ]
        return [
            "| cause | a year | minutes each | minutes a year | as drawn | from |", "|---|--:|--:|--:|--:|---|", *causes,
            "", "| of a shard | minutes missing in a year | complete | years without loss | worst year, minutes |",
            "|---|--:|--:|--:|--:|", self.one.row("one replica"), self.two.row("two replicas"),
            self.two_alone.row("two replicas, without what strikes both"),
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--years", type=int, default=500)
    parser.add_argument("--seed", type=int, default=16)
    options = parser.parse_args()
    simulation = Simulation(options.seed)
    for _ in range(options.years):
        simulation.add_year()
    print("\n".join(simulation.report))


if __name__ == "__main__":
    main()

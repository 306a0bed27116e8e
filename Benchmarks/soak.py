#!/usr/bin/env python3
"""Runs tickwal for long while something is always going wrong, and proves that nothing is missing.

The exchange is a stand-in: over all connections together there is a fault (close, reset, FIN in the middle of a frame,
stall, half-open; for the feed alone of every kind that there is) about every ten seconds and a rotation about as often;
a tenth of the attempts to connect is refused. It enforces its limits (streams, attempts, messages).

  feed   the feed and the log alone, never ended but suspended (SIGSTOP) about every minute for 2 to 40 seconds; compared
         with what the exchange made at the end
  local  the whole program with folders as sinks: killed, stopped, its disk filled, its quota used up, its files taken
         away, its clock set, its messages not read, started with few descriptors, all the while trimming; each tick is
         compared with the journal, its object and its item while it runs
  aws    the same with S3 and DynamoDB (MiniStack), which stop answering now and then
  fleet  ten processes, five shards of two replicas, with S3 and DynamoDB (MiniStack): three are killed, one frozen, one
         cut off from the exchange, one from AWS, one has no room, six shards are made of five while they run; `tickwal
         fleet` must name each trouble, and in the end just what is in no log

At the end, or after Ctrl-C or SIGTERM, everything is stopped in order and checked; exits 1 if anything is wrong. A
second one, or a fault of the soak itself, ends it at once; nothing that it started goes on then. Several can run at once,
each with its own copy of the program.
"""

import argparse
import pathlib
import shutil
import sys
import tempfile

from soaking import ROOT

from soaking.children import Children
from soaking.feed import FeedSoak
from soaking.fleet import FleetSoak
from soaking.whole import WholeSoak

KINDS = {"feed": FeedSoak, "local": WholeSoak, "aws": WholeSoak, "fleet": FleetSoak}
RATES = {"feed": 2000, "local": 5000, "aws": 200, "fleet": 150}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=KINDS, default="feed")
    parser.add_argument("--tickwal", default=str(ROOT / ".build/release/tickwal"))
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--streams", type=int, help="default: 600; fleet: 2,000")
    parser.add_argument("--rate", type=float, help="ticks a second; " + ", ".join(f"{k}: {r:,}" for k, r in RATES.items()))
    parser.add_argument("--faults-every", type=float, help="seconds, over all connections (default: 10; fleet: 20)")
    parser.add_argument("--fault-kinds", help="kind feed: these alone, such as freeze,lag")
    parser.add_argument("--phases", help="kinds local and aws: these alone, such as quota,jumps")
    parser.add_argument("--stops-every", type=float, default=60, help="kind feed: seconds between SIGSTOPs, about; 0: none")
    parser.add_argument("--most-tightness", type=float, help="kind feed: gaps longer than what is missing by more are wrong")
    parser.add_argument("--rotate-every", type=float, default=10, help="seconds, over all connections, about")
    parser.add_argument("--stale", type=float, help="FEED_STALE_SECONDS (default: 2; fleet: 10)")
    parser.add_argument("--silent-after", type=int, default=330,
                        help="kind fleet: seconds after which a log without a word is silent")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--local", action="store_true", help="kind feed: ship to a folder, too")
    parser.add_argument("--volume", type=int, default=512, help="MiB that the log's volume has; 0: none of its own")
    parser.add_argument("--folder", type=pathlib.Path, help="where to make the folder (default: TMPDIR)")
    parser.add_argument("--keep", action="store_true", help="keep the folder; it is kept if something is wrong")
    options = parser.parse_args()
    options.rate = options.rate or RATES[options.kind]
    is_fleet = options.kind == "fleet"
    options.streams = options.streams or (2000 if is_fleet else 600)
    options.faults_every = options.faults_every or (20 if is_fleet else 10)
    options.stale = options.stale or (10 if is_fleet else 2)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tickwal-soak.", dir=options.folder)).resolve()
    options.tickwal = own_copy(options.tickwal, folder)
    try:
        with Children():
            problems = soak(options, folder)
    except BaseException:
        print(f"\nbroken off: nothing is proven; everything is in {folder}", flush=True)
        raise
    for problem in problems:
        print(f"WRONG: {problem}")
    if problems or options.keep:
        print(f"\neverything is in {folder}")
    else:
        shutil.rmtree(folder)
        print("\neverything is right")
    return 1 if problems else 0


def own_copy(program: str, folder: pathlib.Path) -> str:
    """Whoever builds meanwhile replaces the program."""
    return shutil.copy(program, folder / "tickwal")


def soak(options, folder: pathlib.Path) -> list[str]:
    soak = KINDS[options.kind](options, folder)
    print(f"{options.kind}: {options.seconds:,.0f} s, {options.rate:,.0f} ticks/s, seed {options.seed}, "
          f"{soak.describe()}, in {folder}", flush=True)
    problems = []
    try:
        problems += soak.watch(options.seconds)
    except KeyboardInterrupt:
        print("stopping", flush=True)
    return problems + soak.stop() + soak.check()


if __name__ == "__main__":
    sys.exit(main())

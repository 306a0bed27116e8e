#!/usr/bin/env python3
"""Writes docs/transcripts: what a new user sees in a first hour, and an operator in a night. `make transcripts`.

Each line there was printed by the program while this ran: MiniStack stands in for AWS, `tickwal simulate` for the
exchange. A wait that is not met ends it, so it is a test as well (test_transcripts.py).
"""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from run import mount_apart
from support.aws import MiniStack, Place
from support.ports import free_port
from support.program import find_binary
from support.relay import Relay
from support.transcript import Background, Transcript
from support.waiting import wait_until

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
STREAMS = ["btcusdt@miniTicker", "ethusdt@miniTicker"]
POLICIES = ["policy.json", "reconcile.json"]


class Stage:
    """The exchange and AWS of one story."""

    def __init__(self, ministack: MiniStack, name: str):
        self.ministack, self.name = ministack, name
        self.place = Place(ministack, name, STREAMS)
        self.relay = Relay(ministack.port)
        self.port = free_port()
        keys = ministack.make_user(f"tickwal-{name}", self._rights())
        self.secret = keys.secret
        self.environment = self.place.environment(self.relay.url) | keys.environment | {
            "BINANCE_WS_URL": f"ws://127.0.0.1:{self.port}", "HTTP_LISTEN": "127.0.0.1:0",
        }

    def _rights(self) -> list[tuple[str, str]]:
        names = {
            "crypto-live-bucket": self.place.bucket, "crypto-live-miniticker": self.place.table,
            "crypto-live.binance_ws-??????": f"{self.place.secret}*", "111122223333": "*", "ap-southeast-1": "*",
        }
        pairs = []
        for file in POLICIES:
            for statement in json.loads((ROOT / "deploy/iam" / file).read_text())["Statement"]:
                on = statement["Resource"]
                for written, here in names.items():
                    on = on.replace(written, here)
                actions = statement["Action"]
                pairs += [(action, on) for action in ([actions] if isinstance(actions, str) else actions)]
        return pairs

    def take_rights_away(self) -> None:
        self.ministack.root("iam").delete_user_policy(UserName=f"tickwal-{self.name}", PolicyName="allowed")

    def give_rights_back(self) -> None:
        statements = [{"Effect": "Allow", "Action": action, "Resource": on} for action, on in self._rights()]
        self.ministack.root("iam").put_user_policy(
            UserName=f"tickwal-{self.name}", PolicyName="allowed",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}),
        )

    def exchange(self, page: Transcript) -> Background:
        background = page.start(f"tickwal simulate --listen 127.0.0.1:{self.port} --rate 50")
        background.wait("ws://")
        background.show()
        return background

    def rows(self, folder: str) -> set[str]:
        """Those of the objects in a folder."""
        objects = [self.place.get(key) for key in self.place.keys_under(folder) if key.endswith(".jsonl.gz")]
        return {line for each in objects for line in gzip.decompress(each.body).decode().splitlines()}


def first_hour(page: Transcript, stage: Stage) -> None:
    page.tell(
        "From a clone to a run beside the Python pipeline, to the switch and back. Every line was printed by the program "
        "(`make transcripts` writes this page); MiniStack stands in for AWS, a small script for the Python pipeline, and "
        "`tickwal simulate` for the exchange. A bucket, a table, a secret and keys with the rights of "
        "[policy.json](../../deploy/iam/policy.json) and [reconcile.json](../../deploy/iam/reconcile.json) are there."
    )
    page.tell("## Clone, build, try it without AWS")
    page.block("$ git clone https://…/tickwal && cd tickwal && make build\n$ export PATH=$PWD/.build/release:$PATH")
    page.do("tickwal stauts", 64)
    exchange = stage.exchange(page)
    aws = {name: page.environment.pop(name) for name in list(page.environment) if name.startswith(("AWS_A", "AWS_S"))}
    page.environment["STREAMS"] = ",".join(STREAMS)
    run = page.start("tickwal run --local out")
    run.wait("connected to the exchange")
    wait_until(lambda: list((page.folder / "out/objects").rglob("*.jsonl.gz")), "an object is there", 90)
    page.status("healthy", "2 of 2 granted", "local-s3", "rates")
    run.stop(signal.SIGINT)
    del page.environment["STREAMS"]
    page.do("find out ticks.db* -type f")
    page.do("rm -r out ticks.db*")
    page.environment |= aws

    page.tell("## Against AWS")
    page.tell("Keys and names are in the environment; what differs from the defaults has a star.")
    page.do("tickwal config | grep -e '\\*' -e '^the feed'")
    page.do("tickwal doctor")

    page.tell("## Beside the Python pipeline")
    page.tell("It delivers to its bucket and table, tickwal to a folder of its own in the bucket, and to the same table.")
    old = page.start("python pipeline.py", STREAMS=",".join(STREAMS))
    old.wait("uploaded")
    run = page.start("S3_JSONL_DIR_PATH=batch_jsonl_tickwal tickwal run")
    run.wait("connected to the exchange")
    run.show()
    wait_until(lambda: len(stage.place.objects("batch_jsonl_tickwal/")) >= 2, "two objects are there", 90)
    page.status("healthy", "batch_jsonl_tickwal")
    old.show()
    wait_until(lambda: len(stage.rows("batch_jsonl/") & stage.rows("batch_jsonl_tickwal/")) > 100, "rows are in both", 90)
    page.tell("The rows that both delivered are the same, byte for byte.")

    page.tell("## The switch")
    page.tell("The old one is stopped, then tickwal, which then gets the real folder. Another folder has to be meant:")
    old.stop()
    run.stop()
    page.do("tickwal run", 78)
    run = page.start("tickwal run --accept-destination")
    run.wait("connected to the exchange")
    run.show()
    page.status("healthy", "/batch_jsonl at http")
    run.stop()
    page.do("tickwal reconcile")

    page.tell("## And back")
    page.do("tickwal ship")
    page.status("no `run` has the log open")
    page.tell("Everything is in AWS, under the names that it has; the Python pipeline starts as ever.")
    old = page.start("python pipeline.py", STREAMS=",".join(STREAMS))
    old.wait("connected")
    old.stop()
    exchange.stop()


def night(page: Transcript, stage: Stage) -> None:
    page.tell(
        "What goes wrong, and what `run` and `tickwal status` say of it. Every line was printed by the program "
        "(`make transcripts` writes this page); MiniStack stands in for AWS, `tickwal simulate` for the exchange."
    )
    page.tell("## All is well")
    exchange = stage.exchange(page)
    run = page.start("tickwal run")
    run.wait("connected to the exchange")
    run.show()
    page.status("healthy")
    cut(page, stage, run, exchange)
    refused(page, stage, run)
    unreachable(page, stage, run)
    full(page, run)
    killed(page, run)


def cut(page: Transcript, stage: Stage, run: Background, exchange: Background) -> None:
    page.tell("## The exchange is gone")
    exchange.stop(signal.SIGKILL)
    run.wait("no connection to the exchange")
    page.status("not connected to the exchange")
    stage.exchange(page)
    run.wait("connected to the exchange again")
    run.show()
    page.status("healthy", "1 ended")


def refused(page: Transcript, stage: Stage, run: Background) -> None:
    page.tell("## Somebody takes the rights away")
    stage.take_rights_away()
    run.wait("is not authorized")
    page.status("not authorized", "s3 for", "dynamodb for")
    stage.give_rights_back()
    for consumer in ("s3", "dynamodb"):
        wait_until(lambda: f"consumer={consumer}" in caught_up(run), "it has caught up", 120)
    run.show()
    page.status("healthy")


def caught_up(run: Background) -> str:
    return "".join(line for line in run.said[run._shown :].splitlines() if "caught up" in line)


def unreachable(page: Transcript, stage: Stage, run: Background) -> None:
    page.tell("## AWS is not reached")
    stage.relay.shut()
    run.wait("could not deliver")
    page.status("deliveries fail", "s3 for", "dynamodb for")
    stage.relay.open()
    for consumer in ("s3", "dynamodb"):
        wait_until(lambda: f"consumer={consumer}" in caught_up(run), "it has caught up", 120)
    run.show()
    page.status("healthy")


def full(page: Transcript, run: Background) -> None:
    page.tell("## Something else fills the volume")
    volume = Path(page.environment["WAL_PATH"]).parent
    filler = volume / "somebody-elses"
    for left, words, said in (
        (0.1, "running full", "is running full"), (0.02, "too little room", "has too little room"),
    ):
        info = os.statvfs(volume)
        more = int((info.f_bavail / info.f_blocks - left) * info.f_blocks * info.f_frsize)
        with open(filler, "ab") as file:
            os.posix_fallocate(file.fileno(), file.tell(), more)
        run.wait(said)
        page.status(words)
    run.show()
    filler.unlink()
    run.wait("has room again")
    page.status("healthy")
    run.show()


def killed(page: Transcript, run: Background) -> None:
    page.tell("## kill -9")
    run.stop(signal.SIGKILL)
    page.status("no `run` has the log open")
    run = page.start("tickwal run")
    run.wait("connected to the exchange")
    run.show()
    page.status("healthy", "crash 1")
    page.do("tickwal verify")
    run.stop()


STORIES = {"first-hour": ("A first hour", first_hour), "night": ("A night", night)}


def write(name: str, ministack: MiniStack, folder: Path, binary: Path) -> tuple[str, list[str]]:
    """The page, and what must not be in it."""
    title, story = STORIES[name]
    stage = Stage(ministack, name)
    (folder / "volume").mkdir()
    environment = stage.environment
    if name == "night":
        # A volume of its own, which can be filled.
        environment["WAL_PATH"] = str(folder / "volume/ticks.db")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder / "volume"], check=True)
    else:
        # How full this machine's own disk is must not matter.
        environment |= {"DISK_LOW": "0", "DISK_STOP": "0"}
    environment["MAX_BATCH_TIMEOUT"] = "3"
    page = Transcript(title, folder, binary, environment)
    (folder / "bin/python").write_text(f'#!/bin/sh\nexec {sys.executable} -P {HERE / "support/old_pipeline.py"}\n')
    (folder / "bin/python").chmod(0o755)
    try:
        story(page, stage)
    finally:
        page.stop_all()
        stage.relay.stop()
        if name == "night":
            subprocess.run(["umount", "--lazy", folder / "volume"], check=True)
    return page.text, [stage.secret]


def main() -> None:
    mount_apart()
    folder = Path(tempfile.mkdtemp())
    stack = MiniStack(folder)
    try:
        for name in sys.argv[1:] or STORIES:
            (folder / name).mkdir()
            text, secrets = write(name, stack, folder / name, find_binary(ROOT))
            assert not any(secret in text for secret in secrets)
            (ROOT / f"docs/transcripts/{name}.md").write_text(text)
            print(f"docs/transcripts/{name}.md")
    finally:
        stack.stop()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()

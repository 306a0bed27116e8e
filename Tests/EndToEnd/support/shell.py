"""A shell with stand-ins, in which the command blocks of the documents run as they are."""

import os
import re
import subprocess
import sys
from pathlib import Path

from .aws import REGION
from .program import PATIENCE

TICKWAL = '''#!{python}
"""The program; commands that go on until a signal get one as soon as they have said what shows that they work."""
import os, signal, subprocess, sys
arguments = sys.argv[1:]
said = {{"run": "connected to the exchange", "simulate": "ws://", "status": "last tick"}}
kind = arguments[0] if arguments else ""
if kind in ("run", "simulate") or "--watch" in arguments:
    process = subprocess.Popen([{binary!r}, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in process.stdout:
        print(line, end="", flush=True)
        if said[kind] in line:
            process.send_signal(signal.SIGTERM)
    code = process.wait()
    sys.exit(0 if code in (0, 130, -signal.SIGTERM) else code)
os.execv({binary!r}, [{binary!r}, *arguments])
'''

AWS = '''#!{python}
"""As much of the AWS command line as the documents use."""
import json, os, re, sys
import boto3
from botocore.config import Config

def client(service):
    return boto3.client(service, endpoint_url={url!r}, region_name={region!r}, aws_access_key_id={id!r},
                        aws_secret_access_key=os.environ["STAND_IN_SECRET"], config=Config(s3={{"addressing_style": "path"}}))

def value(words, name):
    if name in ("SecretString", "Bucket", "Name", "TableName", "BillingMode", "StreamName"):
        return words[0]
    if name == "ShardCount":
        return int(words[0])
    entries = [dict(part.split("=", 1) for part in word.split(",")) for word in words]
    for entry in entries:
        entry.update({{key: text == "true" for key, text in entry.items() if text in ("true", "false")}})
    return entries if name in ("KeySchema", "AttributeDefinitions") else entries[0]

service, operation, rest = sys.argv[1], sys.argv[2], sys.argv[3:]
if (service, operation) == ("s3", "mv"):
    (source, key), (target, name) = [place.removeprefix("s3://").split("/", 1) for place in rest]
    s3 = client("s3")
    s3.copy_object(Bucket=target, Key=name, CopySource=dict(Bucket=source, Key=key))
    s3.delete_object(Bucket=source, Key=key)
    sys.exit()
if (service, operation) == ("s3", "sync"):
    bucket, _, prefix = rest[0].removeprefix("s3://").partition("/")
    s3 = client("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            path = os.path.join(rest[1], entry["Key"].removeprefix(prefix))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            open(path, "wb").write(s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read())
    sys.exit()
waiter = rest.pop(0) if operation == "wait" else None
parameters, name = {{}}, None
for word in rest:
    if word.startswith("--"):
        name = "".join(part.capitalize() for part in word[2:].split("-"))
        parameters[name] = []
    else:
        parameters[name].append(word)
assert parameters.pop("Region") == [{region!r}]
parameters = {{name: value(words, name) for name, words in parameters.items()}}
used = client({{"s3api": "s3"}}.get(service, service))
if waiter:
    used.get_waiter(waiter.replace("-", "_")).wait(**parameters)
else:
    getattr(used, operation.replace("-", "_"))(**parameters)
'''


def blocks(page: Path) -> list[str]:
    """The commands of a page, block by block."""
    return re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def commands(block: str) -> list[str]:
    """One after the other; several lines that belong together are one."""
    found: list[str] = []
    for line in block.splitlines():
        if found and (found[-1].endswith("\\") or found[-1].count('"') % 2):
            found[-1] += "\n" + line
        elif line.strip() and not line.startswith("#"):
            found.append(line)
    return found


class Shell:
    """A folder with the program and the AWS command line in front of everything else."""

    def __init__(self, folder: Path, binary: Path, ministack, environment: dict[str, str]):
        self.folder = folder
        programs = folder / "bin"
        programs.mkdir()
        for name, text in [
            ("tickwal", TICKWAL.format(python=sys.executable, binary=str(binary))),
            ("aws", AWS.format(
                python=sys.executable, url=ministack.url, region=REGION, id=ministack.admin.id,
            )),
        ]:
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        self.environment = {
            "PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(folder), "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": ministack.url, "DISK_LOW": "0", "DISK_STOP": "0", "BALLAST_SIZE": "0",
            "MAX_BATCH_TIMEOUT": "0.5", "STAND_IN_SECRET": ministack.admin.secret, **environment,
        }

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-o", "pipefail", "-c", command], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=2 * PATIENCE,
        )

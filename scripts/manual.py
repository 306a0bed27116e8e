#!/usr/bin/env python3
"""Makes what a package has beside the program, from the program and the pages: manual page and default settings.

Usage: scripts/manual.py PROGRAM FOLDER     writes FOLDER/tickwal.1 and FOLDER/default/tickwal
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOG = "/var/lib/tickwal/ticks.db"

HEAD = """\
# Settings of tickwal, for its unit. It starts when at least one is set here; each line shows the default.
# Most need TESTNET=false, S3_BUCKET, DYNAMO_TABLE_NAME, REGION, and STREAMS or BINANCE_WEBSOCKET_SECRET.
# Then: systemctl start tickwal, and after a later change systemctl restart tickwal. Some are secrets: the mode 0640
# is meant. More on each: tickwal(1), /usr/share/doc/tickwal/settings.md.gz

# Keys for AWS, where the instance's role does not give them. With PIPELINE_IAM_USER they are read from
# /var/lib/tickwal/.aws/credentials instead.
#AWS_ACCESS_KEY_ID=
#AWS_SECRET_ACCESS_KEY=
"""


def settings() -> list[tuple[str, str, str]]:
    """Name, default and meaning of each, as docs/settings.md has them."""
    rows = re.findall(r"^\| `([A-Z][A-Z0-9_]+)` \|\s*([^|]*?)\s*\|\s*(.*?)\s*\|$", (ROOT / "docs/settings.md").read_text(), re.M)
    return [(name, default.removesuffix("–"), plain(meaning)) for name, default, meaning in rows]


def plain(text: str) -> str:
    """Without the page's marks."""
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text).replace("`", "").replace("**", "")


def sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def default_file() -> str:
    parts = [HEAD]
    for name, default, meaning in settings():
        value = LOG if name == "WAL_PATH" else default.split(" ")[0]
        parts.append(f"# {sentence(meaning)}\n#{name}={value}\n")
    return "\n".join(parts)


# --- The manual page. Reference: man(7), groff_man_style(7).


def roff(text: str) -> str:
    """As text of a page: nothing in it is a request or an escape."""
    lines = plain(text).replace("\\", "\\e").replace("-", "\\-").split("\n")
    return "\n".join("\\&" + line if line[:1] in (".", "'") else line for line in lines)


def paragraphs(text: str) -> str:
    return "\n.PP\n".join(roff(part) for part in re.split(r"\n\s*\n", text.strip()))


def names_of(argument: dict) -> str:
    value = "" if argument["kind"] == "flag" else f" \\fI{roff(argument['valueName'])}\\fR"
    if argument["kind"] == "positional":
        return f"\\fI{roff(argument['valueName'])}\\fR"
    dashes = {"long": "--", "short": "-", "longWithSingleDash": "-"}
    names = [dashes[name["kind"]] + name["name"] for name in argument["names"]]
    return ", ".join(f"\\fB{roff(name)}\\fR" for name in names) + value


def own(command: dict) -> list[dict]:
    """The arguments that are not settings, which all commands share."""
    return [
        argument for argument in command.get("arguments", [])
        if argument.get("shouldDisplay", True) and argument.get("sectionTitle") in (None, "Faults")
        and argument.get("valueName") not in ("help", "version")
    ]


def options(command: dict) -> list[str]:
    return [f".TP\n{names_of(argument)}\n{roff(sentence(argument.get('abstract', '')))}" for argument in own(command)]


def examples(program: str, words: list[str]) -> list[str]:
    shown = subprocess.run([program, *words, "--help"], check=True, capture_output=True, text=True).stdout
    found = re.search(r"^EXAMPLES:\n((?:  .*\n)+)", shown, re.MULTILINE)
    return [line.strip() for line in found[1].splitlines()] if found else []


def commands(command: dict, words: tuple[str, ...] = ()) -> list[tuple[list[str], dict]]:
    """All that do something, with their words."""
    found = []
    for sub in command.get("subcommands", []):
        if sub["commandName"] != "help" and sub.get("shouldDisplay", True):
            path = [*words, sub["commandName"]]
            found += commands(sub, tuple(path)) if sub.get("subcommands") else [(path, sub)]
    return found


def table(page: str, heading: str) -> list[list[str]]:
    """The rows of the first table below a heading."""
    text = (ROOT / "docs" / page).read_text().split(f"\n{heading}\n", 1)[1]
    rows = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)[0].splitlines()[2:]
    return [re.split(r" \| ", row.strip("| ")) for row in rows]


def manual(program: str) -> str:
    tool = json.loads(subprocess.run([program, "--experimental-dump-help"], check=True, capture_output=True).stdout)
    version = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout.strip()
    root = tool["command"]
    out = [
        f'.TH TICKWAL 1 "" "tickwal {version}" "User commands"',
        ".SH NAME", "tickwal \\- durable ingester of exchange ticks",
        ".SH SYNOPSIS", ".B tickwal", "\\fIcommand\\fR [\\fIoption\\fR ...]",
        ".SH DESCRIPTION",
        roff("tickwal appends the ticks of an exchange to a log on this machine before anything else happens to them, and "
             "ships them from there to S3 and DynamoDB. What was missed is written down as a gap."),
        ".PP",
        roff("Each setting below ENVIRONMENT is also a flag of the commands that use it: MAX_BATCH_SIZE=500 is "
             "--max-batch-size 500, and the flag wins. Every command has --help."),
        ".SH COMMANDS",
    ]
    for words, command in commands(root):
        usage = " ".join(names_of(a) for a in own(command) if a["kind"] == "positional")
        out += [f".SS tickwal {roff(' '.join(words))} {usage}".rstrip(), roff(command["abstract"])]
        if command.get("discussion"):
            out += [".PP", paragraphs(command["discussion"])]
        out += options(command)
        for line in examples(program, words):
            out += [".PP", ".RS 4", ".EX", roff(line), ".EE", ".RE"]
    out.append(".SH ENVIRONMENT")
    for name, default, meaning in settings():
        out += [f".TP\n\\fB{name}\\fR" + (f" ({roff(default)})" if default else ""), roff(sentence(meaning))]
    out += [".PP", roff("Keys, profiles, endpoints, certificates and proxies are taken from AWS's own variables.")]
    out.append(".SH SIGNALS")
    for signal, meaning in table("operations.md", "## Signals"):
        out += [f".TP\n\\fB{roff(signal)}\\fR" if signal.startswith("SIG") else f".TP\n{roff(signal)}", roff(sentence(meaning))]
    out.append('.SH "EXIT STATUS"')
    for code, meaning, *_ in table("operations.md", "## Exit codes"):
        out += [f".TP\n\\fB{code}\\fR", roff(sentence(meaning))]
    out.append(".SH FILES")
    for file, meaning in [
        ("/etc/default/tickwal", "The settings of the service. It starts when one is set."),
        (LOG, "The log of the service, with SQLite's -wal and -shm and tickwal's .lock, .sock and .ballast beside it."),
        ("/usr/share/tickwal/prometheus, /usr/share/tickwal/grafana", "Alerts and a dashboard."),
        ("/usr/share/doc/tickwal/runbook.md.gz", "What to do when one of the alerts fires."),
    ]:
        out += [f".TP\n\\fI{roff(file)}\\fR", roff(meaning)]
    out += ['.SH "SEE ALSO"', ".BR sqlite3 (1),", ".BR systemctl (1),", ".BR journalctl (1)"]
    return "\n".join(out) + "\n"


def main() -> None:
    program, folder = sys.argv[1], Path(sys.argv[2])
    (folder / "default").mkdir(parents=True, exist_ok=True)
    (folder / "tickwal.1").write_text(manual(str(Path(program).resolve())))
    (folder / "default" / "tickwal").write_text(default_file())


if __name__ == "__main__":
    main()

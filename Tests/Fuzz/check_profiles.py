"""Compares what the fuzzed parser found in profile files with what Python's configparser finds in them.

Argument: a file with a line for each input, which has the input and the settings found in hex: section, name and value
with zero bytes between them, one setting behind the other. Only files that mean the same to both are compared: the AWS
programs leave settings that are nested out, and read a section's name up to the first bracket.
"""

import configparser
import re
import sys

LINE = re.compile(r"\s*|[#;].*|\[[^\]\[#;]*[^\]\[#;\s][^\]\[#;]*\]\s*|[^\s=#;\[\]][^=#;\[\]]*=.*")


def is_common(text: str) -> bool:
    lines = text.split("\n")
    return (
        all(0x20 <= ord(letter) < 0x7F or letter == "\n" for letter in text)
        and all(LINE.fullmatch(line) for line in lines)
        and next((line[0] == "[" for line in lines if line.strip() and line[0] not in "#;"), True)
    )


def expected(text: str) -> dict[tuple[str, str], str]:
    parser = configparser.RawConfigParser(
        strict=False, delimiters=("=",), inline_comment_prefixes=("#", ";"), default_section="\0"
    )
    parser.read_string(text)
    settings = {}
    for section in parser.sections():
        for name, value in parser.items(section):
            # Of a name that is written in two ways the later one counts, which this parser has as another section.
            if value:
                settings[" ".join(section.split()), name] = value
    return settings


count = other = 0
for line in open(sys.argv[1]):
    given, found = (bytes.fromhex(part) for part in line.rstrip("\n").split(" "))
    text = given.decode(errors="replace")
    names = re.findall(r"^\[(.*)\]", text, re.M)
    if not is_common(text) or len({" ".join(name.split()) for name in names}) < len(set(names)):
        other += 1
        continue
    parts = found.decode().split("\0")[:-1]
    settings = {(parts[at], parts[at + 1]): parts[at + 2] for at in range(0, len(parts), 3)}
    if settings != expected(text):
        sys.exit(f"{text!r} has {settings!r}, but {expected(text)!r} by configparser")
    count += 1
print(f"{count} profile files are what Python's configparser says, {other} mean something else to it")
assert count > 0, "no file was looked at"

"""The messages of the program, as its sources have them, and as docs/operations.md lists them."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
ANYTHING = "\0"
"""In place of what the program puts in."""

_CALL = re.compile(
    r"\blogger\.(?:info|notice|warning|error|critical)\(|\blogger\.log\(\s*level: [^\"]*?,|\bsay\(\s*\.\w+,|\bname\(\s*\w+,"
    r"|attempts\.hold\(\s*(?=\")|reporter\.say\(|\btrouble: (?:Logger\.Message = )?(?=\")|\bover: (?:Logger\.Message = )?(?=\")"
    r"|let message: Logger\.Message =|Logger\.Message \{"
)
"""What a message comes after."""


@dataclass(frozen=True)
class Literal:
    text: str
    """With `ANYTHING` for interpolations."""
    end: int


def literal(source: str, at: int) -> Literal:
    """The string literal that begins there."""
    mark = '"""' if source.startswith('"""', at) else '"'
    place, text = at + len(mark), ""
    while not source.startswith(mark, place):
        if source.startswith("\\(", place):
            depth, place = 1, place + 2
            while depth:
                if source[place] == '"':
                    place = literal(source, place).end
                    continue
                depth += {"(": 1, ")": -1}.get(source[place], 0)
                place += 1
            text += ANYTHING
        elif source[place] == "\\":
            following = source[place + 1]
            place += 2
            if following == "\n":
                while source[place] == " ":
                    place += 1
            else:
                text += {"n": "\n", '"': '"'}.get(following, "")
        else:
            text += source[place]
            place += 1
    return Literal(re.sub(r"\s+", " ", text).strip() if mark == '"""' else text, place + len(mark))


def literals(source: str, start: int = 0, end: int | None = None) -> list[str]:
    """Those between two places; parts that are added together are one."""
    found: list[str] = []
    place, last = start, None
    end = len(source) if end is None else end
    while place < end:
        if source.startswith("//", place):
            place = source.find("\n", place)
            if place < 0:
                break
        elif source[place] == '"':
            one = literal(source, place)
            if last is not None and re.fullmatch(r"\s*\+\s*", source[last:place]):
                found[-1] += one.text
            else:
                found.append(one.text)
            place = last = one.end
        else:
            place += 1
    return found


def sources() -> dict[Path, str]:
    return {path: path.read_text() for path in sorted((ROOT / "Sources").rglob("*.swift")) if "Simulate" not in path.parts}


def said_by_the_code() -> dict[str, str]:
    """Each message that is logged, with the file that says it."""
    found: dict[str, str] = {}
    for path, source in sources().items():
        for call in _CALL.finditer(source):
            end = _end_of_first_argument(source, call.end(), call.group().endswith("{"))
            for text in literals(source, call.end(), end):
                if len(text.replace(ANYTHING, "").split()) >= 2:
                    found[text] = path.name
    return found


_END = re.compile(r"\b(?:LogError|CommandFailure)\(\s*(?:\.(?!closed\b)\w+(?:\([^)]*\))?,|(?=\"))")
"""What a last line comes after; what is `closed` ends no command."""


def ends_in_the_code() -> dict[str, str]:
    """Each last line of a command, with the file that says it."""
    found: dict[str, str] = {}
    for path, source in sources().items():
        for call in _END.finditer(source):
            for text in literals(source, call.end(), _end_of_first_argument(source, call.end(), False)):
                if any(len(part.split()) >= 2 for part in text.split(ANYTHING)):
                    found[text] = path.name
    return found


def has_a_clause(shown: list[str], code: str) -> bool:
    """Whether some line that is shown has a clause of a text, without what the program puts in."""
    clauses = [clause.strip(" ;:,.()'") for part in code.split(ANYTHING) for clause in re.split(r"[;:] ", part)]
    most = min(3, max(len(clause.split()) for clause in clauses))
    return any(clause in line for clause in clauses if len(clause.split()) >= most for line in shown)


def _end_of_first_argument(source: str, start: int, is_body: bool) -> int:
    """Up to the comma, bracket or brace that ends it."""
    depth, place = 0, start
    while place < len(source):
        character = source[place]
        if character == '"':
            place = literal(source, place).end
            continue
        if source.startswith("//", place):
            place = source.find("\n", place)
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
            if depth < 0:
                return place
            if depth == 0 and character == "}" and not source[place + 1 :].lstrip().startswith("else"):
                return place
        elif character == "," and depth == 0 and not is_body:
            return place
        place += 1
    return place


_FINDING = re.compile(r"\.(?:failed|warning)\(\s*(?:\"\w+\"|\w+),")
"""What a finding of `doctor` comes after, with its name."""


def found_by_the_code() -> dict[str, str]:
    """Each problem of `status`, and each finding of `doctor` that is not well, with the file that says it."""
    found: dict[str, str] = {}
    for path, source in sources().items():
        if path.name == "HealthReport.swift":
            calls = re.finditer(r"\bwhat:", source)
        elif "Doctor" in str(path) or path.name.endswith("Look.swift"):
            calls = _FINDING.finditer(source)
        else:
            continue
        for call in calls:
            for text in literals(source, call.end(), _end_of_first_argument(source, call.end(), False)):
                if any(len(part.split()) >= 2 for part in text.split(ANYTHING)):
                    found[text] = path.name
    return found


def documented_findings() -> list[str]:
    """Those that docs/operations.md has."""
    text = (ROOT / "docs/operations.md").read_text()
    return _first_cells(text.partition("\n## What status and doctor say\n")[2].partition("\n## ")[0])


def documented() -> tuple[list[str], list[str]]:
    """The messages that are listed, and the last lines of commands."""
    text = (ROOT / "docs/operations.md").read_text()
    messages, _, ends = text.partition("\n## Messages\n")[2].partition("\n### What ends a command\n")
    return _first_cells(messages.partition("| in `error` | usually |")[0]), _first_cells(ends.partition("\n## ")[0])


def _first_cells(text: str) -> list[str]:
    spans: list[str] = []
    for row in re.findall(r"^\| (.*?) \|", text, re.MULTILINE):
        for double, single in re.findall(r"``\s?(.+?)\s?``(?!`)|(?<!`)`([^`]+(?:`[^`]+`[^`]*)*)`", row):
            spans += [double] if double else re.split(r"`, `", single)
    return [span for span in spans if len(span.split()) > 1]


def covers(code: str, shown: str) -> bool:
    """Whether a message of the code is what a page shows, with `…` for what it leaves out."""
    pieces = shown.split("…")
    place = code
    for number, piece in enumerate(pieces):
        if not piece.strip(" ;:,.()'"):
            continue
        if not _shares(code, piece):
            return False
        is_last = number == len(pieces) - 1
        starts = [place] if number == 0 else _tails(place)
        if not any(_matches(start, piece, to_its_end=is_last) for start in starts):
            return False
    return True


def has_parts(texts: list[str], shown: str) -> bool:
    """Whether each clause of what a page shows is in some text of the code: lines are put together of several."""
    clauses = [_plain(clause) for clause in re.split(r"…|[;:,] ", shown) if len(re.findall(r"\w\w+", clause)) > 1]
    if not clauses:
        return any(text.startswith(shown.partition("…")[0]) for text in texts)
    return all(
        any(
            _shares(text, clause)
            and any(_matches(tail, clause, to_its_end=False) for tail in _plain_tails(text) if _may_match(tail, clause))
            for text in texts
        )
        for clause in clauses
    )


@cache
def _plain_tails(text: str) -> list[str]:
    return _tails(_plain(text))


def _may_match(tail: str, piece: str) -> bool:
    """Whether the first word is the same, which is soon told and mostly it is not."""
    return tail.startswith(ANYTHING) or piece.startswith(re.split(rf"[\s{ANYTHING}]", tail, maxsplit=1)[0])


def _plain(text: str) -> str:
    """Without the marks that divide a line."""
    return re.sub(r"[;:,.]+(?=\s|$)", "", text)


def _shares(code: str, piece: str) -> bool:
    words = [word for word in re.findall(r"\w+", piece) if len(word) > 1]
    return sum(word in _words(code) for word in words) * 2 >= len(words)


@cache
def _words(code: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", code))


def _tails(code: str) -> list[str]:
    """What is left of it from any word on."""
    return [code[place.start() :] for place in re.finditer(rf"{ANYTHING}|[^\s{ANYTHING}]+", code)]


def _matches(code: str, piece: str, *, to_its_end: bool) -> bool:
    """Whether the code's text is this piece, or begins with it."""
    expression, closing = "", 0
    for token in re.findall(rf"{ANYTHING}|[^\s{ANYTHING}]+|\s+", code.strip()):
        if token == ANYTHING:
            expression += ".*?" if to_its_end else "(?:.*?"
            closing += 0 if to_its_end else 1
        elif token.isspace():
            expression += r"\s*" if to_its_end else r"\s*(?:"
            closing += 0 if to_its_end else 1
        else:
            expression += re.escape(token)
        if closing > 90:
            break
    return re.fullmatch(expression + ")?" * closing, piece.strip(), re.DOTALL) is not None

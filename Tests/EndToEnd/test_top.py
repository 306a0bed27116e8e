"""`top` and `status --watch` at a terminal: a picture that fits it, and a terminal as it was before at every end."""

import re
import signal

import pytest

from support.terminal import LEFT, Terminal
from support.ticks import combined, mini_tickers
from test_stalled_output import is_waiting

COMMANDS = [["top"], ["status", "--watch"]]


@pytest.fixture
def make_terminal():
    made: list[Terminal] = []

    def make(width: int = 80, height: int = 24) -> Terminal:
        made.append(Terminal(width, height))
        return made[-1]

    yield make
    for terminal in made:
        terminal.close()


@pytest.fixture
def watch(tickwal):
    """Starts a command at a terminal, beside a log with a few ticks."""

    def start(terminal, *arguments, **environment):
        if not tickwal.path.exists():
            text = "".join(combined(*tick) + "\n" for tick in mini_tickers(20)).encode()
            tickwal.run_with_input(text, "import", "-")
        return tickwal.start(
            *arguments, stdout=terminal.slave, prepare=terminal.control, **{"TERM": "xterm", **environment})

    return start


def widths(terminal) -> list[int]:
    return [len(line) for line in terminal.picture]


def test_a_picture_fits_the_terminal_and_follows_its_size(tickwal, simulate, make_terminal, watch):
    run = tickwal.start(
        "run", "--local", tickwal.folder / "out", BINANCE_WS_URL=simulate("--rate", "100"), STREAMS="a@miniTicker")
    run.wait_until(lambda: tickwal.log.head > 50, "ticks are in the log")
    terminal = make_terminal(40, 24)
    top = watch(terminal, "top")
    top.wait_until(lambda: re.search(r"^in +\d+/s", "\n".join(terminal.picture), re.MULTILINE), "there is a rate")
    assert max(widths(terminal)) <= 40 and len(terminal.picture) <= 24
    assert terminal.picture[0].startswith("healthy")
    said = " ".join(" ".join(terminal.picture).split())
    assert "local-dynamodb: out " in said and "1 of 1 granted" in said and " free (" in said
    terminal.resize(100, 12)
    top.wait_until(lambda: widths(terminal)[:1] == [100], "it has the new width")
    assert max(widths(terminal)) <= 100 and len(terminal.picture) == 12 and terminal.picture[-1] == "…"
    terminal.press("\x03")
    assert top.end().code == 130
    assert terminal.text.count(LEFT) == 1 and terminal.text.endswith(LEFT)
    run.terminate()


@pytest.mark.parametrize("arguments, number", [
    (["top"], signal.SIGTERM), (["status", "--watch"], signal.SIGTERM), (["top"], signal.SIGQUIT), (["top"], signal.SIGHUP),
])
def test_a_signal_leaves_the_terminal_as_it_was(make_terminal, watch, arguments, number):
    terminal = make_terminal()
    top = watch(terminal, *arguments)
    top.wait_until(lambda: terminal.picture, "there is a picture")
    assert terminal.picture[0].startswith("not healthy")
    top.send(number)
    assert top.end().code == 130
    assert terminal.text.startswith("\x1b[?1049h") and terminal.text.endswith(LEFT)


def test_a_log_that_goes_leaves_the_terminal_as_it_was(tickwal, make_terminal, watch):
    terminal = make_terminal()
    top = watch(terminal, "top")
    top.wait_until(lambda: terminal.picture, "there is a picture")
    tickwal.path.rename(tickwal.path.with_suffix(".old"))
    ended = top.end()
    assert ended.code == 78 and "there is no log at" in ended.err
    assert terminal.text.endswith(LEFT)


def test_a_terminal_that_takes_nothing_holds_up_neither_pictures_nor_the_end(make_terminal, watch):
    terminal = make_terminal()
    top = watch(terminal, "top")
    top.wait_until(lambda: terminal.picture, "there is a picture")
    terminal.press("\x13")
    top.wait_until(lambda: is_waiting(top.pid), "it waits for the terminal")
    top.send(signal.SIGINT)
    assert top.end().code == 130


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""}])
def test_colours_and_pictures_are_for_terminals_that_want_them(make_terminal, watch, environment):
    terminal = make_terminal()
    top = watch(terminal, "top", **environment)
    top.wait_until(lambda: terminal.text.count("not healthy") > 1, "it is shown again")
    top.send(signal.SIGINT)
    assert top.end().code == 130
    if "NO_COLOR" in environment:
        assert re.findall(r"\x1b\[[0-9;]*m", terminal.text) == ["\x1b[0m"] and LEFT in terminal.text
    else:
        assert "\x1b" not in terminal.text


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_pipe_gets_block_after_block(tickwal, watch, arguments):
    tickwal.run_with_input("".join(combined(*tick) + "\n" for tick in mini_tickers(20)).encode(), "import", "-")
    top = tickwal.start(*arguments, TERM="xterm")
    top.wait_until(lambda: top.out.count(b"\n\nnot healthy:\n") > 0, "a second block comes after an empty line")
    top.send(signal.SIGINT)
    ended = top.end()
    assert ended.code == 130 and b"\x1b" not in ended.out and b"1 to 20" in ended.out

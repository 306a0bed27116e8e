"""The house as docs/architecture.md draws it: arrows go down only, and what is small is written once."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SOURCES = ROOT / "Sources"

# Which of our modules each one may import.
BELOW = {
    "Base": set(),
    "Observe": set(),
    "Ticks": {"Base"},
    "WAL": {"Base"},
    "Ingest": {"Base", "Ticks", "WAL"},
    "AWS": {"Base"},
    "Shippers": {"Base", "Ticks", "WAL", "AWS"},
    "Inspect": {"Base", "Ticks", "WAL", "AWS", "Shippers"},
    "Simulate": {"Base"},
    "App": {"Base", "Observe", "Ticks", "WAL", "Ingest", "AWS", "Shippers", "Inspect", "Simulate"},
}

# Which files may touch a library of the system.
LIBRARIES = {
    "CSQLite": ("WAL/", "Shippers/Folder/"),
    "CCurl": ("AWS/",),
    "COpenSSL": ("Base/",),
    "CZlib": ("Base/",),
    "CGlibc": ("Base/Threads/", "AWS/", "App/Running/FreedMemory.swift"),
    "CDeflate": ("Base/",),
}

# What is written once, and where.
ONCE = {
    r"\bstrerror(_r)?\(": ("Base/",),
    r"\bpthread_create\(": ("Base/",),
    r"\bflock\(": ("Base/",),
    r"146_097": ("Base/",),
    r"\b(inflate|deflate)Init2_\(": ("Base/",),
    r"\bEVP_": ("Base/",),
}


def swift_files(folder=SOURCES):
    return sorted(folder.rglob("*.swift"))


def code(path):
    """The text without comments and without what stands in quotes."""
    text = re.sub(r'"""[\s\S]*?"""', '""', path.read_text())
    return "\n".join(re.sub(r'"(\\.|[^"\\])*"', '""', line.split("//")[0]) for line in text.splitlines())


def imports(path):
    pattern = r"^(?:@testable )?import (?:struct |enum |class |protocol |func )?(\w+)"
    return set(re.findall(pattern, path.read_text(), re.MULTILINE))


def test_every_module_is_drawn():
    found = {path.name for path in SOURCES.iterdir() if path.is_dir() and any(path.rglob("*.swift"))}
    assert found == set(BELOW)


@pytest.mark.parametrize("module", BELOW)
def test_arrows_go_down_only(module):
    for path in swift_files(SOURCES / module):
        upward = imports(path) & (set(BELOW) - BELOW[module] - {module})
        assert not upward, f"{path.relative_to(ROOT)} imports {', '.join(sorted(upward))}"


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_is_imported_where_it_belongs(library):
    for path in swift_files():
        if library in imports(path):
            assert str(path.relative_to(SOURCES)).startswith(LIBRARIES[library]), path


@pytest.mark.parametrize("pattern", ONCE)
def test_small_things_are_written_once(pattern):
    users = [str(path.relative_to(SOURCES)) for path in swift_files() if re.search(pattern, code(path))]
    assert users, f"nothing matches {pattern}: has it gone?"
    assert [user for user in users if not user.startswith(ONCE[pattern])] == []


def test_the_log_knows_no_consumer_by_name():
    for module in ("WAL", "Inspect"):
        for path in swift_files(SOURCES / module):
            for line in path.read_text().splitlines():
                text = line.split("//")[0]
                assert not re.search(r"""["'](local-)?(s3|dynamodb|kinesis)["']|%s3""", text), f"{path}: {line}"


def test_run_needs_nothing_of_what_only_inspects():
    for path in swift_files(SOURCES / "App" / "Running"):
        assert "Inspect" not in imports(path), path


def test_nothing_is_public_in_a_package_without_a_library():
    for path in swift_files():
        assert not re.search(r"^\s*public ", code(path), re.MULTILINE), path

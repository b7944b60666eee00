"""A confined process can read Python's own files and do little else; where the system can't see to that, it says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ai_library_bot.readers import sandbox

HOLDS = sandbox.holding()

PROGRAM = """
import json, os, socket, sys
from ai_library_bot.readers.sandbox import confine
folder = sys.argv[1]
held = open(folder + "/held")
confine()
deeds = {
    "load a module": lambda: __import__("wave"),
    "load a library": lambda: __import__("lxml.etree"),
    "read what was open": lambda: held.read(1),
    "read": lambda: open(folder + "/file").read(),
    "read on the way of links": lambda: open(folder + "/link").read(),
    "read what everybody may": lambda: open("/etc/hostname").read(),
    "read of processes": lambda: open("/proc/self/environ").read(),
    "list the home": lambda: os.listdir(os.path.expanduser("~")),
    "list": lambda: os.listdir(folder),
    "write": lambda: open(folder + "/file", "r+"),
    "make": lambda: open(folder + "/new", "w"),
    "make folder": lambda: os.mkdir(folder + "/new"),
    "truncate": lambda: os.truncate(folder + "/file", 0),
    "remove": lambda: os.remove(folder + "/file"),
    "rename": lambda: os.rename(folder + "/file", folder + "/other"),
    "link": lambda: os.link(folder + "/file", folder + "/other"),
    "symbolic link": lambda: os.symlink(folder + "/file", folder + "/other"),
    "internet": lambda: socket.socket(socket.AF_INET),
    "datagrams": lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM),
    "local socket": lambda: socket.socket(socket.AF_UNIX),
    "program": lambda: os.execv(sys.executable, [sys.executable, "-c", "print([])"]),
    "memory": lambda: bytearray(2**30),
}
done = []
for name, deed in deeds.items():
    try:
        deed()
    except (OSError, MemoryError):
        continue
    done.append(name)
print(json.dumps(done))
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What a confined process could do to a folder with a file and to the world."""
    folder = tmp_path_factory.mktemp("confined")
    (folder / "file").write_text("text")
    (folder / "held").write_text("text")
    (folder / "link").symlink_to(folder / "file")
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    return set(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))


def test_python_goes_on(done: set[str]) -> None:
    assert {"load a module", "load a library", "read what was open"} <= done


@pytest.mark.skipif("files" not in HOLDS, reason="this system can't forbid files")
def test_no_file_of_the_person_is_read(done: set[str]) -> None:
    reading = {"read", "read on the way of links", "read what everybody may", "read of processes"}
    assert done.isdisjoint(reading | {"list", "list the home"})


@pytest.mark.skipif("files" not in HOLDS, reason="this system can't forbid files")
def test_no_file_is_made_changed_or_removed(done: set[str]) -> None:
    changing = {"write", "make", "make folder", "truncate", "remove", "rename", "link", "symbolic link"}
    assert done & changing <= {"truncate"}  # which Linux before 6.2 can't forbid
    if tuple(map(int, os.uname().release.split(".")[:2])) >= (6, 2):
        assert "truncate" not in done


@pytest.mark.skipif("network" not in HOLDS, reason="this system can't forbid sockets")
def test_no_socket_is_opened_and_no_program_started(done: set[str]) -> None:
    assert done.isdisjoint({"internet", "datagrams", "local socket", "program"})


@pytest.mark.skipif("memory" not in HOLDS, reason="this system can't limit memory")
def test_memory_ends_at_its_limit(done: set[str]) -> None:
    assert "memory" not in done


def test_what_holds_is_named_by_its_names() -> None:
    assert {*HOLDS} <= {*sandbox.PROTECTIONS}
    assert not HOLDS or sys.platform != "win32"
    assert sys.platform != "linux" or "memory" in HOLDS


def test_where_it_cannot_be_tried_nothing_holds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no such python"))
    assert sandbox.holding() == frozenset()

"""A confined process can read Python's own files and do little else; where the system can't see to that, it says so."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ai_library_bot.readers import sandbox, seccomp

HOLDS = sandbox.holding()

PROGRAM = """
import ctypes, json, os, resource, socket, sys, threading
from ai_library_bot.readers import seccomp
from ai_library_bot.readers.sandbox import confine
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    number = seccomp.REFUSED[name][os.uname().machine == "aarch64"]
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), name)
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
    "mode": lambda: os.chmod(folder + "/file", 0),
    "owner": lambda: os.chown(folder + "/file", os.getuid(), os.getgid()),
    "times": lambda: os.utime(folder + "/file", (1, 1)),
    "attribute": lambda: os.setxattr(folder + "/file", "user.note", b"text"),
    "list attributes": lambda: os.listxattr(folder + "/file"),
    "signal": lambda: os.kill(os.getppid(), 0),
    "signal to itself": lambda: os.kill(os.getpid(), 0),
    "signal by descriptor": lambda: os.pidfd_open(os.getppid()),
    "limits of others": lambda: resource.prlimit(os.getppid(), resource.RLIMIT_CORE),
    "own limits": lambda: resource.prlimit(0, resource.RLIMIT_CPU, resource.getrlimit(resource.RLIMIT_CPU)),
    "processors of others": lambda: os.sched_setaffinity(os.getppid(), os.sched_getaffinity(0)),
    "child": lambda: os.fork() or os._exit(0),
    "thread": lambda: threading.Thread(target=print).start(),
    "shared memory": lambda: call("shmget", 0, 4096, 0o1600),
    "keyring": lambda: call("add_key", b"user", b"name", b"secret", 6, -3),
    "watch": lambda: call("inotify_init1", 0),
    "new namespace": lambda: call("unshare", 0x10000000),
}
done = []
for name, deed in deeds.items():
    try:
        deed()
    except (OSError, MemoryError, RuntimeError):
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
    assert done.isdisjoint(changing | {"mode", "owner", "times", "attribute", "list attributes"})


@pytest.mark.skipif("network" not in HOLDS, reason="this system can't forbid sockets")
def test_no_socket_is_opened_and_nothing_started(done: set[str]) -> None:
    assert done.isdisjoint({"internet", "datagrams", "local socket", "program", "child", "thread"})


@pytest.mark.skipif("network" not in HOLDS, reason="this system can't forbid system calls")
def test_no_other_process_is_reached_and_nothing_left_behind(done: set[str]) -> None:
    reaching = {"signal", "signal by descriptor", "limits of others", "processors of others", "watch", "new namespace"}
    assert done.isdisjoint(reaching | {"shared memory", "keyring"})
    assert "own limits" in done


HEADERS = {0: Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"), 1: Path("/usr/include/asm-generic/unistd.h")}
"""The columns of `seccomp.REFUSED`, and where Linux writes down what stands in them."""


@pytest.mark.parametrize("column", HEADERS)
def test_the_calls_have_the_numbers_that_linux_gives_them(column: int) -> None:
    header = HEADERS[column]
    if not header.exists():
        pytest.skip("the headers of Linux are not installed")
    given = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text()))
    named = seccomp.REFUSED | {"prlimit64": seccomp.LIMITS_OF_A_PROCESS}
    for name, numbers in named.items():
        assert given.get(name, "0") == str(numbers[column]), name


@pytest.mark.skipif("network" not in HOLDS, reason="this system can't forbid system calls")
@pytest.mark.parametrize("refused", [[], ["/no/such/folder"], ["."]])
def test_odd_folders_of_packages_and_libraries_are_no_trouble(tmp_path: Path, refused: list[str]) -> None:
    (tmp_path / "secret").write_text("text")
    program = "from ai_library_bot.readers.sandbox import confine; confine(); open('secret')"
    environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(refused), "PYTHONSAFEPATH": "1"}
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, check=False, cwd=tmp_path, env=environment, capture_output=True)
    assert b"PermissionError" in run.stderr


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

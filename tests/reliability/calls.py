"""The system calls of an ingest, one by one: killed at each, through `killer`, and each failing, through `strace`."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from ai_library_bot.errors import CannotWrite
from tests.reliability.tally import Tally
from tests.reliability.toy import Toy
from tests.shelves import Shelf

ROOT = Path(__file__).parents[2]

FAILING = tuple(
    "write pwrite64 writev fsync fdatasync rename renameat renameat2 link linkat unlink unlinkat mkdir mkdirat rmdir "
    "ftruncate fallocate sendfile copy_file_range".split()
)
"""The calls that a full or faulty disk refuses."""

SECONDS = 120

_MORE = 5  # calls that an ingest may make beyond those of another one: threads don't always share their work alike

_FAST = "--seccomp-bpf"  # only the traced calls stop

_ONE_AT_A_TIME = threading.Lock()  # the check patches modules


class Call(NamedTuple):
    """The `number`-th call of that name that one thread makes."""

    name: str
    number: int


def usable() -> str:
    """Why this can't be tried here; "" if it can."""
    if not shutil.which("strace"):
        return "strace is not installed"
    tried = subprocess.run(["strace", "-f", _FAST, "-qq", "-o", os.devnull, "true"], check=False, capture_output=True)
    return "" if tried.returncode == 0 else f"strace is of no use here: {tried.stderr.decode().strip()}"


def writer(toy: Toy, shelf: Shelf, *more: str) -> list[str]:
    """The command that ingests."""
    kind = "vectors" if toy.vectors else "words"
    place = (str(shelf.books.parent), os.path.relpath(shelf.index, shelf.books.parent))
    return [sys.executable, "-m", "tests.reliability.writer", *place, kind, *more]


def run_traced(command: list[str], *options: str) -> int:
    """The exit code of the command under strace."""
    traced = ["strace", "-f", "-qq", *options, *command]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run(traced, cwd=ROOT, env=environment, check=False, capture_output=True, timeout=SECONDS)
    return run.returncode


def failing_calls(toy: Toy) -> list[Call]:
    """Each call that may fail in any thread of an ingest."""
    shelf = toy.copy("counted")
    with tempfile.NamedTemporaryFile() as log:
        code = run_traced(writer(toy, shelf), "-o", log.name, "-e", f"trace={_set(FAILING)}", _FAST)
        assert code == 0, f"an ingest under strace ends with {code}"
        lines = Path(log.name).read_text("utf-8", "replace").splitlines()
    by_thread = Counter(found.groups() for line in lines if (found := re.match(r"(\d+) +(\w+)\(", line)))
    most = {name: max((count for (_, of), count in by_thread.items() if of == name), default=0) for name in FAILING}
    return [Call(name, number) for name in FAILING for number in range(1, most[name] + 1)]


def run_killed(toy: Toy, shelf: Shelf, number: int) -> tuple[int, str]:
    """How many calls an ingest has begun, and whether it was "killed" at that of this number or "ended" before."""
    command = [sys.executable, "-m", "tests.reliability.killer", str(number), *writer(toy, shelf)]
    run = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=SECONDS)
    begun, how = run.stdout.split()
    assert run.returncode == (0 if how == "ended" else 128 + signal.SIGKILL), run.stderr
    return int(begun), how


def kill_at(toy: Toy, number: int) -> str:
    """Kills an ingest at a call and checks what is left."""
    shelf = toy.copy(f"killed-{number}")
    _, how = run_killed(toy, shelf, number)
    return f"{how}, {_checked(toy, shelf)}"


def fail_at(toy: Toy, call: Call, error: str, *, from_then_on: bool) -> str:
    """Lets a call fail, and all later ones of its name if `from_then_on`; checks what is said and what is left."""
    shelf = toy.copy(f"{error}-{call.name}-{call.number}-{from_then_on}")
    inject = f"inject={call.name}:error={error}:when={call.number}{'+' * from_then_on}"
    code = run_traced(writer(toy, shelf), "-o", os.devnull, "-e", f"trace={call.name}", "-e", inject, _FAST)
    assert code in (0, CannotWrite.exit_code), f"ended with {code}"
    left = _checked(toy, shelf)
    assert code or left == "new", "what was said to be done is not there"
    return f"{'refused' if code else 'done all the same'}, {left}"


def kills(folder: Path, *, vectors: bool = False, every: int = 1) -> Tally:
    """Kills an ingest at every system call that changes something, or at one in `every`."""
    toy = Toy(folder, vectors=vectors)
    calls, _ = run_killed(toy, toy.copy("counted"), 0)
    tally = Tally(f"kill -9 at {calls} system calls" + " with vectors" * vectors)
    numbers = range(1, calls + _MORE + 1, every)
    return tally.run(numbers, lambda number: kill_at(toy, number), at_a_time=os.cpu_count() or 1)


def failures(folder: Path, *, vectors: bool = False, every: int = 1) -> Tally:
    """Lets every system call that writes fail, with a full disk and with a faulty one."""
    toy = Toy(folder, vectors=vectors)
    calls = failing_calls(toy)
    trials = [
        (call, error, from_then_on) for error in ("ENOSPC", "EIO") for call in calls for from_then_on in (False, True)
    ]
    tally = Tally(f"ENOSPC and EIO at {len(calls)} system calls" + " with vectors" * vectors)
    return tally.run(
        trials[::every],
        lambda trial: fail_at(toy, trial[0], trial[1], from_then_on=trial[2]),
        at_a_time=os.cpu_count() or 1,
    )


def _set(names: tuple[str, ...]) -> str:
    return ",".join(f"?{name}" for name in names)  # not every machine has every call


def _checked(toy: Toy, shelf: Shelf) -> str:
    with _ONE_AT_A_TIME:
        left = toy.check(shelf)
    shutil.rmtree(shelf.index)
    return left

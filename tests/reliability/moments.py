"""An ingest killed at random moments."""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.reliability.calls import ROOT, SECONDS, writer
from tests.reliability.tally import Tally
from tests.reliability.toy import Toy
from tests.shelves import Shelf


@contextmanager
def ready(toy: Toy, shelf: Shelf) -> Iterator[subprocess.Popen[bytes]]:
    """A process that will ingest as soon as its input ends; killed when the block is left."""
    process = subprocess.Popen(
        writer(toy, shelf, "wait"), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield process
        finally:
            process.kill()


def begin(process: subprocess.Popen[bytes]) -> float:
    """Lets it begin; returns when."""
    assert process.stdin is not None
    process.stdin.close()
    return time.monotonic()


def kills(folder: Path, count: int, *, vectors: bool = False, seed: int = 1) -> Tally:
    """Kills an ingest `count` times, at moments spread evenly over it."""
    toy = Toy(folder, vectors=vectors)
    whole = toy.copy("whole")
    with ready(toy, whole) as process:
        began = begin(process)
        assert process.wait(SECONDS) == 0
        seconds = time.monotonic() - began
    drawn = random.Random(seed)

    def kill(number: int) -> str:
        shelf = toy.copy(f"moment-{number}")
        with ready(toy, shelf) as process, suppress(subprocess.TimeoutExpired):
            begin(process)
            process.wait(seconds * drawn.uniform(0, 1.1))
        left = ("done, " if process.returncode == 0 else "killed, ") + toy.check(shelf)
        shutil.rmtree(shelf.index)
        return left

    return Tally("kill -9 at random moments" + " with vectors" * vectors).run(range(count), kill)

"""The index on file systems made for the purpose: too small for it, or switched off in the midst of an ingest."""

from __future__ import annotations

import gc
import os
import random
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ai_library_bot.errors import CannotWrite
from tests.reliability.calls import ROOT, SECONDS, writer
from tests.reliability.moments import begin, ready
from tests.reliability.tally import Tally
from tests.reliability.toy import Toy
from tests.shelves import Shelf

_SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN of fs/ext4/ext4.h
_WITHOUT_ITS_LOG = 2  # EXT4_GOING_FLAGS_NOLOGFLUSH: as if the power had gone
_IMAGE_BYTES = 32 * 1024**2
_PAGE = 4096


@contextmanager
def mounted(place: Path, *options: str) -> Iterator[Path]:
    """The folder with something mounted on it. Raises CalledProcessError where that is not allowed."""
    place.mkdir(exist_ok=True)
    lazily = () if "loop" in options else ("--lazy",)
    subprocess.run(["mount", *options, str(place)], check=True, capture_output=True)
    try:
        yield place
    finally:
        gc.collect()  # of what was opened there
        subprocess.run(["umount", *lazily, str(place)], check=True, capture_output=True)


def image(folder: Path) -> Path:
    """A fresh ext4 in a file."""
    path = folder / "image"
    with path.open("wb") as file:
        file.truncate(_IMAGE_BYTES)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(path)], check=True, capture_output=True)
    return path


def usable(folder: Path, *, disk: bool) -> str:
    """Why this can't be tried here; "" if it can."""
    if sys.platform != "linux":
        return "mounts as Linux does"
    if os.geteuid() != 0:
        return "only root may mount"
    try:
        options = ("-o", "loop", str(image(folder))) if disk else ("-t", "tmpfs", "tmpfs")
        with mounted(folder / "tried", *options):
            return ""
    except (OSError, subprocess.CalledProcessError) as error:
        return f"nothing can be mounted here: {error}"


def too_small(folder: Path, *, steps: int = 40, vectors: bool = False) -> Tally:
    """Ingests on disks that are full sooner or later, each a little larger, until one is large enough."""
    toy = Toy(folder / "toy", vectors=vectors)
    least = sum(-(-path.stat().st_size // _PAGE) * _PAGE for path in toy.shelf.index.rglob("*"))
    enough = False

    def sizes() -> Iterator[int]:
        size = least
        while not enough:
            yield size
            size += -(-least // steps // _PAGE) * _PAGE

    def ingest(size: int) -> str:
        nonlocal enough
        with mounted(folder / "small", "-t", "tmpfs", "-o", f"size={size}", "tmpfs") as place:
            try:
                shutil.copytree(toy.shelf.index, place / "index")
            except (OSError, shutil.Error):
                return "too small for what was there"
            shelf = Shelf(folder / "toy", os.path.relpath(place / "index", folder / "toy"))
            command = writer(toy, shelf)
            run = subprocess.run(command, cwd=ROOT, check=False, stderr=subprocess.DEVNULL, timeout=SECONDS)
            code = run.returncode
            assert code in (0, CannotWrite.exit_code), f"ended with {code}"
            enough = code == 0
            subprocess.run(["mount", "-o", "remount,size=64m", str(place)], check=True)
            return f"{'refused' if code else 'large enough'}, {toy.check(shelf)}"

    return Tally("full disks" + " with vectors" * vectors).run(sizes(), ingest)


def switched_off(folder: Path, times: int, *, vectors: bool = False, seed: int = 1) -> Tally:
    """Shuts an ext4 down without its log in the midst of an ingest, or right after it, and mounts it again."""
    toy = Toy(folder / "toy", vectors=vectors)
    drawn = random.Random(seed)
    whole = 0.5

    def cut(number: int) -> str:
        nonlocal whole
        path = image(folder)
        with mounted(folder / "disk", "-o", "loop", str(path)) as place:
            shutil.copytree(toy.shelf.index, place / "index")
            subprocess.run(["sync", "--file-system", str(place)], check=True)
            shelf = Shelf(folder / "toy", os.path.relpath(place / "index", folder / "toy"))
            with ready(toy, shelf) as process:
                began = begin(process)
                if number % 5 == 0:  # right after it is done
                    done = process.wait(SECONDS) == 0
                    whole = time.monotonic() - began
                else:
                    time.sleep(whole * drawn.uniform(0, 1))
                    done = process.poll() == 0
                _shut_down(place)
        with mounted(folder / "disk", "-o", "loop", str(path)):
            left = toy.check(shelf)
        assert left == "new" or not done, "what was said to be done is gone"
        return f"{left}{' after it was done' * done}"

    return Tally("ext4 switched off" + " with vectors" * vectors).run(range(times), cut)


def _shut_down(place: Path) -> None:
    import fcntl  # which Windows has not

    descriptor = os.open(place, os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _WITHOUT_ITS_LOG))
    finally:
        os.close(descriptor)

"""Power cuts between any two steps of an ingest, with every fate that bytes and names may meet that were not synced."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.index.power import Disk, Fate, drop
from tests.reliability.tally import Tally
from tests.reliability.toy import Toy
from tests.shelves import Shelf


def fates(drawn: random.Random) -> dict[str, Fate]:
    """What may become of a file. What was synced and not written since stays in any case."""

    def changed(fate: Callable[[bytes], bytes]) -> Fate:
        return lambda synced, now: synced if now in (b"", synced) else fate(now)

    def any_of(synced: bytes, now: bytes) -> bytes:
        return drawn.choice((synced, changed(lambda now: now)(synced, now), changed(garbled)(synced, now)))

    def garbled(now: bytes) -> bytes:
        return bytes(byte if drawn.random() < 0.9 else drawn.randrange(256) for byte in now)

    return {
        "dropped": drop,
        "kept": changed(lambda now: now),
        "garbled": changed(garbled),
        "zeroed": changed(lambda now: bytes(len(now))),
        "torn": changed(lambda now: now[: drawn.randrange(len(now) + 1)]),
        "mixed": any_of,
    }


def cuts(folder: Path, count: int, *, vectors: bool = False, seed: int = 1) -> Tally:
    """Cuts the power `count` times during one ingest and after it, and starts again from what is left each time."""
    toy = Toy(folder / "toy", vectors=vectors)
    drawn = random.Random(seed)
    place = folder / "machine"
    shutil.copytree(toy.shelf.index, place / "index")
    (folder / "cuts").mkdir()
    kinds = list(fates(drawn).items())
    done: list[bool] = []  # as soon as the ingest has said so
    trials: list[tuple[str, bool, Path]] = []

    def cut(times: int) -> None:
        for _ in range(times):
            name, fate = kinds[len(trials) % len(kinds)]
            lucky = {inode for inode in machine.folders if drawn.random() < drawn.choice((0, 0.5, 1))}
            left = folder / "cuts" / f"{len(trials)}"
            machine.after_power_cut(left, lucky, fate)
            trials.append((name, bool(done), left))

    steps, at_the_end = _steps(toy, folder), -(-count // 6)
    due = iter([step * (count - at_the_end) // steps for step in range(steps + 1)])
    machine = Disk(place, watch=lambda: cut(next(due) - len(trials)))
    with machine.running():
        ingest = Shelf(folder / "toy", os.path.relpath(place / "index", folder / "toy"))
        toy.ingest(ingest)
    done.append(True)
    cut(count - len(trials))
    machine.close()

    def start_again(trial: tuple[str, bool, Path]) -> str:
        name, was_done, left = trial
        shelf = Shelf(folder / "toy", os.path.relpath(left / "index", folder / "toy"))
        found = toy.check(shelf)
        assert found == "new" or not was_done, "what was said to be done is gone"
        shutil.rmtree(left, ignore_errors=True)
        return f"{name}, {found}{' after it was done' * was_done}"

    return Tally("power cuts" + " with vectors" * vectors).run(trials, start_again)


def _steps(toy: Toy, folder: Path) -> int:
    """How many steps on the disk an ingest takes."""
    place = folder / "counted"
    shutil.copytree(toy.shelf.index, place / "index")
    machine = Disk(place)
    with machine.running():
        toy.ingest(Shelf(folder / "toy", os.path.relpath(place / "index", folder / "toy")))
    machine.close()
    return len(machine.steps)

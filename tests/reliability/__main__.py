"""The long tortures: `python -m tests.reliability` runs all of them, or those that are named."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.reliability import calls, crowd, flips, fuzz, hostile, injections, killer, moments, mounts, power_cuts
from tests.reliability.tally import Tally

SEARCHING_SECONDS = 600
FUZZING_SECONDS = 3600
KILLS, CUTS, SWITCHINGS, FLIPS = 500, 500, 60, 200

TORTURES: dict[str, tuple[Callable[[Path], str], list[Callable[[Path], Tally]]]] = {
    "kills": (
        lambda folder: killer.usable(),
        [calls.kills, lambda folder: calls.kills(folder, vectors=True)],
    ),
    "moments": (lambda folder: "", [lambda folder: moments.kills(folder, KILLS)]),
    "power": (
        lambda folder: "",
        [lambda folder: power_cuts.cuts(folder, CUTS), lambda folder: power_cuts.cuts(folder, CUTS, vectors=True)],
    ),
    "ext4": (lambda folder: mounts.usable(folder, disk=True), [lambda folder: mounts.switched_off(folder, SWITCHINGS)]),
    "failures": (
        lambda folder: calls.usable(),
        [calls.failures, lambda folder: calls.failures(folder, vectors=True)],
    ),
    "full": (
        lambda folder: mounts.usable(folder, disk=False),
        [mounts.too_small, lambda folder: mounts.too_small(folder, vectors=True)],
    ),
    "flips": (lambda folder: "", [lambda folder: flips.flips(folder, FLIPS)]),
    "searching": (lambda folder: "", [lambda folder: crowd.searching(folder, SEARCHING_SECONDS)]),
    "hostile": (lambda folder: "", [hostile.ingest]),
    "injections": (lambda folder: "", [injections.obey]),
    "fuzz": (lambda folder: "", [lambda folder: fuzz.fuzz(folder, FUZZING_SECONDS)]),
}


def main(names: list[str]) -> int:
    """Prints what each torture has counted; returns how many have failures."""
    failed = 0
    for name in names or TORTURES:
        usable, tortures = TORTURES[name]
        with tempfile.TemporaryDirectory() as tried:
            why_not = usable(Path(tried))
        for torture in tortures:
            if why_not:
                _tell(f"{name}: skipped, {why_not}")
                continue
            began = time.monotonic()
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                tally = torture(Path(folder).resolve())
            failed += bool(tally.failures or not tally.trials)
            _tell(f"{tally}\n  {time.monotonic() - began:.0f} s")
    return failed


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

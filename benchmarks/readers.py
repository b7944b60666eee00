"""What the worker processes cost and bring: the books of a folder read in this process, by one worker and by two.

python -m benchmarks.readers FOLDER... [--rounds 5]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ai_library_bot.errors import UnreadableBook
from ai_library_bot.readers import read_book
from ai_library_bot.readers.pool import ReaderPool
from ai_library_bot.scan import scan


def here(paths: Sequence[Path]) -> None:
    """Reads the books in this process."""
    for path in paths:
        try:
            read_book(path.read_bytes(), path)
        except UnreadableBook as error:
            print(error)


def workers(count: int, paths: Sequence[Path]) -> None:
    """Reads the books in so many worker processes, their start included."""
    with ReaderPool(count) as pool:
        for _ in pool.read(paths):
            pass


def main() -> None:
    parser = argparse.ArgumentParser(description="Reads books in this process, in one worker and in two, by turns.")
    parser.add_argument("folders", nargs="*", type=Path, default=[Path("books")])
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    paths = [found.path for found in scan(asked.folders).found]
    ways: dict[str, Callable[[], None]] = {
        "in this process": lambda: here(paths),
        "one worker": lambda: workers(1, paths),
        "two workers": lambda: workers(2, paths),
    }
    here(paths)  # loads the libraries, which the workers have to do each time
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(asked.rounds):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - began)
    megabytes = sum(path.stat().st_size for path in paths) / 1e6
    print(f"{len(paths)} files, {megabytes:.1f} MB; medians of {asked.rounds} rounds")
    for name, taken in seconds.items():
        print(f"{name:16} {statistics.median(taken):6.2f} s  {megabytes / statistics.median(taken):6.1f} MB/s")
    gain = statistics.median(one / two for one, two in zip(seconds["one worker"], seconds["two workers"], strict=True))
    print(f"two workers are {gain:.2f} times as fast as one")


if __name__ == "__main__":
    main()

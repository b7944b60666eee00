"""Many who search while one ingests, rolls back and prunes: no error, and one generation in each result."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from pathlib import Path

from ai_library_bot import Library, Settings
from tests.reliability.tally import Tally
from tests.shelves import RULES, Shelf

SEARCHERS = 8

_BOOKS = 5
_PRUNING = RULES.__class__(RULES.max_book_mb, RULES.min_passage_chars, keep_generations=2)


def searching(folder: Path, seconds: float, searchers: int = SEARCHERS) -> Tally:
    """Runs processes that search, half of them opening the index anew each time, beside one writer."""
    shelf = Shelf(folder)
    _edit(shelf, 0)
    shelf.ingest(rules=_PRUNING)
    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(searchers) as processes:
        searches = processes.starmap_async(
            _search, [(shelf.index, seconds, number % 2 == 0) for number in range(searchers)]
        )
        writes = {"generations published": 0, "rollbacks": 0}
        while not searches.ready():
            _edit(shelf, writes["generations published"] + 1)
            shelf.ingest(rules=_PRUNING)
            writes["generations published"] += 1
            if writes["generations published"] % 3 == 0:
                shelf.generations.roll_back()
                writes["rollbacks"] += 1
        told = searches.get()
    tally = Tally(f"{searchers} searchers beside a writer")
    tally.outcomes["searches"] = sum(count for count, _ in told)
    tally.failures += [failure for _, failures in told for failure in failures]
    tally.facts.update(writes)
    return tally


def _edit(shelf: Shelf, edition: int) -> None:
    """Gives every book of the shelf a new edition: a generation that is whole holds one edition only."""
    for number in range(_BOOKS):
        shelf.put(f"{number}.md", f"The lamp of edition {edition} burns, says book {number}.", title=f"Book {number}")


def _search(folder: Path, seconds: float, opens_anew: bool) -> tuple[int, list[str]]:
    """Searches for so long; how often, and what was wrong."""
    return asyncio.run(_searching(Settings(faiss_path=folder), time.monotonic() + seconds, opens_anew))


async def _searching(settings: Settings, end: float, opens_anew: bool) -> tuple[int, list[str]]:
    count = 0
    failures: list[str] = []
    library = Library(settings)
    while time.monotonic() < end and not failures:
        if opens_anew:
            library = Library(settings)
        try:
            found = await library.search("the lamp burns, says the book", limit=50)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a failure
            failures.append(f"{type(error).__name__}: {error}")
        else:
            editions = {hit.passage.text.split("edition ")[1].split()[0] for hit in found}
            if len(found.hits) != _BOOKS or len(editions) != 1 or library.notices:
                failures.append(f"generation {found.generation}: {len(found.hits)} passages of {sorted(editions)}")
            count += 1
    return count, failures

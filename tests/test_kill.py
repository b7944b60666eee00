"""A killed ingest: whatever the moment, the old index answers, and the next ingest ends where a clean one does.

What was paid for before the kill is not paid for again: only the batch that was under way is lost.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from ai_library_bot.types import Book
from tests.fakes_embedder import FakeEmbedder
from tests.shelves import RULES, Shelf

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")

MOMENTS = 4
QUERIES = ("лампа на маяке", "edition", "deep harbour 7", "старый мост")

Answers = tuple[dict[str, Book], list[list[tuple[str, float]]]]


@dataclass(frozen=True)
class Case:
    """A shelf that was ingested and has changed since, with what its index says before and after the next ingest."""

    shelf: Shelf
    before: Answers
    after: Answers
    seconds: float


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    shelf = Shelf(tmp_path_factory.mktemp("shelf"))
    for number in range(12):
        shelf.put(f"{number}.md", *chapters(number, "First"))
    shelf.ingest()
    before = answers(shelf)
    for number in range(0, 12, 3):
        (shelf.books / f"{number}.md").unlink()
    for number in range(1, 24, 2):
        shelf.put(f"{number}.md", *chapters(number, "Second"))
    (shelf.books / "2.md").rename(shelf.books / "старый мост.md")
    clean = Shelf(shelf.books.parent, "clean")
    clean.ingest()
    timed = copy(shelf, "timed")
    began = time.monotonic()
    with ingesting(timed) as process:
        assert process.wait(60) == 0
    seconds = time.monotonic() - began
    after = answers(clean)
    assert answers(timed) == after != before
    return Case(shelf, before, after, seconds)


def chapters(number: int, edition: str) -> list[str]:
    return [
        f"{edition} edition, book {number}, chapter {chapter}. " + f"Лампа на маяке, a deep harbour {chapter}. " * 40
        for chapter in range(8)
    ]


def copy(shelf: Shelf, name: str) -> Shelf:
    """The same books with a copy of the index."""
    other = Shelf(shelf.books.parent, name)
    shutil.copytree(shelf.index, other.index)
    return other


def answers(shelf: Shelf) -> Answers:
    """The catalogue, and the hits of some queries."""
    index = shelf.open()
    found = [index.search(query, 1000) for query in QUERIES]
    return index.books, [[(hit.passage.id, hit.score) for hit in hits] for hits in found]


@contextmanager
def ingesting(shelf: Shelf) -> Iterator[subprocess.Popen[bytes]]:
    """The real command at work on the shelf; killed when the block is left."""
    environment = {
        **os.environ,
        "FAISS_PATH": str(shelf.index),
        "BOOKS_PATH": str(shelf.books),
        "MIN_PASSAGE_CHARS": str(RULES.min_passage_chars),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "ai_library_bot", "ingest"],
        cwd=shelf.books.parent,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_after_a_kill_the_index_is_readable_and_the_next_ingest_ends_where_a_clean_one_does(
    case: Case, moment: int
) -> None:
    shelf = copy(case.shelf, f"killed-{moment}")
    with ingesting(shelf) as process, suppress(subprocess.TimeoutExpired):
        process.wait(case.seconds * (0.3 + 0.7 * moment / MOMENTS))  # Python takes the first third to start
    published = shelf.generations.current()
    assert published.damaged == ()
    assert shelf.generations.verify(published.number).damages == ()
    assert answers(shelf) == (case.before if published.number == 1 else case.after)
    report = shelf.ingest()
    assert report.failed == ()
    assert answers(shelf) == case.after
    assert [path.name for path in (shelf.index / "generations").iterdir() if path.suffix] == []


def test_killed_again_and_again_it_gets_there_in_the_end(case: Case) -> None:
    shelf = copy(case.shelf, "again")
    for share in (0.4, 0.6, 0.8):
        with ingesting(shelf) as process, suppress(subprocess.TimeoutExpired):
            process.wait(case.seconds * share)
        assert answers(shelf) in (case.before, case.after)
    with ingesting(shelf) as process:
        assert process.wait(60) == 0
    assert answers(shelf) == case.after


KILLS = 3
BATCH = 16


def receiver(folder: Path) -> FakeEmbedder:
    """An embedder that notes the texts of each batch in a file, as a service does that sends a bill."""

    def note(texts: Sequence[str]) -> None:
        with (folder / "bill").open("ab") as bill:
            bill.write(b"".join(text.encode().replace(b"\n", b" ") + b"\n" for text in texts))

    return FakeEmbedder(batch=BATCH, before=note)


def ingest_and_note(folder: Path) -> None:
    """What the process does that is to be killed."""
    Shelf(folder).ingest(embedder=receiver(folder))


@contextmanager
def embedding(shelf: Shelf) -> Iterator[subprocess.Popen[bytes]]:
    """An ingest with the `receiver` in a process of its own; killed when the block is left."""
    run = "import sys, tests.test_kill as here; here.ingest_and_note(here.Path(sys.argv[1]))"
    command = [sys.executable, "-c", run, str(shelf.books.parent)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[1]) as process:
        try:
            yield process
        finally:
            process.kill()


def test_killed_while_embedding_it_pays_for_no_more_than_the_batch_under_way_again(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    for number in range(6):
        shelf.put(f"{number}.md", *(f"Book {number}, page {page}: the lamp and the river." for page in range(60)))
    bill = tmp_path / "bill"
    bill.touch()
    for kill in range(1, KILLS + 1):
        wanted = kill * 360 // (KILLS + 1)
        with embedding(shelf) as process:
            while process.poll() is None and bill.read_bytes().count(b"\n") < wanted:
                pass
            assert process.poll() is None, "it was over before it could be killed"
    report = shelf.ingest(embedder=receiver(tmp_path))
    assert (report.embedded, report.passages) == (360, 360)
    paid = bill.read_bytes().splitlines()
    assert len(set(paid)) == 360
    assert len(paid) <= 360 + KILLS * BATCH

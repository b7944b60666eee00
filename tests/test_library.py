"""The library as a program holds it: one generation for each question, whatever happens beside it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ai_library_bot import Library, Settings, ask
from ai_library_bot.errors import BadData, BadRequest, MissingInput
from ai_library_bot.index import disk
from ai_library_bot.index.search import SearchIndex
from ai_library_bot.types import Answer, Notice, Progress
from tests.shelves import Shelf

LAMP = "Лампа на маяке горела всю ночь, и смотритель маяка не спал до самого утра."
CLOCK = "The clock of the tower stopped in the winter of 1871, and nobody wound it again."


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = Shelf(tmp_path)
    shelf.put("lamp.md", LAMP, title="Лампа")
    return shelf


def settings(shelf: Shelf) -> Settings:
    return Settings(faiss_path=shelf.index, books_path=shelf.books, min_passage_chars=20, min_relevance=0.5)


@pytest.fixture
async def library(shelf: Shelf) -> AsyncIterator[Library]:
    """A library of one book, ingested."""
    shelf.ingest()
    async with Library.open(settings(shelf)) as library:
        yield library


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def damage(shelf: Shelf, generation: int) -> None:
    catalogue = shelf.index / f"generations/{generation:06d}/books.jsonl"
    catalogue.unlink()
    catalogue.write_text("{")


async def test_from_a_folder_of_books_to_an_answer(shelf: Shelf) -> None:
    shelf.put("clock.md", CLOCK, title="The Clock", author="John Frost")
    async with Library.open(settings(shelf)) as library:
        report = await library.ingest()
        assert (report.generation, report.books, report.failed) == (1, 2, ())
        assert [book.title for book in library.books()] == ["The Clock", "Лампа"]
        found = await library.search("clocks")
        assert [hit.book.title for hit in found] == ["The Clock"]
        answer = await library.ask("When did the clock of the tower stop?")
        assert [citation.quote for citation in answer.citations] == [CLOCK]
        assert library.show(found[0].passage.id).passage == found[0].passage
        assert library.notices == ()


async def test_opening_a_library_touches_nothing(tmp_path: Path) -> None:
    async with Library.open(Settings(faiss_path=tmp_path / "index")):
        pass
    assert names_in(tmp_path) == []


async def test_without_an_index_every_question_says_what_to_do(tmp_path: Path) -> None:
    async with Library.open(Settings(faiss_path=tmp_path / "index")) as library:
        for ask in (library.search("x"), library.ask("x"), library.remove(["x"])):
            with pytest.raises(MissingInput) as caught:
                await ask
            assert caught.value.key == "no_index"
        with pytest.raises(MissingInput):
            library.books()
        with pytest.raises(MissingInput):
            library.generations()
    assert names_in(tmp_path) == []


async def test_limit_and_filters_are_heard(library: Library, shelf: Shelf) -> None:
    shelf.put("clock.md", CLOCK, CLOCK.replace("tower", "church"), author="John Frost", language="en")
    shelf.ingest()
    assert len(await library.search("clock", limit=1)) == 1
    assert len(await library.search("clock", authors=["frost"], languages=["en"], books=["clock"])) == 2
    assert len(await library.search("clock", languages=["ru"])) == 0
    assert not (await library.ask("When did the clock stop?", languages=["ru"])).found


async def test_an_ingest_elsewhere_is_seen_by_the_next_question(library: Library, shelf: Shelf) -> None:
    assert (await library.search("clock")).generation == 1
    shelf.put("clock.md", CLOCK)
    shelf.ingest()
    found = await library.search("clock")
    assert (found.generation, len(found)) == (2, 1)


async def test_removed_books_are_gone_and_their_files_are_not(library: Library, shelf: Shelf) -> None:
    shelf.put("clock.md", CLOCK)
    shelf.ingest()
    report = await library.remove(["лампа"])
    assert report.removed == (shelf.books / "lamp.md",)
    assert [book.path.name for book in library.books()] == ["clock.md"]
    assert (shelf.books / "lamp.md").exists()
    with pytest.raises(MissingInput):
        await library.remove(["лампа"])


class TestWhichBookGoes:
    """A name removes one book or none."""

    @pytest.fixture
    async def library(self, shelf: Shelf) -> AsyncIterator[Library]:
        for name, title in (("tower.md", "The Clock"), ("clock.md", "The Clock of Wenlow"), ("ёлка.md", "Ёлка")):
            shelf.put(name, f"{CLOCK} {name}", title=title, author="John Frost", language="en")
        shelf.ingest()
        async with Library.open(settings(shelf)) as library:
            yield library

    @pytest.mark.parametrize(
        ("name", "gone"),
        [
            ("wenlow", "clock.md"),
            ("the clock", "tower.md"),
            ("CLOCK.md", "clock.md"),
            (" елка ", "ёлка.md"),
            ("tower", "tower.md"),
        ],
    )
    async def test_a_name_that_fits_one_book_or_is_all_of_one_removes_it(
        self, library: Library, name: str, gone: str
    ) -> None:
        report = await library.remove([name, name])
        assert [path.name for path in report.removed] == [book.path.name for book in report.removed_books] == [gone]

    async def test_an_id_and_its_beginning_are_names(self, library: Library) -> None:
        first, second, *_ = library.books()
        assert (await library.remove([first.id, second.id[:8]])).removed == (first.path, second.path)

    @pytest.mark.parametrize("name", ["clock", ".md", "Frost"])
    async def test_a_name_that_fits_several_or_none_removes_nothing(self, library: Library, name: str) -> None:
        before = library.books()
        with pytest.raises((BadRequest, MissingInput)) as caught:
            await library.remove(["wenlow", name])
        assert f"“{name}”" in str(caught.value)
        assert library.books() == before
        if name != "Frost":
            assert caught.value.exit_code == 64
            assert "The Clock of Wenlow (clock.md, " in str(caught.value)

    @pytest.mark.parametrize("name", ["", " "])
    async def test_nothing_is_no_name_even_of_the_last_book(self, library: Library, name: str) -> None:
        await library.remove([book.id for book in library.books()[1:]])
        with pytest.raises(MissingInput):
            await library.remove([name])


@pytest.mark.parametrize(
    ("filters", "key", "named"),
    [
        ({"books": ["Nowhere"]}, "unknown_book", "Nowhere"),
        ({"authors": ["Nobody"], "languages": ["ru"]}, "unknown_author", "Nobody"),
        ({"languages": ["de", "fr"]}, "unknown_language", "de, fr"),
        ({"authors": ["Frost"], "languages": ["ru"]}, "no_book_meets_all", "Frost, ru"),
    ],
)
async def test_it_is_said_which_filter_no_book_meets(
    library: Library, shelf: Shelf, filters: Any, key: str, named: str
) -> None:
    shelf.put("clock.md", CLOCK, author="John Frost", language="en")
    shelf.ingest()
    for asked in (library.search("clock", **filters), library.ask("Which clock?", **filters)):
        with pytest.raises(MissingInput) as caught:
            await asked
        assert caught.value.key == key
        assert f"“{named}”" in str(caught.value) or f": {named}. " in str(caught.value)
        assert key != "unknown_language" or str(caught.value).endswith("en, ru")


async def test_half_a_passage_id_is_told_from_a_wrong_one(library: Library) -> None:
    (book,) = library.books()
    for wanted, key in ((book.id[:6], "half_a_passage"), (f"{book.id[:6]}:0900", "unknown_passage")):
        with pytest.raises(MissingInput) as caught:
            library.show(wanted)
        assert caught.value.key == key


async def test_back_and_forward_gives_the_same_hits(library: Library, shelf: Shelf) -> None:
    first = await library.search("маяк")
    shelf.put("lamp.md", LAMP, LAMP + " И всё.")
    shelf.ingest()
    second = await library.search("маяк")
    assert first != second
    assert library.roll_back() == (2, 1)
    assert await library.search("маяк") == first
    assert library.roll_back(2) == (1, 2)
    assert await library.search("маяк") == second
    assert [(kept.number, kept.active) for kept in library.generations()] == [(2, True), (1, False)]
    with pytest.raises(BadRequest):
        library.roll_back(7)


class TestAdding:
    async def test_a_book_that_was_sent_answers_the_next_question(
        self, library: Library, shelf: Shelf, tmp_path: Path
    ) -> None:
        sent = tmp_path / "sent"
        sent.write_text(CLOCK)
        report = await library.add(sent, "../The Clock?.txt")
        assert report.added == (shelf.books / "The Clock_.txt",)
        assert len(await library.search("clock")) == 1

    async def test_the_first_book_of_all_makes_shelf_and_index(self, tmp_path: Path) -> None:
        sent = tmp_path / "sent"
        sent.write_text(CLOCK)
        async with Library.open(Settings(faiss_path=tmp_path / "index", books_path=tmp_path / "books")) as library:
            assert (await library.add(sent, "clock.txt")).books == 1
        assert names_in(tmp_path / "books") == ["clock.txt"]

    async def test_one_that_is_cancelled_leaves_nothing_on_the_shelf(
        self, library: Library, shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sent = tmp_path / "sent"
        sent.write_text(CLOCK)
        copying = asyncio.Event()
        loop = asyncio.get_running_loop()

        def copy(source: Path, target: Path) -> None:
            copy_for_real(source, target)
            loop.call_soon_threadsafe(copying.set)

        copy_for_real = disk.copy
        monkeypatch.setattr(disk, "copy", copy)
        work = asyncio.create_task(library.add(sent, "clock.txt"))
        await copying.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert names_in(shelf.books) == ["lamp.md"]
        assert [kept.number for kept in library.generations()] == [1]
        assert sent.exists()


class TestDamage:
    async def test_a_damaged_generation_is_passed_over_with_a_notice(self, library: Library, shelf: Shelf) -> None:
        shelf.put("clock.md", CLOCK)
        shelf.ingest()
        damage(shelf, 2)
        assert (await library.search("маяк")).generation == 1
        assert (await library.ask("Горела ли лампа на маяке?")).generation == 1
        assert library.notices == (Notice("generation_damaged", {"damaged": 2, "served": 1}),)
        assert {(one.generation, bool(one.damages)) for one in library.verify()} == {(1, False), (2, True)}

    async def test_the_next_ingest_mends_it(self, library: Library, shelf: Shelf) -> None:
        shelf.put("clock.md", CLOCK)
        shelf.ingest()
        damage(shelf, 2)
        report = shelf.ingest()
        assert (report.generation, report.parent) == (3, 1)
        assert len(await library.search("clock")) == 1

    async def test_it_is_mended_also_where_the_books_are_those_of_the_version_that_answers(
        self, library: Library, shelf: Shelf
    ) -> None:
        shelf.put("clock.md", CLOCK)
        shelf.ingest()
        damage(shelf, 2)
        (shelf.books / "clock.md").unlink()
        report = shelf.ingest()
        assert (report.generation, report.parent, report.removed) == (3, 1, ())
        assert (await library.search("маяк")).generation == 3
        assert library.notices == ()

    async def test_where_nothing_is_sound_it_says_so_until_an_ingest_builds_it_anew(
        self, library: Library, shelf: Shelf
    ) -> None:
        damage(shelf, 1)
        with pytest.raises(BadData) as caught:
            await library.search("маяк")
        assert caught.value.key == "index_damaged"
        report = shelf.ingest()
        assert (report.generation, report.parent, len(report.added)) == (2, None, 1)
        assert (await library.search("маяк")).generation == 2


class TestCancelling:
    async def test_a_cancelled_ingest_ends_soon_and_leaves_the_index_as_it_was(
        self, library: Library, shelf: Shelf
    ) -> None:
        for number in range(20):
            shelf.put(f"{number}.md", f"{CLOCK} {number}")
        reading = asyncio.Event()
        loop = asyncio.get_running_loop()

        def hear(progress: Progress) -> None:
            if progress.phase == "read":
                loop.call_soon_threadsafe(reading.set)

        work = asyncio.create_task(library.ingest(on_progress=hear))
        await reading.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert [kept.number for kept in library.generations()] == [1]
        assert names_in(shelf.index / "generations") == ["000001"]
        assert (await library.ingest()).generation == 2
        assert len(library.books()) == 21

    async def test_an_ingest_that_is_through_cannot_be_cancelled_any_more(self, library: Library, shelf: Shelf) -> None:
        shelf.put("clock.md", CLOCK)
        work = asyncio.create_task(library.ingest())
        assert (await work).generation == 2
        assert not work.cancel()


class TestBeside:
    """Questions while an ingest publishes."""

    async def test_every_search_uses_one_generation_whole(self, library: Library, shelf: Shelf) -> None:
        """Each generation holds the same word in every book, with its own number beside it."""
        books = 6

        def publish() -> None:
            for edition in range(2, 8):
                for number in range(books):
                    shelf.put(f"{number}.md", f"Издание {edition}, общее слово книги номер {number}.")
                shelf.ingest()

        (shelf.books / "lamp.md").unlink()
        publishing = asyncio.create_task(asyncio.to_thread(publish))
        seen = set()
        while not publishing.done():
            found = await library.search("общее слово", limit=50)
            editions = {hit.passage.text.split(",")[0] for hit in found}
            assert len(found) in (0, books)
            assert editions <= {f"Издание {found.generation}"}
            seen.add(found.generation)
        await publishing
        assert len(await library.search("общее слово", limit=50)) == books
        assert len(seen) > 1

    async def test_a_question_finishes_on_the_generation_it_began_with(
        self, library: Library, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Before it is answered the book that answers is removed, and the generation that still held it as well."""

        async def in_between(index: SearchIndex, question: str, **wishes: Any) -> Answer:
            (shelf.books / "lamp.md").unlink()
            shelf.put("clock.md", CLOCK)
            for number in range(7):
                shelf.put("clock.md", f"{CLOCK} {number}")
                shelf.ingest()
            return await answer_for_real(index, question, **wishes)

        answer_for_real = ask.answer
        monkeypatch.setattr(ask, "answer", in_between)
        answer = await library.ask("Кто не спал на маяке, где горела лампа?")
        assert not (shelf.index / "generations/000001").exists()
        assert (answer.generation, [citation.quote for citation in answer.citations]) == (1, [LAMP])

    async def test_many_questions_at_a_time_get_what_each_would_get_alone(self, library: Library, shelf: Shelf) -> None:
        shelf.put("clock.md", CLOCK)
        shelf.ingest()
        queries = ["лампа", "clock", "маяк смотритель", "winter", "xyz"] * 8
        alone = {query: await library.search(query) for query in queries}
        together = await asyncio.gather(*(library.search(query) for query in queries))
        assert together == [alone[query] for query in queries]


def test_a_library_needs_no_heavy_module_until_it_is_asked() -> None:
    code = "import sys, ai_library_bot; ai_library_bot.Library(ai_library_bot.Settings()); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"tantivy", "lxml", "pypdfium2", "rich"}.isdisjoint(done.stdout.split())


def flip_a_letter(shelf: Shelf, generation: int, text: str) -> None:
    """Changes a letter of a stored passage, as a failing disk may: sizes and times stay as they are."""
    (path,) = (shelf.index / f"generations/{generation:06d}/lexical").glob("*.store")
    data, times = bytearray(path.read_bytes()), path.stat()
    data[data.index(text.encode()) + 1] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


class TestAFlippedBit:
    """In a generation that shares nothing with the one before, so that only one of them is damaged."""

    @pytest.fixture
    def flipped(self, shelf: Shelf) -> Shelf:
        shelf.ingest()
        shelf.put("lamp.md", LAMP, title="Лампа", author="Иван Юг")
        shelf.put("clock.md", CLOCK, title="The Clock")
        shelf.ingest()
        flip_a_letter(shelf, 2, "stopped")
        return shelf

    async def test_is_never_shown_and_the_generation_before_answers(self, flipped: Shelf) -> None:
        async with Library.open(settings(flipped)) as library:
            found = await library.search("the clock and the lamp, лампа")
            assert {hit.passage.text for hit in found} == {LAMP}
            assert found.generation == 1
            assert [(notice.key, notice.details) for notice in library.notices] == [
                ("generation_damaged", {"damaged": 2, "served": 1})
            ]
            assert (await library.ask("When did the clock of the tower stop?")).generation == 1

    async def test_is_never_quoted(self, flipped: Shelf) -> None:
        async with Library.open(settings(flipped)) as library:
            answer = await library.ask("When did the clock of the tower stop?")
        assert (answer.generation, answer.found) == (1, False)

    async def test_is_mended_by_the_next_ingest(self, flipped: Shelf) -> None:
        async with Library.open(settings(flipped)) as library:
            assert [bool(one.damages) for one in library.verify()] == [True, False]
            report = flipped.ingest()
            assert (report.generation, report.parent) == (3, 1)
            found = await library.search("the clock of the tower")
        assert (found.generation, [hit.passage.text for hit in found]) == (3, [CLOCK])

    async def test_without_a_sound_generation_is_said_and_mended_all_the_same(self, shelf: Shelf) -> None:
        shelf.put("clock.md", CLOCK, title="The Clock")
        shelf.ingest()
        flip_a_letter(shelf, 1, "stopped")
        async with Library.open(settings(shelf)) as library:
            with pytest.raises(BadData) as caught:
                await library.search("the clock of the tower")
            assert caught.value.key == "index_damaged"
            report = shelf.ingest()
            assert (report.parent, report.books) == (None, 2)
            assert [hit.passage.text for hit in await library.search("the clock of the tower")] == [CLOCK]

"""From a quotation to the picture of its page; a stranger's file can at worst cost that picture."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest

from ai_library_bot import Library, Settings, pictures
from ai_library_bot.errors import BadRequest, LibraryError, MissingInput, UnreadableBook
from ai_library_bot.readers.pool import ReaderPool
from ai_library_bot.types import Passage
from tests.readers import naughty_worker
from tests.readers.build_pdf import Page, Text, pdf
from tests.readers.files import drawn
from tests.readers.pixels import alike, pixels, yellow
from tests.shelves import Shelf

NAUGHTY = (sys.executable, naughty_worker.__file__)

LINES = (
    "The lamp of the lighthouse burned all night, and the keeper",
    "of the lamp did not sleep. He wrote a long letter to the light-",
    "house on the other shore, and the lamp there answered him.",
)
PAGES = [
    Page([Text(50, 100 + 12 * number, line) for number, line in enumerate(LINES)]),
    Page([Text(50, 100, "Nobody else in the harbour had seen the two lamps.")]),
]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = Shelf(tmp_path)
    shelf.put("lamp.pdf", data=pdf(PAGES))
    shelf.put("clock.md", "The clock in the tower ran slow, because the summer was hot.")
    shelf.ingest()
    return shelf


@pytest.fixture
async def library(shelf: Shelf) -> AsyncIterator[Library]:
    async with Library.open(Settings(faiss_path=shelf.index, books_path=shelf.books)) as library:
        yield library


async def found(library: Library, words: str) -> tuple[Passage, int, int]:
    """The passage in which the words stand, and where."""
    passage = next(hit.passage for hit in await library.search(words) if words in hit.passage.text)
    start = passage.text.index(words)
    return passage, start, start + len(words)


async def refused(library: Library, words: str) -> LibraryError:
    passage, start, end = await found(library, words)
    with pytest.raises(LibraryError) as caught:
        await library.page_picture(passage.id, start, end)
    return caught.value


class TestPictures:
    async def test_the_page_of_a_quotation_comes_with_its_words_marked(self, library: Library, shelf: Shelf) -> None:
        passage, start, end = await found(library, "letter to the lighthouse on")
        picture = await library.page_picture(passage.id, start, end)
        assert alike(picture, drawn(shelf.books / "lamp.pdf", 1, passage.text, start, end))
        assert yellow(pixels(picture)).any()

    async def test_a_quotation_that_runs_on_is_shown_where_it_begins(self, library: Library, shelf: Shelf) -> None:
        passage, start, end = await found(library, "answered him.\n\nNobody else")
        picture = await library.page_picture(passage.id, start, end)
        on_page = passage.text[: passage.text.index("Nobody")]
        assert alike(picture, drawn(shelf.books / "lamp.pdf", 1, on_page, start, len(on_page)))
        assert yellow(pixels(picture)).any()

    async def test_one_on_the_second_page_of_its_passage_is_shown_there(self, library: Library, shelf: Shelf) -> None:
        passage, start, end = await found(library, "two lamps")
        picture = await library.page_picture(passage.id, start, end)
        assert alike(picture, drawn(shelf.books / "lamp.pdf", 2, "the two lamps.", 4, 13))

    async def test_several_pages_can_be_asked_for_at_a_time(self, library: Library) -> None:
        passage, start, end = await found(library, "burned all night")
        once, *others = await asyncio.gather(*(library.page_picture(passage.id, start, end) for _ in range(4)))
        assert all(alike(once, other) for other in others)


class TestRefusals:
    @pytest.mark.parametrize(("name", "span"), [("ffff:0000", (0, 4)), (":", (0, 4)), ("", (0, 4))])
    async def test_a_passage_that_is_not_there_is_missing(
        self, library: Library, name: str, span: tuple[int, int]
    ) -> None:
        with pytest.raises(MissingInput) as caught:
            await library.page_picture(name, *span)
        assert caught.value.key == "unknown_passage"

    @pytest.mark.parametrize("span", [(-1, 4), (4, 4), (5, 4), (0, 10**6), (10**9, 10**9 + 1)])
    async def test_so_is_a_quotation_that_its_passage_does_not_have(
        self, library: Library, span: tuple[int, int]
    ) -> None:
        passage, _, _ = await found(library, "burned all night")
        with pytest.raises(MissingInput) as caught:
            await library.page_picture(passage.id, *span)
        assert caught.value.key == "unknown_passage"

    async def test_a_book_without_pages_has_none_to_show(self, library: Library) -> None:
        error = await refused(library, "The clock in the tower")
        assert isinstance(error, BadRequest)
        assert error.key == "no_pages"

    async def test_a_file_that_is_gone_is_missing(self, library: Library, shelf: Shelf) -> None:
        (shelf.books / "lamp.pdf").unlink()
        assert isinstance(await refused(library, "burned all night"), MissingInput)

    async def test_a_file_with_other_content_is_not_shown(self, library: Library, shelf: Shelf) -> None:
        shelf.put("lamp.pdf", data=pdf(PAGES[::-1]))
        error = await refused(library, "burned all night")
        assert isinstance(error, UnreadableBook)
        assert error.key == "book_changed"


class TestWorkers:
    """The worker does what the name of the file says."""

    @pytest.fixture
    def naughty(self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Library]:
        monkeypatch.setattr(pictures, "ReaderPool", partial(ReaderPool, command=NAUGHTY))

        def naughty(name: str) -> Library:
            (shelf.books / "lamp.pdf").rename(shelf.books / f"{name}.pdf")
            shelf.ingest()
            return Library(Settings(faiss_path=shelf.index))

        return naughty

    @pytest.mark.parametrize("name", ["crash", "lie", "mistaken", "bad"])
    async def test_a_worker_that_fails_costs_one_picture(
        self, shelf: Shelf, naughty: Callable[[str], Library], name: str
    ) -> None:
        error = await refused(naughty(name), "burned all night")
        assert isinstance(error, UnreadableBook)
        assert (error.key, error.details) == (
            "page_not_drawn",
            {"path": str(shelf.books / f"{name}.pdf"), "page": 1},
        )
        assert isinstance(error.__cause__, UnreadableBook)

    async def test_one_that_hangs_is_ended_at_the_time_limit(
        self, naughty: Callable[[str], Library], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pictures, "_SECONDS", 1)
        assert (await refused(naughty("hang"), "burned all night")).key == "page_not_drawn"

    async def test_who_wants_the_picture_no_more_ends_the_worker_at_once(
        self, naughty: Callable[[str], Library], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        loop = asyncio.get_running_loop()
        asked, answered = asyncio.Event(), asyncio.Event()

        class Pool(ReaderPool):
            def picture(self, path: Path, page: int, text: str, start: int, end: int) -> bytes | UnreadableBook:
                loop.call_soon_threadsafe(asked.set)
                try:
                    return super().picture(path, page, text, start, end)
                finally:
                    loop.call_soon_threadsafe(answered.set)

        library = naughty("hang")
        passage, start, end = await found(library, "burned all night")
        monkeypatch.setattr(pictures, "_SECONDS", 3600)
        monkeypatch.setattr(pictures, "ReaderPool", partial(Pool, command=NAUGHTY))
        work = asyncio.create_task(library.page_picture(passage.id, start, end))
        await asked.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        async with asyncio.timeout(30):
            await answered.wait()

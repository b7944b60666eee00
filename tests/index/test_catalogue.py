"""The catalogue gives back the books that were written, whatever they are called."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_library_bot.errors import BadData, CannotWrite
from ai_library_bot.index import catalogue, disk
from ai_library_bot.types import Book

# What the system may hand out as a file name: any byte but 0 and "/", undecodable ones as surrogate escapes.
NAMES = st.binary(min_size=1, max_size=12).map(lambda raw: raw.replace(b"\0", b"\n").decode("utf-8", "surrogateescape"))
TEXTS = st.text(max_size=12)

BOOKS = st.builds(
    Book,
    id=TEXTS,
    path=NAMES.map(Path),
    title=TEXTS,
    authors=st.lists(TEXTS, max_size=2).map(tuple),
    language=st.sampled_from(["", "ru", "en"]),
    year=st.none() | st.integers(-800, 2100),
    format=st.sampled_from(["epub", "fb2"]),
    size=st.integers(0, 2**40),
    modified_ns=st.integers(0, 2**62),
    passages=st.integers(0, 10**6),
    characters=st.integers(0, 10**9),
    warnings=st.lists(TEXTS, max_size=2).map(tuple),
)

BOOK = Book("b3f2", Path("книги/Маяк\n.fb2"), "Маяк\u2028", ("А. Б.",), "ru", None, "fb2", 7, 8, 9, 10, ("no_year",))


@pytest.fixture(autouse=True, scope="module")
def impatient() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@settings(max_examples=60, deadline=None)
@given(st.lists(BOOKS, max_size=4).map(tuple))
def test_what_was_written_is_read_in_the_same_order(books: tuple[Book, ...]) -> None:
    with TemporaryDirectory() as folder:
        catalogue.write(Path(folder), books)
        assert catalogue.read(Path(folder)) == books


def test_a_book_is_one_line_of_ascii_with_the_fields_in_their_order(tmp_path: Path) -> None:
    catalogue.write(tmp_path, [BOOK, BOOK])
    first, second = (tmp_path / catalogue.NAME).read_text("ascii").splitlines()
    assert first == second
    assert first.startswith('{"id": "b3f2", "path": "\\u043a')
    assert first.endswith('"passages": 9, "characters": 10, "warnings": ["no_year"]}')


def test_a_catalogue_linked_from_the_parent_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "parent").mkdir()
    catalogue.write(tmp_path / "parent", [BOOK])
    disk.link(tmp_path / "parent" / catalogue.NAME, tmp_path / catalogue.NAME)
    catalogue.write(tmp_path, [])
    assert catalogue.read(tmp_path) == ()
    assert catalogue.read(tmp_path / "parent") == (BOOK,)


def test_a_full_disk_is_said_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(disk, "sync_file", fail)
    with pytest.raises(CannotWrite):
        catalogue.write(tmp_path, [BOOK])


@pytest.mark.parametrize("line", ["{", "[]", "7", '{"id": "b3f2"}', '{"path": 7}', '"é"'])
def test_a_damaged_catalogue_is_bad_data(tmp_path: Path, line: str) -> None:
    (tmp_path / catalogue.NAME).write_text(line + "\n", "utf-8")
    with pytest.raises(BadData) as caught:
        catalogue.read(tmp_path)
    assert caught.value.details["file"] == str(tmp_path / catalogue.NAME)

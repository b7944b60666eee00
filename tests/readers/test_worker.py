"""What goes through the channel between the worker and the pool comes out unchanged, or is refused."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_library_bot.errors import UnreadableBook
from ai_library_bot.readers import png
from ai_library_bot.readers.pool import COMMAND
from ai_library_bot.readers.worker import READY, decode, decode_picture, encode
from ai_library_bot.types import BookText, Section
from tests.readers.build_pdf import Page, Text, pdf
from tests.readers.files import drawn
from tests.readers.pixels import alike

ANYTHING = st.text(st.characters() | st.characters(categories=["Cs"]), max_size=20)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@st.composite
def sections(draw: st.DrawFn) -> Section:
    text = draw(TEXT)
    offsets = sorted(draw(st.lists(st.integers(0, len(text)), max_size=3)))
    pages = tuple((offset, draw(st.integers())) for offset in offsets)
    return Section(heading=tuple(draw(st.lists(TEXT, max_size=3))), text=text, pages=pages)


BOOKS = st.builds(
    BookText,
    format=TEXT,
    sections=st.lists(sections(), max_size=3).map(tuple),
    title=TEXT,
    authors=st.lists(TEXT, max_size=3).map(tuple),
    language=TEXT,
    year=st.none() | st.integers(-3000, 3000),
    warnings=st.lists(st.sampled_from(["undecodable", "parts_missing"]), max_size=3).map(tuple),
)
DETAILS = st.fixed_dictionaries({"path": ANYTHING}, optional={"seconds": st.integers(), "share": st.floats(0, 1)})
FIELDS = ["book", "picture", "failed", "details", "retry", "sections", "key", "year"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANYTHING,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), values),
    max_leaves=8,
)


@given(BOOKS)
def test_a_book_comes_through_in_one_line(book: BookText) -> None:
    line = encode(book)
    assert line.index(b"\n") == len(line) - 1
    assert decode(line) == book


@given(st.binary())
def test_a_picture_comes_through_in_one_line(content: bytes) -> None:
    line = encode(png.SIGNATURE + content)
    assert line.index(b"\n") == len(line) - 1
    assert decode_picture(line) == png.SIGNATURE + content


@given(st.sampled_from(["empty_file", "no_text", "reader_died"]), DETAILS, st.booleans())
def test_a_failure_comes_through_with_its_reason(key: str, details: dict[str, str | int | float], retry: bool) -> None:
    line = encode(UnreadableBook(key, retry=retry, **details))
    for failure in (decode(line), decode_picture(line)):
        assert isinstance(failure, UnreadableBook)
        assert (failure.key, failure.details, failure.retry) == (key, details, retry)


@given(JSON.map(lambda value: json.dumps(value).encode()) | st.binary())
def test_an_answer_of_any_other_shape_is_a_value_error(line: bytes) -> None:
    try:
        decode(line)
    except ValueError:
        return
    assert json.loads(line).keys() & {"book", "failed"}


@given(JSON.map(lambda value: json.dumps(value).encode()) | st.binary() | BOOKS.map(encode))
def test_an_answer_that_is_no_picture_is_a_value_error(line: bytes) -> None:
    try:
        answer = decode_picture(line)
    except ValueError:
        return
    assert isinstance(answer, UnreadableBook)


@pytest.mark.parametrize("picture", ["R0lGODlh", "", "iVBORw0KGgo", "iVBO Rw0K Ggo=", "ё", None, 7, [""]], ids=str)
def test_a_picture_of_another_kind_is_a_value_error(picture: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_picture(json.dumps({"picture": picture}).encode())


@pytest.mark.parametrize(
    "change",
    [
        {"year": 1e999},
        {"year": "soon"},
        {"year": 10**9},
        {"sections": [{}]},
        {"sections": 7},
        {"sections": [{"heading": [], "text": "lamp", "pages": [[3, 1], [2, 2]]}]},
        {"sections": [{"heading": [], "text": "lamp", "pages": [[-1, 1]]}]},
        {"sections": [{"heading": [], "text": "lamp", "pages": [[5, 1]]}]},
        {"sections": [{"heading": ["\ud800"], "text": "lamp", "pages": []}]},
        {"sections": [{"heading": [], "text": "\udcff", "pages": []}]},
        {"title": "\ud83d"},
        {"authors": None},
        {"warnings": ["no such warning"]},
    ],
    ids=str,
)
def test_a_book_with_a_field_of_another_kind_is_a_value_error(change: dict[str, object]) -> None:
    fields = json.loads(encode(BookText("txt", (Section((), "text"),))))
    fields["book"].update(change)
    with pytest.raises(ValueError, match=r"."):
        decode(json.dumps(fields).encode())


@pytest.mark.parametrize(
    "fields",
    [
        {"failed": "no_such_key", "details": {"path": "a"}, "retry": False},
        {"failed": "setting", "details": {"path": "a"}, "retry": False},
        {"failed": "other_kind", "details": {"path": "a"}, "retry": False},
        {"failed": "empty_file", "details": {}, "retry": False},
        {"failed": ["empty_file"], "details": {"path": "a"}, "retry": False},
    ],
    ids=str,
)
def test_a_failure_that_could_not_be_told_is_a_value_error(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(json.dumps(fields).encode())


@pytest.mark.parametrize("value", ["[", "[],", '"",', '{"a":'])
def test_an_answer_that_would_fill_the_memory_is_not_even_looked_at(value: str) -> None:
    with pytest.raises(ValueError, match="more values"):
        decode(value.encode() * 6_000_000)


def request(data: bytes, **wanted: str | int) -> bytes:
    """What asks for a file of these bytes; there is none of its name."""
    return json.dumps({"path": "no\nsuch.txt", "bytes": len(data), **wanted}).encode() + b"\n" + data


def asked(*requests: bytes) -> list[bytes]:
    """What the worker answers to each."""
    done = subprocess.run(COMMAND, input=b"".join(requests), capture_output=True, check=True)
    ready, *lines = done.stdout.splitlines(keepends=True)
    assert ready == READY
    return lines


def test_the_worker_reads_books_until_its_input_ends(tmp_path: Path) -> None:
    first, empty, last = (
        decode(line) for line in asked(request(b"One.\n\n{}"), request(b""), request("Два.".encode("cp1251")))
    )
    assert isinstance(first, BookText)
    assert isinstance(last, BookText)
    assert isinstance(empty, UnreadableBook)
    assert (first.sections[0].text, empty.key, last.sections[0].text) == ("One.\n\n{}", "empty_file", "Два.")


def test_a_request_that_is_cut_short_is_not_answered() -> None:
    assert asked(request(b"One.")[:-1]) == []


def test_the_worker_draws_pages_as_well(tmp_path: Path) -> None:
    path = tmp_path / "lamp.pdf"
    data = pdf([Page([Text(50, 100, "The lamp burned all night.")])])
    path.write_bytes(data)
    lamp, nothing, the = map(
        decode_picture,
        asked(
            request(data, page=1, text="The lamp burned", start=4, end=8),
            request(data, page=7, text="The lamp burned", start=4, end=8),
            request(data, page=1, text="The lamp burned", start=0, end=3),
        ),
    )
    assert isinstance(lamp, bytes)
    assert isinstance(the, bytes)
    assert isinstance(nothing, UnreadableBook)
    assert alike(lamp, drawn(path, 1, "The lamp burned", 4, 8))
    assert alike(the, drawn(path, 1, "The lamp burned", 0, 3))
    assert not alike(lamp, the)
    assert nothing.key == "page_not_drawn"

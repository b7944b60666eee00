"""PDFs as a reader gets them: whole files, from bytes to sections with pages."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from ai_library_bot.errors import UnreadableBook
from ai_library_bot.readers import pdf as reader
from ai_library_bot.types import BookText, Section
from tests.readers.build_pdf import ASTRAL, HEIGHT, Mark, Page, Text, pdf
from tests.readers.files import book_in

STORM = (
    "The storm came up from the south before the lamp was lit, and the keeper of the lighthouse, who had been writing "
    "letters all the afternoon, put away his pen and his ink and went up the two hundred steps without a word. "
)
ШТОРМ = (
    "Шторм пришёл с юга ещё до того, как зажгли фонарь, и смотритель маяка, который весь день писал письма, убрал перо "
    "и чернила и молча пошёл наверх по двумстам ступеням. "
)
PAGES = [f"Then {' '.join(Random(number).sample(STORM.split(), 36))}." for number in range(4)]
MARGIN, LINE = 40, 62
"""Where lines begin, in points; how many characters they hold in type of 10 points."""


def lines(text: str, y: float = 80, x: float = MARGIN, characters: int = LINE, size: float = 10) -> list[Text]:
    """A paragraph set in lines that are as full as they can be."""
    return [
        Text(x, y + 1.2 * size * row, line, size) for row, line in enumerate(textwrap.wrap(text.strip(), characters))
    ]


def book(path: Path, *pages: Sequence[Text] | Page, **other: object) -> BookText:
    path = path / "book.pdf"
    path.write_bytes(pdf([page if isinstance(page, Page) else Page(page) for page in pages], **other))  # type: ignore[arg-type]
    return book_in(path, reader.read)


def only(found: BookText) -> Section:
    (section,) = found.sections
    return section


@pytest.mark.parametrize("text", [STORM, ШТОРМ])
def test_a_paragraph_is_read_as_it_was_written(tmp_path: Path, text: str) -> None:
    found = book(tmp_path, lines(text))
    assert (found.format, only(found)) == ("pdf", Section((), text.strip(), ((0, 1),)))


def test_a_paragraph_over_two_pages_knows_where_the_second_begins(tmp_path: Path) -> None:
    whole = lines(STORM * 2)
    section = only(book(tmp_path, whole[:4], lines(" ".join(text.text for text in whole[4:]))))
    (_, first), (offset, second) = section.pages
    assert (first, second) == (1, 2)
    assert section.text == (STORM * 2).strip()
    assert section.text[offset:].startswith(whole[4].text)


def test_hyphens_at_line_ends_are_taken_out(tmp_path: Path) -> None:
    found = book(tmp_path, [Text(40, 80, "the keeper of the old light-"), Text(40, 92, "house wrote to his sister")])
    assert only(found).text == "the keeper of the old lighthouse wrote to his sister"


def test_two_columns_under_a_title_are_read_in_order(tmp_path: Path) -> None:
    title = Text(60, 40, "A title that runs over both of the columns", 14)
    left, right = lines(STORM, 80, 40, 28), lines(ШТОРМ, 80, 210, 28)
    blocks = only(book(tmp_path, [title, *right, *left])).text.split("\n\n")
    assert blocks == [title.text, STORM.strip(), ШТОРМ.strip()]


def test_a_table_keeps_figures_with_their_label(tmp_path: Path) -> None:
    table = [
        Text(x, 200 + 14 * row, text)
        for row, texts in enumerate([("Net sales", "$ 118,573", "$ 141,915"), ("Cost of sales", "111,934", "139,156")])
        for x, text in zip((40, 200, 290), texts, strict=True)
    ]
    text = only(book(tmp_path, [*lines(STORM), *table])).text
    assert text.endswith("\n\nNet sales | $ 118,573 | $ 141,915\nCost of sales | 111,934 | 139,156")


def test_headers_and_page_numbers_are_no_text(tmp_path: Path) -> None:
    found = book(
        tmp_path,
        *([Text(40, 30, "THE LAMP KEEPER"), *lines(text), Text(195, 570, str(n + 6))] for n, text in enumerate(PAGES)),
    )
    assert only(found).text.split("\n\n") == PAGES


def test_a_note_never_interrupts_the_paragraph_above_it(tmp_path: Path) -> None:
    whole = lines(STORM * 2)
    note = Text(40, 560, "1 Of the year 1871.", 7)
    section = only(book(tmp_path, [*whole[:4], note], lines(" ".join(text.text for text in whole[4:]))))
    assert section.text == f"{STORM * 2}".strip() + "\n\n" + note.text
    assert [page for _, page in section.pages] == [1, 2, 1]


def test_a_note_may_begin_with_a_raised_mark(tmp_path: Path) -> None:
    note = [Text(40, 556, "1", 4), Text(42, 560, "Of the year 1871.", 7)]
    assert only(book(tmp_path, [*lines(STORM), *note])).text == f"{STORM.strip()}\n\n1 Of the year 1871."


def test_the_outline_gives_the_chapters(tmp_path: Path) -> None:
    found = book(
        tmp_path,
        [Text(40, 60, "Часть первая", 18), Text(40, 90, "Шторм", 14), *lines(ШТОРМ, 120)],
        [*lines(STORM), Text(40, 300, "The Calm", 14), *lines(STORM, 330)],
        outline=[Mark("Часть первая", 1, 50, [Mark("Шторм", 1), Mark("The Calm", 2, 290)])],
    )
    assert [(section.heading, section.text[:8], section.pages[0]) for section in found.sections] == [
        (("Часть первая", "Шторм"), "Шторм пр", (0, 1)),
        (("Часть первая", "The Calm"), "The stor", (0, 2)),
    ]


def test_without_an_outline_larger_headings_give_the_chapters(tmp_path: Path) -> None:
    found = book(tmp_path, *([Text(40, 60, f"Глава {n}", 16), *lines(text, 100)] for n, text in enumerate(PAGES)))
    assert [section.heading for section in found.sections] == [("Глава 0",), ("Глава 1",), ("Глава 2",), ("Глава 3",)]
    assert [section.text for section in found.sections] == PAGES


@pytest.mark.parametrize(("rotate", "upwards"), [(90, True), (0, True)])
def test_pages_in_landscape_are_read_along_their_lines(tmp_path: Path, rotate: int, upwards: bool) -> None:
    turned = [Text(text.y, HEIGHT - text.x, text.text, upwards=upwards) for text in lines(STORM)]
    assert only(book(tmp_path, Page(turned, rotate=rotate))).text == STORM.strip()


def test_words_up_the_margin_stay_out_of_the_lines(tmp_path: Path) -> None:
    stamp = Text(20, 300, "arXiv stamp", 8, upwards=True)
    assert only(book(tmp_path, [*lines(STORM), stamp])).text == f"{STORM.strip()}\n\narXiv stamp"


def test_characters_beyond_the_first_plane_keep_their_words_in_place(tmp_path: Path) -> None:
    text = STORM.replace("lamp", f"lamp {ASTRAL}")
    assert only(book(tmp_path, lines(text))).text == text.strip()


def test_russian_letters_that_a_font_calls_latin_are_mended(tmp_path: Path) -> None:
    latin = ШТОРМ.encode("cp1251").decode("latin-1")
    assert only(book(tmp_path, lines(latin))).text == ШТОРМ.strip()


def test_title_author_and_language_come_from_the_file(tmp_path: Path) -> None:
    metadata = {"Title": "Смотритель маяка", "Author": "А. Иванов; Б. Петров", "CreationDate": "D:20200101000000Z"}
    found = book(tmp_path, lines("Смотритель маяка. " + ШТОРМ), metadata=metadata, language="ru-RU")
    assert (found.title, found.authors, found.language, found.year) == (
        "Смотритель маяка",
        ("А. Иванов", "Б. Петров"),
        "ru",
        None,
    )


@pytest.mark.parametrize(
    "title",
    [
        "untitled",
        "Microsoft Word - storm.doc",
        "storm_final.indd",
        "0001018724-18-000005",
        "book",
        "http://storm.org",
        "-",
    ],
)
def test_titles_that_a_program_made_up_are_none(tmp_path: Path, title: str) -> None:
    assert book(tmp_path, lines(f"{title} {STORM}"), metadata={"Title": title}).title == ""


@pytest.mark.parametrize("title", ["Catch-22", "Fahrenheit 451", "Война и мир. Том 2", "Document of the Lamp"])
def test_titles_with_numbers_and_common_words_are_titles(tmp_path: Path, title: str) -> None:
    assert book(tmp_path, lines(f"{title} {STORM}"), metadata={"Title": title}).title == title


def test_a_title_that_the_first_pages_do_not_show_was_left_behind_by_a_template(tmp_path: Path) -> None:
    assert book(tmp_path, lines(STORM), metadata={"Title": "Form 10-K filed 07/27/2023"}).title == ""


@pytest.mark.parametrize(
    ("author", "authors"),
    [
        ("Anna Ivanova", ("Anna Ivanova",)),
        ("Ivanova, Anna", ("Ivanova, Anna",)),
        ("Anna Ivanova, Boris Petrov and C. Smith", ("Anna Ivanova", "Boris Petrov", "C. Smith")),
        ("Admin", ()),
        ("anonymous", ()),
        ("Kaleidoscope - kscope.io", ()),
        ("Writer", ()),
        ("", ()),
    ],
)
def test_authors_are_people(tmp_path: Path, author: str, authors: tuple[str, ...]) -> None:
    metadata = {"Title": "The Lamp", "Author": author, "Creator": "Writer"}
    assert book(tmp_path, lines(STORM), metadata=metadata).authors == authors


def reason(path: Path) -> str:
    """Why a file is no book; the sentence exists in both languages."""
    with pytest.raises(UnreadableBook) as caught:
        book_in(path, reader.read)
    assert not caught.value.retry
    assert str(path) in caught.value.say("ru")
    assert str(path) in caught.value.say("en")
    return caught.value.key


def test_a_locked_file_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "locked.pdf"
    path.write_bytes(pdf([Page(lines(STORM))], locked=True))
    assert reason(path) == "pdf_locked"


def test_a_scan_is_named_as_such_with_a_program_that_helps(tmp_path: Path) -> None:
    path = tmp_path / "scan.pdf"
    path.write_bytes(pdf([Page(picture=True), Page([Text(40, 560, "2")], picture=True)]))
    assert reason(path) == "pdf_scanned"
    assert "OCRmyPDF" in UnreadableBook("pdf_scanned", path="scan.pdf").say("ru")


def test_a_book_with_scanned_pages_says_so(tmp_path: Path) -> None:
    scanned, typed = [Page(picture=True)] * 4, [Page(lines(STORM))] * 6
    assert book(tmp_path, *scanned, *typed).warnings == ("scanned_pages",)


def test_a_cover_is_no_scanned_page_to_speak_of(tmp_path: Path) -> None:
    assert book(tmp_path, Page(picture=True), lines(STORM), lines(ШТОРМ)).warnings == ()


def test_fonts_without_letters_are_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "symbols.pdf"
    path.write_bytes(pdf([Page(lines("\ue001\ue002\ue003 \ue004\ue005" * 20))]))
    assert reason(path) == "pdf_unreadable_fonts"


@pytest.mark.parametrize("data", [b"%PDF-1.7\n", b"%PDF-1.7\nnothing but \x00\x01 noise", b"no pdf at all"])
def test_a_damaged_file_is_named_as_such(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "broken.pdf"
    path.write_bytes(data)
    assert reason(path) == "pdf_damaged"


def test_a_file_cut_short_anywhere_is_read_or_named(tmp_path: Path) -> None:
    whole = pdf([Page(lines(STORM)), Page(lines(ШТОРМ))], outline=[Mark("A", 1), Mark("B", 2)])
    path = tmp_path / "cut.pdf"
    outcomes = set()
    for end in range(0, len(whole), len(whole) // 40):
        path.write_bytes(whole[:end])
        try:
            outcomes.add(book_in(path, reader.read).format)
        except UnreadableBook as error:
            outcomes.add(error.key)
    assert outcomes <= {"pdf", "pdf_damaged"}


def test_a_book_without_end_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "long.pdf"
    path.write_bytes(pdf([Page(lines(STORM))] * 3))
    for limit in ("_MAX_PAGES", "_MAX_CHARACTERS"):
        with monkeypatch.context() as patch:
            patch.setattr(reader, limit, 2)
            assert reason(path) == "pdf_too_long"


def test_an_empty_page_is_no_trouble(tmp_path: Path) -> None:
    assert only(book(tmp_path, lines(STORM), [], lines(ШТОРМ))).pages == ((0, 1), (len(STORM) + 1, 3))

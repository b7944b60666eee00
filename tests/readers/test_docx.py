"""Word documents: headings, title, notes, and files that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_library_bot.errors import UnreadableBook
from ai_library_bot.readers import docx
from ai_library_bot.types import BookText
from tests.readers import build
from tests.readers.files import book_in


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "book.docx"


def paragraph(text: str, style: str = "") -> str:
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{properties}<w:r><w:t>{text}</w:t></w:r></w:p>"


def chapters(book: BookText) -> list[tuple[tuple[str, ...], str]]:
    return [(section.heading, section.text) for section in book.sections]


def test_headings_nest_by_their_styles(path: Path) -> None:
    body = [("Часть", "1"), ("Глава", "2"), ("Темно.", ""), ("Ещё глава", "2"), ("Светло.", "")]
    book = book_in(build.docx(path, "".join(paragraph(*part) for part in body)), docx.read)
    assert chapters(book) == [(("Часть", "Глава"), "Темно."), (("Часть", "Ещё глава"), "Светло.")]


def test_a_style_with_an_outline_level_is_a_heading_by_any_name(path: Path) -> None:
    level = '<w:pPr><w:outlineLvl w:val="0"/></w:pPr>'
    style = f'<w:style w:type="paragraph" w:styleId="G"><w:name w:val="Глава"/>{level}</w:style>'
    book = book_in(build.docx(path, paragraph("Шторм", "G") + paragraph("Темно."), styles=style), docx.read)
    assert chapters(book) == [(("Шторм",), "Темно.")]


def test_a_paragraph_in_the_style_title_names_the_book(path: Path) -> None:
    book = book_in(build.docx(path, paragraph("Маяк", "T") + paragraph("Темно.")), docx.read)
    assert book.title == "Маяк"
    assert chapters(book) == [((), "Темно.")]


def test_the_properties_name_title_authors_and_language(path: Path) -> None:
    core = "<dc:title>Маяк</dc:title><dc:creator>Анна Север; Пётр Белов</dc:creator><dc:language>ru-RU</dc:language>"
    book = book_in(build.docx(path, paragraph("Темно."), core=core), docx.read)
    assert (book.title, book.authors, book.language) == ("Маяк", ("Анна Север", "Пётр Белов"), "ru-RU")


@pytest.mark.parametrize(
    "creator", ["python-docx", "User", "Администратор", "Microsoft Office User", "Пользователь Windows"]
)
def test_the_name_of_a_computer_is_no_author(creator: str, path: Path) -> None:
    book = book_in(build.docx(path, paragraph("Темно."), core=f"<dc:creator>{creator}</dc:creator>"), docx.read)
    assert book.authors == ()


def test_a_picture_leaves_no_trace(path: Path) -> None:
    drawing = "<w:drawing/>"
    book = book_in(build.docx(path, f"<w:p><w:r><w:t>Темно.</w:t>{drawing}</w:r></w:p>"), docx.read)
    assert chapters(book) == [((), "Темно.")]


@pytest.mark.parametrize("files", [{"a.txt": "a"}, {"word/document.xml": "no xml"}, {"word/document.xml": "<w/>"}])
def test_other_zip_files_are_refused(files: dict[str, str], path: Path) -> None:
    with pytest.raises(UnreadableBook, match="DOCX"):
        book_in(build.archive(path, files), docx.read)

"""OpenDocument texts: headings, lists, notes, and what a writer's program adds to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_library_bot.errors import UnreadableBook
from ai_library_bot.readers import odt
from ai_library_bot.types import BookText
from tests.readers import build
from tests.readers.files import book_in


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "book.odt"


def chapters(book: BookText) -> list[tuple[tuple[str, ...], str]]:
    return [(section.heading, section.text) for section in book.sections]


def text(path: Path, body: str, styles: str = "") -> str:
    return "\n\n".join(text for _, text in chapters(book_in(build.odt(path, body, styles=styles), odt.read)))


def test_headings_nest_by_their_outline_level(path: Path) -> None:
    body = '<text:h text:outline-level="1">Часть</text:h><text:h text:outline-level="2">Глава</text:h>'
    assert chapters(book_in(build.odt(path, f"{body}<text:p>Темно.</text:p>"), odt.read)) == [
        (("Часть", "Глава"), "Темно.")
    ]


def test_breaks_spaces_and_tabs_are_kept_and_page_breaks_are_not(path: Path) -> None:
    body = "<text:p>Море,<text:line-break/>Море<text:s/>без<text:tab/>кон<text:soft-page-break/>ца.</text:p>"
    assert text(path, body) == "Море,\nМоре без конца."


def test_lists_are_numbered_where_their_style_is(path: Path) -> None:
    items = (
        "<text:list-item><text:p>один</text:p></text:list-item><text:list-item><text:p>два</text:p></text:list-item>"
    )
    style = '<text:list-style style:name="L1"><text:list-level-style-number text:level="1"/></text:list-style>'
    body = f'<text:list>{items}</text:list><text:list text:style-name="L1">{items}</text:list>'
    assert text(path, body, style) == "- один\n- два\n\n1. один\n2. два"


def test_notes_stand_behind_their_paragraph(path: Path) -> None:
    note = (
        "<text:note><text:note-citation>*</text:note-citation>"
        "<text:note-body><text:p>Ночью.</text:p></text:note-body></text:note>"
    )
    assert text(path, f"<text:p>Он ушёл{note} и пришёл.</text:p>") == "Он ушёл и пришёл.\n\n[*] Ночью."


def test_deleted_words_comments_and_contents_are_left_out(path: Path) -> None:
    body = (
        "<text:tracked-changes><text:changed-region><text:deletion><text:p>Светло.</text:p></text:deletion>"
        "</text:changed-region></text:tracked-changes><text:table-of-content><text:index-body><text:p>Глава 5</text:p>"
        "</text:index-body></text:table-of-content><text:p>Те<office:annotation><text:p>Нет!</text:p>"
        "</office:annotation>мно.</text:p>"
    )
    assert text(path, body) == "Темно."


def test_a_paragraph_like_a_title_names_the_book(path: Path) -> None:
    styles = '<style:style style:name="P1" style:parent-style-name="Title"/>'
    book = book_in(
        build.odt(path, '<text:p text:style-name="P1">Маяк</text:p><text:p>Темно.</text:p>', styles=styles), odt.read
    )
    assert book.title == "Маяк"
    assert chapters(book) == [((), "Темно.")]


def test_the_first_author_is_the_author(path: Path) -> None:
    meta = "<dc:title>Маяк</dc:title><dc:creator>Редактор</dc:creator>"
    meta += "<meta:initial-creator>Анна Север</meta:initial-creator>"
    book = book_in(build.odt(path, "<text:p>Темно.</text:p>", meta=f"{meta}<dc:language>ru-RU</dc:language>"), odt.read)
    assert (book.title, book.authors, book.language) == ("Маяк", ("Анна Север",), "ru-RU")


@pytest.mark.parametrize("files", [{"a.txt": "a"}, {"content.xml": "<a/>"}, {"content.xml": "no xml"}])
def test_other_zip_files_are_refused(files: dict[str, str], path: Path) -> None:
    with pytest.raises(UnreadableBook, match="ODT"):
        book_in(build.archive(path, files), odt.read)

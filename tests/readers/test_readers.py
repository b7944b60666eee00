"""The door to all readers: one book in every format, and files that are no books."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ai_library_bot.errors import UnreadableBook
from ai_library_bot.locales import LANGUAGES
from ai_library_bot.readers import SUFFIXES, suffix_of
from tests.readers import build
from tests.readers.files import book_in

FIRST = "Ветер ещё пел: «Не спи, смотритель!» — и море шумело у самых ступеней, а он ждал корабля."
NOTE = "Ёлка горела всю ночь."
SECOND = "It’s a “dark” night – he said, and nobody who was in the harbour had anything to say to that."
CHAPTERS = [
    (("Глава первая. Шторм",), f"{FIRST}\n\n[1] {NOTE}\n\n- фонарь\n- верёвка"),
    (("Chapter Two",), f"{SECOND}\n\nName | Age\nАнна | 12"),
]
HTML_TABLE = "<table><tr><th>Name</th><th>Age</th></tr><tr><td>Анна</td><td>12</td></tr></table>"
HTML_LIST = "<ul><li>фонарь</li><li>верёвка</li></ul>"
FIRST_PAGE = (
    f'<h1>Глава первая. Шторм</h1><p>{FIRST}<a epub:type="noteref" href="#n1">1</a></p>{HTML_LIST}'
    f'<aside epub:type="footnote" id="n1"><p>1. {NOTE}</p></aside>'
)
SECOND_PAGE = f"<h1>Chapter Two</h1><p>{SECOND}</p>{HTML_TABLE}"


def epub(path: Path) -> None:
    metadata = "<dc:title>Маяк</dc:title><dc:creator>Анна Север</dc:creator><dc:language>ru</dc:language>"
    build.epub(path, {"1.xhtml": FIRST_PAGE, "2.xhtml": SECOND_PAGE}, metadata=metadata)


def fb2_text() -> str:
    body = (
        f'<section><title><p>Глава первая. Шторм</p></title><p>{FIRST}<a l:href="#n1" type="note">1</a></p>'
        "<p>- фонарь</p><p>- верёвка</p></section>"
        f"<section><title><p>Chapter Two</p></title><p>{SECOND}</p>{HTML_TABLE}</section>"
    )
    notes = f'<body name="notes"><section id="n1"><title><p>1</p></title><p>{NOTE}</p></section></body>'
    return build.fb2(body, title="Маяк", after=notes)


def fb2(path: Path) -> None:
    path.write_text(fb2_text(), "utf-8")


def fb2_zip(path: Path) -> None:
    build.archive(path, {"book.fb2": fb2_text()})


def html(path: Path) -> None:
    head = '<meta charset="utf-8"><title>Маяк</title><meta name="author" content="Анна Север">'
    path.write_text(f"<!DOCTYPE html><html><head>{head}</head><body>{FIRST_PAGE}{SECOND_PAGE}</body></html>", "utf-8")


def markdown(path: Path) -> None:
    text = (
        f"---\ntitle: Маяк\nauthor: Анна Север\n---\n\n# Глава первая. Шторм\n\n{FIRST}[^1]\n\n- фонарь\n- верёвка\n\n"
    )
    text += f"[^1]: {NOTE}\n\n# Chapter Two\n\n{SECOND}\n\n| Name | Age |\n|---|---|\n| Анна | 12 |\n"
    path.write_text(text, "utf-8")


def txt(path: Path) -> None:
    text = (
        f"Анна Север\nМАЯК\n\nГлава первая. Шторм\n\n{FIRST}[1]\n\n- фонарь\n- верёвка\n\nChapter Two\n\n{SECOND}\n\n"
    )
    path.write_text(f"{text}Name | Age\nАнна | 12\n\nПримечания\n\n1\n\n{NOTE}\n", "utf-8")


def docx(path: Path) -> None:
    def paragraph(text: str, properties: str = "", more: str = "") -> str:
        return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r>{more}</w:p>"

    item = '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>'
    rows = "".join(
        f"<w:tr><w:tc>{paragraph(one)}</w:tc><w:tc>{paragraph(other)}</w:tc></w:tr>"
        for one, other in (("Name", "Age"), ("Анна", "12"))
    )
    build.docx(
        path,
        paragraph("Глава первая. Шторм", '<w:pStyle w:val="1"/>')
        + paragraph(FIRST, more='<w:r><w:footnoteReference w:id="2"/></w:r>')
        + paragraph("фонарь", item)
        + paragraph("верёвка", item)
        + paragraph("Chapter Two", '<w:pStyle w:val="1"/>')
        + paragraph(SECOND)
        + f"<w:tbl>{rows}</w:tbl>",
        notes=f'<w:footnote w:id="2">{paragraph(NOTE)}</w:footnote>',
        core="<dc:title>Маяк</dc:title><dc:creator>Анна Север</dc:creator>",
    )


def odt(path: Path) -> None:
    rows = "".join(
        f"<table:table-row><table:table-cell><text:p>{one}</text:p></table:table-cell>"
        f"<table:table-cell><text:p>{other}</text:p></table:table-cell></table:table-row>"
        for one, other in (("Name", "Age"), ("Анна", "12"))
    )
    note = (
        "<text:note><text:note-citation>1</text:note-citation>"
        f"<text:note-body><text:p>{NOTE}</text:p></text:note-body></text:note>"
    )
    items = "".join(f"<text:list-item><text:p>{item}</text:p></text:list-item>" for item in ("фонарь", "верёвка"))
    build.odt(
        path,
        f'<text:h text:outline-level="1">Глава первая. Шторм</text:h><text:p>{FIRST}{note}</text:p>'
        f'<text:list>{items}</text:list><text:h text:outline-level="1">Chapter Two</text:h><text:p>{SECOND}</text:p>'
        f"<table:table>{rows}</table:table>",
        meta="<dc:title>Маяк</dc:title><meta:initial-creator>Анна Север</meta:initial-creator>",
    )


def rtf(path: Path) -> None:
    rows = "".join(rf"\pard\intbl {one}\cell {other}\cell\row " for one, other in (("Name", "Age"), ("Анна", "12")))
    path.write_bytes(
        build.rtf(
            r"{\info{\title Маяк}{\author Анна Север}}"
            rf"\pard\outlinelevel0 Глава первая. Шторм\par\pard {FIRST}{{\super\chftn}}{{\footnote\chftn  {NOTE}}}\par "
            r"{\listtext\bullet\tab}фонарь\par {\listtext\bullet\tab}верёвка\par "
            rf"\pard\outlinelevel0 Chapter Two\par\pard {SECOND}\par {rows}"
        )
    )


WRITERS: dict[str, Callable[[Path], None]] = {
    "epub": epub,
    "fb2": fb2,
    "fb2.zip": fb2_zip,
    "zip": fb2_zip,
    "html": html,
    "htm": html,
    "md": markdown,
    "markdown": markdown,
    "txt": txt,
    "docx": docx,
    "odt": odt,
    "rtf": rtf,
}


@pytest.mark.parametrize("suffix", WRITERS)
def test_the_same_book_reads_the_same_in_every_format(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"book.{suffix}"
    WRITERS[suffix](path)
    book = book_in(path)
    chapters = [(section.heading, section.text.replace("\n\n- ", "\n- ")) for section in book.sections]
    assert chapters == [(heading, text.replace("\n\n- ", "\n- ")) for heading, text in CHAPTERS]
    author = "Анна Север"
    assert (book.title, book.authors, book.language, book.warnings) == ("Маяк", (author,), "ru", ())


def test_a_title_as_long_as_a_book_is_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "book.fb2"
    inside = "".join(f"<section><title><p>{n}</p></title><p>Темно.</p></section>" for n in range(50))
    title = "Слово за словом. " * 10_000
    path.write_text(build.fb2(f"<section><title><p>{title}</p></title>{inside}</section>"), "utf-8")
    headings = [section.heading for section in book_in(path).sections]
    assert len(headings) == 50
    assert max(len(part) for heading in headings for part in heading) <= 1001  # with the dots
    assert headings[0][0].startswith("Слово за словом. Слово")


def test_every_suffix_has_a_writer_in_these_tests_or_one_of_its_own() -> None:
    assert set(WRITERS) | {"pdf", "xhtml"} == SUFFIXES


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("a.EPUB", "epub"),
        ("a.b.fb2.zip", "fb2.zip"),
        ("A.FB2.ZIP", "fb2.zip"),
        ("a", ""),
        ("a.zip", "zip"),
        (".txt", ""),
    ],
)
def test_the_suffix_of_a_name(name: str, suffix: str) -> None:
    assert suffix_of(Path(name)) == suffix


@pytest.mark.parametrize("written", ["epub", "fb2", "fb2.zip", "html", "docx", "odt", "rtf"])
@pytest.mark.parametrize("named", ["txt", "epub", "doc"])
def test_a_book_under_a_wrong_suffix_is_read_as_what_it_is(written: str, named: str, tmp_path: Path) -> None:
    path = tmp_path / f"book.{named}"
    WRITERS[written](path)
    assert [section.heading for section in book_in(path).sections] == [heading for heading, _ in CHAPTERS]


def reason(path: Path) -> str:
    with pytest.raises(UnreadableBook) as caught:
        book_in(path)
    for language in LANGUAGES:
        assert path.name in caught.value.say(language)
    return caught.value.key


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_an_empty_file_is_named_as_such(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"book.{suffix}"
    path.touch()
    assert reason(path) == "empty_file"


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
@pytest.mark.parametrize(
    "head",
    [
        b"\xff\xd8\xff\xe0\0\x10JFIF",
        b"\x89PNG\r\n\x1a\n",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        b"MZ\x90\0\3",
        b"Rar!\x1a\7",
    ],
)
def test_a_picture_an_old_document_or_a_program_is_no_book(head: bytes, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"book.{suffix}"
    path.write_bytes(head + bytes(range(256)) * 20)
    assert reason(path) == "other_kind"


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_random_bytes_are_refused_under_every_name(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"book.{suffix}"
    path.write_bytes(bytes(range(7, 256)) * 40)
    reason(path)


@pytest.mark.parametrize("suffix", ["epub", "docx", "odt", "fb2.zip", "zip"])
def test_a_broken_zip_is_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"book.{suffix}"
    WRITERS[suffix](path)
    path.write_bytes(path.read_bytes()[:-200])
    reason(path)


@pytest.mark.parametrize("suffix", ["docx", "epub", "odt", "zip"])
def test_a_zip_with_a_name_that_is_no_utf8_though_it_says_so_is_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"book.{suffix}"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/ж.xml", "text")
    path.write_bytes(path.read_bytes().replace("ж".encode(), b"\xff\xff"))
    with pytest.raises(UnreadableBook):
        book_in(path)


@pytest.mark.parametrize("suffix", ["epub", "docx", "odt", "fb2.zip", "zip", "txt"])
def test_a_zip_of_something_else_is_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"book.{suffix}"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("holiday.jpg", b"\xff\xd8\xff")
    reason(path)


@pytest.mark.parametrize(
    ("name", "text"), [("a.txt", " \n\n "), ("a.md", "---\n"), ("a.html", "<html><body></body></html>")]
)
def test_a_book_without_text_is_refused(name: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    assert reason(path) == "no_text"


def test_other_suffixes_are_no_books(tmp_path: Path) -> None:
    path = tmp_path / "notes.csv"
    path.write_text("a,b\n", "utf-8")
    assert reason(path) == "not_a_book_kind"


def test_what_a_book_does_not_say_comes_from_its_name_and_its_words(tmp_path: Path) -> None:
    path = tmp_path / "Анна Север - Маяк (1899).txt"
    path.write_text("\n".join([FIRST] * 5), "utf-8")
    book = book_in(path)
    assert (book.title, book.authors, book.year, book.language) == ("Маяк", ("Анна Север",), 1899, "ru")


def test_an_author_beside_the_title_is_found(tmp_path: Path) -> None:
    path = tmp_path / "book.html"
    path.write_text(f"<title>Маяк</title><p>Анна Север</p><p>МАЯК</p><p>{FIRST}</p>", "utf-8")
    assert book_in(path).authors == ("Анна Север",)


@pytest.mark.parametrize(
    ("declared", "text", "language"),
    [
        ("en", FIRST, "ru"),
        ("ru-RU", FIRST, "ru"),
        ("rus", FIRST, "ru"),
        ("bg", FIRST, "bg"),
        ("ru", SECOND, "en"),
        ("it", SECOND, "it"),
    ],
)
def test_a_language_is_believed_unless_the_text_is_plainly_in_another(
    declared: str, text: str, language: str, tmp_path: Path
) -> None:
    path = tmp_path / "book.html"
    path.write_text(f'<html lang="{declared}"><body><p>{text}</p></body></html>', "utf-8")
    assert book_in(path).language == language


def test_chapters_without_headings_of_the_format_are_found_by_their_words(tmp_path: Path) -> None:
    path = tmp_path / "book.html"
    path.write_text(f"<html><p>Глава 1</p><p>{FIRST}</p><p>Глава 2</p><p>{SECOND}</p></html>", "utf-8")
    assert [(section.heading, section.text) for section in book_in(path).sections] == [
        (("Глава 1",), FIRST),
        (("Глава 2",), SECOND),
    ]


def test_damaged_letters_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    path.write_bytes(FIRST.encode() + b"\xff " + FIRST.encode())
    assert book_in(path).warnings == ("undecodable",)


def test_no_reader_is_loaded_before_it_is_needed() -> None:
    heavy = "{'lxml', 'mammoth', 'pypdfium2', 'markdown_it', 'chardet'}"
    code = f"import sys, ai_library_bot.readers; print(*{heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == ""

"""Readers: one file per format, each with a `read(data, path) -> BookText`. `read_book` is the door to all.

`draw_page` shows a page of a book that has pages. `data` are the bytes of a file, `path` only names it: no reader opens
anything.

A file is read as what its bytes are; its suffix decides where they don't say. The heavy libraries (lxml, pypdfium2,
mammoth, …) are loaded when the first book of their kind is read.
"""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from ai_library_bot.errors import UnreadableBook
from ai_library_bot.readers import decode, filename, front_matter, headings
from ai_library_bot.readers.archive import FAULTS
from ai_library_bot.text import CYRILLIC_LANGUAGES, GUESSABLE_LANGUAGES, fold, guess_language, one_line, shortened
from ai_library_bot.types import BookText, Section

_READERS = {
    "epub": "epub",
    "fb2": "fb2",
    "fb2.zip": "fb2",
    "zip": "fb2",
    "pdf": "pdf",
    "docx": "docx",
    "odt": "odt",
    "rtf": "rtf",
    "html": "html",
    "htm": "html",
    "xhtml": "html",
    "md": "markdown",
    "markdown": "markdown",
    "txt": "txt",
}
SUFFIXES = frozenset(_READERS)
"""The suffixes of files that are books, in lower case and without the first dot."""

_ZIPPED = frozenset(["epub", "fb2.zip", "zip", "docx", "odt"])
_PLAIN_TEXT = frozenset(["html", "htm", "xhtml", "md", "markdown", "txt"])

_HEAD = 4096
_BOOK_SIGNATURES = (
    (re.compile(rb"%PDF-"), "pdf"),
    (re.compile(rb"\{\\rtf"), "rtf"),
    (re.compile(rb"(?s)(?:\xef\xbb\xbf)?\s*(?:<\?xml.{0,1000}?)?<FictionBook\b"), "fb2"),
    (re.compile(rb"(?is)(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype )?html\b"), "html"),
)
_OTHER_SIGNATURES = (
    (re.compile(rb"\xff\xd8\xff"), "JPEG"),
    (re.compile(rb"\x89PNG\r\n"), "PNG"),
    (re.compile(rb"GIF8[79]a"), "GIF"),
    (re.compile(rb"(?s)RIFF.{4}WEBP"), "WebP"),
    (re.compile(rb"II\*\0|MM\0\*"), "TIFF"),
    (re.compile(rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), "DOC (Word 97-2003)"),
    (re.compile(rb"AT&TFORM"), "DjVu"),
    (re.compile(rb"(?s).{60}BOOKMOBI"), "MOBI"),
    (re.compile(rb"ITSF"), "CHM"),
    (re.compile(rb"Rar!\x1a\x07"), "RAR"),
    (re.compile(rb"7z\xbc\xaf\x27\x1c"), "7-Zip"),
    (re.compile(rb"\x1f\x8b\x08"), "gzip"),
    (re.compile(rb"\x7fELF"), "ELF"),
    (re.compile(rb"(?s)MZ.{0,60}\0"), "EXE"),
    (re.compile(rb"SQLite format 3\0"), "SQLite"),
    (re.compile(rb"ID3[\x02-\x04]"), "MP3"),
    (re.compile(rb"(?s).{4}ftyp"), "MP4"),
)
_ZIP_SIGNATURE = b"PK\x03\x04"
_CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_MAX_CONTROL_SHARE = 0.02

_LONGEST_TITLE = 1000  # characters; every passage of a chapter repeats its titles, so none may be as long as a book

_TWO_LETTERS = {"rus": "ru", "ukr": "uk", "eng": "en", "deu": "de", "ger": "de", "fra": "fr", "fre": "fr", "spa": "es"}


def suffix_of(path: Path) -> str:
    """The suffix of a file name in lower case, without its dot: "epub", "fb2.zip", "" for none."""
    name = path.name.lower()
    return "fb2.zip" if name.endswith(".fb2.zip") else path.suffix.lower().removeprefix(".")


def read_book(data: bytes, path: Path) -> BookText:
    """The text of a book, with title, authors, year and language completed from its name and its words.

    Raises UnreadableBook for a file that is no book or is damaged.
    """
    module = import_module(f"{__name__}.{_READERS[_kind(data, path)]}")
    book: BookText = module.read(data, path)
    sections = tuple(_with_titles(section) for section in book.sections if section.text.strip())
    if not sections:
        raise UnreadableBook("no_text", path=str(path))
    return _complete(replace(book, sections=sections), path)


def draw_page(data: bytes, path: Path, page: int, text: str, start: int, end: int) -> bytes:
    """A page of a PDF as `pdf.picture.draw` makes it. Raises UnreadableBook."""
    from ai_library_bot.readers.pdf import picture

    return picture.draw(data, path, page, text, start, end)


def _kind(data: bytes, path: Path) -> str:
    """The suffix that the file ought to have, by its bytes. Raises UnreadableBook if it is no book."""
    suffix = suffix_of(path)
    head = data[:_HEAD]
    if not head:
        raise UnreadableBook("empty_file", path=str(path))
    if kind := next((kind for signature, kind in _OTHER_SIGNATURES if signature.match(head)), ""):
        raise UnreadableBook("other_kind", path=str(path), suffix=suffix, kind=kind)
    if kind := next((kind for signature, kind in _BOOK_SIGNATURES if signature.match(head)), ""):
        return suffix if _READERS.get(suffix) == kind else kind
    if head.startswith(_ZIP_SIGNATURE):
        if not (kind := _kind_of_zip(data)) and suffix not in _ZIPPED:
            raise UnreadableBook("other_kind", path=str(path), suffix=suffix, kind="ZIP")
        return kind or suffix
    if suffix not in SUFFIXES:
        raise UnreadableBook("not_a_book_kind", path=str(path), suffix=suffix)
    if suffix in _PLAIN_TEXT and len(_CONTROL.findall(decode.decode(head))) > _MAX_CONTROL_SHARE * len(head):
        raise UnreadableBook("not_text", path=str(path), suffix=suffix)
    return suffix


def _kind_of_zip(data: bytes) -> str:
    """The kind of book that a zip file is; "" when it is none or cannot be told."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
    except FAULTS:
        return ""
    if "META-INF/container.xml" in names:
        return "epub"
    if "word/document.xml" in names:
        return "docx"
    if "content.xml" in names:
        return "odt"
    return "fb2.zip" if sum(name.lower().endswith(".fb2") for name in names) == 1 else ""


def _complete(book: BookText, path: Path) -> BookText:
    first = book.sections[0]
    first_lines = [] if first.pages else first.text.split("\n")
    front = front_matter.Front() if book.title else front_matter.read(first_lines)
    named = filename.parse(path)
    title = one_line(book.title) or front.title or named.title
    if fold(title) == fold(named.title) and not named.title.islower():
        title = named.title  # a title in capitals has lost which of its words are names
    authors = tuple(dict.fromkeys(filter(None, map(one_line, book.authors)))) or front.authors
    damaged = any("\ufffd" in section.text for section in book.sections)
    return replace(
        book,
        sections=_in_chapters(book.sections),
        title=title,
        authors=authors or front_matter.author_beside(title, first_lines) or named.authors,
        year=book.year or front.year or named.year,
        language=_language(book.language or front.language, book.sections),
        warnings=(*book.warnings, "undecodable") if damaged else book.warnings,
    )


def _with_titles(section: Section) -> Section:
    """The section under titles that are no longer than a title may be."""
    return replace(section, heading=tuple(shortened(title, _LONGEST_TITLE) for title in section.heading))


def _in_chapters(sections: tuple[Section, ...]) -> tuple[Section, ...]:
    """The sections, or the chapters found in their text where the file marks no headings and has no pages."""
    if any(section.heading or section.pages for section in sections):
        return sections
    text = "\n\n".join(section.text for section in sections)
    return tuple(Section(heading, text) for heading, text in headings.chapters(text) if text)


def _language(declared: str, sections: tuple[Section, ...]) -> str:
    """The declared language as ISO 639-1, or what the longest section is written in if that is plainly another."""
    code = re.split("[-_]", declared.strip().lower())[0]
    code = _TWO_LETTERS.get(code, code)
    guess = guess_language(max((section.text for section in sections), key=len))
    other_script = (code in CYRILLIC_LANGUAGES) != (guess in CYRILLIC_LANGUAGES)
    if guess and (not code or (code in GUESSABLE_LANGUAGES and other_script)):
        return guess
    return code

from pathlib import Path

import pytest

from ai_library_bot.readers import html
from ai_library_bot.types import BookText
from tests.readers.files import book_in


def read(document: str, tmp_path: Path, encoding: str = "utf-8") -> BookText:
    path = tmp_path / "b.html"
    path.write_bytes(document.encode(encoding))
    return book_in(path, html.read)


@pytest.mark.parametrize(
    "head",
    [
        "<title>The  Lamp</title><body><h1>Other</h1>",
        "<body><h1>The <i>Lamp</i></h1>",
        '<meta property="og:title" content="The Lamp"><body>',
        "<title></title><body><h1></h1><h1>The Lamp</h1>",
    ],
)
def test_the_title(head: str, tmp_path: Path) -> None:
    assert read(f"<html>{head}<p>text</p>", tmp_path).title == "The Lamp"


def test_a_title_that_is_only_the_beginning_of_the_text_is_none(tmp_path: Path) -> None:
    text = "The keeper of the lighthouse had stopped writing letters long before the winter came."
    book = read(f"<title>{text[:50]}</title><body><h1>{text[:50]}</h1><h2>Fog</h2><p>{text}</p>", tmp_path)
    assert book.title == ""
    assert [(section.heading, section.text) for section in book.sections] == [(("Fog",), text)]


def test_a_short_title_may_open_the_text(tmp_path: Path) -> None:
    assert read("<title>Warsaw</title><p>Warsaw is the capital.</p>", tmp_path).title == "Warsaw"


def test_the_title_on_top_of_the_page_is_no_chapter(tmp_path: Path) -> None:
    book = read("<title>The Lamp</title><h1>THE LAMP</h1><p>0</p><h2>I</h2><p>1</p>", tmp_path)
    assert [section.heading for section in book.sections] == [(), ("I",)]


def test_author_language_and_year(tmp_path: Path) -> None:
    meta = '<meta name="Author" content="Анна Север"><meta name="dcterms.issued" content="1880-01-01">'
    book = read(f'<html lang="ru-RU"><head>{meta}</head><p>1</p>', tmp_path)
    assert (book.format, book.authors, book.language, book.year) == ("html", ("Анна Север",), "ru-RU", 1880)


def test_what_the_page_does_not_say_stays_empty(tmp_path: Path) -> None:
    book = read("<p>1</p>", tmp_path)
    assert (book.title, book.authors, book.language, book.year) == ("", (), "", None)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "windows-1251", "koi8-r"])
@pytest.mark.parametrize("meta", ["", '<meta charset="windows-1251">', '<meta content="text/html; charset=utf-8">'])
def test_any_encoding_whatever_the_page_says(meta: str, encoding: str, tmp_path: Path) -> None:
    text = "Смотритель маяка долго смотрел на море и молчал, потому что писем больше не было."
    assert read(f"<html><head>{meta}</head><p>{text}</p>", tmp_path, encoding).sections[0].text == text


def test_notes_stand_where_they_are_referred_to(tmp_path: Path) -> None:
    page = '<p>One<sup><a href="#n">1</a></sup>.</p><p>Two.</p><ol><li id="n">Note.</li></ol>'
    assert read(page, tmp_path).sections[0].text == "One.\n\n[1] Note.\n\nTwo."


def test_a_book_typed_into_one_pre_is_read_as_plain_text(tmp_path: Path) -> None:
    sentence = (
        "The keeper of the lighthouse wrote one letter every week and\nsent none of them to anybody in the town.\n"
    )
    page = "<h1>The Lamp</h1><pre>" + "\n".join([sentence] * 9) + "</pre>"
    assert read(page, tmp_path).sections[0].text.split("\n\n")[0] == " ".join(sentence.split())

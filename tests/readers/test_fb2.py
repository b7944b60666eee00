from pathlib import Path

import pytest

from ai_library_bot.errors import UnreadableBook
from ai_library_bot.readers import fb2
from ai_library_bot.types import BookText
from tests.readers import build
from tests.readers.files import book_in

NOTES = (
    '<body name="notes"><title><p>Примечания</p></title>'
    '<section id="n1"><title><p>1</p></title><p>Род экипажа.</p></section></body>'
)


def read(document: str | bytes, tmp_path: Path, name: str = "b.fb2") -> BookText:
    path = tmp_path / name
    path.write_bytes(document if isinstance(document, bytes) else document.encode())
    return book_in(path, fb2.read)


def chapters(body: str, tmp_path: Path, after: str = "") -> list[tuple[str, str]]:
    book = read(build.fb2(body, after=after), tmp_path)
    return [(">".join(section.heading), section.text) for section in book.sections]


def section(title: str, inside: str) -> str:
    return f"<section><title><p>{title}</p></title>{inside}</section>"


def test_bodies_within_a_body_are_read_once(tmp_path: Path) -> None:
    path = tmp_path / "damaged.fb2"
    opened, closed = "<body><section><p>Темно.</p></section>", "</body>"
    path.write_text(f"<FictionBook>{opened * 20}{closed * 20}</FictionBook>", "utf-8")
    assert "".join(section.text for section in book_in(path, fb2.read).sections).count("Темно.") == 20


def test_sections_in_sections_are_chapters_in_parts(tmp_path: Path) -> None:
    body = section(
        "Часть первая", "<epigraph><p>0</p></epigraph>" + section("I", "<p>1</p>") + section("II", "<p>2</p>")
    )
    assert chapters(body + "<section><p>3</p></section>", tmp_path) == [
        ("Часть первая", "0"), ("Часть первая>I", "1"), ("Часть первая>II", "2"), ("", "3")
    ]  # fmt: skip


def test_parts_and_chapters_side_by_side_are_nested_by_their_words(tmp_path: Path) -> None:
    body = (
        section("Часть первая Глава I", "<p>1</p>")
        + section("Глава II", "<p>2</p>")
        + section("Часть вторая", "<p>3</p>")
    )
    assert [heading for heading, _ in chapters(body, tmp_path)] == [
        "Часть первая>Глава I", "Часть первая>Глава II", "Часть вторая"
    ]  # fmt: skip


def test_a_title_in_several_lines_is_one_heading(tmp_path: Path) -> None:
    assert chapters(section("III</p><empty-line/><p>Смотритель", "<p>1</p>"), tmp_path) == [("III. Смотритель", "1")]


def test_the_title_page_of_the_body_is_no_heading(tmp_path: Path) -> None:
    page = "<title><p>Анна Север</p><p>ЛАМПА</p></title>"
    assert chapters(page + section("I", "<p>1</p>"), tmp_path) == [("I", "1")]


def test_another_title_of_the_body_is(tmp_path: Path) -> None:
    assert chapters("<title><p>Том первый</p></title>" + section("I", "<p>1</p>"), tmp_path) == [("Том первый>I", "1")]


@pytest.mark.parametrize(
    ("inside", "text"),
    [
        ("<poem><title><p>Песня</p></title><stanza><v>Раз,</v><v>два</v></stanza><stanza><v>три</v></stanza></poem>",
         "Песня\n\nРаз,\nдва\n\nтри"),
        ("<cite><p>Цитата</p><text-author>Автор</text-author></cite><p>После</p>", "Цитата\n\nАвтор\n\nПосле"),
        ("<p>До</p><subtitle>* * *</subtitle><empty-line/><p>Пос<emphasis>ле</emphasis></p>", "До\n\n* * *\n\nПосле"),
        ("<table><tr><th>Год</th><th>Суда</th></tr><tr><td>1801</td><td>12</td></tr></table>", "Год | Суда\n1801 | 12"),
        ("<p>До</p><image l:href='#i'/><p>После</p>", "До\n\nПосле"),
    ],
)  # fmt: skip
def test_blocks(inside: str, text: str, tmp_path: Path) -> None:
    assert chapters(f"<section>{inside}</section>", tmp_path) == [("", text)]


def test_a_note_stands_behind_the_paragraph_that_refers_to_it(tmp_path: Path) -> None:
    body = '<section><p>Подали ландо <a l:href="#n1" type="note">[1]</a>, и все.</p><p>Да.</p></section>'
    assert chapters(body, tmp_path, NOTES) == [("", "Подали ландо, и все.\n\n[1] Род экипажа.\n\nДа.")]


def test_a_note_that_nothing_refers_to_stays_in_its_place(tmp_path: Path) -> None:
    assert chapters("<section><p>Да.</p></section>", tmp_path, NOTES)[1] == ("Примечания>1", "Род экипажа.")


def test_pictures_are_skipped_whole_or_cut_off(tmp_path: Path) -> None:
    picture = '<binary id="i" content-type="image/png">' + "QUJD" * 1000
    assert chapters("<section><p>1</p></section>", tmp_path, f"{picture}</binary>") == [("", "1")]
    cut = build.fb2("<section><p>1</p></section>", after=picture).removesuffix("</FictionBook>")
    assert read(cut, tmp_path).sections[0].text == "1"


@pytest.mark.parametrize("real", ["utf-8", "windows-1251", "koi8-r", "utf-16"])
@pytest.mark.parametrize("declared", ["utf-8", "windows-1251"])
def test_headers_that_lie_about_the_encoding_are_found_out(declared: str, real: str, tmp_path: Path) -> None:
    text = "Смотритель маяка долго смотрел на море и молчал, потому что писем больше не было."
    document = build.fb2(f"<section><p>{text}</p></section>", encoding=declared)
    book = read(document.encode(real), tmp_path)
    assert (book.title, book.authors, book.sections[0].text) == ("Лампа", ("Анна Север",), text)


def test_badly_formed_files_are_read_whole(tmp_path: Path) -> None:
    body = section("I", "<p>Домби & сын <b>1 < 2</p><p>два<p>три</i></p></p>") + section("II", "<p>четыре")
    assert chapters(body, tmp_path) == [("I", "Домби & сын 1 < 2\n\nдва\n\nтри"), ("II", "четыре")]


@pytest.mark.parametrize("name", ["b.fb2.zip", "b.fb2", "b.zip"])
def test_zipped_or_not_whatever_the_name_says(name: str, tmp_path: Path) -> None:
    document = build.fb2("<section><p>1</p></section>")
    assert read(document, tmp_path, name).sections[0].text == "1"
    path = build.archive(tmp_path / name, {"cover.jpg": b"", "Лампа.FB2": document})
    assert book_in(path, fb2.read).sections[0].text == "1"


@pytest.mark.parametrize(
    ("authors", "expected"),
    [
        ("<author><first-name>Анна</first-name><middle-name>Ильинична</middle-name><last-name>Север</last-name></author>",
         ("Анна Ильинична Север",)),
        ("<author><last-name>Север</last-name></author><author><nickname>maяк</nickname></author>", ("Север", "maяк")),
        ("<author><first-name/></author><translator><last-name>Юг</last-name></translator>", ()),
    ],
)  # fmt: skip
def test_the_authors(authors: str, expected: tuple[str, ...], tmp_path: Path) -> None:
    assert read(build.fb2("<section><p>1</p></section>", authors=authors), tmp_path).authors == expected


@pytest.mark.parametrize(
    ("dates", "year"),
    [
        ('<date value="1880-02-01">зима</date>', 1880),
        ("<date>1880 г.</date>", 1880),
        ("<date>давно</date></title-info><publish-info><year>1990</year></publish-info><title-info>", 1990),
        ("", None),
    ],
)
def test_the_year(dates: str, year: int | None, tmp_path: Path) -> None:
    assert read(build.fb2("<section><p>1</p></section>", title_info=dates), tmp_path).year == year


def test_title_and_language(tmp_path: Path) -> None:
    book = read(build.fb2("<section><p>1</p></section>", title="Лампа & море"), tmp_path)
    assert (book.format, book.title, book.language) == ("fb2", "Лампа & море", "ru")


@pytest.mark.parametrize("document", ["", "<FictionBook><description/></FictionBook>", "no markup"])
def test_a_file_without_a_body_is_refused(document: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableBook) as caught:
        read(document, tmp_path)
    assert caught.value.key == "fb2_no_body"
    assert "b.fb2" in caught.value.say("ru")


def test_an_archive_without_a_book_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableBook) as caught:
        book_in(build.archive(tmp_path / "b.fb2.zip", {"cover.jpg": b""}), fb2.read)
    assert caught.value.key == "fb2_not_in_zip"
    assert "b.fb2.zip" in caught.value.say("en")

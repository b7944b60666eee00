from pathlib import Path

import pytest

from ai_library_bot.errors import UnreadableBook
from ai_library_bot.readers import epub
from tests.readers import build
from tests.readers.files import book_in

NAV = '<nav epub:type="toc"><ol>{}</ol></nav>'
OPF = 'xmlns:opf="http://www.idpf.org/2007/opf"'


def chapters(path: Path) -> list[tuple[str, str]]:
    return [(">".join(section.heading), section.text) for section in book_in(path, epub.read).sections]


def reason(path: Path) -> str:
    with pytest.raises(UnreadableBook) as caught:
        book_in(path, epub.read)
    assert str(path) in caught.value.say("ru")
    return caught.value.key


def test_pages_come_in_the_order_of_the_spine(tmp_path: Path) -> None:
    path = build.epub(tmp_path / "b.epub", {"a.xhtml": "<p>1</p>", "b.xhtml": "<p>2</p>"}, spine=["b.xhtml", "a.xhtml"])
    assert chapters(path) == [("", "2"), ("", "1")]


def test_without_a_spine_pages_come_as_the_manifest_lists_them(tmp_path: Path) -> None:
    path = build.epub(tmp_path / "b.epub", {"a.xhtml": "<p>1</p>", "b.xhtml": "<p>2</p>"}, spine=[])
    assert chapters(path) == [("", "1"), ("", "2")]


PAGES = {
    "part.xhtml": "<h1>Part One</h1>",
    "one.xhtml": "<h2>I</h2><p>1</p>",
    "two.xhtml": "<h2>II</h2><p class='subtitle'>The Keeper</p><p>2</p><div id='x'><p>3</p></div>",
    "more.xhtml": "<p>4</p>",
    "end.xhtml": "<h2>Epilogue</h2><p>5</p>",
}
EXPECTED = [
    ("Part One>I", "1"),
    ("Part One>II. The Keeper", "2"),
    ("Part One>II>A Letter", "3"),
    ("Part One>II>A Letter", "4"),
    ("Epilogue", "5"),
]


def test_the_navigation_document_names_the_chapters(tmp_path: Path) -> None:
    nav = NAV.format(
        '<li><a href="part.xhtml">Part <b>One</b></a><ol><li><a href="one.xhtml">I</a></li>'
        '<li><a href="two.xhtml">II</a><ol><li><a href="two.xhtml#x">A Letter</a></li></ol></li></ol></li>'
        '<li><a href="end.xhtml">Epilogue</a></li>'
    )
    assert chapters(build.epub(tmp_path / "b.epub", PAGES, nav=nav)) == EXPECTED


def ncx(label: str, source: str, inside: str = "") -> str:
    return f'<navPoint><navLabel><text>{label}</text></navLabel><content src="{source}"/>{inside}</navPoint>'


def test_so_does_the_ncx(tmp_path: Path) -> None:
    two = ncx("II", "two.xhtml", ncx("A Letter", "two.xhtml#x"))
    table = ncx("Part One", "part.xhtml", ncx("I", "one.xhtml") + two) + ncx("Epilogue", "end.xhtml")
    assert chapters(build.epub(tmp_path / "b.epub", PAGES, ncx=table)) == EXPECTED


def test_a_flat_table_of_contents_is_nested_by_its_words(tmp_path: Path) -> None:
    table = "".join(ncx(*entry) for entry in [("Part One", "part.xhtml"), ("I", "one.xhtml"), ("II", "two.xhtml")])
    found = chapters(build.epub(tmp_path / "b.epub", PAGES, ncx=table))
    assert [heading for heading, _ in found][:2] == ["Part One>I", "Part One>II. The Keeper"]


def test_a_page_that_is_cut_in_two_goes_on_with_its_chapter(tmp_path: Path) -> None:
    pages = {"a.xhtml": "<h1>I</h1><p>1</p>", "b.xhtml": "<p>2</p><h1>II</h1><p>3</p>"}
    assert chapters(build.epub(tmp_path / "b.epub", pages)) == [("I", "1"), ("I", "2"), ("II", "3")]


def test_without_a_table_of_contents_the_headings_name_the_chapters(tmp_path: Path) -> None:
    pages = {"a.xhtml": "<h1>The Fox</h1><p>1</p>", "b.xhtml": "<h1>The Hare</h1><p>2</p><h2>I</h2><p>3</p>"}
    assert chapters(build.epub(tmp_path / "b.epub", pages)) == [
        ("The Fox", "1"),
        ("The Hare", "2"),
        ("The Hare>I", "3"),
    ]


@pytest.mark.parametrize(
    "entry",
    ['<a href="gone.xhtml">Gone</a>', '<a href="a.xhtml#gone">I</a>', "<a>No link</a>", '<a href="http://[x">x</a>'],
)
def test_a_broken_table_of_contents_costs_no_text(entry: str, tmp_path: Path) -> None:
    path = build.epub(tmp_path / "b.epub", {"a.xhtml": "<h1>I</h1><p>1</p>"}, nav=NAV.format(f"<li>{entry}</li>"))
    assert chapters(path) == [("I", "1")]


def test_the_title_of_the_book_heads_no_chapter(tmp_path: Path) -> None:
    nav = NAV.format('<li><a href="a.xhtml">The Lamp</a><ol><li><a href="b.xhtml">I</a></li></ol></li>')
    path = build.epub(tmp_path / "b.epub", {"a.xhtml": "<h1>The Lamp</h1><p>0</p>", "b.xhtml": "<p>1</p>"}, nav=nav)
    assert chapters(path) == [("", "0"), ("I", "1")]


def test_notes_in_another_file_stand_where_they_are_referred_to(tmp_path: Path) -> None:
    pages = {
        "text/a.xhtml": '<p>One<a epub:type="noteref" href="../end/notes.xhtml#n1">1</a>.</p><p>Two.</p>',
        "end/notes.xhtml": '<section epub:type="endnotes"><h2>Notes</h2><ol><li id="n1">Note.</li></ol></section>',
    }
    assert chapters(build.epub(tmp_path / "b.epub", pages)) == [("", "One.\n\n[1] Note.\n\nTwo.")]


def test_of_what_is_not_linear_only_the_notes_are_read(tmp_path: Path) -> None:
    pages = {
        "a.xhtml": '<p>One<a epub:type="noteref" href="n.xhtml#n">1</a>.</p>',
        "n.xhtml": '<p id="n">Note.</p><p>x</p>',
    }
    path = build.epub(tmp_path / "b.epub", pages, spine=["a.xhtml", "!n.xhtml"])
    assert chapters(path) == [("", "One.\n\n[1] Note.")]


@pytest.mark.parametrize("kind", ["cover", "titlepage", "imprint", "colophon", "copyright-page", "toc"])
def test_what_only_furnishes_a_book_is_left_out(kind: str, tmp_path: Path) -> None:
    pages = {
        "a.xhtml": build.page("<p>furniture</p>", kind),
        "b.xhtml": f"<section epub:type='{kind}'>x</section><p>1</p>",
    }
    assert chapters(build.epub(tmp_path / "b.epub", pages)) == [("", "1")]


def test_the_guide_marks_furniture_but_never_a_whole_book(tmp_path: Path) -> None:
    pages = {"a.xhtml": "<p>furniture</p>", "b.xhtml": "<p>" + "word " * 5000 + "</p>"}
    guide = '<reference type="title-page" href="a.xhtml"/><reference type="cover" href="b.xhtml"/>'
    assert len(chapters(build.epub(tmp_path / "b.epub", pages, guide=guide))) == 1


@pytest.mark.parametrize(
    ("link", "stored"),
    [
        ("%D0%93%D0%BB.xhtml", "Гл.xhtml"),
        ("a%20b.xhtml", "a b.xhtml"),
        ("./x/../one.xhtml", "One.XHTML"),
        ("й", "и\u0306"),
    ],
)
def test_pages_are_found_in_spite_of_encoded_links_and_other_capitals(link: str, stored: str, tmp_path: Path) -> None:
    files = build.files(build.epub(tmp_path / "a.epub", {link: "<p>1</p>"}))
    del files[f"OPS/{link}"]
    path = build.archive(tmp_path / "b.epub", {**files, f"OPS/{stored}": build.page("<p>1</p>")})
    assert chapters(path) == [("", "1")]


def test_a_missing_page_costs_only_itself_and_is_told(tmp_path: Path) -> None:
    files = build.files(build.epub(tmp_path / "a.epub", {"a.xhtml": "<p>1</p>", "b.xhtml": "<p>2</p>"}))
    del files["OPS/a.xhtml"]
    book = book_in(build.archive(tmp_path / "b.epub", files), epub.read)
    assert [section.text for section in book.sections] == ["2"]
    assert book.warnings == ("parts_missing",)


def test_a_badly_formed_page_is_read_whole(tmp_path: Path) -> None:
    page = "<html><body><p>One & two<br>three</i></p></div><p>Four</body></html>"
    assert chapters(build.epub(tmp_path / "b.epub", {"a.xhtml": page})) == [("", "One & two three\n\nFour")]


def test_without_a_container_the_package_is_found_by_its_suffix(tmp_path: Path) -> None:
    files = build.files(build.epub(tmp_path / "a.epub", {"a.xhtml": "<p>1</p>"}))
    del files["META-INF/container.xml"]
    assert chapters(build.archive(tmp_path / "b.epub", files)) == [("", "1")]


@pytest.mark.parametrize("lost", ["OPS/package.opf", "OPS/a.xhtml"])
def test_an_epub_that_lists_no_parts_is_refused(lost: str, tmp_path: Path) -> None:
    files = build.files(build.epub(tmp_path / "a.epub", {"a.xhtml": "<p>1</p>"}))
    del files[lost]
    assert reason(build.archive(tmp_path / "b.epub", files)) == "epub_no_parts"


def test_a_page_with_a_heading_of_its_own_is_a_chapter_beside_the_one_before(tmp_path: Path) -> None:
    nav = NAV.format('<li><a href="part.xhtml">Part One</a><ol><li><a href="one.xhtml">I</a></li></ol></li>')
    pages = {**PAGES, "two.xhtml": "<h2>Unlisted</h2><p>2</p>", "end.xhtml": ""}
    assert chapters(build.epub(tmp_path / "b.epub", pages, nav=nav)) == [
        ("Part One>I", "1"), ("Part One>Unlisted", "2"), ("Part One>Unlisted", "4")
    ]  # fmt: skip


ENCRYPTION = """<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container" xmlns:e="http://www.w3.org/2001/04/xmlenc#">
<e:EncryptedData><e:EncryptionMethod Algorithm="{}"/><e:CipherData><e:CipherReference URI="{}"/></e:CipherData>
</e:EncryptedData></encryption>"""


def test_a_book_that_its_seller_locked_is_refused(tmp_path: Path) -> None:
    lock = ENCRYPTION.format("http://www.w3.org/2001/04/xmlenc#aes256-cbc", "OPS/a.xhtml")
    path = build.epub(tmp_path / "b.epub", {"a.xhtml": "<p>1</p>"}, files={"META-INF/encryption.xml": lock})
    assert reason(path) == "epub_locked"


@pytest.mark.parametrize("file", ["OPS/font.otf", "OPS/cover.jpg"])
def test_encrypted_fonts_and_pictures_are_no_lock(file: str, tmp_path: Path) -> None:
    files = {"META-INF/encryption.xml": ENCRYPTION.format("http://www.idpf.org/2008/embedding", file)}
    assert chapters(build.epub(tmp_path / "b.epub", {"a.xhtml": "<p>1</p>"}, files=files)) == [("", "1")]


def metadata(lines: str, tmp_path: Path) -> tuple[str, tuple[str, ...], str, int | None]:
    book = book_in(build.epub(tmp_path / "b.epub", {"a.xhtml": "<p>1</p>"}, metadata=lines), epub.read)
    return book.title, book.authors, book.language, book.year


@pytest.mark.parametrize(
    ("lines", "title"),
    [
        ("<dc:title>Mother &amp;\n Son</dc:title>", "Mother & Son"),
        (
            """<dc:title id="a">A Tale</dc:title><dc:title id="b">The Lamp</dc:title>
            <meta refines="#b" property="title-type">main</meta>""",
            "The Lamp",
        ),
        ("<dc:title>Unknown</dc:title>", ""),
        ("", ""),
    ],
)
def test_the_title(lines: str, title: str, tmp_path: Path) -> None:
    assert metadata(lines, tmp_path)[0] == title


@pytest.mark.parametrize(
    ("lines", "authors"),
    [
        ("<dc:creator>Ann North</dc:creator><dc:creator>Ян Юг</dc:creator>", ("Ann North", "Ян Юг")),
        (f'<dc:creator {OPF} opf:role="aut">North, Ann</dc:creator>', ("Ann North",)),
        (f'<dc:creator {OPF} opf:role="trl">Ann North</dc:creator>', ()),
        (
            """<dc:creator id="a">Ann North</dc:creator><meta refines="#a" property="role">ill</meta>
            <meta refines="#a" property="role">aut</meta>
            <dc:creator id="b">Bo West</dc:creator><meta refines="#b" property="role">trl</meta>""",
            ("Ann North",),
        ),
        ("<dc:creator>Ann North &amp; Bo West; Li East</dc:creator>", ("Ann North", "Bo West", "Li East")),
        ("<dc:creator>Неизвестный автор</dc:creator><dc:contributor>Ann North</dc:contributor>", ()),
    ],
)
def test_the_authors(lines: str, authors: tuple[str, ...], tmp_path: Path) -> None:
    assert metadata(lines, tmp_path)[1] == authors


@pytest.mark.parametrize(
    ("lines", "year"),
    [
        ("<dc:date>1878</dc:date>", 1878),
        ('<meta property="dcterms:issued">1878-01-01</meta><dc:date>2020-05-05</dc:date>', 1878),
        ("<dc:date>2020-05-05T10:00:00Z</dc:date><meta property='dcterms:modified'>2020-05-05T10:00:00Z</meta>", None),
        (f'<dc:date {OPF} opf:event="conversion">2020</dc:date>', None),
        ("<dc:date>1995-10-01</dc:date><dc:publisher>Project Gutenberg</dc:publisher>", None),
        ("<dc:date>0101-01-01</dc:date>", None),
    ],
)
def test_the_year_is_not_that_of_the_file(lines: str, year: int | None, tmp_path: Path) -> None:
    assert metadata(lines, tmp_path)[3] == year


def test_the_language_is_the_one_the_package_names(tmp_path: Path) -> None:
    assert metadata("<dc:language>en-GB</dc:language>", tmp_path)[2] == "en-GB"

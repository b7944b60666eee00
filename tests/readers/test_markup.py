from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from ai_library_bot.errors import UnreadableBook
from ai_library_bot.readers.markup import find_all, join_heading, parse_html, parse_xml, remove, text_of

HERE = Path("book")
DECLARATIONS = """<!DOCTYPE a [<!ATTLIST a name CDATA "lamp">
<!ENTITY % more "<!ENTITY three 'lamp'>"> %more; <!ENTITY one "lamp lamp lamp lamp ">
<!ENTITY two "&one;&one;&one;&one;&one;&one;&one;&one;&one;"><!ENTITY file SYSTEM "file:///etc/passwd">]>"""


def xml_text(document: str | bytes) -> str:
    return text_of(parse_xml(document if isinstance(document, bytes) else document.encode(), HERE))


@pytest.mark.parametrize("declared", ["utf-8", "windows-1251", "koi8-r", "klingon"])
@pytest.mark.parametrize("real", ["utf-8", "windows-1251", "koi8-r", "utf-16"])
def test_an_encoding_that_the_header_lies_about_is_found_out(declared: str, real: str) -> None:
    words = "Смотритель маяка долго смотрел на море и молчал, потому что писем больше не было."
    document = f'<?xml version="1.0" encoding="{declared}"?><a><p>{words}</p></a>'
    assert xml_text(document.encode(real)) == words


def test_a_page_may_name_its_encoding_in_a_meta_element() -> None:
    page = '<html><head><meta charset="iso-8859-2"></head><body>Zażółć gęślą jaźń</body></html>'
    assert text_of(parse_html(page.encode("iso-8859-2"), HERE)) == "Zażółć gęślą jaźń"


@pytest.mark.parametrize("parse", [parse_xml, parse_html])
@pytest.mark.parametrize("data", [b"", b"  \n", b"<!-- nothing -->", b"<?xml version='1.0'?>"])
def test_a_document_without_elements_is_empty(data: bytes, parse: Callable[[bytes, Path], etree._Element]) -> None:
    assert text_of(parse(data, HERE)) == ""


def test_what_a_document_declares_is_not_expanded() -> None:
    root = parse_xml(f'{DECLARATIONS}<a title="&two;">&two;&three;&file;</a>'.encode(), HERE)
    assert "lamp" not in etree.tostring(root, encoding="unicode")
    assert "root:" not in etree.tostring(root, encoding="unicode")
    assert "DOCTYPE" not in etree.tostring(root.getroottree(), encoding="unicode")


@pytest.mark.parametrize("end", ["", "</a>", "</p></a>"])
def test_behind_cdata_without_an_end_there_are_words_and_elements_only(end: str) -> None:
    root = parse_xml(f"<a><p>one</p><![CDATA[ <p>&foo; &amp; two{end}".encode(), HERE)
    assert all(isinstance(element.tag, str) for element in root.iter())
    assert text_of(root) == "one<![CDATA[ &foo; & two"


@pytest.mark.parametrize("parse", [parse_html, parse_xml])
@pytest.mark.parametrize("reference", ["&#1;", "&#x1;", "&#x0B;", "&#xFFFE;", "&#12;", "&#0000008", "&#x1b;"])
def test_a_character_that_no_tree_may_hold_is_left_out(
    parse: Callable[[bytes, Path], etree._Element], reference: str
) -> None:
    root = parse(f"<p>a{reference}<b>b</b>{reference} c</p>".encode(), HERE)
    bold = next(find_all(root, "b"))
    bold.tail = f"{bold.tail}"  # which lxml refuses where it was not left out
    assert text_of(root) == "ab c"


def test_entities_of_html_are_known_without_a_dtd() -> None:
    assert xml_text("<a>&laquo;&mdash;&nbsp;&#1083;&#x430;&hellip;&raquo; &amp; &lt;b&gt;</a>") == "«— ла…» & <b>"


@pytest.mark.parametrize(
    ("broken", "text"),
    [
        ("<a><p>Dombey & Son, AT&T, 1 < 2, x <- y</p></a>", "Dombey & Son, AT&T, 1 < 2, x <- y"),
        ("<a><p>one<p>two</p><p>three", "onetwothree"),
        ("<a><s><p>one</i></p></p><p>two</p></s></s><s>three</s></a>", "onetwothree"),
        ("<a><p><i>one</p><p>two</i></p></a><b>three</b>", "onetwothree"),
        ("<a><p class=plain checked class='x'>one</p></a>", "one"),
        ("<a>one<br>two<hr>three</a>", "onetwothree"),
        ("<a>o\x00n\x0ce &#1; &#xD800;</a>", "one \N{REPLACEMENT CHARACTER}"),
        ("<a><x:p y:z='1'>one</x:p></a>", "one"),
        ("<a><![CDATA[<one> & two]]></b></a>", "<one> & two"),
        ("no markup", "no markup"),
    ],
)
def test_badly_formed_xml_loses_no_text(broken: str, text: str) -> None:
    assert xml_text(broken) == text


SOUP = st.lists(
    st.sampled_from(["<p>", "</p>", "<i>", "</i>", "<s>", "</s>", "<br>", "<br/>", "<p a=1 b>", "&", "<", "<!-- - -->"])
    | st.text("abcде", min_size=1, max_size=3)
)


@given(SOUP)
def test_whatever_the_tags_every_letter_stays_and_in_its_order(soup: list[str]) -> None:
    letters = "".join(piece for piece in soup if piece.isalpha())
    for root in (parse_xml(f"<r>{'|'.join(soup)}</r>".encode(), HERE), parse_xml("|".join(soup).encode(), HERE)):
        assert [*filter(str.isalpha, "".join(map(str, root.itertext())))] == [*letters]


@given(SOUP)
def test_a_forgotten_end_tag_does_not_put_paragraphs_into_one_another(soup: list[str]) -> None:
    root = parse_xml(f"<r>{''.join(soup)}<q></r>".encode(), HERE)
    for paragraph in find_all(root, "p"):
        assert not [inside for inside in find_all(paragraph, "p") if inside.getparent() is paragraph]


def test_thousands_of_forgotten_end_tags_are_not_depth() -> None:
    assert xml_text("<a>" + "<p>x" * 5000 + "</a>") == "x" * 5000


@pytest.mark.parametrize("parse", [parse_xml, parse_html])
def test_markup_of_absurd_depth_is_refused(parse: Callable[[bytes, Path], etree._Element]) -> None:
    with pytest.raises(UnreadableBook) as caught:
        parse(b"<a>" + b"<b>" * 100_000 + b"text", HERE)
    assert caught.value.key == "markup_too_deep"


@pytest.mark.parametrize("parse", [parse_xml, parse_html])
def test_a_thousand_levels_are_not_too_deep(parse: Callable[[bytes, Path], etree._Element]) -> None:
    assert text_of(parse(b"<a>" + b"<b>" * 1000 + b"text" + b"</b>" * 1000 + b"</a>", HERE)) == "text"


def test_taking_an_element_out_leaves_the_text_behind_it() -> None:
    root = parse_xml(b"<a>one <b>two</b> three <b>four</b> five</a>", HERE)
    for element in list(find_all(root, "b")):
        remove(element)
    assert text_of(root) == "one three five"


@pytest.mark.parametrize(
    ("lines", "heading"),
    [
        (["III", "The Keeper"], "III. The Keeper"),
        (["Chapter 3.", "The Keeper"], "Chapter 3. The Keeper"),
        (["Who?", " ", "Nobody"], "Who? Nobody"),
        ([], ""),
    ],
)
def test_the_lines_of_a_heading_are_joined(lines: list[str], heading: str) -> None:
    assert join_heading(lines) == heading

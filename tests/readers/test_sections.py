from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_library_bot.readers.markup import parse_html, parse_xml
from ai_library_bot.readers.sections import Heading, sections
from ai_library_bot.text import clean

HERE = Path("book")


def read(html: str) -> list[tuple[Heading, str]]:
    return [(section.heading, section.text) for section in sections(parse_html(html, HERE))]


def text(html: str) -> str:
    return "\n\n".join(block for _, block in read(html))


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>One.</p><p>Two.</p>", "One.\n\nTwo."),
        ("<div>One<p>Two</p>three</div>", "One\n\nTwo\n\nthree"),
        ("<p>un<b>break</b>a<i>ble</i>, H<sub>2</sub>O</p>", "unbreakable, H2O"),
        ("<p>source\n   lines\tare one</p>", "source lines are one"),
        ("<p>went to the<br>long grey house<br>and sat</p>", "went to the long grey house and sat"),
        ("<p>One.<br><br>Two.</p>", "One.\n\nTwo."),
        ("<p>A lamp was lit,<br>And ships went by,<br>“Hail!”</p>", "A lamp was lit,\nAnd ships went by,\n“Hail!”"),
        ("<ul><li>one<li><p>two</p><p>more</p></ul>", "- one\n- two more"),
        ("<ol start=3><li>one</li><li>two<ul><li>in</li></ul></li></ol>", "3. one\n4. two\n- in"),
        ("<table><tr><th>Year<th>Ships<tr><td>1801<td><p>12</p></table>", "Year | Ships\n1801 | 12"),
        ("<dl><dt>Wick<dd>cotton<dd>flax<dt>Oil<dd><p>Of<p>whales.</dl>", "Wick: cotton; flax\n\nOil: Of whales."),
        ("<pre>one\n  two\n\nthree</pre>", "one\ntwo\n\nthree"),
        ("<div class=poem><div class=stanza><p>a<p>b</div><div class=stanza><p>c</div></div>", "a\nb\n\nc"),
        ("<div class=verse><p>one<br>two</p><p>three<br>four</p></div>", "one\ntwo\n\nthree\nfour"),
        ("<blockquote><p>Quoted.</p></blockquote><p>After.</p>", "Quoted.\n\nAfter."),
        ("<p>a<span class=pagenum>[12]</span>b</p><script>x</script><style>y</style><nav>z</nav>", "ab"),
        ("<p hidden>x</p><p style='display: NONE'>y</p><p aria-hidden=true>z</p><p>seen</p>", "seen"),
        ("<p><ruby>漢<rt>kan</rt></ruby> <img alt='picture'>.</p>", "漢 ."),
        ("<p>soft\u00adware \u202eevil\u202c</p>", "software evil"),
        ("<table><tr><td><p>1<p>2<p>3</table>", "1\n\n2\n\n3"),
        ("<ul></ul><p> </p><table><tr><td></table>", ""),
    ],
)  # fmt: skip
def test_blocks(html: str, expected: str) -> None:
    assert text(html) == expected


def test_headings_nest_by_their_level_and_are_not_repeated_in_the_text() -> None:
    assert read("<p>0</p><h1>A</h1><p>1</p><h2>B</h2><p>2</p><h3>C</h3><p>3</p><h2>D</h2><p>4</p><h1>E</h1>5") == [
        ((), "0"), (("A",), "1"), (("A", "B"), "2"), (("A", "B", "C"), "3"), (("A", "D"), "4"), (("E",), "5")
    ]  # fmt: skip


@pytest.mark.parametrize(
    "html",
    [
        "<h2>III<br>The Keeper</h2><p>text</p>",
        "<h2>III</h2><h2>The Keeper</h2><p>text</p>",
        "<h2>III</h2><p class=subtitle>The Keeper</p><p>text</p>",
        "<hgroup><h2>III</h2><p>The Keeper</p></hgroup><p>text</p>",
        "<header><h2>III</h2><p role=doc-subtitle>The Keeper</p></header><p>text</p>",
    ],
)
def test_a_heading_in_two_lines_is_one(html: str) -> None:
    assert read(html) == [(("III. The Keeper",), "text")]


def test_a_subtitle_as_long_as_a_paragraph_is_one() -> None:
    synopsis = "In which a keeper writes, " * 8
    assert read(f"<h2>III</h2><p class=subtitle>{synopsis}</p>") == [(("III",), synopsis.strip())]


def test_a_paragraph_in_large_letters_is_no_heading() -> None:
    long = "word " * 100
    assert read(f"<h1>{long}</h1>") == [((), long.strip())]


def test_a_heading_without_words_divides_nothing() -> None:
    assert read("<h2>I</h2><p>1</p><h2>* * *</h2><p>2</p>") == [(("I",), "1\n\n2")]


def test_headings_inside_a_page_laid_out_as_a_table_count() -> None:
    assert read("<table><tr><td><h2>I</h2><p>1</p><td><h2>II</h2><p>2</p></table>") == [(("I",), "1"), (("II",), "2")]


def test_the_title_of_the_book_heads_no_path() -> None:
    body = parse_html("<h1>The Lamp</h1><p>0</p><h2>I</h2><p>1</p>", HERE)
    found = sections(body, book_title="The lamp")
    assert [(section.heading, section.text) for section in found] == [((), "0"), (("I",), "1")]


CHAPTERS: dict[str, Heading] = {"one": ("Part One", "I"), "two": ("Part One", "II: The Keeper"), "end": ("Notes",)}


@pytest.mark.parametrize(
    "html",
    [
        "<h2 id=one>I</h2><p>1</p><h2 id=two>II: The Keeper</h2><p>2</p><div id=end><p>3</p></div>",
        "<div id=one><h1>Part One</h1><h2>I</h2>1</div><a name=two></a><h2>II</h2><h3>The Keeper</h3>2<p id=end>3</p>",
        "<h2><a id=one></a>Part One. I</h2><p>1</p><p><a id=two></a>2</p><h2 id=end>notes</h2><p>3</p>",
        "<p id=one>1<a id=two></a></p><p>2</p><h2 id=end></h2><p>3</p>",
    ],
)  # fmt: skip
def test_a_table_of_contents_names_the_chapters_and_headings_only_repeat_it(html: str) -> None:
    found = sections(parse_html(html, HERE), chapters=CHAPTERS)
    assert [(section.heading, section.text) for section in found] == [
        (("Part One", "I"), "1"), (("Part One", "II: The Keeper"), "2"), (("Notes",), "3")
    ]  # fmt: skip


def test_a_heading_may_say_more_than_the_table_of_contents() -> None:
    body = parse_html("<h2 id=one>I</h2><p class=subtitle>Fog</p><p>1</p><h2 id=two>II. Rain</h2><p>2</p>", HERE)
    found = sections(body, chapters={"one": ("Part One", "I"), "two": ("Part One", "II")})
    assert [section.heading for section in found] == [("Part One", "I. Fog"), ("Part One", "II. Rain")]


def test_a_heading_that_the_table_of_contents_does_not_list_stands_under_its_chapter() -> None:
    found = sections(parse_html("<h1>I</h1><p>1</p><h2>A letter</h2><p>2</p>", HERE), path=("I",))
    assert [section.heading for section in found] == [("I",), ("I", "A letter")]


@given(st.lists(st.text("ab .é\n", min_size=1), max_size=6))
def test_paragraphs_come_out_clean_and_in_order(paragraphs: list[str]) -> None:
    body = parse_xml(f"<body>{''.join(f'<p>{text}</p>' for text in paragraphs)}</body>".encode(), HERE)
    expected = [one for text in paragraphs if (one := clean(text.replace("\n", " ")))]
    assert "\n\n".join(section.text for section in sections(body)) == "\n\n".join(expected)


@given(st.recursive(st.text("ab", max_size=3), lambda inner: st.builds("<i>{}</i><b>{}</b>".format, inner, inner)))
def test_inline_elements_add_nothing(inline: str) -> None:
    letters = "".join(letter for letter in inline.replace("<b>", "").replace("</b>", "") if letter in "ab")
    assert text(f"<p>{inline}</p>") == letters


BLOCKS = ["p", "div", "ul", "li", "table", "tr", "td", "dl", "dt", "dd", "pre", "blockquote", "span", "section"]


def nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    parts = st.lists(inner, max_size=3).map("".join)
    return st.builds(lambda name, inside: f"<{name}>{inside}</{name}>", st.sampled_from(BLOCKS), parts)


@given(st.recursive(st.text("abc", min_size=1, max_size=3), nested))
def test_no_letter_is_lost_or_moved_however_elements_nest(html: str) -> None:
    root = parse_xml(f"<body>{html}</body>".encode(), HERE)
    letters = "".join(map(str, root.itertext()))
    assert "".join(letter for section in sections(root) for letter in section.text if letter in "abc") == letters


def test_a_thousand_levels_of_quotation_need_no_recursion() -> None:
    depth = 1000
    assert text("<blockquote>" * depth + "deep" + "</blockquote>" * depth) == "deep"

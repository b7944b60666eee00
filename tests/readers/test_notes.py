from pathlib import Path

import pytest
from lxml import etree

from ai_library_bot.readers import notes
from ai_library_bot.readers.markup import parse_html
from ai_library_bot.readers.sections import sections


def read(*pages: str) -> str:
    """The text of pages named "0", "1" …, with their notes in place."""
    documents = {str(number): parse_html(html, Path("book")) for number, html in enumerate(pages)}
    notes.place(documents)
    return "\n\n".join(section.text for root in documents.values() for section in sections(root))


@pytest.mark.parametrize(
    "reference",
    [
        '<a epub:type="noteref" href="#n">3</a>',
        '<a role="doc-noteref" href="#n">3</a>',
        '<sup><a href="#n">3</a></sup>',
        '<a href="#n"><sup>[3]</sup></a>',
        '[<a href="#n">3</a>]',
        ' <sup>(<a href="#n">3</a>)</sup>',
    ],
)
@pytest.mark.parametrize(
    "note",
    [
        '<p id="n">3. A kind of carriage.</p>',
        '<ol><li id="n"><p>A kind of carriage. <a href="#r">↩</a></p></li></ol>',
        '<p><a id="n" href="#r">[3]</a> A kind of carriage.</p>',
        '<aside id="n" epub:type="footnote" hidden><p>A kind of carriage.</p></aside>',
        '<div><p><a name="n"></a><sup>3</sup> A kind</p><p>of carriage.</p></div>',
        '<dl><dt id="n">[3]</dt><dd>A kind of carriage.</dd></dl>',
        '<table><tr><td><a id="n">3</a></td><td>A kind of carriage.</td></tr></table>',
    ],
)
def test_a_note_stands_behind_the_block_that_refers_to_it_and_the_sentence_stays_whole(
    reference: str, note: str
) -> None:
    page = f"<p>A barouche{reference}, they said.</p><p>After.</p>{note}"
    assert read(page) == "A barouche, they said.\n\n[3] A kind of carriage.\n\nAfter."


def test_a_note_may_stand_in_another_file() -> None:
    chapter = '<p>A barouche<a href="1#n" id="r"><sup>1</sup></a> came.</p><p>After.</p>'
    endnotes = '<h2>Notes</h2><ol><li id="n">A kind of carriage. <a href="0#r">back</a></li></ol>'
    assert read(chapter, endnotes) == "A barouche came.\n\n[1] A kind of carriage.\n\nAfter."


def test_notes_follow_in_the_order_of_their_marks() -> None:
    page = '<p>One<a href="#a">*</a> and two<a href="#b">**</a>.</p><p id="a">* First.</p><p id="b">** Second.</p>'
    assert read(page) == "One and two.\n\n[*] First.\n\n[**] Second."


def test_a_note_that_is_referred_to_twice_stands_with_the_first_reference() -> None:
    page = '<p>One<a href="#a">1</a>.</p><p>Two<a href="#a">1</a>.</p><p id="a">1 Note.</p>'
    assert read(page) == "One.\n\n[1] Note.\n\nTwo."


def test_a_note_may_have_a_note() -> None:
    page = '<p>One<a href="#a">1</a>.</p><p id="a">1 Note<a href="#b">2</a>.</p><p id="b">2 Inner.</p>'
    assert sorted(read(page).split("\n\n")) == ["One.", "[1] Note.", "[2] Inner."]


def test_a_note_that_leads_to_itself_stays_where_it_is() -> None:
    assert read('<p id="a">One<a epub:type="noteref" href="#a">1</a>.</p>') == "One1."


def test_a_mark_whose_note_is_missing_goes_all_the_same() -> None:
    assert read('<p>One<a epub:type="noteref" href="#none">1</a>.</p>') == "One."


def test_a_reference_made_of_words_keeps_them() -> None:
    page = '<p>A <a epub:type="noteref" href="#a">barouche</a> came.</p><p id="a">A carriage.</p>'
    assert read(page) == "A barouche came.\n\n[barouche] A carriage."


def test_a_mark_that_leads_back_to_an_item_of_a_list_does_not_make_a_note_of_it() -> None:
    page = '<ul><li id="r">One<a href="#a">1</a></li><li>Two</li></ul><p id="a"><a href="#r">1</a> Note.</p>'
    assert read(page) == "- One\n- Two\n\n[1] Note."
    page = '<p id="a"><a href="#r">1</a> Note.</p><ul><li id="r">One<a href="#a">1</a></li><li>Two</li></ul>'
    assert read(page) == "- One\n- Two\n\n[1] Note."


def test_a_note_to_an_item_of_a_list_follows_the_list() -> None:
    page = '<ul><li>One<a href="#a">1</a></li><li>Two</li></ul><p id="a">1 Note.</p>'
    assert read(page) == "- One\n- Two\n\n[1] Note."


@pytest.mark.parametrize(
    "page",
    [
        '<p>See chapter <a href="#c">2</a>.</p><h2 id="c">2</h2><p>Text.</p>',
        '<p>See chapter <a href="#c">2</a>.</p><div id="c"><h2>2</h2><p>Text.</p></div>',
        '<p>See page <a href="#c">2</a>.</p><p id="c">Text.</p>',
        '<p><a href="#c">1</a> <a href="#c">2</a></p><p id="c">Text.</p>',
        '<p>See <a href="#c">the text</a>.</p><p id="c">Text.</p>',
        '<p>See <a href="http://[bad#c">2</a>.</p><p id="c">Text.</p>',
    ],
)
def test_links_to_other_things_than_notes_stay(page: str) -> None:
    assert read(page).endswith("Text.")
    assert "[" not in read(page)


def test_a_chapter_that_many_pages_lead_to_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[str] = []
    may_be_note = notes._may_be_note

    def counted(note: etree._Element) -> bool:
        looked_at.append(note.get("id", ""))
        return may_be_note(note)

    monkeypatch.setattr(notes, "_may_be_note", counted)
    text = read('<p>See page <a href="#c">2</a>.</p>' * 100 + f'<div id="c">{"<p>Text.</p>" * 1000}</div>')
    assert text.count("See page 2.") == 100
    assert looked_at == ["c"]

"""Pages become messages that Telegram takes as they are: short enough, with true entities, and without links."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_library_bot.bot.layout import (
    JOINER,
    LONGEST_MESSAGE,
    Block,
    Page,
    Piece,
    bold,
    caption,
    code,
    italic,
    paragraph,
    parts,
    quotation,
    rich,
    told,
    units,
    unlinked,
)
from tests.bot.telegram_rules import checked_caption, checked_message, links_of

ANY_TEXT = st.text(max_size=300) | st.sampled_from(
    [
        "see https://example.com/a?b=c, or www.example.org",
        "write to name@example.com or to @durov",
        "/start and #tag and $USD, but and/or",
        "J.R.R.Tolkien met т.е. и т.д. at 192.168.0.1",
        "👩‍👩‍👧‍👦" * 40,
        "\u202eevil\u202c \x1b[31mred\x1b[0m \x00",
        "مرحبا بالعالم",
        "слово " * 900,
        "без_пробелов" * 500,
        "𝒳" * 5000,
        " \n\t ",
        "",
    ]
)
PIECE: st.SearchStrategy[str | Piece] = st.one_of(ANY_TEXT, ANY_TEXT.map(bold), ANY_TEXT.map(italic))
PIECES = st.lists(PIECE, max_size=4)
BLOCKS = st.one_of(
    PIECES.map(lambda pieces: paragraph(*pieces)),
    PIECES.map(lambda pieces: paragraph(*pieces, close=True)),
    PIECES.map(lambda pieces: quotation(*pieces)),
)
PAGES = st.lists(BLOCKS, max_size=8).map(tuple)


def plain(text: str) -> str:
    """The text without what layout puts in, and with white space evened out, for what it takes off at the ends."""
    return " ".join(text.replace(JOINER, "").split())


@settings(max_examples=40)
@given(PAGES)
def test_telegram_takes_every_part_as_it_is(page: Page) -> None:
    for part in parts(page):
        assert 0 < units(part.text) <= LONGEST_MESSAGE
        taken = checked_message(part.text, [entity.model_dump(exclude_none=True) for entity in part.entities])
        assert taken.text == part.text, "nothing is trimmed, so no entity moves"
        assert taken.links == ()


@settings(max_examples=40)
@given(PAGES)
def test_nothing_is_lost_and_nothing_is_added(page: Page) -> None:
    said = "".join(plain(part.text) for part in parts(page))
    assert said.replace(" ", "") == "".join(plain(block.text) for block in page).replace(" ", "")


@settings(max_examples=40)
@given(PAGES)
def test_a_block_that_fits_into_a_message_is_never_cut(page: Page) -> None:
    texts = [part.text for part in parts(page)]
    for block in page:
        if block.text.strip() and units(block.text) <= LONGEST_MESSAGE:
            assert any(block.text.strip() in text for text in texts)


@settings(max_examples=40)
@given(PAGES)
def test_every_quotation_is_marked_as_one_from_end_to_end(page: Page) -> None:
    quoted = [
        part.text.encode("utf-16-le")[2 * entity.offset : 2 * (entity.offset + entity.length)].decode("utf-16-le")
        for part in parts(page)
        for entity in part.entities
        if entity.type == "blockquote"
    ]
    wanted = [block.text for block in page if block.kind == "quote" and block.text.strip()]
    assert plain(" ".join(quoted)).replace(" ", "") == plain(" ".join(wanted)).replace(" ", "")


@settings(max_examples=40)
@given(PAGES)
def test_a_rich_message_says_the_same_and_has_no_links(page: Page) -> None:
    made = rich(page)
    if made is None:
        assert sum(len(block.text) for block in page) > 32_768
        return
    assert made.skip_entity_detection
    assert len(made.blocks or []) == sum(bool(block.text.strip()) for block in page)


@pytest.mark.parametrize(
    "text", ["https://example.com", "name@example.com", "@durov", "/start", "#tag", "$USD", "x.org", "x—.org", "🦉.org"]
)
def test_what_telegram_would_make_a_link_of_is_none(text: str) -> None:
    assert links_of(f"look: {text} there", [])
    assert not links_of(unlinked(f"look: {text} there"), [])
    (part,) = parts([paragraph("look: ", bold(text[:1]), text[1:])])
    assert not links_of(part.text, [])
    assert part.text.replace(JOINER, "") == f"look: {text}"


@pytest.mark.parametrize("text", ["and/or", "т.е. и т.д.", "No. 5", "3.14", "C#", "a — b", "Рим (I в. до н. э.)"])
def test_common_text_stays_as_it_is(text: str) -> None:
    assert unlinked(text) == text


def test_our_own_words_may_hold_commands() -> None:
    (part,) = parts([told("See /help.")])
    assert [link.text for link in links_of(part.text, [])] == ["/help"]


def test_an_address_to_copy_is_whole_and_no_link() -> None:
    (part,) = parts([paragraph(code("https://t.me/bot?start=x"))])
    assert part.text == "https://t.me/bot?start=x"
    assert not links_of(part.text, [entity.model_dump() for entity in part.entities])


@given(ANY_TEXT.filter(lambda text: paragraph(text).text.strip() != ""))
def test_a_caption_is_as_long_as_a_picture_allows(text: str) -> None:
    assert checked_caption(caption(text), []).text


def test_blocks_follow_one_another_closely_or_with_a_blank_line() -> None:
    (part,) = parts([paragraph("A"), paragraph("b", close=True), paragraph("C")])
    assert part.text == "A\nb\n\nC"


def test_a_page_of_nothing_makes_no_message() -> None:
    assert parts([paragraph(""), Block(()), quotation(" \n ")]) == []

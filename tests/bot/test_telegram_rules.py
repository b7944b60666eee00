"""What Telegram makes links of, and how large it lets rich messages be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.bot.telegram_links import found
from tests.bot.telegram_rich import buttons, checked_rich, shown
from tests.bot.telegram_rules import INVISIBLE, Refusal, checked_message, utf16

JOINER = "\u2060"
LETTERS = st.sampled_from("aя🦉 \n\u00a0\u200b\u2060\u0301")

LINKED = {
    "see example.com/a?b=c, please": ["example.com/a?b=c"],
    "http://localhost.local/x": ["http://localhost.local/x"],
    "HTTPS://Example.org.": ["HTTPS://Example.org"],
    "книга.рф и сайт.РФ": ["книга.рф", "сайт.РФ"],
    "127.0.0.1:80 is here": ["127.0.0.1:80"],
    "tg://resolve?domain=x": ["tg://resolve"],
    "write to a.b+c@mail.example.com": ["a.b+c@mail.example.com"],
    "README.md": ["README.md"],
    "@owl says": ["@owl"],
    "(@library_bot)": ["@library_bot"],
    "/start and /help@library_bot": ["/start", "/help@library_bot"],
    "#Маяк_1, #1a": ["#Маяк_1", "#1a"],
    "$USD or $1INCH": ["$USD", "$1INCH"],
    f"x{JOINER}@owl": ["@owl"],
    f"exam{JOINER}ple.com": ["ple.com"],
    f"https:/{JOINER}/example.{JOINER}com": ["/example"],
}

NOT_LINKED = [
    "He stopped.No one came. Он ушёл.Да",
    "т.е., e.g., 3.14, v1.2.3, a..b, x.y",
    "маяк.fb2 and The Silence.epub",
    "me@home, a@@b, @ab",
    "либо/либо, 1/2, and/or, / x, </b>",
    "#1, # 5, C#, a#b, ##",
    "$5, US$AB, $usd, $$AB",
    "ssh://example.com",
    f"example.{JOINER}com",
    f"@{JOINER}owl",
    f"/{JOINER}start",
    f"#{JOINER}tag",
    f"${JOINER}USD",
    f"a@{JOINER}example.{JOINER}com",
]


@pytest.mark.parametrize("text", LINKED)
def test_what_becomes_a_link(text: str) -> None:
    assert [link.text for link in found(text)] == LINKED[text]


@pytest.mark.parametrize("text", NOT_LINKED)
def test_what_does_not_become_a_link(text: str) -> None:
    assert found(text) == []


@given(st.text(st.sampled_from("aя.@/#$:12 _-\n" + JOINER)))
def test_links_stand_where_they_say_and_do_not_overlap(text: str) -> None:
    end = 0
    for link in found(text):
        assert text[link.start :].startswith(link.text)
        assert link.start >= end
        end = link.start + len(link.text)


def test_code_has_no_links_and_links_of_the_bot_are_told() -> None:
    text = "🦉 /start example.com here"
    code = {"type": "code", "offset": 3, "length": 6}
    made = {"type": "text_link", "offset": 22, "length": 4, "url": "https://example.com"}
    kinds = [(link.kind, link.text) for link in checked_message(text, [code, made]).links]
    assert kinds == [("url", "example.com"), ("text_link", "here")]


@given(st.text(LETTERS), st.text(LETTERS))
def test_utf16_is_counted_as_python_encodes_it(one: str, other: str) -> None:
    assert utf16(one + other) == len((one + other).encode("utf-16-le", "surrogatepass")) // 2


@given(st.text(LETTERS, min_size=1), st.data())
def test_an_entity_marks_the_same_words_after_trimming(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    entity = {"type": "bold", "offset": utf16(text[:start]), "length": utf16(text[start:end])}
    assume(text.strip().strip(INVISIBLE))
    formatted = checked_message(text, [entity])
    units = formatted.text.encode("utf-16-le")
    marked = [units[2 * e["offset"] : 2 * (e["offset"] + e["length"])].decode("utf-16-le") for e in formatted.entities]
    assert "".join(marked).strip() == text[start:end].strip()


def paragraph(text: Any) -> dict[str, Any]:
    return {"type": "paragraph", "text": text}


def nested(depth: int) -> dict[str, Any]:
    return {"type": "blockquote", "blocks": [nested(depth - 1)]} if depth else paragraph("deep")


def bold(depth: int) -> Any:
    return {"type": "bold", "text": bold(depth - 1)} if depth else "deep"


GOOD_RICH: list[dict[str, Any]] = [
    {"markdown": "# Title\n\ntext"},
    {"html": "<h1>Title</h1><p>text<br>more</p>"},
    {"blocks": [paragraph("x" * 32_768)]},
    {"blocks": [paragraph("x")] * 500},
    {"blocks": [nested(14)]},
    {"blocks": [paragraph(["a ", {"type": "bold", "text": ["b", {"type": "code", "text": "c"}]}])]},
    {"blocks": [{"type": "list", "items": [{"blocks": [paragraph("x")]}]}]},
    {"blocks": [{"type": "details", "summary": "more", "blocks": [{"type": "pre", "text": "code"}]}]},
    {"blocks": [{"type": "table", "cells": [[{"text": "a", "align": "left", "valign": "top"}]], "caption": "t"}]},
    {"blocks": [{"type": "heading", "text": "x", "size": 1}, {"type": "divider"}, {"type": "footer", "text": "y"}]},
]

BAD_RICH: list[Any] = [
    None,
    {},
    {"html": "x", "markdown": "x"},
    {"blocks": []},
    {"blocks": [paragraph("x" * 32_769)]},
    {"blocks": [paragraph("x")] * 501},
    {"blocks": [{"type": "list", "items": [{"blocks": [paragraph("x")]}] * 250}]},
    {"blocks": [nested(16)]},
    {"blocks": [paragraph(bold(16))]},
    {"blocks": [{"type": "photo", "photo": {}}] * 51},
    {"blocks": [{"type": "table", "cells": [[{"text": "a"}] * 21]}]},
    {"blocks": [{"type": "heading", "text": "x", "size": 7}]},
    {"blocks": [{"type": "thinking", "text": "Thinking…"}]},
    {"blocks": [{"type": "nonsense", "text": "x"}]},
    {"blocks": [paragraph({"type": "nonsense", "text": "x"})]},
    {"blocks": [paragraph(None)]},
    {"blocks": [{"type": "buttons", "buttons": [{"text": "x", "callback_data": "y" * 65}]}]},
    {"blocks": [{"type": "buttons", "buttons": [{"text": "x", "callback_data": "y"}] * 9}]},
    {"html": "<b>never ends"},
    {"html": "<p>" * 17 + "x" + "</p>" * 17},
]


@pytest.mark.parametrize("rich", GOOD_RICH)
def test_rich_messages_that_are_taken(rich: dict[str, Any]) -> None:
    formatted = checked_rich(rich)
    assert formatted.text
    assert shown(rich, formatted.text)["blocks"]


@pytest.mark.parametrize("rich", BAD_RICH)
def test_rich_messages_that_are_refused(rich: Any) -> None:
    with pytest.raises(Refusal, match="Bad Request"):
        checked_rich(rich)


def test_a_draft_may_think() -> None:
    assert checked_rich({"blocks": [{"type": "thinking", "text": "Reading…"}]}, draft=True).text == "Reading…"


def test_links_in_rich_messages_are_found_unless_telegram_is_told_not_to_look() -> None:
    blocks = [
        paragraph("example.com"),
        paragraph(["see ", {"type": "code", "text": "/start"}, " or ", {"type": "bold", "text": "/help"}]),
        {"type": "pre", "text": "@owls"},
        paragraph({"type": "url", "text": "here", "url": "https://example.com"}),
    ]
    assert [link.text for link in checked_rich({"blocks": blocks}).links] == ["example.com", "/help", "here"]
    silent = checked_rich({"blocks": blocks, "skip_entity_detection": True})
    assert [link.text for link in silent.links] == ["here"]
    assert all(silent.text[link.start :].startswith(link.text) for link in silent.links)
    html = '<p>example.com <code>/start</code></p><pre>@owls</pre><p><a href="https://example.com">here</a></p>'
    assert [link.text for link in checked_rich({"html": html}).links] == ["example.com", "here"]


def test_buttons_inside_a_rich_message_are_found() -> None:
    button = {"text": "More", "callback_data": "more"}
    inline = paragraph({"type": "button", "button": button | {"text": "Inline"}})
    rich = {
        "blocks": [{"type": "details", "summary": "x", "blocks": [{"type": "buttons", "buttons": [button]}]}, inline]
    }
    checked_rich(rich)
    assert [found["text"] for found in buttons(rich)] == ["More", "Inline"]

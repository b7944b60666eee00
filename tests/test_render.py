"""What a person reads for each kind of result, in both languages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ai_library_bot import render
from ai_library_bot.locales import Messages, messages
from ai_library_bot.terminal import Page
from ai_library_bot.types import (
    OWN_WORDS,
    Answer,
    Citation,
    Damage,
    Excerpt,
    Failure,
    Generation,
    Hit,
    SearchResult,
    Skip,
    Verification,
)
from tests.fakes import BRIDGE, LEDGER, PASSAGES, report
from tests.screens import COLOURS, attach

Result = TypeVar("Result")

KEEPER = PASSAGES[0]
HIT = Hit(1, 2.0, 0.8, KEEPER, LEDGER, ((262, 268),))
QUOTE = "The keeper stopped writing letters"
CITATION = Citation(1, KEEPER, LEDGER, KEEPER.text.index(QUOTE), KEEPER.text.index(QUOTE) + len(QUOTE))


@pytest.fixture(params=["en", "ru"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def shown(
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[[Page, Messages, Result], None],
    result: Result,
    language: str = "en",
    columns: int | None = None,
) -> str:
    with monkeypatch.context() as patch:
        screen = attach(patch, columns=columns)
        write(Page(), messages(language), result)
        return screen.out.written()


def found(*hits: Hit, corrections: tuple[tuple[str, str], ...] = ()) -> SearchResult:
    return SearchResult("keeper", 8, "lexical", hits, corrections=corrections)


def answered(text: str) -> Answer:
    return Answer("why?", True, text, "extractive", (CITATION,), (), 8, 0.1)


def test_a_hit_shows_title_author_place_snippet_and_how_to_open_it(monkeypatch: pytest.MonkeyPatch) -> None:
    first, place, text = shown(monkeypatch, render.search, found(HIT)).splitlines()
    assert first == " 1. The Keeper's Ledger — Anna Holm"
    assert place == "    Part One › III · p. 12 · b3f2a9:0000"
    assert text.startswith("    …")
    assert "The keeper stopped writing letters" in text


def test_a_book_without_pages_shows_how_far_in_the_passage_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    hit = replace(HIT, passage=replace(PASSAGES[2], position=0.334), book=BRIDGE)
    assert "Глава первая · 33% · " in shown(monkeypatch, render.search, found(hit))
    assert "Глава первая · 33\u00a0% · " in shown(monkeypatch, render.search, found(hit), "ru")


def test_the_page_is_that_of_the_snippet(monkeypatch: pytest.MonkeyPatch) -> None:
    hit = replace(HIT, passage=replace(KEEPER, pages=((0, 12), (50, 13))))
    assert "p. 13" in shown(monkeypatch, render.search, found(hit))


def test_matches_stand_out_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[1;33mkeeper\x1b[0m" in shown(monkeypatch, render.search, found(HIT), columns=80)


def test_a_corrected_word_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    result = found(HIT, corrections=(("keper", "keeper"),))
    assert shown(monkeypatch, render.search, result).startswith("Searched for “keeper” instead of “keper”")
    assert "«keper»" in shown(monkeypatch, render.search, result, "ru")


def test_nothing_found_says_so_and_what_to_do(monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    assert "library books" in shown(monkeypatch, render.search, found(), language)


def test_an_answer_made_of_quotations_does_not_repeat_them(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, render.answer, answered(f"{QUOTE}. [1]"))
    assert text == (f"{QUOTE}. [1]\n\n[1] Anna Holm · “The Keeper's Ledger” · Part One › III · p. 12 · b3f2a9:0000\n")


def test_an_answer_in_other_words_shows_its_quotations(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, render.answer, answered("Because nobody could carry them. [1]"), "ru")
    assert (
        f"[1] «{QUOTE}»\n    Anna Holm · «The Keeper's Ledger» · Part One › III · стр.\u00a012 · b3f2a9:0000\n" in text
    )


def quoting(number: int, words: str) -> Citation:
    start = KEEPER.text.index(words)
    return Citation(number, KEEPER, LEDGER, start, start + len(words))


def test_a_place_that_is_quoted_twice_is_one_source(monkeypatch: pytest.MonkeyPatch) -> None:
    lamp, tin = quoting(2, "The lamp was lit at six"), quoting(3, "in a biscuit tin")
    three = replace(
        answered(f"{QUOTE}. [1] {lamp.quote}. [2] It lay {tin.quote}. [3]"), citations=(CITATION, lamp, tin)
    )
    _, _, *places = shown(monkeypatch, render.answer, three).splitlines()
    where = "Anna Holm · “The Keeper's Ledger” · Part One › III"
    assert places == [f"[1, 2] {where} · p. 12 · b3f2a9:0000", f"[3] {where} · p. 13 · b3f2a9:0000"]
    retold = replace(three, text="Because. [1] So. [2] And so on. [3]")
    assert shown(monkeypatch, render.answer, retold).count(where) == 3


def test_an_answer_that_was_not_found_shows_the_closest_passages(
    monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    result = Answer("why?", False, "", "extractive", (), (HIT,), 8, 0.1)
    text = shown(monkeypatch, render.answer, result, language)
    assert text.startswith(messages(language)("ask.not_found"))
    assert " 1. The Keeper's Ledger — Anna Holm" in text


def test_the_models_own_words_are_marked_and_the_mark_explained(monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    own = replace(answered(f"{QUOTE} [1] It was sad. {OWN_WORDS}"), own_words=("It was sad.",))
    lines = shown(monkeypatch, render.answer, own, language).splitlines()
    assert lines[:2] == [own.text, f"{OWN_WORDS} {messages(language)('ask.own_words')}"]


def test_only_marks_of_real_sources_stand_out(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, render.answer, answered("One [1], two [2]."), columns=80)
    assert "\x1b[1;36m[1]\x1b[0m, two [2]." in text


def test_an_ingest_shows_only_what_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, render.ingest, report(generation=9, parent=8, added=(LEDGER.path,), unchanged=1234))
    assert text.splitlines() == [
        "Added           1",
        "Unchanged   1,234",
        "",
        "2 books · 3 passages · English 1 · Russian 1",
        "Index version 9 · 1.3 s",
    ]


def test_an_ingest_that_changed_nothing_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, render.ingest, report(generation=8, parent=8, unchanged=2), "ru")
    assert text.splitlines()[0] == "Ничего не изменилось."


def test_an_ingest_into_nothing_names_no_version(monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    nothing = replace(report(generation=None, parent=None), books=0, passages=0, languages={})
    assert "None" not in shown(monkeypatch, render.ingest, nothing, language)


def test_a_failed_book_is_named_with_its_reason_on_one_line(monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    path = Path("шкаф/a\nb\u202efdp.epub")
    failed = Failure(path, "empty_file", {"path": str(path)}, retry=True)
    first, *_ = shown(
        monkeypatch, render.ingest, replace(report(generation=8, parent=8), failed=(failed,)), language
    ).splitlines()
    assert first.startswith(r"✗ шкаф/a\nb\u202efdp.epub")
    assert first.endswith(messages(language)("ingest.retry"))


def test_a_long_list_of_files_left_out_is_cut_short(monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    skips = tuple(Skip(Path(f"{n}.jpg"), "not_a_book_kind", {"path": f"{n}.jpg", "suffix": "jpg"}) for n in range(40))
    lines = shown(
        monkeypatch, render.ingest, replace(report(generation=8, parent=8), skipped=skips), language
    ).splitlines()
    assert sum(".jpg" in line for line in lines) == 5
    assert "35" in lines[5]


def test_books_are_sorted_by_author_and_title(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(monkeypatch, render.books, (BRIDGE, LEDGER)).splitlines()
    assert lines == [
        "Anna Holm\tThe Keeper's Ledger\ten\tpdf\t2",
        "Пётр Северов, Лидия Тихонова\tЗаписки о мосте\tru\tfb2\t1",
    ]


def test_the_bar_of_a_book_grows_with_its_passages(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, render.books, (LEDGER, BRIDGE, replace(BRIDGE, title="я", passages=0)), columns=100)
    assert [line.count("━") for line in text.splitlines()[1:4]] == [12, 6, 0]


def test_no_books_says_how_to_add_some(monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    assert "library ingest" in shown(monkeypatch, render.books, (), language)


def test_a_very_long_query_is_not_repeated_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    result = SearchResult("word " * 2000, 8, "lexical", ())
    assert len(shown(monkeypatch, render.search, result)) < 250


def test_a_passage_is_set_off_from_its_context(monkeypatch: pytest.MonkeyPatch) -> None:
    verse = replace(PASSAGES[1], text="First line\nsecond line\n\nnew stanza")
    lines = shown(monkeypatch, render.excerpt, Excerpt(LEDGER, (KEEPER,), verse, ())).splitlines()
    assert lines[:2] == ["The Keeper's Ledger — Anna Holm", "Part One › III · p. 13"]
    assert lines[3].startswith("  The lamp was lit")
    assert lines[5:] == ["▌ First line", "▌ second line", "▌", "▌ new stanza"]


def test_versions_of_the_index_show_which_is_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = (
        Generation(8, 7, 1_700_000_000.0, 120, 61_234, 34_567_890, active=False),
        Generation(7, None, 1_600_000_000.0, 119, 60_000, 34_000_000, active=True),
    )
    newer, older = shown(monkeypatch, render.generations, kept, "ru").splitlines()
    assert newer.split("\t")[0::2] == ["8", "120", "34,6\u00a0МБ"]
    assert older.endswith("\t✓")
    assert "✓" not in newer


def test_damage_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    damaged = Verification(8, 12, 34_567_890, (Damage("lexical/meta.json", "content"),))
    text = shown(monkeypatch, render.verification, (damaged, Verification(7, 12, 34_567_890, ())), language)
    bad, file, good, *_ = text.splitlines()
    assert bad.startswith("✗ ")
    assert file.startswith("  lexical/meta.json: ")
    assert good.startswith("✓ ")
    assert "library rollback-index" in text


def test_a_sound_index_needs_no_advice(monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    text = shown(monkeypatch, render.verification, (Verification(7, 1, 5_000_000, ()),), language)
    assert len(text.splitlines()) == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.text(max_size=40), st.text(max_size=40), st.text(min_size=1, max_size=100))
def test_nothing_from_a_book_leaves_its_line_or_its_colour(
    monkeypatch: pytest.MonkeyPatch, title: str, author: str, text: str
) -> None:
    book = replace(LEDGER, title=title, authors=(author,))
    passage = replace(KEEPER, text=text, chapter=(title, author), id=title)
    plain = shown(monkeypatch, render.search, found(replace(HIT, book=book, passage=passage, matches=((0, 1),))))
    coloured = shown(
        monkeypatch, render.search, found(replace(HIT, book=book, passage=passage, matches=((0, 1),))), columns=500
    )
    assert plain.count("\n") == 3
    assert "\x1b" not in plain
    assert "\x1b" not in COLOURS.sub("", coloured)

"""A page wraps and colours on a terminal, is plain in a pipe, and lets nothing through that a terminal would obey."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from ai_library_bot.terminal import Page
from tests.screens import COLOURS, attach

LONG = "The lamp was lit at six, as on every evening since the spring. " * 4
ROWS = [("Anna Holm", "The Keeper's Ledger", "1,234", "━━━"), ("Пётр Северов", "Записки о мосте", "7", "━")]
COLUMNS = ("Author", "Title", "Passages", "")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(), max_size=200))
def test_no_text_can_move_the_cursor_or_break_the_line(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    with monkeypatch.context() as patch:
        screen = attach(patch)
        Page().write(text, (text, "bold"))
        shown = screen.out.written()
    assert shown.endswith("\n")
    assert not [c for c in shown[:-1] if unicodedata.category(c) in ("Cc", "Zl", "Zp")]
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")


def test_markup_and_emoji_codes_are_shown_as_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = attach(monkeypatch, columns=80)
    Page().write("[red]no[/red] :smile: [link=x]")
    assert COLOURS.sub("", screen.out.written()) == "[red]no[/red] :smile: [link=x]\n"


def test_a_pipe_gets_each_paragraph_whole_without_colour_or_padding(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = attach(monkeypatch)
    Page().write((LONG, "bold red"), indent=4, label="1.")
    assert screen.out.written() == f"1.  {LONG.rstrip()}\n"


@pytest.mark.parametrize("columns", [20, 40, 80])
def test_a_terminal_gets_lines_that_fit_under_one_another(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    screen = attach(monkeypatch, columns=columns)
    Page().write(LONG, indent=4, label="1.", gutter="| ")
    first, *others = COLOURS.sub("", screen.out.written()).splitlines()
    assert first.startswith("| 1.  The lamp")
    assert all(line.startswith("|     ") and line[6] != " " for line in others)
    assert all(cell_len(line) <= columns and line == line.rstrip() for line in (first, *others))
    assert " ".join(line[6:] for line in (first, *others)) == LONG.rstrip()


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = attach(monkeypatch, columns=80, colours=False)
    Page().write(("danger", "bold red"))
    assert "31" not in screen.out.written()
    assert "danger" in screen.out.written()


def test_a_wide_terminal_gets_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = attach(monkeypatch, columns=80)
    Page().table(COLUMNS, ROWS, numbers=[2])
    heading, first, second = COLOURS.sub("", screen.out.written()).splitlines()
    assert heading.index("Title") == first.index("The Keeper") == second.index("Записки")
    assert first.index("1,234") + 4 == second.index("7")
    assert "━━━" in first


def test_a_narrow_terminal_gets_a_paragraph_for_each_row(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = attach(monkeypatch, columns=40)
    Page().table(COLUMNS, ROWS, numbers=[2])
    shown = COLOURS.sub("", screen.out.written())
    assert shown.splitlines()[:2] == ["Anna Holm", "  Title: The Keeper's Ledger"]
    assert "━" not in shown


def test_a_pipe_gets_cells_with_tabs_between_them(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = attach(monkeypatch)
    Page().table(COLUMNS, ROWS, numbers=[2])
    assert screen.out.written() == "Anna Holm\tThe Keeper's Ledger\t1,234\nПётр Северов\tЗаписки о мосте\t7\n"


def test_a_tab_in_a_cell_does_not_make_a_column(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = attach(monkeypatch)
    Page().table(("Author", "Title"), [("a\tb", "c\nd")])
    assert screen.out.written() == "a\\tb\tc\\nd\n"


@pytest.mark.parametrize("columns", [None, 40, 100])
def test_definitions_stand_beside_their_terms_where_there_is_room(
    monkeypatch: pytest.MonkeyPatch, columns: int | None
) -> None:
    screen = attach(monkeypatch, columns=columns)
    Page().definitions([("--limit N", "How many."), ("--json", "Print JSON.")])
    shown = COLOURS.sub("", screen.out.written())
    if columns == 40:
        assert shown == "  --limit N\n    How many.\n  --json\n    Print JSON.\n"
    else:
        assert shown == "  --limit N  How many.\n  --json     Print JSON.\n"


@pytest.mark.parametrize("encoding", ["ascii", "cp1251", "cp866"])
def test_a_character_the_reader_cannot_show_does_no_harm(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    screen = attach(monkeypatch, encoding=encoding)
    Page().write("✓ «Мост» 灯")
    assert screen.out.written().startswith("? ")

"""What people mean by the names they give to files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_library_bot.readers.filename import parse

given_names = st.sampled_from(["Anna", "Пётр", "J. R.", "Мария", "Jean-Luc", "O'Brien", "А. С."])
surnames = st.sampled_from(["Север", "Frost", "van Loon", "Кузнецова", "d'Arc".title(), "Белов-Чёрный"])
titles = st.sampled_from(["Маяк на мысе", "The Lamp", "20 ночей у моря", "Что было дальше?", "A Winter in the Harbour"])


@pytest.mark.parametrize(
    ("name", "title", "authors", "year"),
    [
        ("Анна Север - Маяк на мысе (1899).epub", "Маяк на мысе", ("Анна Север",), 1899),
        ("Анна Север — Маяк на мысе [1899].fb2.zip", "Маяк на мысе", ("Анна Север",), 1899),
        ("Север - Маяк.fb2", "Маяк", ("Север",), None),
        ("Маяк - Анна Север.fb2", "Маяк", ("Анна Север",), None),
        ("The Lamp - Anna Frost.epub", "The Lamp", ("Anna Frost",), None),
        ("Frost, Anna - The Lamp.epub", "The Lamp", ("Anna Frost",), None),
        ("Anna Frost - [Harbour 3] - The Lamp.epub", "The Lamp", ("Anna Frost",), None),
        ("Anna Frost - Harbour 3 - The Lamp.epub", "The Lamp", ("Anna Frost",), None),
        ("[Гавань 2] Анна Север - Маяк.fb2", "Маяк", ("Анна Север",), None),
        ("Анна Север, Пётр Белов - Маяк.fb2", "Маяк", ("Анна Север", "Пётр Белов"), None),
        ("Anna Frost & Peter White - The Lamp.pdf", "The Lamp", ("Anna Frost", "Peter White"), None),
        ("Lamps and Ladders - Anna Frost.pdf", "Lamps and Ladders", ("Anna Frost",), None),
        ("Anna_Frost_-_The_Lamp.epub", "The Lamp", ("Anna Frost",), None),
        ("The Lamp by Anna Frost.txt", "The Lamp", ("Anna Frost",), None),
        ("Север А. П. Маяк на мысе.rtf", "Север А. П. Маяк на мысе", (), None),
        ("Анна Север. Маяк на мысе.txt", "Маяк на мысе", ("Анна Север",), None),
        ("Анна Белова. Том 2.txt", "Анна Белова. Том 2", (), None),
        ("The Lamp, 1901.txt", "The Lamp", (), 1901),
        ("1984 - Anna Frost.epub", "1984", ("Anna Frost",), None),
        ("03. Третья ночь.txt", "Третья ночь", (), None),
        ("the-lamp-in-the-harbour.md", "The lamp in the harbour", (), None),
        ("the-lamp__anna-frost.epub", "The lamp anna frost", (), None),
        ("frost_lamp_1905.txt", "Frost lamp 1905", (), 1905),
        ("HARBOUR_2017_10K.pdf", "HARBOUR 2017 10K", (), None),
        ("Harbour_Board_dated-2022-05-20.pdf", "Harbour Board dated-2022-05-20", (), None),
        ("ru_Harbour_lamp.html", "Harbour lamp", (), None),
        ("Анна Север. Маяк - royallib.com.fb2", "Маяк", ("Анна Север",), None),
        ("___.txt", "___", (), None),
        (".epub", ".epub", (), None),
    ],
)
def test_names_say_what_people_mean(name: str, title: str, authors: tuple[str, ...], year: int | None) -> None:
    assert parse(Path(name)) == (title, authors, year)


@given(given_names, surnames, titles, st.sampled_from(["-", "–", "—"]), st.sampled_from(["epub", "fb2.zip", "PDF"]))
def test_an_author_before_a_dash_is_found(given_name: str, surname: str, title: str, dash: str, suffix: str) -> None:
    author = f"{given_name} {surname}"
    assert parse(Path(f"{author} {dash} {title}.{suffix}")) == (title, (author,), None)


@given(st.lists(st.from_regex(r"[a-z][a-z0-9]{0,7}", fullmatch=True), min_size=1, max_size=6), st.sampled_from("-_"))
def test_a_slug_never_invents_an_author_or_a_word(words: list[str], separator: str) -> None:
    named = parse(Path(separator.join(words) + ".txt"))
    assert named.authors == ()
    assert set(named.title.lower().split()) <= set(words)


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_every_name_gives_a_title_on_one_line(name: str) -> None:
    named = parse(Path("folder") / name)
    assert named.title
    assert "\n" not in named.title or named.title == Path(name).name
    assert named.year is None or 1400 <= named.year < 2030

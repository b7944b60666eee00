"""RTF files, above all Russian ones whose letters are written in many ways."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ai_library_bot.errors import UnreadableBook
from ai_library_bot.readers import rtf
from ai_library_bot.types import BookText
from tests.readers import build
from tests.readers.files import book_in

RUSSIAN = "Ветер ещё пел: «Не спи, смотритель!» — и море шумело, а он ждал корабля с далёкого берега."


def read(path: Path, data: bytes) -> BookText:
    path.write_bytes(data)
    return book_in(path, rtf.read)


def text(path: Path, data: bytes) -> str:
    return "\n\n".join(section.text for section in read(path, data).sections)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "book.rtf"


@pytest.mark.parametrize(
    "head",
    [
        r"\ansi\ansicpg1251\deff0{\fonttbl{\f0\fcharset204 Times;}}",
        r"\ansi\ansicpg1251\deff0{\fonttbl{\f0\fcharset0 Times;}}",
        r"\ansi\ansicpg1252\deff0{\fonttbl{\f0\fcharset204 Times;}}\f0 ",
        r"\ansi\ansicpg1252\deff0{\fonttbl{\f0\fcharset0 Times;}}",
        r"\ansi",
    ],
)
def test_russian_letters_are_right_whatever_the_head_declares(head: str, path: Path) -> None:
    assert text(path, build.rtf(RUSSIAN, head=head)) == RUSSIAN


def test_letters_follow_the_font_they_are_set_in(path: Path) -> None:
    head = r"\ansi\ansicpg1252\deff0{\fonttbl{\f0\fcharset0 Times;}{\f1\fcharset204 Times Cyr;}}"
    assert text(path, build.rtf(r"caf\'e9 {\f1 \'ed\'ee\'f7\'fc} caf\'e9", head=head)) == "café ночь café"


def test_unicode_letters_leave_out_their_substitutes(path: Path) -> None:
    body = r"\uc1\u1053?\u1086\'ee\u1095?\u1100? {\uc2\u1105??}\uc0\u1078 ik \uc1\u-3913?\u-10179?\u-8704?"
    assert text(path, build.rtf(body, head=r"\ansi")) == "Ночь ёжik \uf0b7😀"


def test_marks_of_punctuation_are_words_of_control(path: Path) -> None:
    body = r"\ldblquote No,\rdblquote  he said\emdash it\rquote s \{dark\}\~here\line And late."
    assert text(path, build.rtf(body)) == "“No,” he said—it’s {dark} here\nAnd late."


def test_what_is_no_text_is_left_out(path: Path) -> None:
    body = (
        r"{\*\generator Writer;}{\header Page 1}{\pict\bin3 {}{}Dark.{\field{\*\fldinst HYPERLINK}{\fldrslt  Here}}\par"
    )
    assert text(path, build.rtf(body)) == "Dark. Here"


def test_title_and_author_come_from_the_info_group(path: Path) -> None:
    book = read(path, build.rtf(rf"{{\info{{\title Маяк}}{{\author Анна Север}}{{\operator Me}}}}{RUSSIAN}"))
    assert (book.title, book.authors, len(book.sections)) == ("Маяк", ("Анна Север",), 1)


@pytest.mark.parametrize("heading", [r"\s1 One\par\pard", r"\outlinelevel0 One\par\pard", r"\s2 One\par\pard"])
def test_headings_are_known_by_style_or_level(heading: str, path: Path) -> None:
    styles = r"{\stylesheet{\s0 Normal;}{\s1\outlinelevel0 Chapter;}{\s2 heading 1;}}"
    sections = read(path, build.rtf(rf"{styles}\pard{heading} It was dark.\par")).sections
    assert [(section.heading, section.text) for section in sections] == [(("One",), "It was dark.")]


def test_notes_lists_and_tables_keep_their_places(path: Path) -> None:
    body = (
        r"He left{\super\chftn}{\*\footnote\pard\chftn  At night.} and came.\par"
        r"{\pntext\'b7\tab}one\par{\pntext\'b7\tab}two\par\pard{\listtext 1.\tab}first\par"
        r"\pard\trowd\intbl Name\par\cell Age\cell\row\pard End.\par"
    )
    assert text(path, build.rtf(body)) == (
        "He left and came.\n\n[1] At night.\n\n- one\n- two\n\n1. first\n\nName | Age\n\nEnd."
    )


def test_another_file_is_refused(path: Path) -> None:
    with pytest.raises(UnreadableBook, match="RTF"):
        read(path, b"Plain text")


@given(st.text(st.sampled_from("\\{}'*au1f0 \nб"), max_size=80))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_file_is_too_odd(path: Path, body: str) -> None:
    read(path, b"{\\rtf1" + body.encode("cp1251"))

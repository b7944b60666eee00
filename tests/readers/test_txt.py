"""Plain text files as people have them: title pages, chapters, wrapped lines, verse, notes at the end."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_library_bot.readers import txt
from ai_library_bot.types import BookText
from tests.readers.files import book_in

PROSE = (
    "The keeper went down to the harbour at dusk, when the last of the boats had been pulled ashore and the nets hung "
    "drying between the poles. He counted the lamps along the pier, found one of them dark, and fetched the ladder "
    "without a word to anybody. It had been the same on every evening of that long and rainless autumn."
)
PARAGRAPHS = [PROSE, PROSE.replace("keeper", "pilot"), PROSE.replace("keeper", "widow")]
STORY = "\n\n".join(PARAGRAPHS)
RUSSIAN = (
    "Смотритель спустился в гавань в сумерках, когда последние лодки уже вытащили на берег, а сети сохли между "
    "столбами. Он пересчитал фонари на причале, увидел, что один не горит, и молча принёс лестницу."
)


def book(text: str) -> BookText:
    return txt.book_of(text, "txt")


def headings(text: str) -> list[tuple[str, ...]]:
    return [section.heading for section in book(text).sections]


def named(text: str) -> tuple[str, tuple[str, ...]]:
    found = book(text)
    return found.title, found.authors


def test_a_file_is_read_whatever_its_encoding(tmp_path: Path) -> None:
    path = tmp_path / "lamp.txt"
    path.write_bytes(f"Анна Север\nМАЯК НА МЫСЕ\n\nГлава первая\n\n{RUSSIAN}".encode("cp1251"))
    found = book_in(path, txt.read)
    assert (found.title, found.authors) == ("Маяк на мысе", ("Анна Север",))
    assert [(section.heading, section.text) for section in found.sections] == [(("Глава первая",), RUSSIAN)]


@pytest.mark.parametrize(
    ("first_lines", "title", "authors"),
    [
        ("Анна Север\nМАЯК НА МЫСЕ\n(Быль)\n", "Маяк на мысе", ("Анна Север",)),
        ("Анна Петровна Север\nМаяк на мысе\n", "Маяк на мысе", ("Анна Петровна Север",)),
        ("А. П. Север\nСобрание сочинений в трёх томах\nТом 2\n\nМаяк\n", "Маяк", ("А. П. Север",)),
        ("The Lamp\nof\nthe Harbour\n\nBY\n\nMRS. ANNA FROST\n", "The Lamp of the Harbour", ("Mrs. Anna Frost",)),
        ("THE LAMP OF THE HARBOUR\n\nby Anna Frost\n", "The Lamp of the Harbour", ("Anna Frost",)),
        ("The lamp of the harbour\nAnna Frost\n", "The lamp of the harbour", ("Anna Frost",)),
        ("Title: The Lamp\nAuthor: Anna Frost\nLanguage: English\n", "The Lamp", ("Anna Frost",)),
        ("Anna Frost\n", "Anna Frost", ()),
        ("Что было дальше?\n", "Что было дальше?", ()),
        ("МАЯК НА МЫСЕ\n\nПОВЕСТЬ\n", "Маяк на мысе", ()),
        ("", "", ()),
        ("Dear Anna,\n", "", ()),
        ("Anna Frost\n\nJane Harbour\n", "", ()),
        ("— Кто там?\n", "", ()),
    ],
)
def test_title_and_author_are_taken_only_from_a_title_page(
    first_lines: str, title: str, authors: tuple[str, ...]
) -> None:
    assert named(f"{first_lines}\n{STORY}") == (title, authors)
    assert named(f"{first_lines}\nI\n\n{STORY}\n\nII\n\n{STORY}") == (title, authors)


def test_the_licence_around_a_gutenberg_text_is_left_out() -> None:
    found = book(
        f"The Project Gutenberg eBook of The Lamp\n\nTitle: The Lamp\n\nAuthor: Anna Frost\n\n"
        "Release date: May 1, 2020\n\nLanguage: English\n\n"
        f"*** START OF THE PROJECT GUTENBERG EBOOK THE LAMP ***\n\n{STORY}\n\n"
        "*** END OF THE PROJECT GUTENBERG EBOOK THE LAMP ***\n\nSection 1. General Terms of Use\n"
    )
    assert (found.title, found.authors, found.language, found.year) == ("The Lamp", ("Anna Frost",), "en", None)
    assert [section.text for section in found.sections] == [STORY]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Глава первая", "Глава вторая"),
        ("ГЛАВА I", "ГЛАВА II"),
        ("Глава 1. Шторм", "Глава 2. Лодка"),
        ("Первая глава", "Вторая глава"),
        ("Часть 1", "Часть 2"),
        ("Chapter 1", "Chapter 2"),
        ("Chapter 3. The Storm", "Chapter 4. The Boat"),
        ("CHAPTER THE FIRST", "CHAPTER THE SECOND"),
        ("BOOK ONE", "BOOK TWO"),
        ("I", "II"),
        ("I.", "II."),
        ("1", "2"),
        ("I. THE STORM", "II. THE BOAT"),
        ("Пролог", "Эпилог"),
        ("PREFACE", "Introduction"),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_chapters_are_found_by_their_headings(first: str, second: str, wrapped: bool) -> None:
    body = "\n\n".join(fill(paragraph, 70) for paragraph in PARAGRAPHS) if wrapped else STORY
    found = book(f"{first}\n\n{body}\n\n{second}\n\n{body}")
    assert [(section.heading, section.text) for section in found.sections] == [((first,), STORY), ((second,), STORY)]


def test_chapters_stand_under_their_parts() -> None:
    text = (
        f"Часть первая\n\nПролог\n\n{RUSSIAN}\n\nГлава 1\n\n{RUSSIAN}\n\nГлава 2\n\nI\n\n{RUSSIAN}\n\nII\n\n{RUSSIAN}"
    )
    text += f"\n\nЧасть вторая\n\nГлава 1\n\n{RUSSIAN}\n\nЭпилог\n\n{RUSSIAN}"
    assert headings(text) == [
        ("Часть первая", "Пролог"),
        ("Часть первая", "Глава 1"),
        ("Часть первая", "Глава 2", "I"),
        ("Часть первая", "Глава 2", "II"),
        ("Часть вторая", "Глава 1"),
        ("Эпилог",),
    ]


def test_an_epilogue_may_have_parts() -> None:
    text = f"Часть первая\n\nI\n\n{RUSSIAN}\n\nII\n\n{RUSSIAN}\n\nЭпилог\n\nЧасть первая\n\nI\n\n{RUSSIAN}"
    assert headings(text)[-1] == ("Эпилог", "Часть первая", "I")


@pytest.mark.parametrize("title", ["THE STORM", "The Storm"])
def test_a_title_under_the_number_belongs_to_the_heading(title: str) -> None:
    assert headings(f"CHAPTER I.\n\n{title}\n\n{STORY}\n\nCHAPTER II.\n\n{STORY}") == [
        ("CHAPTER I. " + title,),
        ("CHAPTER II.",),
    ]


def test_capitals_are_headings_where_nothing_else_is() -> None:
    text = f"THE STORM\n\n{STORY}\n\nTHE BOAT\n\n{STORY}\n\nTHE LAMP\n\n{STORY}"
    assert headings(f"Harbour tales\n\n{text}") == [("THE STORM",), ("THE BOAT",), ("THE LAMP",)]
    assert headings(f"Chapter 1\n\n{text}") == [("Chapter 1. THE STORM",)]


@pytest.mark.parametrize(
    "contents",
    [
        "Глава 1. Шторм\n\nГлава 2. Лодка\n\nЭпилог",
        "Глава 1. Шторм\nГлава 2. Лодка\nЭпилог",
        "Глава 1. Шторм ........ 3\nГлава 2. Лодка ........ 15\nЭпилог",
    ],
)
def test_a_table_of_contents_makes_no_chapters_and_is_not_lost(contents: str) -> None:
    text = f"Глава 1. Шторм\n\n{RUSSIAN}\n\nГлава 2. Лодка\n\n{RUSSIAN}\n\nЭпилог\n\n{RUSSIAN}"
    found = book(f"Содержание\n\n{contents}\n\n{text}").sections
    assert [section.heading for section in found] == [(), ("Глава 1. Шторм",), ("Глава 2. Лодка",), ("Эпилог",)]
    assert found[0].text.split() == contents.split() or found[0].text.split()[1:] == contents.split()


@pytest.mark.parametrize(
    "line",
    [
        "* * *",
        "Chapter 3 of that book was lost.",
        "5",
        "Часть первая была прочитана вслух.",
        "I",
        "Book I had read",
        "MIX",
    ],
)
def test_other_short_lines_are_no_headings(line: str) -> None:
    assert headings(f"{STORY}\n\n{line}\n\n{STORY}") == [()]


def test_a_list_of_short_items_is_no_list_of_chapters() -> None:
    assert headings(f"{STORY}\n\n1. Apples\n\n2. Pears\n\n3. Plums") == [()]


@pytest.mark.parametrize("width", [55, 60, 72, 80])
def test_wrapped_lines_are_joined(width: int) -> None:
    wrapped = "\n\n".join(fill(paragraph, width) for paragraph in PARAGRAPHS)
    assert [section.text for section in book(wrapped).sections] == [STORY]


@pytest.mark.parametrize("margin", ["", "  "])
def test_an_indent_begins_a_paragraph(margin: str) -> None:
    wrapped = "\n".join(
        fill(paragraph, 70, initial_indent=margin + "    ", subsequent_indent=margin) for paragraph in PARAGRAPHS
    )
    assert [section.text for section in book(wrapped).sections] == [STORY]


def test_each_line_may_be_a_paragraph() -> None:
    assert [section.text for section in book("\n".join(PARAGRAPHS)).sections] == [STORY]


def test_words_hyphenated_at_the_end_of_a_line_are_mended() -> None:
    lines = [""]
    for word in PROSE.split():
        room = 56 - len(lines[-1])
        if len(word) <= room:
            lines[-1] += f" {word}"
        elif 2 <= room <= len(word) - 2:
            lines[-1] += f" {word[:room]}-"
            lines.append(word[room:])
        else:
            lines.append(word)
    text = "\n".join(line.strip() for line in lines)
    assert text.count("-\n") > 1
    assert book(f"{text}\n\n{fill(STORY, 57)}").sections[0].text.startswith(PROSE)


def test_a_compound_broken_at_its_hyphen_keeps_it() -> None:
    text = "so " * 20 + "well-\n" + fill(f"known was she. {PROSE} All is well, it is known.", 66)
    assert "so well-known was she" in book(text).sections[0].text


def test_verse_keeps_its_lines_in_one_block() -> None:
    verse = (
        "The lamp is lit, the night is wide,\nThe boats are coming with the tide,\n"
        "And nobody is on the pier\nTo count the voices that we hear."
    )
    wrapped = "\n\n".join(fill(paragraph, 70) for paragraph in PARAGRAPHS)
    for text in (
        f"{STORY}\n\n{verse}\n\n{STORY}",
        f"{wrapped}\n\n    {verse.replace(chr(10), chr(10) + '    ')}\n\n{wrapped}",
    ):
        assert verse in book(text).sections[0].text.split("\n\n")


def test_lines_of_a_conversation_are_paragraphs() -> None:
    talk = "— Кто там?\n— Никого.\n— Тогда закрой дверь."
    assert book(f"{RUSSIAN}\n{talk}\n{RUSSIAN}").sections[0].text.split("\n\n")[1:4] == talk.split("\n")


def test_page_numbers_are_left_out() -> None:
    text = "\n\n".join(f"{PROSE}\n\n {page} " for page in range(7, 60, 3))
    assert book(text).sections[0].text == "\n\n".join([PROSE] * len(range(7, 60, 3)))


@pytest.mark.parametrize(("left", "right"), [("[", "]"), ("{", "}")])
def test_notes_at_the_end_stand_behind_the_block_that_refers_to_them(left: str, right: str) -> None:
    text = f"Глава 1\n\nОн сел в экипаж{left}1{right}.\n\nПриехали в порт{left}2{right}, и вышли."
    text += "\n\nПримечания\n\n1\n\nПовозка.\n\n2\n\nГавань."
    found = book(text).sections
    assert [section.heading for section in found] == [("Глава 1",)]
    assert found[0].text == "Он сел в экипаж.\n\n[1] Повозка.\n\nПриехали в порт, и вышли.\n\n[2] Гавань."


def test_a_note_stands_once_however_often_it_is_referred_to() -> None:
    note = "A lamp of the old kind. " * 400
    text = (
        "The Lamp\n\nChapter 1\n\n"
        + "\n\n".join(f"Line {n} tells of it.[1]" for n in range(400))
        + f"\n\nNotes\n\n1\n\n{note}"
    )
    whole = "\n".join(section.text for section in book(text).sections)
    assert whole.count("A lamp of the old kind.") == 400
    assert whole.startswith("Line 0 tells of it.\n\n[1] A lamp")
    assert "Line 1 tells of it.[1]" in whole


def test_notes_that_nothing_refers_to_stay_where_they_are() -> None:
    text = f"Глава 1\n\n{RUSSIAN}\n\nПримечания\n\n1\n\nПовозка.\n\n2\n\nГавань."
    assert headings(text) == [("Глава 1",), ("Примечания",)]


def test_numeric_references_of_converters_become_letters() -> None:
    assert book("Qui &#234;tes-vous? &amp; &#xe9;").sections[0].text == "Qui êtes-vous? &amp; é"


@given(
    st.lists(
        st.sampled_from(["Глава 1", "I", "1", "* * *", "МАЯК", "Примечания", PROSE, "Да.", "стих,", "    отступ", ""])
    )
)
def test_no_letter_is_lost(lines: list[str]) -> None:
    text = "\n".join(["Начало, после которого всё идёт своим чередом; заголовков здесь нет и титула тоже,", *lines])
    found = book(text).sections
    told = "".join(section.text for section in found) + "".join(
        heading for section in found for heading in section.heading
    )
    assert {letter for letter in text if letter.isalpha()} <= set(told)
    assert sum(map(len, (section.text.split() for section in found))) <= len(text.split()) + len(found)


@given(st.text(st.sampled_from("IVX12.\n —*[]{}АБвг:,-\t\f")))
def test_no_text_is_too_odd(text: str) -> None:
    assert all(section.text.strip() for section in book(text).sections)


def test_a_heading_behind_very_many_spaces_is_found() -> None:
    text = " " * 100_000 + "Chapter 1\n\nIt began.\n\nChapter 2\n\nIt ended."  # patience would end here
    assert [section.heading for section in book(text).sections] == [("Chapter 1",), ("Chapter 2",)]

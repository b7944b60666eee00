"""Plain text: spans are exact, sentences lose nothing, and what reads the same folds to the same."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ai_library_bot.text import (
    Span,
    blocks,
    clean,
    fold,
    fold_with_offsets,
    guess_language,
    one_line,
    sentences,
    visible,
    words,
)
from tests.texts import ANY_TEXT, EUROPEAN, prose

DANGEROUS = {"Cc", "Cs"}  # control characters, halves of pairs
BIDI = set(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C)))


def pieces(text: str, spans: list[Span]) -> list[str]:
    return [text[start:end] for start, end in spans]


class TestClean:
    @given(ANY_TEXT)
    def test_cleaning_twice_is_cleaning_once(self, text: str) -> None:
        assert clean(clean(text)) == clean(text)
        assert one_line(one_line(text)) == one_line(text)

    @given(ANY_TEXT)
    def test_nothing_is_left_that_a_terminal_would_obey(self, text: str) -> None:
        left = set(clean(text)) - {"\n"}
        assert left.isdisjoint(BIDI)
        assert DANGEROUS.isdisjoint(map(unicodedata.category, left))

    @given(ANY_TEXT)
    def test_one_line_and_visible_have_no_line_ends(self, text: str) -> None:
        assert len(one_line(text).splitlines()) <= 1
        assert len(visible(text).splitlines()) <= 1

    @pytest.mark.parametrize(
        ("text", "cleaned"),
        [
            ("a\r\nb\rc", "a\nb\nc"),
            ("a \n b", "a\nb"),
            ("a\n\n\n \n b", "a\n\nb"),
            ("  a\t\u00a0 b ", "a b"),
            ("пере\u00adнос", "перенос"),
            ("и\u0306", "й"),
            ("\x1b[31mred\u202e", "[31mred"),
            ("👩\u200d🚀", "👩\u200d🚀"),
            ("a\u2028b", "a\nb"),
            ("\ufeff", ""),
        ],
    )
    def test_examples(self, text: str, cleaned: str) -> None:
        assert clean(text) == cleaned

    def test_what_is_made_visible_can_be_read(self) -> None:
        assert visible("a\x1b\nb\u202e") == "a\\x1b\\nb\\u202e"


class TestFold:
    @given(ANY_TEXT)
    def test_folding_twice_is_folding_once(self, text: str) -> None:
        assert fold(fold(text)) == fold(text)

    @example("0\r¸")
    @given(EUROPEAN)
    def test_folded_text_with_offsets_is_the_folded_text_with_even_spaces(self, text: str) -> None:
        text = clean(text)
        folded, _ = fold_with_offsets(text)
        assert folded.strip() == " ".join(fold(text).split())

    @given(ANY_TEXT)
    def test_each_folded_character_knows_where_it_came_from(self, text: str) -> None:
        folded, offsets = fold_with_offsets(text)
        assert len(folded) == len(offsets)
        assert offsets == tuple(sorted(offsets))
        assert all(0 <= offset < len(text) for offset in offsets)
        for character, offset in zip(folded, offsets, strict=True):
            assert character == " " or not text[offset].isspace()

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("Ёлка", "елка"),
            ("Ёлка", "е\u0308лка".upper()),
            ("«Да»", '"да"'),
            ("“Go!”", '"GO!"'),
            ("it’s", "it's"),
            ("it`s", "it's"),
            ("1941–1945", "1941-1945"),
            ("за\u0301мок", "замок"),
            ("пере\u00adнос", "перенос"),
            ("ﬁre", "fire"),
            ("Straße", "STRASSE"),
            ("№ 5", "No 5"),
            ("Москва…", "москва..."),
            ("ｆｕｌｌ", "full"),
        ],
    )
    def test_what_reads_the_same_folds_to_the_same(self, one: str, other: str) -> None:
        assert fold(one) == fold(other)

    @pytest.mark.parametrize(
        ("one", "other"), [("дом", "дым"), ("и", "й"), ("1", "7"), ("a,", "a."), ("не был", "был")]
    )
    def test_what_reads_otherwise_stays_apart(self, one: str, other: str) -> None:
        assert fold(one) != fold(other)


class TestWords:
    @given(ANY_TEXT)
    def test_each_word_stands_where_it_says(self, text: str) -> None:
        found = list(words(text))
        assert all(word.folded == fold(text[word.start : word.end]) for word in found)
        assert all(before.end <= after.start for before, after in pairwise(found))

    @given(ANY_TEXT)
    def test_every_letter_and_digit_belongs_to_a_word(self, text: str) -> None:
        inside = {offset for word in words(text) for offset in range(word.start, word.end)}
        assert all(offset in inside for offset, character in enumerate(text) if character.isalnum())

    def test_stress_marks_and_soft_hyphens_do_not_part_a_word(self) -> None:
        assert [word.folded for word in words("За\u0301мок, пере\u00adнос; x_1")] == ["замок", "перенос", "x", "1"]


class TestBlocks:
    @given(ANY_TEXT)
    def test_blocks_are_what_stands_between_blank_lines(self, text: str) -> None:
        found = pieces(text, list(blocks(text)))
        assert all(found)
        assert all("\n\n" not in block for block in found)
        assert "".join(found).replace("\n", "") == text.replace("\n", "")


class TestSentences:
    @given(ANY_TEXT | prose())
    def test_every_character_but_white_space_is_in_one_sentence_of_its_block(self, text: str) -> None:
        spans = list(sentences(text))
        assert all(before[1] <= after[0] for before, after in pairwise(spans))
        assert all(piece and piece == piece.strip() for piece in pieces(text, spans))
        assert "".join("".join(pieces(text, spans)).split()) == "".join(text.split())
        assert all(any(start <= begin and end <= stop for start, stop in blocks(text)) for begin, end in spans)

    @settings(max_examples=30)
    @given(prose(), prose())
    def test_what_stands_in_other_blocks_makes_no_difference(self, one: str, other: str) -> None:
        both = f"{one}\n\n{other}"
        assert pieces(both, list(sentences(both))) == [
            *pieces(one, list(sentences(one))),
            *pieces(other, list(sentences(other))),
        ]

    def test_a_long_text_without_a_blank_line_takes_time_in_proportion_to_its_length(self) -> None:
        text = "Г. Иванов ушёл. " * 40_000  # quadratic work would take minutes
        assert sum(1 for _ in sentences(text)) == 40_000

    @pytest.mark.parametrize(
        "text",
        [
            # marks and what follows them
            "Он молчал. | Потом заговорил.",
            "He waited. | Then he spoke.",
            "Он молчал… | Потом заговорил.",
            "Он молчал… потом заговорил.",
            "He waited... | Then he spoke.",
            "He waited... and then spoke.",
            "Эх!.. | Пошёл он.",
            "What?! | He ran. | No!",
            "Did he say no? | No. | He said yes.",
            "He said no. | Then he left.",
            "Wait. | 5 men came.",
            "В комнате было 5. | Потом пришли ещё.",
            "Версия 3.5 вышла. | Всё работает.",
            "The price was $1.50. | Nobody paid.",
            "Without any mark at all",
            # quotes and brackets
            "«Иди!» | Он пошёл.",
            "Он сказал: «Иди». | Она пошла.",
            "Он сказал: «Иди.» | Она пошла.",
            "«Куда?» — спросил он.",
            "“Go!” he said. | She went.",
            "“Go.” | She went.",
            'He said, "Stop!" | Then he ran.',
            "(He left.) | She stayed.",
            "He left (at 5 p.m.). | She stayed.",
            # dialogue with dashes
            "— Да! — сказал он.",
            "— Да! — сказал он. | — Пойдём.",
            "— Кто там? — спросила она.",
            "— Нет... — прошептал он. | — Не надо.",
            # dates
            "Он родился в деревне под Москвой в 1812 г. | Москва тогда горела.",
            "Город основали на левом берегу реки в XIX в. | Потом его сожгли.",
            "В 1812 г. Наполеон вошёл в Москву. | Город горел.",
            "В XIX в. Россия изменилась. | Мир тоже.",
            "В 1941–1945 гг. Страна воевала.",
            "В 44 г. до н. э. Цезарь умер.",
            "Римский полководец и диктатор умер в 44 г. до н. э. | Рим молчал.",
            "В 44 г. до н. э. умер Цезарь. | Рим молчал.",
            "It was 1856. | He was born.",
            # abbreviations before names
            "Он жил в г. Москве. | Потом уехал.",
            "Он родился в 1850 г. в г. Иваново. | Снег шёл.",
            "Это сказал проф. Преображенский. | Все молчали.",
            "Г-н Петров и г-жа Иванова. | Оба врачи.",
            "Г-жа. Иванова вошла.",
            "Он жил в доме на ул. Ленина. | Потом уехал.",
            "Завод им. Горького стоял. | Река Волга тоже.",
            "Город стоит на р. Волге. | Вода высокая.",
            "Mr. Smith met Mrs. Jones. | They talked.",
            "Dr. Watson sat down. | Holmes smoked.",
            "St. Petersburg is cold. | We froze.",
            # initials
            "А. С. Пушкин родился в Москве. | Он писал стихи.",
            "А.С. Пушкин родился в Москве. | Он писал стихи.",
            "Пушкин А. С. родился в Москве.",
            "И. Иванов и П. Петров. | Оба врачи.",
            "J. R. R. Tolkien wrote it. | I read it.",
            "It was written by I. Newton. | We read it.",
            "He lives in the U.S. Army base. | It is large.",
            # abbreviations in the middle and at the end
            "Он ушёл, т. е. исчез. | Никто не искал.",
            "Он ушёл, т.е. исчез. | Никто не искал.",
            "Он купил хлеб, соль и т. д. | Потом ушёл.",
            "Он купил хлеб и т. п. и ушёл.",
            "Яблоки, груши и т.д. лежали на столе.",
            "Это стоило 100 руб. | Дорого.",
            "Сто тыс. рублей. | Это дорого.",
            "Всего 5 тыс. 200 руб. | Дорого.",
            "Fruit, e.g. Apples, is cheap. | Buy some.",
            "Fruit, i.e. apples, is cheap. | Buy some.",
            "He came at 5 p.m. | She left at six.",
            "He came at 5 p.m. on time.",
            "It was 6 a.m. | The sun rose.",
            "Smith et al. found it. | Good.",
            "Apples, pears, etc. | Then he left.",
            # numbers
            "Дом № 5 стоял пустой. | Ветер выл.",
            "No. 5 was empty. | The wind blew.",
            "См. стр. 12 и рис. 3. | Там всё сказано.",
            "Адрес: ул. Ленина, д. 5. | Там жил Иван.",
            "Герой (ч. III, гл. V) и Раскольников (ч. VI) говорят о том же. | И автор.",
            "Apples, pears, etc. | I left.",
            "1. The fox ran. | It hid.",
            "Chapter V. The Storm",
            # other scripts
            "彼は来た。 | 彼女は去った。",
        ],
    )
    def test_sentence_ends(self, text: str) -> None:
        """Each example is written with bars where sentences part."""
        expected = text.split(" | ")
        plain = " ".join(expected)
        assert pieces(plain, list(sentences(plain))) == expected

    def test_verse_runs_on_over_its_lines(self) -> None:
        verse = "Белеет парус\nОдинокий\nВ тумане моря."
        assert pieces(verse, list(sentences(verse))) == [verse]

    @pytest.mark.parametrize(
        "text",
        [
            "1. Хлеб\n2. Соль\n3. Вода",
            "Купить:\n- хлеб\n- соль",
            "• one\n• two",
            "— Да.\n— Нет.",
            "Имя | Год\nАнна | 1911",
        ],
    )
    def test_items_of_lists_and_rows_of_tables_stand_alone(self, text: str) -> None:
        assert pieces(text, list(sentences(text))) == text.split("\n")


class TestLanguage:
    @pytest.mark.parametrize(
        ("text", "language"),
        [
            ("Мост строили девять лет, и все девять лет река была против.", "ru"),
            ("Міст будували дев'ять років, і всі дев'ять років річка її не хотіла.", "uk"),
            ("The bridge was in the making for nine years, and the river was against it.", "en"),
            ("Die Brücke und der Fluss: sie ist nicht ein Freund, und das ist auch so.", "de"),
            ("Le pont et la rivière: elle est dans la vallée, et il ne veut pas.", "fr"),
            ("El puente que los hombres y las mujeres hacen por el río no se había hecho.", "es"),
            ("12345 !?", ""),
            ("", ""),
            ("Lorem ipsum dolor amet consectetur adipiscing elit", ""),
        ],
    )
    def test_the_language_is_told_by_its_commonest_words(self, text: str, language: str) -> None:
        assert guess_language(text) == language

    @given(st.text(max_size=200))
    def test_any_text_has_one_language_or_none(self, text: str) -> None:
        assert guess_language(text) in {"", "ru", "uk", "en", "de", "fr", "es"}


@example("")
@given(ANY_TEXT)
def test_no_text_is_too_strange(text: str) -> None:
    list(words(fold(text))), list(sentences(clean(text))), list(blocks(one_line(visible(text))))

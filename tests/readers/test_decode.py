"""Bytes become the text they were written as, whatever encoding that was."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_library_bot.readers.decode import decode

RUSSIAN = (
    "Вечером в порту зажгли фонари. Смотритель Ёлкин вышел на крыльцо, поднял воротник и долго глядел на воду. "
    "«Ещё одна ночь», — подумал он. Никто не ответил; только волны шумели у самых ступеней, да скрипел старый причал."
)
PLAIN_RUSSIAN = RUSSIAN.translate(str.maketrans("«»—", '""-'))  # DOS, KOI8 and ISO know no such quotes and dashes
UKRAINIAN = "Увечері в порту засвітили ліхтарі, і сторож її єдиної вежі вийшов на ґанок подивитися на хвилі та чайок."
FRENCH = "Le soir, on alluma les lampes du port. Le gardien était déjà là, près de l’eau : « Encore une nuit », dit-il."

CYRILLIC = {
    "cp1251": RUSSIAN,
    "mac-cyrillic": RUSSIAN,
    "koi8-r": PLAIN_RUSSIAN,
    "cp866": PLAIN_RUSSIAN,
    "iso-8859-5": PLAIN_RUSSIAN,
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", *CYRILLIC])
def test_russian_text_is_read_in_every_common_encoding(encoding: str) -> None:
    text = CYRILLIC.get(encoding, RUSSIAN)
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize("encoding", CYRILLIC)
@pytest.mark.parametrize("text", ["Глава первая", "ГЛАВА ВТОРАЯ. НОЧЬ В ПОРТУ", PLAIN_RUSSIAN.upper()])
def test_a_few_words_are_enough_also_in_capitals(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize("encoding", CYRILLIC)
def test_a_little_russian_in_an_english_book_keeps_its_letters(encoding: str) -> None:
    text = "He opened the old book and read aloud the words on its first page. " * 50 + PLAIN_RUSSIAN
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize(("text", "encoding"), [(UKRAINIAN, "cp1251"), (UKRAINIAN, "koi8-u"), (UKRAINIAN, "cp1125")])
def test_ukrainian_letters_survive(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize("declared", ["", "windows-1252", "iso-8859-1"])
def test_western_text_is_read_as_browsers_read_it(declared: str) -> None:
    assert decode(FRENCH.encode("cp1252"), declared) == FRENCH


def test_english_with_curly_quotes_keeps_them() -> None:
    text = "“It’s a fine evening,” said the keeper — and he shut the door. " * 20
    assert decode(text.encode("cp1252")) == text


@pytest.mark.parametrize(
    "declared", ["windows-1251", "utf-8", "koi8-r", "iso-8859-1", "utf-16", "no-such-encoding", ""]
)
@pytest.mark.parametrize("encoding", ["cp1251", "koi8-r", "cp866"])
def test_a_declared_encoding_that_lies_is_not_believed(declared: str, encoding: str) -> None:
    assert decode(PLAIN_RUSSIAN.encode(encoding), declared) == PLAIN_RUSSIAN


@pytest.mark.parametrize(
    ("text", "encoding"), [("吾輩は猫である。名前はまだ無い。", "shift_jis"), ("Żółta łódź", "cp1250")]
)
def test_a_declared_encoding_that_fits_is_believed(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding), encoding) == text


def test_damaged_bytes_cost_only_themselves() -> None:
    data = RUSSIAN.encode()
    assert decode(data[:60] + b"\xff" + data[60:]) == RUSSIAN[:33] + "\ufffd" + RUSSIAN[33:]
    assert decode(RUSSIAN.encode("cp1251") + b"\x98") == RUSSIAN + "\ufffd"


def test_bytes_that_no_encoding_explains_still_give_a_text() -> None:
    assert isinstance(decode(bytes(range(128, 256))), str)


@given(st.text())
def test_every_text_in_utf_8_comes_back(text: str) -> None:
    assert decode(codecs.BOM_UTF8 + text.encode()) == text


@given(st.binary(max_size=300), st.sampled_from(["", "utf-8", "cp1251", "idna", "hex", "utf-7"]))
def test_no_bytes_are_too_odd(data: bytes, declared: str) -> None:
    decode(data, declared)

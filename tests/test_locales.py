"""The sentences of every language: the same keys and placeholders, and all that the code asks for."""

from __future__ import annotations

import ast
import string
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

import ai_library_bot
from ai_library_bot import errors
from ai_library_bot.locales import LANGUAGES, messages, plural
from ai_library_bot.readers.sandbox import PROTECTIONS
from ai_library_bot.types import Damage, Progress

PACKAGE = Path(ai_library_bot.__file__).parent
PLURAL_FORMS = {"en": {"one", "many"}, "ru": {"one", "few", "many"}}
ERRORS = {
    name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.LibraryError)
}


def leaves(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every sentence with its dotted key; a table of plural forms is one sentence."""
    for key, value in table.items():
        if isinstance(value, dict) and not value.keys() <= {"one", "few", "many"}:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


SENTENCES = {
    language: dict(leaves(tomllib.loads((PACKAGE / "locales" / f"{language}.toml").read_text("utf-8"))))
    for language in LANGUAGES
}


def placeholders(sentence: str | dict[str, str]) -> set[str]:
    forms = sentence.values() if isinstance(sentence, dict) else [sentence]
    return {field for form in forms for _, field, _, _ in string.Formatter().parse(form) if field is not None}


def calls() -> Iterator[tuple[str, str, ast.expr]]:
    """Every call in the package with an argument: where it stands, what is called, its first argument."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                called = ast.unparse(node.func).rpartition(".")[2]
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", called, node.args[0]


def asked_for() -> Iterator[tuple[str, str]]:
    """Where the code asks for a sentence, and its key; of a key put together at run time, the part known before."""
    prefixes = dict.fromkeys(ERRORS, "error.") | {
        "Check": "doctor.",
        "Notice": "notice.",
        "say": "",
        "_say": "",
        "_counted": "count.",
    }
    for place, called, argument in calls():
        start = argument.values[0] if isinstance(argument, ast.JoinedStr) else argument
        if called in prefixes and isinstance(start, ast.Constant) and start.value not in LANGUAGES:
            yield place, f"{prefixes[called]}{start.value!s}"


def test_both_languages_have_the_same_sentences() -> None:
    assert SENTENCES["ru"].keys() == SENTENCES["en"].keys()


def test_both_languages_have_the_same_placeholders() -> None:
    russian, english = (
        {key: placeholders(value) for key, value in SENTENCES[language].items()} for language in LANGUAGES
    )
    assert russian == english


@pytest.mark.parametrize("language", LANGUAGES)
def test_plural_forms_are_complete(language: str) -> None:
    for key, value in SENTENCES[language].items():
        if isinstance(value, dict):
            assert value.keys() == PLURAL_FORMS[language], key


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_is_empty_or_has_stray_space(language: str) -> None:
    for key, value in SENTENCES[language].items():
        for sentence in value.values() if isinstance(value, dict) else [value]:
            if not key.endswith(".examples") and key != "number.thousands":
                assert sentence, key
                assert sentence == sentence.strip(), key


def test_russian_sentences_are_in_russian() -> None:
    same = {key for key, value in SENTENCES["ru"].items() if value == SENTENCES["en"][key]}
    spoken = {key for key in same if not key.endswith(".examples")}
    assert spoken <= {"help.metavar.limit", "help.metavar.to", "help.metavar.around"}


def test_every_sentence_the_code_asks_for_exists() -> None:
    asked = list(asked_for())
    assert len(asked) > 50
    missing = [
        f"{place}: {key}"
        for place, key in asked
        if not any(known == key or (key.endswith(".") and known.startswith(key)) for known in SENTENCES["en"])
    ]
    assert missing == []


def test_every_sentence_is_asked_for() -> None:
    named = {"install_completion", "show_completion"}  # options that Typer adds
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                named.update(node.value.split("."))
            elif isinstance(node, ast.arg):  # of a command
                named.add(node.arg)
            elif isinstance(node, ast.Name):  # of a setting
                named.add(node.id)
    assert [key for key in SENTENCES["en"] if key.rpartition(".")[2] not in named] == []


@pytest.mark.parametrize(
    ("table", "names"),
    [
        ("phase", get_args(get_type_hints(Progress)["phase"])),
        ("damage", get_args(get_type_hints(Damage)["reason"])),
        ("doctor.reader", PROTECTIONS),
        ("language", (*LANGUAGES, "unknown")),
    ],
)
def test_every_name_that_becomes_part_of_a_key_has_its_sentence(table: str, names: tuple[str, ...]) -> None:
    assert names
    for name in names:
        assert f"{table}.{name}" in SENTENCES["en"]


@pytest.mark.parametrize(
    ("form", "counts"),
    [
        ("one", (1, 21, 101, 1001)),
        ("few", (2, 3, 4, 22, 34, 104)),
        ("many", (0, 5, 11, 12, 14, 19, 20, 25, 111, 112, 1014)),
    ],
)
def test_russian_counts_as_russians_do(form: str, counts: tuple[int, ...]) -> None:
    assert {plural("ru", count) for count in counts} == {form}


def test_a_sentence_with_plural_forms_follows_its_count() -> None:
    say = messages("ru")
    assert [say("count.books", count=count, number=count) for count in (1, 3, 5)] == ["1 книга", "3 книги", "5 книг"]


@pytest.mark.parametrize(
    ("language", "value", "digits", "written"),
    [
        ("en", 1234567, 0, "1,234,567"),
        ("ru", 1234567, 0, "1\u00a0234\u00a0567"),
        ("en", 1234.56, 1, "1,234.6"),
        ("ru", 1234.56, 1, "1\u00a0234,6"),
        ("ru", 0, 0, "0"),
    ],
)
def test_numbers_are_written_as_the_language_writes_them(
    language: str, value: float, digits: int, written: str
) -> None:
    assert messages(language).number(value, digits) == written


@pytest.mark.parametrize(
    ("megabytes", "limit", "english", "russian"),
    [
        (69.0, 20.0, "69 MB is more than the 20 MB", "69 МБ — больше 20 МБ"),
        (1.5, 0.25, "1.5 MB is more than the 0.25 MB", "1,5 МБ — больше 0,25 МБ"),
        (1234.5, 100.0, "1,234.5 MB is more than the 100 MB", "1\u00a0234,5 МБ — больше 100 МБ"),
    ],
)
def test_so_are_those_in_a_sentence(megabytes: float, limit: float, english: str, russian: str) -> None:
    for language, written in (("en", english), ("ru", russian)):
        said = messages(language)("error.too_large", path="a.pdf", megabytes=megabytes, limit=limit)
        assert said.startswith(f"a.pdf: {written}")


def test_an_unknown_language_speaks_english() -> None:
    assert messages("xx").language == "en"

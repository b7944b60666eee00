"""Settings come from constructor arguments, the environment and `.env`, and bad ones are named in plain words."""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ai_library_bot.errors import BadSetting
from ai_library_bot.locales import LANGUAGES, interface_language
from ai_library_bot.prices import Price
from ai_library_bot.settings import Settings

EXAMPLE = Path(__file__).parent.parent / ".env.example"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (*Settings.model_fields, "lc_all", "lc_messages", "lang"):
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def test_nothing_needs_to_be_set() -> None:
    settings = Settings()
    assert settings.faiss_path == Path("index")
    assert settings.books_path == Path("books")
    assert (settings.max_book_mb, settings.min_passage_chars, settings.min_relevance) == (20, 200, 0.7)
    assert (settings.keep_generations, settings.log_level) == (5, "WARNING")
    assert (settings.openai_api_key, settings.embedder, settings.metrics_port) == (None, None, None)


def test_arguments_win_over_the_environment_and_the_environment_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("MAX_BOOK_MB=1\nKEEP_GENERATIONS=1\nMIN_PASSAGE_CHARS=1\n")
    monkeypatch.setenv("KEEP_GENERATIONS", "2")
    monkeypatch.setenv("MIN_PASSAGE_CHARS", "2")
    settings = Settings(min_passage_chars=3)
    assert (settings.max_book_mb, settings.keep_generations, settings.min_passage_chars) == (1, 2, 3)


def test_a_file_saved_by_notepad_is_understood() -> None:
    Path(".env").write_text("BOOKS_PATH=Книги\n", encoding="utf-8-sig")
    assert Settings().books_path == Path("Книги")


def test_what_others_set_is_left_alone() -> None:
    Path(".env").write_text("SOME_OTHER_PROGRAM=on\n")
    assert Settings() == Settings(faiss_path=Path("index"))


def test_a_variable_without_a_value_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_BOOK_MB", "")
    assert Settings().max_book_mb == 20


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOOKS_PATH", "~/Books")
    assert Settings().books_path == Path.home() / "Books"


def test_letter_case_of_words_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIBRARY_LANG", "RU")
    monkeypatch.setenv("LOG_LEVEL", "debug")
    assert (Settings().library_lang, Settings().log_level) == ("ru", "DEBUG")


BAD_VALUES = {
    "MAX_BOOK_MB": ("big", "0", "-1", "inf"),
    "MIN_PASSAGE_CHARS": ("-1", "1001", "2.5"),
    "MIN_RELEVANCE": ("1.1", "-0.1", "high", "nan"),
    "KEEP_GENERATIONS": ("0", "all"),
    "LIBRARY_LANG": ("fr",),
    "LOG_LEVEL": ("loud",),
    "OPENAI_BASE_URL": ("api.openai.com", "ftp://localhost/v1"),
    "ANSWER_SECONDS": ("0", "601", "soon", "nan"),
    "EMBEDDER": ("cohere",),
    "EMBEDDING_DIMENSIONS": ("0", "8193", "many"),
    "RERANK_URL": ("localhost:8080",),
    "CACHE_BACKEND": ("disk",),
    "PRICES": ("{", "cheap", "[1]", '{"m": 1}', '{"m": {"input": -1}}', '{"m": {"input": 1, "inptu": 2}}', "[" * 9999),
    "METRICS_PORT": ("0", "65536", "http"),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD_VALUES.items() for value in values])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_bad_value_names_the_setting_and_what_it_got(
    name: str, value: str, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadSetting) as raised:
        Settings()
    sentence = raised.value.say(language)
    assert sentence.startswith(name)
    assert value in sentence
    assert raised.value.exit_code == 78


BAD_SECRETS = {
    "OPENAI_API_KEY": ("sk-geheim…", "sk-geheim key", "sk-geheim\nkey", "\t"),
    "RERANK_API_KEY": ("geheim-ключ",),
    "REDIS_URL": (
        "http://:geheim@localhost",
        "redis://:geheim@localhost:99999",
        "redis://",
        "redis://[geheim",
        "geheim",
    ),
    "OPENAI_BASE_URL": ("htp://user:geheim@localhost/v1", "ftp://user:geheim/@x@localhost/v1"),
    "RERANK_URL": ("htp://user:geheim@localhost/v1",),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD_SECRETS.items() for value in values])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_bad_value_of_a_secret_is_named_and_not_repeated(
    name: str, value: str, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadSetting) as raised:
        Settings()
    assert raised.value.say(language).startswith(name)
    assert "geheim" not in raised.value.say(language)
    assert "geheim" not in "".join(traceback.format_exception(raised.value))
    assert raised.value.exit_code == 78


def test_secrets_are_shown_nowhere() -> None:
    arguments: dict[str, Any] = {
        "openai_api_key": "sk-geheim",
        "rerank_api_key": "geheim",
        "redis_url": "redis://:geheim@localhost:6379/0",
    }
    settings = Settings(**arguments)
    for shown in (repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json()):
        assert "geheim" not in shown
    assert settings.openai_api_key is not None
    assert settings.openai_api_key.get_secret_value() == "sk-geheim"


def test_white_space_around_a_key_is_not_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", " sk-geheim\r\n")
    key = Settings().openai_api_key
    assert key is not None
    assert key.get_secret_value() == "sk-geheim"


def test_prices_are_written_as_json_or_given_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    price = Price(input=0.4, output=1.6)
    Path(".env").write_text('PRICES={"my-model": {"input": 0.4, "output": 1.6}}\n')
    assert Settings().prices == {"my-model": price}
    monkeypatch.setenv("PRICES", '{"my-model": {"input": 1}}')
    assert Settings().prices == {"my-model": Price(input=1)}
    assert Settings(prices={"my-model": price}).prices == {"my-model": price}


@pytest.mark.parametrize(
    "address", ["redis://h", "rediss://user:pass@h:6380/1", "unix:///run/redis.sock", "redis://[::1]:1/0"]
)
def test_redis_may_stand_at_any_address_that_its_client_knows(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", address)
    assert Settings().redis_url.get_secret_value() == address


@pytest.mark.parametrize("name", Settings.model_fields)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_setting_has_its_sentence_for_a_bad_value(name: str, language: str) -> None:
    assert BadSetting(f"setting.{name}", value="?").say(language).startswith(name.upper())


def test_a_bad_argument_of_the_wrong_kind_is_named_too() -> None:
    wrong: dict[str, Any] = {"faiss_path": 5}
    with pytest.raises(BadSetting, match="FAISS_PATH"):
        Settings(**wrong)


def test_the_example_file_explains_every_setting_and_shows_its_default() -> None:
    lines = EXAMPLE.read_text("utf-8").splitlines()
    shown = dict(line.removeprefix("#").split("=", 1) for line in lines if re.match(r"#?[A-Z_]+=", line))
    assert shown.keys() == {name.upper() for name in Settings.model_fields}
    spelled_out: dict[str, Any] = {name.lower(): value for name, value in shown.items() if value}
    assert Settings(**spelled_out) == Settings()
    for before, line in pairwise(lines):
        if re.match(r"#?[A-Z_]+=", line):
            assert before.startswith("# "), f"nothing is said about {line}"


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({"LANG": "ru_RU.UTF-8"}, "ru"),
        ({"LANG": "en_US.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "ru_RU.UTF-8"}, "ru"),
        ({"LANG": "ru_RU.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "ru_RU.UTF-8", "LC_ALL": ""}, "ru"),
        ({"LANG": "ru_RU.UTF-8", "LIBRARY_LANG": "en"}, "en"),
        ({"LANG": "en_US.UTF-8", "LIBRARY_LANG": "ru"}, "ru"),
        ({"LANG": "ru_RU.UTF-8", "LIBRARY_LANG": "xx"}, "ru"),
    ],
)
def test_the_interface_speaks_the_language_of_the_locale_or_the_chosen_one(
    environment: Mapping[str, str], language: str
) -> None:
    assert interface_language(environment) == language


def test_settings_speak_the_language_of_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "ru_RU.UTF-8")
    assert Settings().library_lang == "ru"

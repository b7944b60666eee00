"""The log: a line for each event, no secret in it, and nothing that a terminal would obey."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from ai_library_bot import logs
from ai_library_bot.settings import Settings

KEY = 'sk-"abc\\def"123'
PASSWORD = "p@ss/word"


@pytest.fixture(autouse=True)
def _the_log_as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(logs, "_hidden", set())
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def told(capsys: pytest.CaptureFixture[str], message: str, *, as_json: bool) -> str:
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]
        openai_api_key=SecretStr(KEY),
        openai_base_url="https://somebody:hidden-too@service.example/v1",
        redis_url=SecretStr("redis://:p%40ss%2Fword@localhost:6379/0"),
    )
    logs.start(settings, as_json=as_json)
    try:
        _ = dict[str, str]()[message]
    except KeyError:
        logging.getLogger("test").exception(message)
    return capsys.readouterr().err


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("secret", [KEY, PASSWORD, "p%40ss%2Fword", "hidden-too"])
def test_no_secret_is_written_however_it_is_spelled(
    capsys: pytest.CaptureFixture[str], secret: str, as_json: bool
) -> None:
    text = told(capsys, f"refused: {secret}!", as_json=as_json)
    assert secret not in text
    assert json.dumps(secret)[1:-1] not in text
    assert f"refused: {logs.HIDDEN}!" in text


def test_nothing_in_a_message_moves_the_cursor_or_begins_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    text = told(capsys, "a\x1b[2J\x9b2J\u202eb\nERROR bot: forged", as_json=False)
    assert not set(text) & {*"\x1b\x9b\u202e"}
    assert text.startswith(r"ERROR test: a\x1b[2J\x9b2J\u202eb\nERROR bot: forged")
    assert "Traceback (most recent call last):" in text.splitlines()


def test_as_json_an_event_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    message = "a\x1b[2J\x9b2J\u202eb\nERROR bot: forged"
    text = told(capsys, message, as_json=True)
    assert text.count("\n") == 1
    assert not set(text) & {*"\x1b\x9b\u202e"}
    assert json.loads(text)["message"] == message
    assert json.loads(text)["trace"].startswith("Traceback")

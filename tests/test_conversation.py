"""A conversation is remembered in the index folder, and whatever happens to its file stops nobody from asking."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given

from ai_library_bot.conversation import Conversation
from ai_library_bot.locales import LANGUAGES, messages
from ai_library_bot.types import Turn
from tests.texts import ANY_TEXT

TURNS = (Turn("Кто хранил маяк?", "Прохор. [1]"), Turn("Why?", ""))


def test_what_was_said_is_there_the_next_time(tmp_path: Path) -> None:
    assert Conversation(tmp_path).turns() == ()
    assert Conversation(tmp_path).write(TURNS) == ()
    assert Conversation(tmp_path).turns() == TURNS
    assert [path.name for path in tmp_path.iterdir()] == ["conversation.json"]


def test_a_new_conversation_forgets_the_old_one(tmp_path: Path) -> None:
    Conversation(tmp_path).write(TURNS)
    Conversation(tmp_path).write(TURNS[1:])
    assert Conversation(tmp_path).turns() == TURNS[1:]


def test_only_the_last_turns_are_kept_and_long_ones_are_cut(tmp_path: Path) -> None:
    conversation = Conversation(tmp_path)
    conversation.write([Turn(f"{number}" + "?" * 100_000, "!" * 100_000) for number in range(200)])
    kept = conversation.turns()
    assert [turn.question[:3] for turn in kept] == [f"{number}" for number in range(190, 200)]
    assert (tmp_path / "conversation.json").stat().st_size < 100_000


@given(ANY_TEXT, ANY_TEXT)
def test_any_text_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, question: str, answer: str) -> None:
    folder = tmp_path_factory.mktemp("index")
    assert Conversation(folder).write([Turn(question, answer)]) == ()
    assert Conversation(folder).turns() == (Turn(question, answer),)


@pytest.mark.parametrize(
    "data",
    [
        *(
            b"",
            b"\xff\xfe",
            b"[]",
            b"{}",
            b'"turns"',
            b'{"turns": 5}',
            b'{"turns": [5]}',
            b'{"turns": [{}]}',
            b"[" * 99_999,
        ),
        b'{"turns": [{"question": 1, "answer": "x"}]}',
        b'{"turns": {"question": "q", "answer": "a"}}',
        json.dumps({"turns": [{"question": "q" * 3_000_000, "answer": ""}]}).encode(),
    ],
)
def test_a_file_that_cannot_be_read_is_a_new_conversation(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "conversation.json").write_bytes(data)
    assert Conversation(tmp_path).turns() == ()
    Conversation(tmp_path).write(TURNS)
    assert Conversation(tmp_path).turns() == TURNS


@pytest.mark.parametrize("error", [PermissionError(13, "denied"), OSError(28, "full"), OSError(5, "broken")])
def test_where_nothing_can_be_written_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    def refuse(*_: object) -> None:
        raise error

    conversation = Conversation(tmp_path)
    conversation.write(TURNS)
    monkeypatch.setattr(os, "fsync", refuse)
    (notice,) = conversation.write(TURNS[1:])
    assert notice.key == "not_remembered"
    for language in LANGUAGES:
        assert str(tmp_path) in messages(language).notice(notice)
    assert conversation.turns() == TURNS


def test_a_folder_that_is_not_there_is_no_fault_of_the_reader(tmp_path: Path) -> None:
    conversation = Conversation(tmp_path / "nowhere")
    assert conversation.turns() == ()
    assert [notice.key for notice in conversation.write(TURNS)] == ["not_remembered"]

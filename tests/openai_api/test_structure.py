"""`openai_api.structure`: finding an answer in whatever a model says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from ai_library_bot.openai_api.structure import DoesNotFit, instruction, json_schema, read


class Word(BaseModel):
    text: str
    weight: float = 1


class Found(BaseModel):
    found: bool
    words: list[Word] = []


ANSWER = Found(found=True, words=[Word(text="lamp {it}"), Word(text="маяк\n«так»", weight=0.5)])
AS_JSON = ANSWER.model_dump_json()

prose = st.text(st.characters(exclude_characters="{}<>", exclude_categories=["Cs"]))


@given(
    before=prose, after=prose, found=st.booleans(), texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])))
)
def test_an_answer_is_found_between_any_words(before: str, after: str, found: bool, texts: list[str]) -> None:
    answer = Found(found=found, words=[Word(text=text) for text in texts])
    assert read(before + answer.model_dump_json() + after, Found) == answer


@pytest.mark.parametrize(
    "text",
    [
        AS_JSON,
        f"```json\n{AS_JSON}\n```",
        f"Sure! Here it is:\n```\n{json.dumps(json.loads(AS_JSON), indent=2)}\n```\nAnything else?",
        f'<think>Is it {{}} or {{"found": false}}?</think>{AS_JSON}',
        f"The set {{a, b}} is {{'no': 'json'}}. {AS_JSON}",
        f'{{"what": 1}} {AS_JSON}',
        AS_JSON.replace("\\n", "\n"),
        "\ufeff" + AS_JSON,
    ],
)
def test_words_fences_and_thoughts_do_not_matter(text: str) -> None:
    assert read(text, Found) == ANSWER


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no JSON object"),
        ("I could not find it, sorry.", "no JSON object"),
        (AS_JSON[:-3], "in the middle"),
        (AS_JSON[:30], "in the middle"),
        (AS_JSON[:-1] + "  ", "in the middle"),
        ("[true]", "no JSON object"),
        ("{" * 100_000, "no JSON object"),
        ('{"a":' * 100_000, "no JSON object"),
        ('{"words": []}', "found: Field required."),
        ('{"found": "perhaps"}', "found: "),
        ('{"found": true, "words": [{"text": 5}]}', "words.0.text: "),
        ('{"found": ' + "9" * 5000 + "}", "no JSON object"),
    ],
)
def test_what_does_not_fit_is_told_to_the_model(text: str, problem: str) -> None:
    with pytest.raises(DoesNotFit, match=problem):
        read(text, Found)


class Patient(BaseModel):
    words: list[str] = []


@pytest.mark.parametrize("text", ['{"words": 5, "more": {}}', '{"more": {}', '{"more": [{}, "'])
def test_an_object_within_another_is_not_taken_for_the_answer(text: str) -> None:
    with pytest.raises(DoesNotFit):
        read(text, Patient)


def test_halves_of_characters_reach_nobody() -> None:
    assert read('{"words": ["\\ud83d", "\\ud83d\\udca1"]}', Patient).words == ["?", "\N{ELECTRIC LIGHT BULB}"]


def parts(schema: Any) -> list[dict[str, Any]]:
    if isinstance(schema, dict):
        return [schema, *(part for value in schema.values() for part in parts(value))]
    return [part for value in schema for part in parts(value)] if isinstance(schema, list) else []


def test_a_strict_schema_asks_for_everything_and_nothing_more() -> None:
    objects = [part for part in parts(json_schema(Found)) if part.get("type") == "object"]
    assert len(objects) == 2
    for part in objects:
        assert part["required"] == list(part["properties"])
        assert part["additionalProperties"] is False
    assert not [part for part in parts(json_schema(Found)) if "default" in part]


def test_the_instruction_holds_the_schema_and_the_word_json() -> None:
    assert "JSON" in instruction(Found)
    assert '"words"' in instruction(Found)

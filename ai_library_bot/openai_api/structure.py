"""Answers in the shape of a pydantic model: how to ask for them, and how to read what comes instead."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

Schema = TypeVar("Schema", bound=BaseModel)

# Models that think aloud do so before they answer.
_THOUGHTS = re.compile(r"<think>.*?</think>", re.DOTALL)
_MOST_OPENINGS = 50
_MOST_PROBLEMS = 5

# Weak models break lines inside strings, which strict JSON forbids.
_DECODER = json.JSONDecoder(strict=False)


class DoesNotFit(Exception):
    """An output that does not fit the shape; the message says why, in words for a model."""


@cache  # it takes milliseconds to make
def json_schema(schema: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema, strict: nothing may be left out, nothing added.

    That is the kind that OpenAI promises to keep to (https://platform.openai.com/docs/guides/structured-outputs).
    """
    strict: dict[str, Any] = _strict(schema.model_json_schema())
    return strict


@cache
def instruction(schema: type[BaseModel]) -> str:
    """How to ask for the shape in words, where a service knows no schemas."""
    described = json.dumps(schema.model_json_schema(), ensure_ascii=False)
    return f"Answer with one JSON object and nothing else. It has to fit this JSON Schema: {described}"


def read(text: str, schema: type[Schema]) -> Schema:
    """The first JSON object in the text that fits the schema; words, thoughts and fences around it do not matter.

    Raises DoesNotFit.
    """
    problem = "There is no JSON object in it."
    for value in _objects(_THOUGHTS.sub("", text)):
        # Written anew, because JSON can spell halves of characters, which no file or screen takes.
        whole = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
        try:
            return schema.model_validate_json(whole)
        except ValidationError as error:
            problem = _told(error)
    raise DoesNotFit(problem)


def _objects(text: str) -> Iterator[Any]:
    """The JSON objects in the text; one within another, or within one that is cut off, does not count.

    Raises DoesNotFit when the text ends within an object.
    """
    end = 0
    for opening in [found.start() for found in re.finditer(r"\{", text)][:_MOST_OPENINGS]:
        if opening < end:
            continue
        try:
            value, end = _DECODER.raw_decode(text, opening)
        except json.JSONDecodeError as error:
            if error.msg.startswith("Unterminated") or not text[error.pos :].strip():
                raise DoesNotFit("It ends in the middle of the JSON object.") from None
        except (ValueError, RecursionError):
            continue
        else:
            yield value


def _told(error: ValidationError) -> str:
    return " ".join(
        f"{'.'.join(map(str, problem['loc'])) or 'The object'}: {problem['msg']}."
        for problem in error.errors(include_url=False, include_input=False, include_context=False)[:_MOST_PROBLEMS]
    )


def _strict(part: Any) -> Any:
    if isinstance(part, list):
        return [_strict(item) for item in part]
    if not isinstance(part, dict):
        return part
    strict = {name: _strict(value) for name, value in part.items() if name != "default"}
    if "properties" in part:
        strict |= {"required": list(part["properties"]), "additionalProperties": False}
    return strict

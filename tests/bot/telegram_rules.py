"""What Telegram takes and what it refuses, in its words: texts, entities, keyboards, inline results.

Lengths and offsets are counted in UTF-16 code units, as Telegram counts them. Where Telegram silently mends entities
that overlap or reach out of the text, this refuses them: a bot that sends such entities has miscounted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.bot.telegram_links import Link, found

Json = dict[str, Any]

MOST_TEXT = 4096
MOST_CAPTION = 1024
MOST_BUTTONS = 100
MOST_RESULTS = 50
MOST_BYTES_OF_DATA = 64
MOST_COMMANDS = 100

INVISIBLE = (
    "\u00ad\u034f\u180e\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202f\u2060\u2061\u2062\u2063\u2064\u2800\ufeff"
)

_MADE_BY_TELEGRAM = {"mention", "hashtag", "cashtag", "bot_command", "url", "email", "phone_number"}
_QUOTES = {"blockquote", "expandable_blockquote"}
_CODE = {"code", "pre"}
_LINKS = {"text_link", "text_mention"}
_KINDS = {
    *_MADE_BY_TELEGRAM,
    *_QUOTES,
    *_CODE,
    *_LINKS,
    *("bold", "italic", "underline", "strikethrough", "spoiler", "custom_emoji", "date_time"),
}

_BUTTON_ACTIONS = {
    *("callback_data", "url", "web_app", "login_url", "switch_inline_query", "switch_inline_query_current_chat"),
    *("switch_inline_query_chosen_chat", "copy_text", "callback_game", "pay", "disabled"),
}


class Refusal(Exception):
    """An answer with `ok: false`; `parameters` as Telegram gives them, such as `retry_after`."""

    def __init__(self, status: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters


def bad(reason: str) -> Refusal:
    return Refusal(400, f"Bad Request: {reason}")


@dataclass(frozen=True, slots=True)
class Formatted:
    """A text as Telegram keeps it, with its entities and what a reader can tap in it."""

    text: str
    entities: tuple[Json, ...]
    links: tuple[Link, ...]


def utf16(text: str) -> int:
    """The length in UTF-16 code units."""
    return len(text) + sum(character > "\uffff" for character in text)


def check_unicode(text: str) -> None:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise bad("strings must be encoded in UTF-8")


def checked_message(text: Any, entities: Any) -> Formatted:
    """The text of a message, trimmed and found good; `Refusal` otherwise."""
    formatted = checked(text, entities)
    if not formatted.text:
        raise bad("message text is empty")
    if utf16(formatted.text) > MOST_TEXT:
        raise bad("message is too long")
    return formatted


def checked_caption(text: Any, entities: Any) -> Formatted:
    formatted = checked(text, entities)
    if utf16(formatted.text) > MOST_CAPTION:
        raise bad("message caption is too long")
    return formatted


def checked_draft(text: Any, entities: Any) -> Formatted:
    formatted = checked(text, entities)
    if utf16(formatted.text) > MOST_TEXT:
        raise bad("message is too long")
    return formatted


def checked(text: Any, entities: Any) -> Formatted:
    """The text without white space around it, the entities moved accordingly."""
    text = "" if text is None else text
    if not isinstance(text, str):
        raise bad("strings must be encoded in UTF-8")
    check_unicode(text)
    entities = entities or []
    if not isinstance(entities, list):
        raise bad("can't parse entities: expected an Array of MessageEntity")
    _check_entities(text, entities)
    trimmed = text.strip()
    if not trimmed.strip(INVISIBLE):
        return Formatted("", (), ())
    left = utf16(text[: len(text) - len(text.lstrip())])
    kept = tuple(_moved(entity, left, utf16(trimmed)) for entity in entities)
    entities = tuple(entity for entity in kept if entity["length"] > 0)
    return Formatted(trimmed, entities, tuple(links_of(trimmed, entities)))


def links_of(text: str, entities: Sequence[Json]) -> list[Link]:
    """What a reader can tap: what the bot made a link, and what Telegram makes one by itself."""
    barred, made = [], []
    for entity in entities:
        start = _position(text, entity["offset"])
        end = _position(text, entity["offset"] + entity["length"])
        if entity["type"] in _CODE | _LINKS:
            barred.append((start, end))
        if entity["type"] in _LINKS:
            made.append(Link(entity["type"], text[start:end], start))
    return sorted([*made, *found(text, barred)], key=lambda link: link.start)


def _position(text: str, offset: int) -> int:
    """A UTF-16 offset in code points."""
    return len(text.encode("utf-16-le")[: 2 * offset].decode("utf-16-le"))


def _moved(entity: Json, left: int, length: int) -> Json:
    start = max(entity["offset"] - left, 0)
    end = min(entity["offset"] + entity["length"] - left, length)
    return entity | {"offset": start, "length": end - start}


def _check_entities(text: str, entities: Sequence[Json]) -> None:
    length = utf16(text)
    units = text.encode("utf-16-le")
    for entity in entities:
        kind, offset, size = entity.get("type"), entity.get("offset"), entity.get("length")
        if kind not in _KINDS:
            raise bad("can't parse MessageEntity: Unsupported type specified")
        if not isinstance(offset, int) or not isinstance(size, int) or offset < 0 or size <= 0:
            raise bad("can't parse MessageEntity: receive an entity with incorrect offset or length")
        if offset + size > length:
            raise bad(f"entity beginning at UTF-16 offset {offset} ends after the end of the text")
        for place in (offset, offset + size):
            if place < length and 0xDC <= units[2 * place + 1] <= 0xDF:
                raise bad(f"entity at UTF-16 offset {offset} begins or ends in a middle of a UTF-16 symbol")
        if kind == "text_link" and not entity.get("url"):
            raise bad("can't parse MessageEntity: text_link needs an url")
        if kind == "text_mention" and not entity.get("user"):
            raise bad("can't parse MessageEntity: text_mention needs a user")
    _check_nesting(entities)


def _check_nesting(entities: Sequence[Json]) -> None:
    around: list[Json] = []
    for entity in sorted(entities, key=lambda entity: (entity["offset"], -entity["length"])):
        while around and _end(around[-1]) <= entity["offset"]:
            around.pop()
        if around and _end(entity) > _end(around[-1]):
            raise bad(f"entities at {around[-1]['offset']} and {entity['offset']} overlap partially")
        kinds = {other["type"] for other in around}
        if entity["type"] in kinds:
            raise bad(f"{entity['type']} at {entity['offset']} stands inside another one")
        if entity["type"] in _QUOTES and kinds & _QUOTES:
            raise bad("block quotations can't be nested")
        if kinds & _CODE or (entity["type"] in _CODE and kinds - _QUOTES):
            raise bad("code and pre entities can't contain other entities or stand in them")
        if entity["type"] in _LINKS and kinds & _LINKS:
            raise bad("links can't be nested")
        around.append(entity)


def _end(entity: Json) -> int:
    return int(entity["offset"] + entity["length"])


def checked_markup(markup: Any) -> Json | None:
    """A reply markup as Telegram keeps it with the message: an inline keyboard, or nothing."""
    if not markup:
        return None
    if not isinstance(markup, dict):
        raise bad("object expected as reply markup")
    if "inline_keyboard" not in markup:
        if not markup.keys() & {"keyboard", "remove_keyboard", "force_reply"}:
            raise bad("can't parse reply keyboard markup JSON object")
        return None
    rows = [row for row in markup["inline_keyboard"] if row]
    buttons = [button for row in rows for button in row]
    for button in buttons:
        check_button(button)
    if len(buttons) > MOST_BUTTONS:
        raise bad("reply markup is too long")
    return {"inline_keyboard": rows} if rows else None


def check_button(button: Json) -> None:
    """`Refusal` if Telegram does not take this button, be it under a message or inside a rich one."""
    if not button.get("text"):
        raise bad("can't parse inline keyboard button: Text is empty")
    actions = button.keys() & _BUTTON_ACTIONS
    if len(actions) != 1:
        raise bad("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
    if "callback_data" in actions:
        data = button["callback_data"]
        if not isinstance(data, str) or not 1 <= len(data.encode()) <= MOST_BYTES_OF_DATA:
            raise bad("BUTTON_DATA_INVALID")
    if "url" in actions and "://" not in str(button["url"]):
        raise bad("BUTTON_URL_INVALID")
    if button.get("style") not in (None, "primary", "success", "danger"):
        raise bad("can't parse inline keyboard button: invalid style")


def check_results(results: Any) -> None:
    """`Refusal` if Telegram does not take these as results of an inline query."""
    if not isinstance(results, list):
        raise bad("can't parse inline query results: expected an Array")
    if len(results) > MOST_RESULTS:
        raise bad("RESULTS_TOO_MUCH")
    if not all(1 <= len(str(result.get("id", "")).encode()) <= MOST_BYTES_OF_DATA for result in results):
        raise bad("RESULT_ID_INVALID")
    if len({result["id"] for result in results}) < len(results):
        raise bad("RESULT_ID_DUPLICATE")


_LONGEST_SETTINGS = {"name": 64, "description": 512, "short_description": 120}


def check_setting(name: str, parameters: Json) -> None:
    """`Refusal` if Telegram does not take this for the bot's commands, description or the like."""
    if name in _LONGEST_SETTINGS and utf16(parameters.get(name, "")) > _LONGEST_SETTINGS[name]:
        raise bad(f"bot {name} is too long")
    commands = parameters.get("commands") or []
    if len(commands) > MOST_COMMANDS:
        raise bad("BOT_COMMANDS_TOO_MUCH")
    for command in commands:
        if not re.fullmatch(r"[a-z0-9_]{1,32}", command["command"]):
            raise bad("BOT_COMMAND_INVALID")
        if not 1 <= utf16(command["description"]) <= 256:
            raise bad("BOT_COMMAND_DESCRIPTION_INVALID")

"""The methods of the Bot API, each a function of the server and the parameters."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ai_library_bot.readers.png import SIGNATURE
from tests.bot.telegram_chats import BOT, LARGEST_DOWNLOAD, Chat, Draft, File, message_in
from tests.bot.telegram_rich import checked_rich
from tests.bot.telegram_rules import (
    Formatted,
    Json,
    Refusal,
    bad,
    check_results,
    check_setting,
    checked_caption,
    checked_draft,
    checked_markup,
    checked_message,
    utf16,
)

if TYPE_CHECKING:
    from tests.bot.telegram_server import TelegramServer

Method = Callable[["TelegramServer", Json], Any]

LARGEST_PHOTO = 10 * 2**20
LARGEST_UPLOAD = 50 * 2**20
MOST_CHARACTERS_OF_A_POPUP = 200

_NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same "
    "as a current content and reply markup of the message"
)
_ACTIONS = {
    *("typing", "upload_photo", "record_video", "upload_video", "record_voice", "upload_voice", "upload_document"),
    *("choose_sticker", "find_location", "record_video_note", "upload_video_note"),
}


def get_me(server: TelegramServer, parameters: Json) -> Json:
    return BOT | {
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_inline_queries": True,
        "can_connect_to_business": False,
        "has_main_web_app": False,
    }


def send_message(server: TelegramServer, parameters: Json) -> Json:
    content = checked_message(parameters.get("text"), _entities(parameters))
    return _sent(server, parameters, _fields(content) | {"preview": _preview(parameters)})


def send_rich_message(server: TelegramServer, parameters: Json) -> Json:
    content = checked_rich(parameters.get("rich_message"))
    return _sent(server, parameters, _fields(content) | {"rich": parameters["rich_message"]})


def send_photo(server: TelegramServer, parameters: Json) -> Json:
    content = checked_caption(parameters.get("caption"), _entities(parameters, "caption_entities"))
    return _sent(server, parameters, _fields(content) | {"file": _photo(server, parameters, parameters.get("photo"))})


def send_document(server: TelegramServer, parameters: Json) -> Json:
    content = checked_caption(parameters.get("caption"), _entities(parameters, "caption_entities"))
    document = _file(server, parameters, parameters.get("document"), "document")
    return _sent(server, parameters, _fields(content) | {"file": document})


def send_message_draft(server: TelegramServer, parameters: Json) -> bool:
    return _drafted(server, parameters, checked_draft(parameters.get("text"), _entities(parameters)))


def send_rich_message_draft(server: TelegramServer, parameters: Json) -> bool:
    return _drafted(server, parameters, checked_rich(parameters.get("rich_message"), draft=True))


def edit_message_text(server: TelegramServer, parameters: Json) -> Json | bool:
    rich = parameters.get("rich_message")
    content = checked_message(parameters.get("text"), _entities(parameters)) if rich is None else checked_rich(rich)
    if rich is not None and parameters.get("text"):
        raise bad("exactly one of text and rich_message must be specified")
    fields = _fields(content) | {"rich": rich, "preview": rich is None and _preview(parameters)}
    return _edited(server, parameters, fields)


def edit_message_caption(server: TelegramServer, parameters: Json) -> Json | bool:
    content = checked_caption(parameters.get("caption"), _entities(parameters, "caption_entities"))
    return _edited(server, parameters, _fields(content), of_file=True)


def edit_message_media(server: TelegramServer, parameters: Json) -> Json | bool:
    media = parameters["media"]
    if media.get("type") != "photo":
        raise bad("this server of tests takes only photos here")
    content = checked_caption(media.get("caption"), media.get("caption_entities"))
    return _edited(server, parameters, _fields(content) | {"file": _photo(server, parameters, media["media"])})


def edit_message_reply_markup(server: TelegramServer, parameters: Json) -> Json | bool:
    return _edited(server, parameters, {}, of_file=None)


def delete_message(server: TelegramServer, parameters: Json) -> bool:
    chat = server.chat(parameters.get("chat_id"))
    message = message_in(chat, parameters.get("message_id"), to="delete")
    if not message.by_bot and not chat.private and chat.bot_status != "administrator":
        raise bad("message can't be deleted")
    del chat.messages[message.id]
    return True


def send_chat_action(server: TelegramServer, parameters: Json) -> bool:
    server.chat(parameters.get("chat_id")).check_bot_may_write()
    if parameters.get("action") not in _ACTIONS:
        raise bad("wrong parameter action in request")
    return True


def answer_callback_query(server: TelegramServer, parameters: Json) -> bool:
    query = str(parameters.get("callback_query_id"))
    if query not in server.open_queries:
        raise bad("query is too old and response timeout expired or query ID is invalid")
    if utf16(parameters.get("text") or "") > MOST_CHARACTERS_OF_A_POPUP:
        raise bad("MESSAGE_TOO_LONG")
    server.open_queries.discard(query)
    server.answers[query] = parameters
    return True


def answer_inline_query(server: TelegramServer, parameters: Json) -> bool:
    query = str(parameters.get("inline_query_id"))
    if query not in server.open_queries:
        raise bad("query is too old and response timeout expired or query ID is invalid")
    check_results(parameters.get("results"))
    for result in parameters["results"]:
        checked_markup(result.get("reply_markup"))
        if result.get("type") == "article" and not result.get("title"):
            raise bad("can't parse inline query result: ARTICLE_TITLE_EMPTY")
        content = result.get("input_message_content")
        if content is None and result.get("type") == "article":
            raise bad("can't parse inline query result: there must be input_message_content")
        if content is not None and "rich_message" in content:
            checked_rich(content["rich_message"])
        elif content is not None:
            checked_message(content.get("message_text"), _entities(content))
    if len(str(parameters.get("next_offset", "")).encode()) > 64:
        raise bad("NEXT_OFFSET_INVALID")
    server.open_queries.discard(query)
    server.answers[query] = parameters
    return True


def get_file(server: TelegramServer, parameters: Json) -> Json:
    file = server.files.get(str(parameters.get("file_id")))
    if file is None:
        raise bad("wrong file_id or the file is temporarily unavailable")
    if file.size > LARGEST_DOWNLOAD:
        raise bad("file is too big")
    told = {"file_id": file.id, "file_unique_id": f"u{file.id}", "file_size": file.size}
    return told | {"file_path": file.path}


def get_chat(server: TelegramServer, parameters: Json) -> Json:
    gifts = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")
    return server.chat(parameters.get("chat_id")).as_json | {
        "accent_color_id": 0,
        "max_reaction_count": 11,
        "accepted_gift_types": dict.fromkeys(gifts, False),
    }


def get_chat_member(server: TelegramServer, parameters: Json) -> Json:
    chat, user_id = server.chat(parameters.get("chat_id")), parameters.get("user_id")
    if user_id == BOT["id"]:
        return member(BOT, chat.bot_status)
    if user_id not in server.people:
        raise bad("invalid user_id specified")
    status = "member" if chat.private else chat.members.get(user_id, "left")
    return member(server.people[user_id].as_json, status)


def leave_chat(server: TelegramServer, parameters: Json) -> bool:
    chat = server.chat(parameters.get("chat_id"))
    chat.check_bot_may_write()
    if chat.private:
        raise bad("chat member status can't be changed in private chats")
    chat.bot_status = "left"
    return True


def remembered(name: str) -> Method:
    """A setting of the bot, such as its commands: kept in `server.settings` by scope and language."""

    def remember(server: TelegramServer, parameters: Json) -> bool:
        check_setting(name, parameters)
        scope = (parameters.get("scope") or {}).get("type", "default")
        server.settings[name, scope, parameters.get("language_code", "")] = parameters
        return True

    return remember


def member(user: Json, status: str) -> Json:
    """A `ChatMember` with everything that belongs to the status."""
    rights = (
        *("be_edited", "manage_chat", "delete_messages", "manage_video_chats", "restrict_members", "promote_members"),
        *("change_info", "invite_users", "post_stories", "edit_stories", "delete_stories"),
    )
    more: dict[str, Json] = {
        "creator": {"is_anonymous": False},
        "administrator": {"is_anonymous": False, "can_send_welcome_messages": False}
        | {f"can_{right}": False for right in rights},
        "kicked": {"until_date": 0},
    }
    return {"status": status, "user": user} | more.get(status, {})


def _entities(parameters: Json, name: str = "entities") -> Any:
    if parameters.get("parse_mode"):
        raise bad("can't parse entities: this server of tests takes entities, not parse_mode")
    return parameters.get(name)


def _fields(content: Formatted) -> Json:
    return {"text": content.text, "entities": content.entities, "links": content.links}


def _preview(parameters: Json) -> bool:
    options = parameters.get("link_preview_options") or {}
    return not (options.get("is_disabled") or parameters.get("disable_web_page_preview"))


def _sent(server: TelegramServer, parameters: Json, fields: Json) -> Json:
    chat = server.chat(parameters.get("chat_id"))
    chat.check_bot_may_write()
    fields["reply_markup"] = checked_markup(parameters.get("reply_markup"))
    fields["reply_to"] = _reply_to(chat, parameters)
    fields["silent"] = bool(parameters.get("disable_notification"))
    chat.count_message(server.per_chat_seconds, server.burst)
    return chat.told(chat.add(BOT, **fields))


def _reply_to(chat: Chat, parameters: Json) -> int | None:
    reply = parameters.get("reply_parameters") or {}
    message_id = reply.get("message_id") or parameters.get("reply_to_message_id")
    if message_id is None:
        return None
    if message_id not in chat.messages:
        if reply.get("allow_sending_without_reply") or parameters.get("allow_sending_without_reply"):
            return None
        raise bad("message to be replied not found")
    if reply.get("quote", "") not in chat.messages[message_id].text:
        raise bad("QUOTE_TEXT_INVALID")
    return int(message_id)


def _edited(server: TelegramServer, parameters: Json, fields: Json, *, of_file: bool | None = False) -> Json | bool:
    if "inline_message_id" in parameters:
        raise bad("MESSAGE_ID_INVALID")
    chat = server.chat(parameters.get("chat_id"))
    chat.check_bot_may_write()
    message = message_in(chat, parameters.get("message_id"), to="edit")
    if not message.by_bot:
        raise bad("message can't be edited")
    if of_file is False and "file" not in fields and message.file:
        raise bad("there is no text in the message to edit")
    if of_file and not message.file:
        raise bad("there is no caption in the message to edit")
    fields["reply_markup"] = checked_markup(parameters.get("reply_markup"))
    if all(getattr(message, name) == value for name, value in fields.items() if name not in ("links", "preview")):
        raise bad(_NOT_MODIFIED)
    chat.count_message(server.per_chat_seconds, server.burst)
    return chat.told(chat.change(message, **fields))


def _drafted(server: TelegramServer, parameters: Json, content: Formatted) -> bool:
    chat = server.chat(parameters.get("chat_id"))
    chat.check_bot_may_write()
    if not chat.private:
        raise bad("TEXTDRAFT_PEER_INVALID")
    if not isinstance(parameters.get("draft_id"), int) or parameters["draft_id"] == 0:
        raise bad("RANDOM_ID_INVALID")
    server.drafts.append(
        Draft(
            chat.id,
            parameters["draft_id"],
            rich=parameters.get("rich_message"),
            can_stop=bool(parameters.get("can_stop")),
            keep_on_stop=bool(parameters.get("keep_on_stop")),
            **_fields(content),
        )
    )
    return True


def _photo(server: TelegramServer, parameters: Json, named: Any) -> File:
    file = _file(server, parameters, named, "photo")
    if len(file.content) > LARGEST_PHOTO:
        raise bad("file is too big")
    if not file.content.startswith(SIGNATURE + b"\0\0\0\rIHDR"):  # it knows no other kind of picture
        raise bad("IMAGE_PROCESS_FAILED")
    width, height = struct.unpack(">II", file.content[16:24])
    if width + height > 10_000 or max(width, height) > 20 * min(width, height):
        raise bad("PHOTO_INVALID_DIMENSIONS")
    return server.keep_file("photo", file.name, file.content, width=width, height=height)


def _file(server: TelegramServer, parameters: Json, named: Any, kind: str) -> File:
    """What was uploaded, or a file that Telegram has already."""
    if isinstance(named, str) and named in server.files:
        return server.files[named]
    key = named.removeprefix("attach://") if isinstance(named, str) else kind
    upload = parameters.get(key)
    if not isinstance(upload, tuple):
        raise bad("wrong remote file identifier specified: can't unserialize it")
    name, content = upload
    if not content:
        raise bad("file must be non-empty")
    if len(content) > LARGEST_UPLOAD:
        raise Refusal(413, "Request Entity Too Large")
    return server.keep_file(kind, name, content)


METHODS: dict[str, Method] = {
    "getme": get_me,
    "sendmessage": send_message,
    "sendrichmessage": send_rich_message,
    "sendmessagedraft": send_message_draft,
    "sendrichmessagedraft": send_rich_message_draft,
    "sendphoto": send_photo,
    "senddocument": send_document,
    "sendchataction": send_chat_action,
    "editmessagetext": edit_message_text,
    "editmessagecaption": edit_message_caption,
    "editmessagemedia": edit_message_media,
    "editmessagereplymarkup": edit_message_reply_markup,
    "deletemessage": delete_message,
    "answercallbackquery": answer_callback_query,
    "answerinlinequery": answer_inline_query,
    "getfile": get_file,
    "getchat": get_chat,
    "getchatmember": get_chat_member,
    "leavechat": leave_chat,
    "setmycommands": remembered("commands"),
    "setmydescription": remembered("description"),
    "setmyshortdescription": remembered("short_description"),
    "setmyname": remembered("name"),
    "setchatmenubutton": remembered("menu_button"),
    "getwebhookinfo": lambda server, parameters: server.updates.webhook_info(),
    "setwebhook": lambda server, parameters: server.updates.set_webhook(parameters),
    "deletewebhook": lambda server, parameters: server.updates.delete_webhook(parameters),
    "logout": lambda server, parameters: True,
    "close": lambda server, parameters: True,
}
"""By name in small letters: Telegram does not care."""

"""`@bot words` in any chat: quotations with their source, ready to send."""

from __future__ import annotations

from aiogram import Router
from aiogram.types import InlineQuery, InlineQueryResultArticle, InputTextMessageContent, LinkPreviewOptions

from ai_library_bot.bot import rendering
from ai_library_bot.bot.layout import parts
from ai_library_bot.errors import MissingInput
from ai_library_bot.library import Library
from ai_library_bot.locales import Messages
from ai_library_bot.locators import source
from ai_library_bot.types import Citation

_OFFERED = 5
_CACHED = 30  # seconds that Telegram may keep what was offered to one person
_LONGEST_DESCRIPTION = 120  # characters


def router() -> Router:
    made = Router(name="inline")
    made.inline_query.register(_offer)
    return made


async def _offer(query: InlineQuery, library: Library, say: Messages) -> None:
    try:
        citations = await library.quotations(query.query, limit=_OFFERED)
    except MissingInput:  # there are no books yet
        citations = ()
    await query.answer([_article(say, one) for one in citations], cache_time=_CACHED, is_personal=True)


def _article(say: Messages, citation: Citation) -> InlineQueryResultArticle:
    part, *_ = parts(rendering.inline_result(say, citation))
    quote = " ".join(citation.quote.split())
    return InlineQueryResultArticle(
        id=str(citation.number),
        title=source(say, citation.book),
        description=quote if len(quote) <= _LONGEST_DESCRIPTION else f"{quote[:_LONGEST_DESCRIPTION]}…",
        input_message_content=InputTextMessageContent(
            message_text=part.text, entities=part.entities, link_preview_options=LinkPreviewOptions(is_disabled=True)
        ),
    )

"""From the settings to what stands behind the doors of `protocols`. Making one opens nothing and asks nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ai_library_bot.settings import OPENAI

if TYPE_CHECKING:
    from collections.abc import Callable

    from ai_library_bot.local_model.hub import Fetched
    from ai_library_bot.openai_api.chat import Chat, ChatModel
    from ai_library_bot.openai_api.service import Service
    from ai_library_bot.openai_api.transcription import Transcriber
    from ai_library_bot.protocols import AnswerCache, Embedder, Reranker
    from ai_library_bot.settings import Settings

_EMBEDDING_MODEL = "text-embedding-3-small"
_NONE = "none"
_CHAT = "chat"


def service(settings: Settings) -> Service | None:
    """The service to ask: OpenAI if there is a key for it, or the server at another address."""
    if settings.openai_api_key is None and settings.openai_base_url == OPENAI:
        return None
    from ai_library_bot.openai_api.service import Service

    return Service(settings.openai_base_url, settings.openai_api_key)


def chat_name(settings: Settings) -> str | None:
    """The name of the model that writes, if one does."""
    has_service = settings.openai_api_key is not None or settings.openai_base_url != OPENAI
    return settings.openai_model if has_service and settings.openai_model != _NONE else None


def embedder(settings: Settings, on_fetch: Callable[[Fetched], None]) -> Embedder | None:
    """Who makes vectors, if anybody; `on_fetch` hears how far the fetching of a local model is."""
    if settings.embedder == "local":
        from ai_library_bot.local_model.embedder import DEFAULT_MODEL, LocalEmbedder

        return LocalEmbedder(settings.embedding_model or DEFAULT_MODEL, on_fetch=on_fetch)
    asked = service(settings)
    if settings.embedder == _NONE or asked is None:
        return None
    from ai_library_bot.openai_api.embedding import OpenAIEmbedder

    model = settings.embedding_model or _EMBEDDING_MODEL
    return OpenAIEmbedder(asked, model, settings.embedding_dimensions, settings.prices)


def chat(settings: Settings) -> ChatModel | None:
    """The model that writes, if any."""
    name = chat_name(settings)
    if name is None:
        return None
    from ai_library_bot.openai_api.chat import ChatModel

    return ChatModel(settings.openai_base_url, settings.openai_api_key, name, settings.prices)


def endpoint_reranker(settings: Settings) -> Reranker | None:
    """The endpoint that orders the passages found anew, if there is one."""
    if settings.rerank_url is None:
        return None
    from ai_library_bot.openai_api.reranking import EndpointReranker
    from ai_library_bot.openai_api.service import Service

    asked = Service(settings.rerank_url, settings.rerank_api_key)
    return EndpointReranker(asked, settings.rerank_url, settings.rerank_model)


def chat_reranker(settings: Settings, chat: Chat | None) -> Reranker | None:
    """The model that writes, as the one that orders the passages first, if it is to do so."""
    if settings.rerank_model != _CHAT or chat is None:
        return None
    from ai_library_bot.openai_api.reranking import ChatReranker

    return ChatReranker(chat)


def transcriber(settings: Settings) -> Transcriber | None:
    """Who understands speech, if anybody."""
    asked = service(settings)
    if settings.transcription_model is None or asked is None:
        return None
    from ai_library_bot.openai_api.transcription import Transcriber

    return Transcriber(asked, settings.transcription_model, settings.prices)


def cache(settings: Settings) -> AnswerCache | None:
    """Where answers are kept, if anywhere."""
    if settings.cache_backend == "redis":
        from ai_library_bot.answers.redis_cache import RedisCache

        return RedisCache(settings.redis_url)
    if settings.cache_backend == "memory":
        from ai_library_bot.answers.cache import MemoryCache

        return MemoryCache()
    return None

"""Speech to text by a service's model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from ai_library_bot.openai_api.service import Service
from ai_library_bot.prices import Price, priced
from ai_library_bot.text import one_line
from ai_library_bot.types import Usage

_PATH = "/audio/transcriptions"
_SETTING = "TRANSCRIPTION_MODEL"
_LONGEST = 4_000  # characters: minutes of speech

# The most that a recording may use. Speech is hardly ever packed tighter than into 750 bytes a second; a second is ten
# tokens of sound for OpenAI's models, and no more than that of text.
_BYTES_PER_SECOND = 750
_TOKENS_PER_SECOND = 10


class Transcriber:
    """The model `name` of a service. It finds out the language for itself."""

    def __init__(self, service: Service, name: str, prices: Mapping[str, Price] | None = None) -> None:
        self._service = service
        self._prices = prices or {}
        self.name = name

    def most(self, audio: bytes) -> Usage:
        """The most that the recording may use, generously estimated; nothing is sent."""
        tokens = math.ceil(len(audio) / _BYTES_PER_SECOND) * _TOKENS_PER_SECOND
        return priced(self.name, tokens, tokens, self._prices)

    async def transcribe(self, audio: bytes, file_name: str, *, seconds: float) -> tuple[str, Usage]:
        """What is said in the recording, on one line, empty if nothing is; one request, whole within `seconds`.

        The suffix of `file_name` tells the service how the sound is packed; nothing else of the name is sent.
        Raises Unavailable.
        """
        fields = {"model": self.name, "response_format": "json"}
        suffix = PurePath(file_name).suffix.lower()
        file = f"voice{suffix}" if suffix[1:].isascii() and suffix[1:].isalnum() else "voice.ogg", audio
        async with self._service.connected() as connection:
            answer = await connection.send_file(_PATH, fields, file, seconds=seconds, setting=_SETTING)
        text = answer.get("text") if isinstance(answer, dict) else None
        if not isinstance(text, str):
            raise self._service.nonsense("no transcription")
        return one_line(text)[:_LONGEST].strip(), self._usage(answer)

    def _usage(self, answer: dict[str, Any]) -> Usage:
        """As far as the service tells it in tokens; some models are paid by the minute."""
        told = answer.get("usage")
        read, written = (
            told.get(name) if isinstance(told, dict) else None for name in ("input_tokens", "output_tokens")
        )
        return priced(self.name, _count(read), _count(written), self._prices)


def _count(value: object) -> int:
    return value if type(value) is int and value > 0 else 0

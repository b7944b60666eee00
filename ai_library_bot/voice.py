"""Recording → a line of text, in a few tries, each of them on the bill."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ai_library_bot.openai_api.tries import in_tries

if TYPE_CHECKING:
    from ai_library_bot.accounts import Bill
    from ai_library_bot.openai_api.transcription import Transcriber

_SECONDS = 60
_TRIES = 2


async def understood(transcriber: Transcriber, audio: bytes, file_name: str, bill: Bill) -> str:
    """What is said in the recording, on one line; empty if nothing is. Raises Unavailable."""

    async def attempt(seconds: float) -> str:
        async with bill.request("transcription", transcriber.name, transcriber.most(audio)) as request:
            text, request.used = await transcriber.transcribe(audio, file_name, seconds=seconds)
        return text

    return await in_tries(attempt, tries=_TRIES, seconds=_SECONDS)

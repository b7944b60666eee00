"""What the tests of `openai_api` share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ai_library_bot.openai_api.tries import without_waiting
from tests.openai_server import OpenAIServer

KEY = "sk-very-secret"


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    """A server that wants the key KEY. Tries follow one another at once."""
    with OpenAIServer(key=KEY) as server, without_waiting():
        yield server

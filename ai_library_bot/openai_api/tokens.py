"""How many tokens a text is, about: a tokenizer of its own for every model would be more than all the rest."""

from __future__ import annotations

import math

# Characters per token, measured on books.
_ASCII_PER_TOKEN = 4.6
_OTHER_PER_TOKEN = 1.6


def estimated_tokens(text: str) -> int:
    """The tokens of the text, about."""
    plain = len(text.encode("ascii", "ignore"))
    return math.ceil(plain / _ASCII_PER_TOKEN + (len(text) - plain) / _OTHER_PER_TOKEN)

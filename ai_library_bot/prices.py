"""What models cost. Prices change: `PRICES` in the settings adds to this table and wins over it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

from pydantic import BaseModel, ConfigDict, Field

from ai_library_bot.types import Usage


class Price(BaseModel):
    """US dollars per million tokens, as its provider published it on the day `since`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: float = Field(ge=0, allow_inf_nan=False)
    output: float = Field(default=0, ge=0, allow_inf_nan=False)
    since: date | None = None


PUBLISHED: Mapping[str, Price] = {
    "gpt-5.4-mini": Price(input=0.75, output=4.50, since=date(2026, 4, 30)),
    "gpt-5.4-nano": Price(input=0.20, output=1.25, since=date(2026, 4, 2)),
    "gpt-4.1-mini": Price(input=0.40, output=1.60, since=date(2026, 6, 21)),
    "text-embedding-3-small": Price(input=0.02, since=date(2026, 7, 3)),
    "text-embedding-3-large": Price(input=0.13, since=date(2026, 4, 29)),
}
"""OpenAI's standard prices; what it discounts, such as input that it has seen before, costs less than told here."""

_SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")  # "gpt-5.4-mini-2026-03-17" is sold at the price of its family


def priced(model: str, prompt_tokens: int, completion_tokens: int, prices: Mapping[str, Price]) -> Usage:
    """The usage with its cost, if the price of the model is known; `prices` win over those published."""
    family = _SNAPSHOT.sub("", model)
    price = prices.get(model) or prices.get(family) or PUBLISHED.get(family)
    cost = (prompt_tokens * price.input + completion_tokens * price.output) / 1_000_000 if price else None
    return Usage(prompt_tokens, completion_tokens, cost)

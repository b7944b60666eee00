"""What a request costs: known models by the table, others by the setting PRICES, and else nothing is claimed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ai_library_bot.adapters import _EMBEDDING_MODEL
from ai_library_bot.prices import PUBLISHED, Price, priced
from ai_library_bot.settings import Settings
from ai_library_bot.types import Usage

METRICS = Path(__file__).parent.parent / "docs" / "metrics.md"


def test_a_million_tokens_cost_what_the_table_says() -> None:
    assert priced("gpt-5.4-mini", 1_000_000, 0, {}).cost == pytest.approx(0.75)
    assert priced("gpt-5.4-mini", 0, 1_000_000, {}).cost == pytest.approx(4.50)
    assert priced("text-embedding-3-small", 1_000_000, 0, {}).cost == pytest.approx(0.02)


@given(st.sampled_from(sorted(PUBLISHED)), st.integers(0, 10**9), st.integers(0, 10**9))
def test_tokens_are_counted_as_they_come(model: str, read: int, written: int) -> None:
    usage = priced(model, read, written, {})
    assert (usage.prompt_tokens, usage.completion_tokens) == (read, written)
    assert usage.cost == pytest.approx((read * PUBLISHED[model].input + written * PUBLISHED[model].output) / 1e6)


def test_of_an_unknown_model_no_cost_is_claimed() -> None:
    assert priced("qwen3:8b", 10, 20, {}) == Usage(10, 20, None)
    assert priced("my-gpt-5.4-mini", 10, 20, {}).cost is None


def test_the_settings_add_to_the_table_and_win_over_it() -> None:
    chosen = {"gpt-5.4-mini": Price(input=1), "qwen3:8b": Price(input=0)}
    assert priced("gpt-5.4-mini", 1_000_000, 1_000_000, chosen).cost == pytest.approx(1)
    assert priced("qwen3:8b", 10, 20, chosen).cost == 0


def test_a_dated_model_costs_what_its_family_costs_unless_the_settings_say_otherwise() -> None:
    dated = "gpt-5.4-mini-2026-03-17"
    assert priced(dated, 1_000_000, 0, {}).cost == pytest.approx(0.75)
    assert priced(dated, 1_000_000, 0, {"gpt-5.4-mini": Price(input=3)}).cost == pytest.approx(3)
    assert priced(dated, 1_000_000, 0, {dated: Price(input=2), "gpt-5.4-mini": Price(input=3)}).cost == pytest.approx(2)


def test_the_models_used_without_a_setting_have_a_price() -> None:
    assert {Settings().openai_model, _EMBEDDING_MODEL} <= PUBLISHED.keys()


@pytest.mark.parametrize("wrong", [{"input": -1}, {"input": float("nan")}, {"input": 1, "inptu": 2}, {"output": 1}])
def test_a_price_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Price(**wrong)  # type: ignore[arg-type]


def test_the_page_on_metrics_shows_the_table_with_its_dates() -> None:
    shown = re.findall(
        r"^\| `([^`]+)` \| ([\d.]+) \| (?:([\d.]+) )?\| (\d{4}-\d\d-\d\d) \|$", METRICS.read_text("utf-8"), re.MULTILINE
    )
    assert {name: (float(read), float(written or 0), day) for name, read, written, day in shown} == {
        name: (price.input, price.output, str(price.since)) for name, price in PUBLISHED.items()
    }

"""JSON that programs read and that a terminal may show."""

from __future__ import annotations

import io
import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_library_bot import json_output

ANYTHING = st.text(st.characters() | st.characters(categories=["Cc", "Cf", "Cs"]))


def written(value: json_output.Json) -> str:
    written = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        out = io.TextIOWrapper(written, "utf-8")  # which closes what it writes to once nobody has it
        patch.setattr(sys, "stdout", out)
        json_output.write(value)
    return written.getvalue().decode()


@given(st.dictionaries(ANYTHING, ANYTHING))
def test_whatever_it_says_comes_back_and_no_terminal_obeys_it(value: dict[str, str]) -> None:
    line = written(value)
    assert json.loads(line) == value
    assert not any(unicodedata.category(sign) in ("Cc", "Cs") for sign in line.removesuffix("\n"))
    assert not set(line) & {*"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"}


def test_letters_of_every_language_stay_letters() -> None:
    assert written({"title": "Маяк — «Ёлка» 灯台 🗼"}) == '{"title": "Маяк — «Ёлка» 灯台 🗼"}\n'

"""Every sentence a person reads, in English and Russian: `en.toml` and `ru.toml`, with the same keys."""

from __future__ import annotations

import locale
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from ai_library_bot.types import Check, Notice

LANGUAGES = ("en", "ru")

_CENT = 0.01  # US dollars


class Messages:
    """The sentences of one language: `say("ingest.done", count=3)`."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._table: dict[str, Any] = tomllib.loads((files(__name__) / f"{language}.toml").read_text("utf-8"))

    def __call__(self, key: str, /, **values: object) -> str:
        """The sentence `key` with its placeholders filled; a float is written as the language does, to two decimals.

        A sentence with plural forms is a table (`one`, `few`, `many` or `one`, `many`) chosen by `values["count"]`.
        Raises KeyError for an unknown key.
        """
        found: Any = self._table
        for part in key.split("."):
            found = found[part]
        if isinstance(found, dict):
            found = found[plural(self.language, int(str(values["count"])))]
        return str(found).format(**{name: self._written(value) for name, value in values.items()})

    def notice(self, notice: Notice) -> str:
        """The sentence of a notice, with its reason."""
        return self._told(f"notice.{notice.key}", notice)

    def check(self, check: Check) -> str:
        """The sentence of a check, with its reason."""
        return self._told(f"doctor.{check.key}", check)

    def _told(self, key: str, about: Notice | Check) -> str:
        values: dict[str, object] = dict(about.details)
        if about.because:
            error, details = about.because
            values["reason"] = self(f"error.{error}", **details)
        if "count" in values:
            values["number"] = self.number(float(about.details["count"]))
        if "cost" in values:
            values["cost"] = self.money(float(about.details["cost"]))
        return self(key, **values)

    def money(self, dollars: float) -> str:
        """An amount of US dollars; one that is not worth a cent is only said to be so."""
        return self("number.cents") if dollars < _CENT else self("number.dollars", number=self.number(dollars, 2))

    def number(self, value: float, digits: int = 0) -> str:
        """The number as this language writes it, rounded to `digits` decimals: 1,234.5 or 1 234,5."""
        signs = str.maketrans(",.", self("number.thousands") + self("number.decimal"))
        return f"{value:,.{digits}f}".translate(signs)

    def _written(self, value: object) -> object:
        if not isinstance(value, float):
            return value
        _, _, decimals = f"{value:.2f}".rstrip("0").partition(".")
        return self.number(value, len(decimals))

    def __contains__(self, key: str) -> bool:
        found: Any = self._table
        for part in key.split("."):
            if not isinstance(found, dict) or part not in found:
                return False
            found = found[part]
        return True


def interface_language(environment: Mapping[str, str]) -> str:
    """The language to speak under these environment variables: `LIBRARY_LANG`, else the locale's, else English."""
    chosen = environment.get("LIBRARY_LANG", "").lower()
    if chosen in LANGUAGES:
        return chosen
    of_locale = next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "")
    # Windows sets none of them; its locale is called "Russian_Russia" or "ru-RU".
    system = of_locale or locale.getlocale()[0] or ""
    return "ru" if system.lower().startswith("ru") else "en"


@cache
def messages(language: str) -> Messages:
    """The messages of `language`; English for a language that has none."""
    return Messages(language if language in LANGUAGES else "en")


def plural(language: str, count: int) -> str:
    """The plural form of `count`: "one", "few" or "many", by the rules of Unicode CLDR (integers only)."""
    if language != "ru":
        return "one" if count == 1 else "many"
    if count % 10 == 1 and count % 100 != 11:
        return "one"
    if count % 10 in (2, 3, 4) and count % 100 not in (12, 13, 14):
        return "few"
    return "many"

"""The forms of Russian words: идти, идёт, шёл; человек, люди. The only importer of pymorphy3."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pymorphy3 import MorphAnalyzer

_CYRILLIC = re.compile("[а-яё]")
_LEAST_LIKELY = 0.1  # readings of a word that pymorphy3 holds for rarer than this are left out


@cache
def _analyzer() -> MorphAnalyzer:
    import pymorphy3  # 0.1 s that only Russian queries need

    return pymorphy3.MorphAnalyzer(lang="ru")


def forms(word: str) -> set[str]:
    """All forms of a folded word, itself among them; only itself unless the dictionary knows it."""
    if not _CYRILLIC.search(word):
        return {word}
    readings = [reading for reading in _analyzer().parse(word) if reading.is_known and reading.score >= _LEAST_LIKELY]
    return {word} | {form.word.replace("ё", "е") for reading in readings for form in reading.lexeme}

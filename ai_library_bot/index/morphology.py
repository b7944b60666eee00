"""The forms of Russian words: идти, идёт, шёл; человек, люди. From the OpenCorpora dictionary that pymorphy3 ships.

Only the dictionary is read, in pymorphy3's format 2.4. Its analyser also builds grammar tags and guesses unknown words,
and takes seven times as long to load: 110 ms, for which every search from the command line would wait. `words.dawg`
maps each form to its paradigm and its place there; a paradigm lists the suffix, tag and prefix of every form. The only
importer of dawg_python and the dictionary.
"""

from __future__ import annotations

import json
import re
from array import array
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple, Protocol

_CYRILLIC = re.compile("[а-я]")
_FORMAT = "2."


class _Words(Protocol):
    """What is used of `dawg_python.RecordDAWG`: the forms like a word, each with its paradigms and places there."""

    def similar_items(self, key: str, replaces: object) -> list[tuple[str, list[tuple[int, int]]]]: ...


class _Dictionary(NamedTuple):
    words: _Words
    spellings: object
    suffixes: list[str]
    prefixes: list[str]
    paradigms: array[int]
    starts: list[int]

    def paradigm(self, number: int) -> list[tuple[str, str]]:
        """The prefix and suffix of each form."""
        start = self.starts[number]
        size = self.paradigms[start - 1] // 3
        suffixes, prefixes = self.paradigms[start : start + size], self.paradigms[start + 2 * size : start + 3 * size]
        return [
            (self.prefixes[prefix], self.suffixes[suffix]) for prefix, suffix in zip(prefixes, suffixes, strict=True)
        ]


@cache
def _dictionary() -> _Dictionary:
    import pymorphy3_dicts_ru
    from dawg_python import RecordDAWG

    folder = Path(pymorphy3_dicts_ru.get_path())
    meta = dict(json.loads((folder / "meta.json").read_bytes()))
    if not meta["format_version"].startswith(_FORMAT):
        raise RuntimeError(f"the dictionary {folder} has format {meta['format_version']}, not {_FORMAT}x")
    words = RecordDAWG(">HH")
    words.load(str(folder / "words.dawg"))
    paradigms = array("H", (folder / "paradigms.array").read_bytes())
    return _Dictionary(
        words=words,
        spellings=words.compile_replaces({"е": "ё"}),
        suffixes=json.loads((folder / "suffixes.json").read_bytes()),
        prefixes=meta["compile_options"]["paradigm_prefixes"],
        paradigms=paradigms,
        starts=list(accumulate(range(paradigms[0] - 1), lambda start, _: start + paradigms[start - 1] + 1, initial=2)),
    )


def forms(word: str) -> set[str]:
    """All forms of a folded word, itself among them; only itself unless the dictionary knows it."""
    if not _CYRILLIC.search(word):
        return {word}
    dictionary = _dictionary()
    found = {word}
    for spelling, places in dictionary.words.similar_items(word, dictionary.spellings):
        for number, place in places:
            paradigm = dictionary.paradigm(number)
            prefix, suffix = paradigm[place]
            stem = spelling[len(prefix) : len(spelling) - len(suffix)]
            found |= {(prefix + stem + suffix).replace("ё", "е") for prefix, suffix in paradigm}
    return found

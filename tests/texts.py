"""Strategies for texts: any characters, and those that books are really made of."""

from __future__ import annotations

from hypothesis import strategies as st

_LETTERS = "абвеёжийяАЕЁЙЯabcdefABCDEFß"
_MARKS = ".!?…,;:-–—«»“”„'’\"()№0123456789"
_SEPARATORS = " \u00a0\u2009\t\n"
_ODDITIES = "\u00ad\u0301\u0308\u200b\u200d\u202e\u2028\u0000\u001b\u0085\ufeff\ufb01İǅ½Ⅳ①Åé日本😀\r\u000b\ud800"

CHARACTERS = st.sampled_from(_LETTERS * 3 + _MARKS + _SEPARATORS * 4 + _ODDITIES) | st.characters()
ANY_TEXT = st.text(CHARACTERS, max_size=120)
"""Whatever a file may hold."""

EUROPEAN = st.text(
    st.sampled_from(_LETTERS + _MARKS + _SEPARATORS + _ODDITIES)
    | st.characters(max_codepoint=0x52F, exclude_categories=["M"]),
    max_size=80,
)
"""Latin, Greek and Cyrillic, whose letters take no notice of their neighbours."""

_SENTENCES = (
    "Смотритель спустился в гавань в сумерках.",
    "Он пересчитал фонари на причале, увидел, что один не горит, и молча принёс лестницу!",
    "— Да? — спросил он.",
    "It was six.",
    "The keeper went down to the harbour at dusk, when the last boats had been pulled ashore and the nets hung dry.",
    "Mr. Frost came at 5 p.m. with a lamp…",
    "и т. д.",
    "В 1911 г. Анна уехала",
    "1911",
    "А. С.",
)


def _prose(blocks: list[tuple[str, int, int]]) -> str:
    return "\n\n".join(
        separator.join(_SENTENCES[(first + number * number) % len(_SENTENCES)] for number in range(count))
        for separator, count, first in blocks
    )


def prose(most_sentences: int = 8, most_blocks: int = 6) -> st.SearchStrategy[str]:
    """Paragraphs and verse as a reader delivers them: cleaned, blocks set apart by one blank line."""
    block = st.tuples(
        st.sampled_from([" ", " ", "\n"]), st.integers(1, most_sentences), st.integers(0, len(_SENTENCES))
    )
    return st.lists(block, min_size=1, max_size=most_blocks).map(_prose)

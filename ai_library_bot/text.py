"""Plain text: cleaning what readers deliver, folding it for comparison, and finding words, sentences and blocks.

Spans are `(start, end)` character offsets into the text that was given, so `text[start:end]` is always exact.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

Span = tuple[int, int]

# Control characters, bidirectional overrides and invisible marks: nothing a book says, and dangerous in a terminal.
# Kept are tab, line feed, and the zero-width joiners that Persian, Hindi and emoji need.
_UNWANTED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffc\ufffe\uffff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_UNWANTED_ON_A_LINE = re.compile(_UNWANTED.pattern + "|[\t\n\u2028\u2029]")
_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_SPACES = re.compile(r"[^\S\n]+")
_BLANK_LINES = re.compile(r"\s*\n\s*\n\s*")

_QUOTES = dict.fromkeys(map(ord, "“”„‟«»〝〞＂"), '"') | dict.fromkeys(map(ord, "‘’‚‛‹›`´ʼ＇"), "'")
_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−⁃"), "-")
_DROPPED = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff\u0300\u0301"))  # with them stress marks
_EVEN = {**_QUOTES, **_DASHES, **_DROPPED}


class Word(NamedTuple):
    """A word of a text: where it stands, and its folded form."""

    start: int
    end: int
    folded: str


def clean(text: str) -> str:
    """The text in NFC, without control or invisible characters, with plain line ends and single spaces.

    Runs of blank lines become one; spaces around line breaks go. Tabs become spaces.
    """
    if not text.isprintable() or "\ufffc" in text:  # most paragraphs are spared these two searches
        text = _LINE_ENDS.sub("\n", text)
        text = _UNWANTED.sub("", text)
    text = unicodedata.normalize("NFC", text)
    if "\n" not in text:
        return " ".join(text.split())
    text = _SPACES.sub(" ", text).replace(" \n", "\n").replace("\n ", "\n")
    return _BLANK_LINES.sub("\n\n", text).strip()


def one_line(text: str) -> str:
    """The cleaned text with every run of white space made one space: titles, names, headings."""
    return " ".join(clean(text).split())


def visible(text: str) -> str:
    """The text on one line for a screen, control and invisible characters written out, such as `\\x1b` and `\\n`."""
    return _UNWANTED_ON_A_LINE.sub(lambda match: match.group().encode("unicode-escape").decode(), text)


def fold(text: str) -> str:
    """The text as it is compared: NFKC, lower case, ё as е, one kind of quote mark and dash, no stress marks."""
    if text.isascii():
        return text.lower().replace("`", "'")
    folded = unicodedata.normalize("NFKC", text.translate(_EVEN)).casefold()
    return unicodedata.normalize("NFC", folded).translate(_EVEN).replace("ё", "е")


@lru_cache(maxsize=4096)
def _fold_character(character: str) -> str:
    return " " if character.isspace() else fold(character)


def fold_with_offsets(text: str) -> tuple[str, list[int]]:
    """The folded text with white space evened out, and for each of its characters its offset in `text`."""
    folded: list[str] = []
    offsets: list[int] = []
    for offset, character in enumerate(text):
        piece = _fold_character(character)
        if piece == " " and (not folded or folded[-1] == " "):
            continue
        folded.extend(piece)
        offsets.extend([offset] * len(piece))
    return "".join(folded), offsets


_WORD = re.compile(r"[^\W_]+(?:[\u0300\u0301\u00ad][^\W_]*)*")


def words(text: str) -> Iterator[Word]:
    """The words of the text (runs of letters and digits), each with its folded form."""
    for match in _WORD.finditer(text):
        yield Word(match.start(), match.end(), fold(match.group()))


def blocks(text: str) -> Iterator[Span]:
    """The spans of the text's blocks: paragraphs, stanzas, lists, tables."""
    start = 0
    for match in re.finditer(r"\n\n+", text):
        if match.start() > start:
            yield start, match.start()
        start = match.end()
    if len(text) > start:
        yield start, len(text)


_SENTENCE_END = re.compile(
    r"""(?:[.!?…]+|[。！？])           # the mark itself
        ["'”’»“)\]]*                   # quotes and brackets that close behind it
        (?=\s)""",
    re.VERBOSE,
)
_NEXT_STARTS = re.compile(r"""\s+[-–—"'“„‘«(\[¿¡*•]*\s*(?:[A-ZÀ-ÖØ-ÞА-ЯЁЇІЄ\d]|[^\W\da-zа-яёà-ÿ_])""")
_LAST_WORD = re.compile(r"([^\W\d_]+|\d+)[.]+$")
_LINE_ITEM = re.compile(r"\n(?=\s*(?:[-–—*•·]|\d+[.)]|[^\n]*(?:\t| \| )))")

# Abbreviations that lead on to the name or number behind them, however that begins.
_LEADS_ON = frozenset(
    "mr mrs ms messrs mme mlle dr prof rev hon st sts mt ft gen col capt lt sgt cpl maj adm gov sen rep pres jr sr "
    "vs cf eg ie viz etc approx dept est ca al vol vols fig figs ch pp ed eds trans "
    "г гг в вв ул пл пер просп наб корп стр кв им проф акад доц св свв преп тов гр гн гжа кн чл инж канд "
    "см ср рис табл гл ст изд ред напр обл респ пос дер т тт е с п пп н э др пр руб коп тыс млн млрд "
    "лат греч нем фр англ".split()
)
# Abbreviations only before a number: "No. 5", "стр. 12", "Art. 3" - otherwise words like any other.
_BEFORE_NUMBER = frozenset("no nos art sec sect par op p д л ч стр п".split())
# Of the abbreviations above, those that end sentences as often as not ("и т. д.", "в 1812 г."): a capital ends them.
_MAY_END = frozenset("г гг в вв е д п др пр руб коп тыс млн млрд etc al jr sr ft н э".split())


def sentences(text: str) -> Iterator[Span]:
    """The spans of the text's sentences, in Russian and English; none crosses a block.

    Verse runs on over its lines; the items of a list and the rows of a table stand alone.
    """
    for start, end in blocks(text):
        block = text[start:end]
        cuts = {match.end() for match in _SENTENCE_END.finditer(block) if _ends_sentence(block, match)}
        cuts.update(match.start() for match in _LINE_ITEM.finditer(block))
        previous = 0
        for cut in (*sorted(cuts), len(block)):
            piece = block[previous:cut]
            if stripped := piece.strip():
                begin = start + previous + piece.index(stripped)
                yield begin, begin + len(stripped)
            previous = cut


def _ends_sentence(block: str, match: re.Match[str]) -> bool:
    following = _NEXT_STARTS.match(block, match.end())
    if following is None:
        return False
    mark = match.group()
    if not mark.startswith(".") or mark.startswith(".."):
        return True
    word = _LAST_WORD.search(block, max(0, match.start() - 20), match.start() + 1)
    if word is None:
        return True
    last, next_character = word.group(1), following.group()[-1]
    if last.isdigit():
        return block[: word.start()].strip(" \n-–—") != ""  # "1. The fox" numbers an item
    if len(last) == 1 and last.isupper():
        return _stands_alone(block, word.start())  # "А. С. Пушкин", "T. S. Eliot"
    last = last.lower()
    if last in _MAY_END:
        return not next_character.isdigit() and not _is_name_follow(last, block, match.end())
    if last in _BEFORE_NUMBER and next_character.isdigit():
        return False
    return last not in _LEADS_ON


def _stands_alone(block: str, start: int) -> bool:
    """Whether the single capital at `start` is a word of its own ("vitamin C.") and not an initial."""
    before = block[:start].rstrip()
    return bool(before) and before[-1].isalnum() and before.split()[-1].islower() and block[start] == "I"


def _is_name_follow(abbreviation: str, block: str, end: int) -> bool:
    """Whether "г. Москва", "г. Иванов" rather than "в 1812 г. Москва горела": no number stands before it."""
    if abbreviation not in ("г", "в"):
        return False
    return re.search(r"\d\s*\S{1,2}\s*$", block[max(0, end - 8) : end]) is None


_COMMON = {
    "en": frozenset("the and of to in that was he it his with as for had you not be her is at on".split()),
    "de": frozenset("der die und das nicht ich sie ist ein zu den mit auf er es sich auch war".split()),
    "fr": frozenset("le la les et des est une que dans qui pas pour il elle vous sur avec".split()),
    "es": frozenset("el los las que una por con para como pero más del se había su".split()),
}
GUESSABLE_LANGUAGES = frozenset(["ru", "uk", *_COMMON])


def guess_language(text: str) -> str:
    """The language of a text as an ISO 639-1 code, or "" when it can't be told; meant for a page or more."""
    sample = text[:20_000].lower()
    cyrillic = len(re.findall("[а-яё]", sample))
    latin = len(re.findall("[a-zà-ÿ]", sample))
    if cyrillic > latin:
        return "uk" if len(re.findall("[іїєґ]", sample)) > cyrillic / 50 else "ru"
    found = re.findall(r"[^\W\d_]+", sample)
    counts = {language: sum(word in common for word in found) for language, common in _COMMON.items()}
    best = max(counts, key=lambda language: counts[language])
    return best if found and counts[best] >= max(2, len(found) / 25) else ""

"""Plain text: cleaning what readers deliver, folding it for comparison, and finding words, sentences and blocks.

Spans are `(start, end)` character offsets into the text that was given, so `text[start:end]` is always exact.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterator
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

_QUOTES = dict.fromkeys("“”„‟«»〝〞＂", '"') | dict.fromkeys("‘’‚‛‹›`´ʼ＇", "'")
_DASHES = dict.fromkeys("‐‑‒–—―−⁃", "-")
_DROPPED = dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff\u0300\u0301", "")  # with them stress marks
_EVEN = {**_QUOTES, **_DASHES, **_DROPPED, "ё": "е", "Ё": "Е", "…": "..."}
_UNEVEN = re.compile(f"[{''.join(_EVEN)}]")


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


def shortened(text: str, length: int) -> str:
    """The text, or its first `length` characters and dots."""
    return text if len(text) <= length else f"{text[:length]}…"


def printable(text: str) -> str:
    """The text without control and invisible characters; line breaks stay, other white space is a space."""
    return _UNWANTED.sub("", _LINE_ENDS.sub("\n", text)).replace("\t", " ")


def visible(text: str) -> str:
    """The text on one line for a screen, control and invisible characters written out, such as `\\x1b` and `\\n`."""
    return _UNWANTED_ON_A_LINE.sub(lambda match: match.group().encode("unicode-escape").decode(), text)


def escaped(json_text: str) -> str:
    """The same JSON, its control and invisible characters as escapes: no terminal on which it is printed obeys them."""
    return _UNWANTED.sub(lambda match: json.dumps(match.group())[1:-1], json_text)


def fold(text: str) -> str:
    """The text as it is compared: NFKC, lower case, ё as е, one kind of quote mark and dash, no stress marks."""
    if text.isascii():
        return text.lower().replace("`", "'")
    folded = _even(text)
    if not unicodedata.is_normalized("NFKC", folded):  # hardly ever, and slow
        folded = _even(unicodedata.normalize("NFKC", folded))
    folded = folded.casefold()
    return folded if unicodedata.is_normalized("NFKC", folded) else _even(unicodedata.normalize("NFKC", folded))


def _even(text: str) -> str:
    return _UNEVEN.sub(lambda match: _EVEN[match.group()], text)


_fold_word = lru_cache(maxsize=65_536)(fold)  # a book says the same few thousand words again and again


@lru_cache(maxsize=4096)
def _fold_character(character: str) -> str:
    return " " if character.isspace() else fold(character)


@lru_cache(maxsize=128)  # an answer is checked again and again while it grows, against the same few passages
def fold_with_offsets(text: str) -> tuple[str, tuple[int, ...]]:
    """The folded text with white space evened out, and for each of its characters its offset in `text`."""
    folded: list[str] = []
    offsets: list[int] = []
    for offset, character in enumerate(text):
        for piece in _fold_character(character):
            if piece != " " or (folded and folded[-1] != " "):
                folded.append(piece)
                offsets.append(offset)
    return "".join(folded), tuple(offsets)


_WORD = re.compile(r"[^\W_]+(?:[\u0300\u0301\u00ad][^\W_]*)*")


def words(text: str) -> Iterator[Word]:
    """The words of the text (runs of letters and digits), each with its folded form."""
    for match in _WORD.finditer(text):
        yield Word(match.start(), match.end(), _fold_word(match.group()))


class Wanted(dict[str, bool]):
    """Which words are wanted, by their spelling; `wanted` is asked once for each, with its folded form."""

    def __init__(self, wanted: Callable[[str], bool]) -> None:
        self._wanted = wanted

    def __missing__(self, spelling: str) -> bool:
        answer = self[spelling] = self._wanted(_fold_word(spelling))
        return answer


def spans_of_words(text: str, wanted: Wanted) -> Iterator[Span]:
    """The spans of the words of the text that are wanted."""
    return (match.span() for match in _WORD.finditer(text) if wanted[match.group()])


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
        (?=\s)
      | \n(?=\s*(?:[-–—*•·]|\d+[.)]|[^\n]*(?:\t|[ ]\|[ ])))  # an item of a list or a row of a table follows
    """,
    re.VERBOSE,
)
_NEXT_STARTS = re.compile(r"""\s+[-–—"'“„‘«(\[¿¡*•]*\s*(?:[A-ZÀ-ÖØ-ÞА-ЯЁЇІЄ\d]|[^\W\da-zа-яёà-ÿ_])""")
_LAST_WORD = re.compile(r"([^\W\d_]+|\d+)$")

# Abbreviations that lead on to the name or number behind them, however that begins.
_LEADS_ON = frozenset(
    "mr mrs ms messrs mme mlle dr prof rev hon st sts mt gen col capt lt sgt cpl maj adm gov sen rep pres "
    "vs cf e g viz approx dept est ca vol vols fig figs ch pp ed eds trans "
    "г гг в вв ул пл пер просп наб корп кв им проф акад доц св свв преп тов гр жа кн чл инж канд "
    "см ср рис табл гл ст изд ред напр обл респ пос дер р т тт е с пп н э "
    "лат греч нем фр англ".split()
)
# Those that lead on to a number only: "No. 5", "ч. III", "5 тыс. 200 руб."; a capital begins a sentence behind them.
_BEFORE_NUMBER = frozenset(
    "no nos art sec sect par op p ft etc al jr sr д п ч л др пр стр руб коп тыс млн млрд".split()
)
_ROMAN = re.compile(r"\s+(?!I\s)[IVXLC]+\b")  # an "I" by itself begins a sentence more often
_DATE = re.compile(r"[\dIVXLC](?:-?[а-я]{1,3})?\s*(?:гг?|вв?)(?:\.(?:\s*до)?\s*н\.\s*э)?$")  # "44 г. до н. э", "XIX в"
_DATE_OPENS = 6  # words: "В 44 г. до н. э. Цезарь …" goes on, "Он родился в Риме в 44 г. до н. э. Потом …" does not
_REMEMBERED = 60  # characters of a sentence that tell whether it ends


def sentences(text: str) -> Iterator[Span]:
    """The spans of the text's sentences, in Russian and English; none crosses a block.

    Verse runs on over its lines; the items of a list and the rows of a table stand alone.
    """
    for start, end in blocks(text):
        block = text[start:end]
        previous = 0
        for mark in _SENTENCE_END.finditer(block):
            if _ends_sentence(block, previous, mark):
                yield from _stripped(text, start + previous, start + mark.end())
                previous = mark.end()
        yield from _stripped(text, start + previous, end)


def _stripped(text: str, start: int, end: int) -> Iterator[Span]:
    piece = text[start:end]
    if piece.strip():
        yield start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())


def _ends_sentence(block: str, start: int, mark: re.Match[str]) -> bool:
    """Whether the sentence that began at `start` of the block ends with the mark."""
    if mark.group() == "\n":
        return True
    following = _NEXT_STARTS.match(block, mark.end())
    if following is None:
        return False
    if not mark.group().startswith(".") or mark.group().startswith(".."):
        return True
    sentence = block[max(start, mark.start() - _REMEMBERED) : mark.start()]
    word = _LAST_WORD.search(sentence)
    if word is None:
        return True
    last, number_follows = word.group().lower(), following.group()[-1].isdigit()
    if last.isdigit():
        return sentence[: word.start()].strip(" \n-–—") != ""  # "1. The fox" numbers an item
    if len(last) == 1 and word.group().isupper():
        return False  # "А. С. Пушкин", "T. S. Eliot"
    if _DATE.search(sentence):
        return not number_follows and len(sentence.split()) > _DATE_OPENS
    if last in _BEFORE_NUMBER:
        return not number_follows and not _ROMAN.match(block, mark.end())
    return last not in _LEADS_ON


_COMMON = {
    "en": frozenset("the and of to in that was he it his with as for had you not be her is at on".split()),
    "de": frozenset("der die und das nicht ich sie ist ein zu den mit auf er es sich auch war".split()),
    "fr": frozenset("le la les et des est une que dans qui pas pour il elle vous sur avec".split()),
    "es": frozenset("el los las que una por con para como pero más del se había su".split()),
}
GUESSABLE_LANGUAGES = frozenset(["ru", "uk", *_COMMON])


CYRILLIC_LANGUAGES = frozenset({"be", "bg", "kk", "mk", "ru", "sr", "uk"})
"""Languages whose words can't stand in a text in Latin letters."""


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

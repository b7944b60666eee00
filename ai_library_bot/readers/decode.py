"""Bytes of unknown encoding → text.

Russian books come in half a dozen encodings, often with a header that lies about it. Byte order marks and strict UTF-8
decide first; then letter statistics among the Cyrillic encodings, which need a few words and no context; then what the
file declares; last `chardet`, which knows the rest of the world.
"""

from __future__ import annotations

import codecs
import math
import re
from itertools import islice

_BYTE_ORDER_MARKS = (  # the longer first: UTF-32's begins with UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CYRILLIC = ("cp1251", "koi8-r", "cp866", "mac-cyrillic", "iso-8859-5", "koi8-u", "cp1125")  # a tie goes to the first

# Letters of Russian per thousand (Russian National Corpus), with Ukrainian and Belarusian ones as rare guests.
_PER_MILLE = (
    "о110 е85 а80 и74 н67 т63 с55 р47 в45 л44 к35 м32 д30 п28 у26 я20 ы19 ь17 г17 з16 б16 ч14 й12 х10 ж9 ш7 ю6 ц5 щ4 "
    "э3 ф3 ё2 ъ1 і7 ї3 є3 ґ1 ў1"
).split()
_WEIGHTS = {share[0]: math.log(int(share[1:]) / 1000 * len(_PER_MILLE)) for share in _PER_MILLE}
_NO_WORD = -4.0  # for each character of a "word" of two scripts or with capitals in its middle, and of an odd sign
_CLEARLY_CYRILLIC = 0.15  # real Russian reaches 0.5 to 0.8, a wrong encoding rarely 0
_TRUST = 0.2  # what a declared encoding may lack in statistics: short texts vary

_UNUSUAL_WORD = re.compile(rb"[A-Za-z]{0,40}[\x80-\xff][A-Za-z\x80-\xff]*")
_RUN = re.compile(r"[^\W\d_]+|[^\w\x00-\x7f]+")  # letters, or signs beyond ASCII
_PUNCTUATION = frozenset("«»“”„’‘–—…№§°•·©\xa0\xad")
_SAMPLE_WORDS = 1000
_SAMPLE_BYTES = 100_000


def decode(data: bytes, declared: str = "") -> str:
    """The text of `data`; what cannot be decoded becomes U+FFFD.

    `declared` is the encoding that the file claims. It is believed only if it fits.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    if wide := _utf16_without_mark(data):
        return data.decode(wide, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("utf-8", "replace")
    if _is_damaged_utf8(text):
        return text
    return data.decode(encoding_of(data, declared), "replace")


def _utf16_without_mark(data: bytes) -> str:
    """UTF-16 shows by its high bytes: every second one is 0 (Latin, spaces) or 4 (Cyrillic)."""
    sample = data[: _SAMPLE_BYTES // 2 * 2]
    if b"\0" not in sample:
        return ""
    for start, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        high = sample[start::2]
        if high.count(0) + high.count(4) > 0.9 * len(high) and high.count(0) > sample[1 - start :: 2].count(0):
            return encoding
    return ""


def _is_damaged_utf8(text: str) -> bool:
    """Whether UTF-8 explains nearly all that is not ASCII, so that the rest is damage."""
    unusual = len(text) - len(text.encode("ascii", "ignore"))
    return text.count("\ufffd") * 20 < unusual


def encoding_of(data: bytes, declared: str) -> str:
    """Python's name for the encoding of bytes that are no UTF; `declared` is believed only if it fits."""
    unusual_words = b" ".join(match.group() for match in islice(_UNUSUAL_WORD.finditer(data), _SAMPLE_WORDS))[
        :_SAMPLE_BYTES
    ]
    scores = {encoding: _russianness(unusual_words.decode(encoding, "replace")) for encoding in _CYRILLIC}
    best = max(scores, key=lambda encoding: scores[encoding])
    declared = _known(declared)
    if scores[best] > _CLEARLY_CYRILLIC:
        return declared if scores.get(declared, -math.inf) > scores[best] - _TRUST else best
    if declared and _decodes_to_text(data, declared):
        return declared
    import chardet

    first = _UNUSUAL_WORD.search(data)
    start = max(0, first.start() - 1000) if first else 0
    return _known(chardet.detect(data[start : start + _SAMPLE_BYTES])["encoding"] or "") or "cp1252"


def _russianness(text: str) -> float:
    """The mean log-likelihood of the characters beyond ASCII, against letters drawn at random; 0.5 is Russian."""
    score, count = 0.0, 0
    for run in _RUN.findall(text):
        unusual = sum(not character.isascii() for character in run)
        lower = run.lower()
        if _WEIGHTS.keys() >= set(lower) and run in (lower, run.upper(), run.capitalize()):
            score += sum(_WEIGHTS[letter] for letter in lower)
        elif not set(run) <= _PUNCTUATION:
            score += _NO_WORD * unusual
        count += unusual
    return score / count if count else -math.inf


def _known(encoding: str) -> str:
    """Python's name of a single- or multi-byte encoding; "" for an unknown one and for UTF, which has had its turn."""
    try:
        name = codecs.lookup(encoding.strip()).name
    except (LookupError, ValueError):
        return ""
    if name.startswith("utf"):
        return ""
    return "cp1252" if name in ("iso8859-1", "ascii") else name  # as browsers do


def _decodes_to_text(data: bytes, encoding: str) -> bool:
    try:
        text = data.decode(encoding)
    except (UnicodeError, LookupError):
        return False
    return re.search("[\x80-\x9f]", text) is None

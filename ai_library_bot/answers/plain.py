"""What a model says is a stranger's text: only plain sentences of it reach a reader.

Markup, invisible characters and marks of the model's own are taken off. A sentence that holds an address, something
like a key, or words of our instructions is left out whole: what would be left of it is not what anybody meant.
"""

from __future__ import annotations

import html
import re
import unicodedata
from functools import cache

from ai_library_bot.answers.prompts import FOLLOW_UP, LIBRARIAN, prompt
from ai_library_bot.answers.quotes import too_short
from ai_library_bot.text import words
from ai_library_bot.types import Claim, Draft, Fault, Statement

_LONGEST = 1_500  # characters of a sentence
_LONGEST_QUOTE = 3_000  # characters; no passage is as long
_LAYERS = 20  # of markup inside markup; who needs more is hiding something
_TELLTALE = 7  # words in a row that a sentence and our instructions share by no accident

_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn"}  # categories of Unicode
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
_COLOUR = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")  # what a terminal takes for a command (ECMA-48, 5.4)
_LINE_MARKUP = re.compile(r"^\s*(?:(?:#{1,6}|>+|[-*+•])\s+)+", re.MULTILINE)
_PLACE = r"(?:(?:passages?|sources?|отрыв\w*|источник\w*)\s*)"

_MORE = rf"(?:\s*[,;–—-]\s*{_PLACE}?\d+)*"
_OPENS, _CLOSES = r"[\[［【⟦]", r"[\]］】⟧]"

# Each layer of markup, and what stays of it.
_MARKUP = [
    (re.compile(markup, re.IGNORECASE), rest)
    for markup, rest in [
        (r"<!--.*?-->|<\|[^<>|]*\|>|</?[a-z!?][^<>]*>|\[/?INST\]|<<[^<>]*>>", ""),
        (r"!\[[^\[\]]*\](?:\([^()]*\)|\[[^\[\]]*\])", ""),  # an image
        (r"\[((?![\d*^])[^\[\]]*)\]\[[^\[\]]*\]", r"\1"),  # a link by name
        (rf"{_OPENS}\s*\^?{_PLACE}?[\d*]+{_MORE}(?:†[^\[\]【】]*)?\s*{_CLOSES}(?:\([^()]*\))?", ""),  # a mark
        (rf"\({_PLACE}\d+{_MORE}\)", ""),
        (r"\[([^\[\]]*)\]\([^()]*\)", r"\1"),  # a link
        (r"(?<!\w)(\*{1,3}|_{1,3}|~~|`{1,3})(?=\S)(.+?)(?<=\S)\1(?!\w)", r"\2"),  # emphasis, code
        (r"\*\*+|__+|~~+|``+|\[\s*\]", ""),
    ]
]

ADDRESS = re.compile(
    r"""(?:(?<![\w+.-])[\w+.-]+)?://\S*
      | (?i:\b(?:mailto|javascript|vbscript|data|tel|sms|tg|file):\S+)
      | (?i:\bwww\.\S+)
      | (?<![\w+.-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+
      | (?<!\w)@\w{2,}
      | (?<!\w)(?!(?:[A-Z]\.)+[A-Z][a-z]+(?![\w/:]))      # J.R.R.Tolkien is none
        (?:[\w-]{1,63}\.)+
        (?i:[a-z]{2,24}|xn--[\w-]+|рф|рус|сайт|онлайн|орг|ком|дети|москва|бел|укр|бг|срб)(?!\w)
        (?:[/:?\#]\S*)?
      | (?<![\d.])\d{1,3}(?:\.\d{1,3}){3}[/:]\S+
    """,
    re.VERBOSE,
)
"""Whatever a program may make a link of: addresses, e-mail, handles, bare domains. Meant for text in NFKC."""

_SECRET = re.compile(
    r"""\b(?:sk|pk|rk)-[\w-]{8,} | \bgh[pousr]_\w{10,} | \bgithub_pat_\w+ | \bglpat-[\w-]{10,} | \bxox[a-z]-[\w-]{8,}
      | \b(?:AKIA|ASIA)[A-Z\d]{12,} | \bAIza[\w-]{20,} | \beyJ[\w-]{8,}\.[\w-]+ | \b\d{8,10}:[\w-]{30,}
      | -----BEGIN | (?i:\bbearer\s+[\w.-]{12,}) | \b[A-Z][A-Z\d_]*(?:KEY|TOKEN|SECRET|PASSWORD)\s*[=:]\s*\S
      | (?<![A-Za-z\d])(?=[A-Za-z_+/=-]*\d)(?=[\d_+/=-]*[A-Za-z])[A-Za-z\d_+/=-]{24,}  # random letters and digits
    """,
    re.VERBOSE,
)


def plain(draft: Draft) -> tuple[Draft, list[Fault]]:
    """The draft with plain sentences only, and a fault for each sentence that was left out.

    Addresses are cut out of the quotations too: what stands before and behind one is looked for by itself.
    """
    statements, faults = [], []
    for statement in draft.statements:
        text = plain_text(statement.text)
        if text is None:
            faults.append(Fault(statement.text, "foreign_text"))
        elif any(character.isalnum() for character in text):
            claims = (Claim(claim.passage_id, part) for claim in statement.claims for part in _parts(claim.quote))
            statements.append(Statement(text, tuple(claims)))
    return Draft(tuple(statements), draft.usage), faults


def plain_text(text: str) -> str | None:
    """The text as one line without markup; None if it holds what no reader should get."""
    if len(text) > _LONGEST:
        return None
    text = _LINE_MARKUP.sub("", text)
    for _ in range(_LAYERS):
        peeled = _peeled(text)
        if peeled == text:
            return None if _is_foreign(text) else text
        text = peeled
    return None


def _peeled(text: str) -> str:
    text = _seen(_COLOUR.sub("", html.unescape(text)))
    for markup, rest in _MARKUP:
        text = markup.sub(rest, text)
    return re.sub(r" (?=[.,;:!?…](?:\s|$))", "", " ".join(text.split()))  # a mark was taken from before the full stop


def _seen(text: str) -> str:
    """The characters of a text that can be seen, and white space; also emoji are taken apart, and come to no harm."""
    spaced = "".join(
        " " if character.isspace() else character
        for character in unicodedata.normalize("NFC", text)
        if character.isspace() or unicodedata.category(character) not in _INVISIBLE
    )
    return _BLANK.sub("", spaced)


def _is_foreign(text: str) -> bool:
    compared = _compatible(text)
    if ADDRESS.search(compared) or _SECRET.search(compared):
        return True
    said = [word.folded for word in words(compared)]
    return any(run in _instructions() for run in zip(*(said[start:] for start in range(_TELLTALE)), strict=False))


def _compatible(text: str) -> str:
    """The text as a program reads it that makes links: one kind of each letter, and a Chinese full stop is a dot."""
    return re.sub(r"(?<=\w)。(?=[A-Za-z])", ".", unicodedata.normalize("NFKC", text))


@cache
def _instructions() -> frozenset[tuple[str, ...]]:
    runs: set[tuple[str, ...]] = set()
    for name in (LIBRARIAN, FOLLOW_UP):
        told = [word.folded for word in words(prompt(name))]
        runs.update(zip(*(told[start:] for start in range(_TELLTALE)), strict=False))
    return frozenset(runs)


def _parts(quote: str) -> list[str]:
    """A quotation without the addresses in it. What is too short beside the rest goes as well."""
    if len(quote) > _LONGEST_QUOTE:
        return []
    whole = _compatible(_seen(quote)).strip()
    parts = [part.strip() for part in ADDRESS.split(whole)]
    if len(parts) == 1:
        return [quote]
    return [part for part in parts if not too_short(part)] or [max(parts, key=len)]

"""What Telegram makes a link of by itself: addresses, e-mail, @mentions, /commands, #hashtags and $CASHTAGS.

The rules are those of Telegram's own library as far as they matter here, and wider where they are vague: a text in
which nothing is found here has no links there. An invisible character is no word character: it ends what stands
before it, and what follows begins anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

_TAG = r"\w\u200c\u00b7\u0d80-\u0dff"

_PATTERNS = {
    "mention": re.compile(r"(?<!\w)@[A-Za-z0-9_]{3,32}(?!\w)"),
    "bot_command": re.compile(r"(?<![\w/<>])/(?>[A-Za-z0-9_]{1,64})(?:@[A-Za-z0-9_]{3,32})?(?![\w/<>])"),
    "hashtag": re.compile(rf"(?<![{_TAG}])#(?=[{_TAG}]*[^\W\d_])(?>[{_TAG}]{{1,256}})(?!#)"),
    "cashtag": re.compile(r"(?<![\w$])\$(?:1INCH|[A-Z]{1,8})(?![\w$])"),
    "email": re.compile(
        r"(?<![A-Za-z0-9_.+-])[A-Za-z0-9_.+-]+@(?:[A-Za-z0-9](?:[\w-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,8}(?![\w-])"
    ),
}

_HOST = re.compile(
    r"(?:(?![\u1680\u180e\u3000])[A-Za-z0-9_.~\-\u00c0-\u1fff\u200c\u200d\u2010-\u2015\u2070-\U0010ffff])+"
)
_SCHEMES = ("http://", "https://", "ftp://", "tonsite://")
_LONGEST_SCHEME = max(map(len, _SCHEMES))
_OWN_ADDRESS = re.compile(r"(?i)(?:tg|ton)://[a-z0-9_-]+")
_NUMBERS = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)")
_REST = re.compile(r"""(?::\d{1,5})?(?:[/?#][^\s<>"«»]*)?""")

# Every two Latin letters are taken for a country's.
_DOMAINS = frozenset(
    "academy aero agency app art asia audio bank bar best bible biz blog book bot build business cafe camp care "
    "casa cat center chat church city cloud club codes coffee college com community company coop dance data date "
    "dev digital direct doctor dog download earth edu education email energy events expert family farm fashion "
    "film finance fish fit fun fund gallery game games garden gay gift global gold gov group guide guru health "
    "help host hotel house how info ink int international jobs kim land lat law legal life like link live loan "
    "lol london love ltd map market media memorial men menu mil mobi moda mom money moscow mov movie museum music "
    "name net network new news ngo now nyc one online onion open org page paris party pet phone photo photos pics "
    "pink place play plus poker post press prime pro prof promo pub quest radio read red rent report rest review "
    "rich rip rocks run safe sale school science search select services sex shop show site ski social software "
    "solar space sport store stream studio study style surf systems tatar team tech tel theater theatre tips "
    "today tools top tours town toys trade training travel tube university vet video vin vip vision vote voyage "
    "watch website wiki win wine work works world wtf xin xxx xyz yoga you zip zone xn--p1ai рф рус москва дети "
    "сайт орг онлайн ком укр бел срб мкд бг ею католик қаз".split()
)


@dataclass(frozen=True, slots=True)
class Link:
    """Something a reader can tap: `text` stands at `start` (in code points) of the text it was found in."""

    kind: str
    text: str
    start: int


Span = tuple[int, int]


def found(text: str, barred: Sequence[Span] = ()) -> list[Link]:
    """The links Telegram would make in the text, in order. `barred` are spans of code and the like: none there."""
    links: list[Link] = []
    for link in _candidates(text):
        span = (link.start, link.start + len(link.text))
        taken = [(other.start, other.start + len(other.text)) for other in links]
        if not any(_meet(span, other) for other in (*barred, *taken)):
            links.append(link)
    return sorted(links, key=lambda link: link.start)


def _candidates(text: str) -> Iterator[Link]:
    for match in _PATTERNS["email"].finditer(text):
        yield Link("email", match[0], match.start())
    yield from _addresses(text)
    for kind in ("mention", "bot_command", "hashtag", "cashtag"):
        for match in _PATTERNS[kind].finditer(text):
            yield Link(kind, match[0], match.start())


def _addresses(text: str) -> Iterable[Link]:
    for match in _OWN_ADDRESS.finditer(text):
        yield Link("url", match[0], match.start())
    for match in _HOST.finditer(text):
        start = match.start()
        before_it = text[max(0, start - _LONGEST_SCHEME) : start].lower()
        scheme = next((scheme for scheme in _SCHEMES if before_it.endswith(scheme)), "")
        before = text[start - 1 : start]
        if not scheme and (before in ("/", "#") or before.isalnum()):
            continue
        host = match[0].rstrip(".")
        if _is_host(host, with_scheme=bool(scheme)):
            start -= len(scheme)
            rest = _REST.match(text, match.start() + len(host))
            yield Link("url", text[start : rest.end() if rest else match.end()].rstrip(".:;,('?!`"), start)


def _is_host(host: str, *, with_scheme: bool) -> bool:
    if _NUMBERS.fullmatch(host):
        return True
    *parts, last = host.split(".")
    if not parts or not all(parts) or any(part.endswith("-") for part in parts) or "_" in last or len(last) < 2:
        return False
    if with_scheme:
        return not last.isdigit()
    if last != last.lower() and last[1:] == last[1:].lower():  # "the end.No, wait": a sentence begins
        return False
    return last.lower() in _DOMAINS or re.fullmatch(r"[A-Za-z]{2}", last) is not None


def _meet(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]

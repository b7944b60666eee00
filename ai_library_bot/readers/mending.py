"""Badly formed XML made well-formed, with nothing lost.

libxml2's own recovery lets every stray end tag close the element around it and drops what stands behind the root, so
that one `</p>` too many can cost the rest of a book.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

_TOKEN = re.compile(
    r"""<!--.*?-->|<\?.*?\?>
        |<!\[CDATA\[(?P<data>.*?)\]\]>
        |<(?P<end>/?)(?P<name>[^\W\d][\w:.-]*)(?P<attributes>(?:"[^"]*"|'[^']*'|[^<>"'])*)>""",
    re.VERBOSE | re.DOTALL,
)
_ATTRIBUTE = re.compile(r"""(?<![\w:.-])([^\W\d][\w:.-]*)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'<>]+))""")
_LONG_TOKENS = (("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>"))
_VOID = frozenset("area base br col embed empty-line hr image img input link meta param source track wbr".split())
_PARAGRAPHS = frozenset("p v subtitle text-author li td th dt dd h1 h2 h3 h4 h5 h6".split())
_HOLDERS = frozenset(
    "article aside annotation blockquote body cite div dl epigraph ol poem section stanza table title tr ul".split()
)


def balanced(text: str) -> str:
    """The document with every element closed: an end tag without its beginning goes, a missing one is added.

    A forgotten `</p>` is added before the next paragraph. Ampersands have to be escaped already; stray angle brackets
    become text, attributes without a value go. The root is a new element `mended`, so that nothing stands outside.
    """
    for begin, end in _LONG_TOKENS:  # one that nothing ends is text, and must not be sought the end of again and again
        behind = text.rfind(end) + len(end) if end in text else 0
        text = text[:behind] + text[behind:].replace(begin, f"&lt;{begin[1:]}")
    return f"<mended>{''.join(_pieces(text))}</mended>"


def _pieces(text: str) -> Iterator[str]:
    opened: list[str] = []
    position = 0
    for token in _TOKEN.finditer(text):
        yield _as_text(text[position : token.start()])
        position = token.end()
        name = token["name"]
        if name is None:
            yield escape(token["data"] or "")
        elif token["end"]:
            if name in opened:
                yield from _closed(opened, name)
        else:
            if unfinished := _unfinished_paragraph(opened, name):
                yield from _closed(opened, unfinished)
            empty = name in _VOID or token["attributes"].endswith("/")
            yield f"<{name}{_attributes(token['attributes'])}{'/' if empty else ''}>"
            if not empty:
                opened.append(name)
    yield _as_text(text[position:])
    yield from (f"</{name}>" for name in reversed(opened))


def _as_text(text: str) -> str:
    return text.replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def _attributes(text: str) -> str:
    values = {name: _as_text("".join(value)) for name, *value in _ATTRIBUTE.findall(text)}
    return "".join(f' {name}="{value}"' for name, value in values.items())


def _closed(opened: list[str], name: str) -> Iterator[str]:
    last = ""
    while last != name:
        last = opened.pop()
        yield f"</{last}>"


def _unfinished_paragraph(opened: list[str], name: str) -> str:
    """The paragraph that a new `name` ends because its end tag was forgotten; "" for none."""
    if name not in _PARAGRAPHS and name not in _HOLDERS:
        return ""
    for last in reversed(opened):
        if last in _HOLDERS:
            return ""
        if last in _PARAGRAPHS:
            return last if last == name or last in ("p", "v") else ""
    return ""

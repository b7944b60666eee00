"""Rich messages: how large Telegram lets them be, the text they show, and what can be tapped in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from tests.bot.telegram_links import Link, Span, found
from tests.bot.telegram_rules import Formatted, Json, bad, check_button, check_unicode

MOST_CHARACTERS = 32_768
MOST_BLOCKS = 500
DEEPEST = 16
MOST_MEDIA = 50
MOST_COLUMNS = 20
MOST_BUTTONS_IN_A_ROW = 8

_TEXTS = {"bold", "italic", "underline", "strikethrough", "spoiler", "subscript", "superscript", "marked", "date_time"}
_LINKS = {
    *("url", "email_address", "phone_number", "mention", "hashtag", "cashtag", "bot_command", "bank_card_number"),
    *("text_mention", "anchor_link", "reference_link"),
}
_TEXT_BLOCKS = {"paragraph", "heading", "pre", "footer", "pullquote", "expandable_blockquote", "thinking"}
_BLOCKS_OF_BLOCKS = {"blockquote", "details", "collage", "slideshow"}
_MEDIA_BLOCKS = {"photo", "video", "animation", "audio", "voice_note", "document"}

_HTML_BLOCKS = {
    *("p", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "footer", "hr", "blockquote", "aside", "details", "ul", "ol"),
    *("li", "table", "tr", "img", "video", "audio", "tg-collage", "tg-slideshow", "tg-map", "tg-math-block"),
    *("tg-button-row", "tg-thinking", "tg-document", "figure"),
}
_HTML_VOID = {"hr", "br", "img", "input"}


def checked_rich(rich: Any, *, draft: bool = False) -> Formatted:
    """The text a rich message shows and its links; `Refusal` if Telegram does not take it."""
    if not isinstance(rich, dict):
        raise bad("can't parse rich message: expected an object")
    given = [name for name in ("html", "markdown", "blocks") if rich.get(name) is not None]
    if len(given) != 1:
        raise bad("exactly one of the fields html, markdown and blocks must be specified")
    size = {"html": _of_html, "markdown": _of_markdown, "blocks": _of_blocks}[given[0]](rich[given[0]])
    if size.thinks and not draft:
        raise bad("a thinking block can be used only in drafts")
    text = "\n".join(paragraph.text for paragraph in size.paragraphs)
    check_unicode(text)
    if not text.strip() and not size.media and not draft:
        raise bad("message text is empty")
    if len(text) > MOST_CHARACTERS:
        raise bad("rich message is too long")
    if size.blocks > MOST_BLOCKS:
        raise bad("rich message has too many blocks")
    if size.deepest > DEEPEST:
        raise bad("rich message is nested too deeply")
    if size.media > MOST_MEDIA:
        raise bad("rich message has too many media")
    links: list[Link] = []
    start = 0
    for paragraph in size.paragraphs:
        by_itself = [] if rich.get("skip_entity_detection") else found(paragraph.text, paragraph.barred)
        links += [Link(link.kind, link.text, start + link.start) for link in (*paragraph.links, *by_itself)]
        start += len(paragraph.text) + 1
    return Formatted(text, (), tuple(links))


def shown(rich: Json, text: str) -> Json:
    """The message as Telegram gives it back; what came as HTML or Markdown comes as one paragraph."""
    if rich.get("blocks") is None:
        return {"blocks": [{"type": "paragraph", "text": text}]}
    return {"blocks": [_shown_block(block) for block in rich["blocks"]]}


def buttons(rich: Json) -> Iterator[Json]:
    """The buttons inside a rich message."""

    def within(value: Any) -> Iterator[Json]:
        if isinstance(value, dict):
            if value.get("type") == "buttons":
                yield from value["buttons"]
            elif value.get("type") == "button":
                yield value["button"]
            else:
                yield from (button for inner in value.values() for button in within(inner))
        elif isinstance(value, list):
            yield from (button for inner in value for button in within(inner))

    yield from within(rich.get("blocks") or [])


def _shown_block(block: Json) -> Json:
    block = dict(block)
    if "blocks" in block:
        block["blocks"] = [_shown_block(inner) for inner in block["blocks"]]
    if "items" in block:
        block["items"] = [{"label": "•"} | _shown_block(item) for item in block["items"]]
    if block.get("type") == "photo":
        block["photo"] = []
    elif block.get("type") in _MEDIA_BLOCKS:
        raise bad(f"this server of tests does not show {block['type']} blocks")
    return block


@dataclass
class _Paragraph:
    text: str = ""
    barred: list[Span] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)


@dataclass
class _Size:
    paragraphs: list[_Paragraph] = field(default_factory=list)
    blocks: int = 0
    media: int = 0
    deepest: int = 0
    thinks: bool = False

    def add_text(self, node: Any, depth: int, *, code: bool = False) -> None:
        paragraph = _Paragraph()
        self.paragraphs.append(paragraph)
        self._add(node, paragraph, depth)
        if code:
            paragraph.barred.append((0, len(paragraph.text)))

    def _add(self, node: Any, paragraph: _Paragraph, depth: int) -> None:
        self.deepest = max(self.deepest, depth)
        start = len(paragraph.text)
        if isinstance(node, str):
            paragraph.text += node
        elif isinstance(node, list):
            for part in node:
                self._add(part, paragraph, depth)
        elif isinstance(node, dict):
            kind = node.get("type")
            if kind == "mathematical_expression":
                paragraph.text += node["expression"]
            elif kind == "custom_emoji":
                paragraph.text += node["alternative_text"]
            elif kind == "button":
                check_button(node["button"])
                self._add(node["button"]["text"], paragraph, depth + 1)
            elif kind in _TEXTS | _LINKS | {"code", "reference"}:
                self._add(node["text"], paragraph, depth + 1)
            elif kind != "anchor":
                raise bad(f"can't parse rich message: unknown text {kind!r}")
            span = (start, len(paragraph.text))
            if kind in _LINKS:
                paragraph.links.append(Link(kind, paragraph.text[start:], start))
            if kind in _LINKS | {"code", "button", "mathematical_expression"}:
                paragraph.barred.append(span)
        else:
            raise bad("can't parse rich message: a text is missing")

    def add_blocks(self, blocks: Any, depth: int) -> None:
        if not isinstance(blocks, list):
            raise bad("can't parse rich message: expected an Array of blocks")
        for block in blocks:
            self.add_block(block, depth)

    def add_block(self, block: Json, depth: int) -> None:
        self.blocks += 1
        self.deepest = max(self.deepest, depth)
        kind = block.get("type")
        if kind in _TEXT_BLOCKS:
            self.thinks |= kind == "thinking"
            if kind == "heading" and not 1 <= block.get("size", 0) <= 6:
                raise bad("can't parse rich message: the size of a heading is 1 to 6")
            self.add_text(block.get("text"), depth + 1, code=kind == "pre")
        elif kind in _BLOCKS_OF_BLOCKS:
            if kind == "details":
                self.add_text(block.get("summary"), depth + 1)
            self.add_blocks(block.get("blocks"), depth + 1)
        elif kind == "list":
            for item in block["items"]:
                self.blocks += 1
                self.add_blocks(item.get("blocks"), depth + 1)
        elif kind == "table":
            for row in block["cells"]:
                self.blocks += 1
                if len(row) > MOST_COLUMNS:
                    raise bad("rich message has too many columns")
                for cell in row:
                    self.add_text(cell.get("text", ""), depth + 1)
        elif kind in _MEDIA_BLOCKS:
            self.media += 1
        elif kind == "buttons":
            if not 1 <= len(block["buttons"]) <= MOST_BUTTONS_IN_A_ROW:
                raise bad("can't parse rich message: a row has 1 to 8 buttons")
            for button in block["buttons"]:
                check_button(button)
        elif kind == "mathematical_expression":
            self.add_text(block["expression"], depth + 1, code=True)
        elif kind not in ("divider", "anchor", "map"):
            raise bad(f"can't parse rich message: unknown block {kind!r}")
        self._add_notes(block, depth)

    def _add_notes(self, block: Json, depth: int) -> None:
        caption = block.get("caption")
        if isinstance(caption, dict) and "type" not in caption:
            self.add_text(caption.get("text"), depth + 1)
            self._add_notes(caption, depth)
        elif caption is not None:
            self.add_text(caption, depth + 1)
        if block.get("credit") is not None:
            self.add_text(block["credit"], depth + 1)


def _of_blocks(blocks: Any) -> _Size:
    size = _Size()
    size.add_blocks(blocks, 1)
    return size


def _of_markdown(markdown: str) -> _Size:
    paragraphs = [_Paragraph(part) for part in markdown.split("\n\n") if part.strip()]
    return _Size(paragraphs, blocks=len(paragraphs), deepest=1)


def _of_html(html: str) -> _Size:
    reader = _Html()
    reader.feed(html)
    reader.close()
    if reader.open:
        raise bad(f"can't parse entities: can't find end tag corresponding to start tag \"{reader.open[-1][0]}\"")
    return reader.size


class _Html(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.size = _Size([_Paragraph()])
        self.open: list[tuple[str, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _HTML_BLOCKS:
            self.size.blocks += 1
            self.size.media += tag in ("img", "video", "audio", "tg-document")
            self.size.thinks |= tag == "tg-thinking"
            if self.size.paragraphs[-1].text:
                self.size.paragraphs.append(_Paragraph())
        if tag not in _HTML_VOID:
            self.open.append((tag, len(self.size.paragraphs[-1].text)))
            self.size.deepest = max(self.size.deepest, len(self.open))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1][0] != tag:
            raise bad(f'can\'t parse entities: unmatched end tag "{tag}"')
        _, start = self.open.pop()
        paragraph = self.size.paragraphs[-1]
        if tag in ("code", "pre", "a"):
            paragraph.barred.append((start, len(paragraph.text)))
        if tag == "a":
            paragraph.links.append(Link("url", paragraph.text[start:], start))
        if tag in _HTML_BLOCKS and paragraph.text:
            self.size.paragraphs.append(_Paragraph())

    def handle_data(self, data: str) -> None:
        self.size.paragraphs[-1].text += data

"""What is sent, before Telegram sees it: blocks of styled text, and the messages that they make.

A `Page` is laid out as parts of at most 4096 UTF-16 units with entities, or as one rich message. Styles are entities
and blocks, never markup, so nothing in a text can be mistaken for any. Text from books, models and people loses
characters that cannot be seen, and an invisible word joiner (U+2060) is put wherever Telegram would make a link.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from aiogram.types import (
    InputRichBlockBlockQuotation,
    InputRichBlockParagraph,
    InputRichBlockUnion,
    InputRichMessage,
    MessageEntity,
    RichTextBold,
    RichTextCode,
    RichTextItalic,
    RichTextUnion,
)

from ai_library_bot.text import printable, sentences

LONGEST_MESSAGE = 4096
"""UTF-16 units in a message (Bot API, sendMessage)."""

LONGEST_CAPTION = 1024
"""UTF-16 units under a picture (Bot API, sendPhoto)."""

LONGEST_RICH_MESSAGE = 32_768
"""Characters in a rich message (Bot API, rich message limits)."""

JOINER = "\u2060"

Style = Literal["", "bold", "italic", "code"]
Kind = Literal["paragraph", "quote"]

_PARAGRAPHS = "\n\n"

# Where Telegram looks for links in plain text: addresses, e-mail, @names, /commands, #hashtags and $cashtags.
_LINKS_BEGIN = re.compile(
    r"""(?<=:)(?=//)
      | (?<=[^\s.。．｡][.。．｡])(?=[^\W\d_]{2})  # example.com; hosts may hold dashes and pictures
      | (?<=\d\.)(?=\d+\.\d+\.\d)               # 192.0.2.1
      | (?<=@)(?=\w)
      | (?:(?<=^[/#$])|(?<=[^\w][/#$]))(?=\w)
    """,
    re.VERBOSE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text in one style; `ours` is text of the program's own, in which commands may be links."""

    text: str
    style: Style = ""
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph or a quotation; `close` ones follow the block before without a blank line."""

    pieces: tuple[Piece, ...]
    kind: Kind = "paragraph"
    close: bool = False

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)


Page = tuple[Block, ...]


class Part(NamedTuple):
    """One message: `text` of at most `LONGEST_MESSAGE` UTF-16 units, and its entities."""

    text: str
    entities: list[MessageEntity]


def paragraph(*pieces: str | Piece, close: bool = False) -> Block:
    """A paragraph of these pieces."""
    return Block(tuple(_clean(pieces)), close=close)


def told(sentence: str, *, close: bool = False) -> Block:
    """A paragraph in the program's own words, with nothing of a book, a model or a person in it."""
    return paragraph(Piece(sentence, ours=True), close=close)


def quotation(*pieces: str | Piece) -> Block:
    """A quotation, with a bar at its side."""
    return Block(tuple(_clean(pieces)), "quote")


def bold(text: str) -> Piece:
    return Piece(text, "bold")


def italic(text: str) -> Piece:
    return Piece(text, "italic")


def code(text: str) -> Piece:
    """Words of our own to be copied as they are, such as an address: Telegram makes no link of them."""
    return Piece(text, "code", ours=True)


def unlinked(text: str) -> str:
    """The text with invisible joiners where Telegram would begin a link."""
    return _LINKS_BEGIN.sub(JOINER, text)


def units(text: str) -> int:
    """The length in UTF-16 units, as Telegram counts."""
    return len(text) + sum(character > "\uffff" for character in text)


def caption(text: str) -> str:
    """The words under a picture, cut where they are too long."""
    made = parts([paragraph(text)])[0].text
    return made if units(made) <= LONGEST_CAPTION else made[: LONGEST_CAPTION // 2 - 1] + "…"


def parts(page: Iterable[Block]) -> list[Part]:
    """The messages that the page makes, none cutting a block that fits into one; a longer one is cut between words."""
    made: list[Part] = []
    gathered: list[Block] = []
    room = LONGEST_MESSAGE
    for block in _fitting(page):
        needed = units(block.text) + (len(_between(block)) if gathered else 0)
        if gathered and needed > room:
            made.append(_part(gathered))
            gathered, room = [], LONGEST_MESSAGE
            needed = units(block.text)
        gathered.append(block)
        room -= needed
    return [*made, _part(gathered)] if gathered else made


def rich(page: Iterable[Block]) -> InputRichMessage | None:
    """The page as one rich message without any link; None if it is too long for that."""
    blocks = [block for block in map(_stripped, page) if block.text]
    if sum(len(block.text) for block in blocks) > LONGEST_RICH_MESSAGE:
        return None
    return InputRichMessage(blocks=list(map(_rich_block, blocks)), skip_entity_detection=True)


def _clean(pieces: Iterable[str | Piece]) -> Iterator[Piece]:
    given = [Piece(piece) if isinstance(piece, str) else piece for piece in pieces]
    return _without_links([replace(piece, text=printable(piece.text)) for piece in given])


def _without_links(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """The pieces with joiners in them; a link may begin in one and go on in the next."""
    whole = "".join(" " * len(piece.text) if piece.ours else piece.text for piece in pieces)
    begins = [match.start() for match in _LINKS_BEGIN.finditer(whole)]
    reached = 0
    for piece in pieces:
        end = reached + len(piece.text)
        cuts = [reached, *(begin for begin in begins if reached < begin < end), end]
        text = JOINER.join(piece.text[start - reached : stop - reached] for start, stop in itertools.pairwise(cuts))
        yield replace(piece, text=JOINER + text if reached in begins else text)
        reached = end


def _between(block: Block) -> str:
    return "\n" if block.close else _PARAGRAPHS


def _part(blocks: Iterable[Block]) -> Part:
    text, entities, reached = "", [], 0
    for block in blocks:
        between = _between(block) if text else ""
        text += between
        reached += len(between)
        start = reached
        for piece in block.pieces:
            length = units(piece.text)
            if piece.style and piece.text.strip():
                entities.append(MessageEntity(type=piece.style, offset=reached, length=length))
            text += piece.text
            reached += length
        if block.kind == "quote":
            entities.append(MessageEntity(type="blockquote", offset=start, length=reached - start))
    return Part(text, sorted(entities, key=lambda entity: (entity.offset, -entity.length)))


def _fitting(page: Iterable[Block]) -> Iterator[Block]:
    """The blocks without empty ones and without space at their ends; one that no message holds comes in several."""
    for block in map(_stripped, page):
        while units(block.text) > LONGEST_MESSAGE:
            head, block = _halved(block, _cut(block.text))
            yield head
        if block.text:
            yield block


def _stripped(block: Block) -> Block:
    """The block without white space at its ends: Telegram takes it off, and the entities would not fit any more."""
    text = block.text
    start, end = len(text) - len(text.lstrip()), len(text.rstrip())
    return replace(block, pieces=tuple(_within(block.pieces, start, end)))


def _within(pieces: Iterable[Piece], start: int, end: int) -> Iterator[Piece]:
    reached = 0
    for piece in pieces:
        text = piece.text[max(0, start - reached) : max(0, end - reached)]
        reached += len(piece.text)
        if text:
            yield replace(piece, text=text)


def _halved(block: Block, at: int) -> tuple[Block, Block]:
    head = replace(block, pieces=tuple(_within(block.pieces, 0, at)))
    rest = replace(block, pieces=tuple(_within(block.pieces, at, len(block.text))), close=False)
    return _stripped(head), _stripped(replace(rest, pieces=tuple(_without_links(rest.pieces))))


def _cut(text: str) -> int:
    """Where to cut a text that no message holds: behind a sentence, else a word, else a character that can be seen."""
    end, room = 0, LONGEST_MESSAGE
    for character in text:
        room -= units(character)
        if room < 0:
            break
        end += 1
    ends = [stop for _, stop in sentences(text[:end]) if end // 2 <= stop < end]
    if ends:
        return ends[-1]
    space = max(text.rfind(" ", 1, end), text.rfind("\n", 1, end))
    if space > 0:
        return space
    while end > 1 and (text[end] in "\u200d\ufe0f" or text[end - 1] == "\u200d"):
        end -= 1
    return end


def _rich_block(block: Block) -> InputRichBlockUnion:
    written = InputRichBlockParagraph(text=[_rich_piece(piece) for piece in block.pieces])
    return InputRichBlockBlockQuotation(blocks=[written]) if block.kind == "quote" else written


def _rich_piece(piece: Piece) -> RichTextUnion:
    match piece.style:
        case "bold":
            return RichTextBold(text=piece.text)
        case "italic":
            return RichTextItalic(text=piece.text)
        case "code":
            return RichTextCode(text=piece.text)
        case _:
            return piece.text

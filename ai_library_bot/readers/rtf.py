"""Rich Text Format (specification 1.9.1): text, headings, lists, tables and footnotes, by way of HTML.

Old Russian files write their letters as \\'xx in the code page of a font, or in one that they name wrongly.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

from ai_library_bot.errors import UnreadableBook
from ai_library_bot.readers.decode import encoding_of
from ai_library_bot.readers.markup import parse_html
from ai_library_bot.readers.sections import sections
from ai_library_bot.text import one_line
from ai_library_bot.types import BookText

_TOKEN = re.compile(
    r"\\(?P<word>[a-zA-Z]{1,32})(?P<number>-?\d{1,10})?[ ]?"
    r"|\\'(?P<byte>[0-9a-fA-F]{2})"
    r"|\\(?P<sign>[^a-zA-Z])"
    r"|(?P<brace>[{}])"
    r"|(?P<text>[^\\{}\r\n]+)"
    r"|[\r\n]+|\\"
)
_BYTE = re.compile(r"\\'([0-9a-fA-F]{2})")
_CONTROL = re.compile(r"\\[a-zA-Z]+-?\d* ?|[{}]")
_SAMPLE = 500_000  # characters of the file

_CHARACTERS = {
    "emdash": "—",
    "endash": "–",
    "emspace": " ",
    "enspace": " ",
    "qmspace": " ",
    "bullet": "•",
    "lquote": "‘",
    "rquote": "’",
    "ldblquote": "“",
    "rdblquote": "”",
    "tab": " ",
    "nestcell": " ",
}
_BULLETS = "•·▪◦"
_SIGNS = {"~": "\xa0", "_": "-", "{": "{", "}": "}", "\\": "\\"}

_CODE_PAGES = {"mac": "mac-roman", "pc": "cp437", "pca": "cp850"}
_CHARSETS = {
    "77": "mac-roman",
    "128": "cp932",
    "129": "cp949",
    "134": "gb18030",
    "136": "big5",
    "161": "cp1253",
    "162": "cp1254",
    "163": "cp1258",
    "177": "cp1255",
    "178": "cp1256",
    "186": "cp1257",
    "204": "cp1251",
    "222": "cp874",
    "238": "cp1250",
    "255": "cp850",
}

_DESTINATIONS = {
    "info": "info",
    "title": "title",
    "author": "author",
    "fonttbl": "fonts",
    "stylesheet": "styles",
    "footnote": "note",
    "listtext": "list mark",
    "pntext": "list mark",
}
_LEFT_OUT = frozenset(
    "colortbl pict object header headerl headerr headerf footer footerl footerr footerf fldinst xe tc rxe txe "
    "nonshppict annotation listtable listoverridetable revtbl operator subject keywords comment doccomm category "
    "manager company buptim creatim revtim printim filetbl bkmkstart bkmkend template".split()
)
_HEADING_STYLE = re.compile(r"(?i)(?:heading|заголовок)\s+([1-6])\b")


def read(data: bytes, path: Path) -> BookText:
    """The book in an RTF file. Raises UnreadableBook for a file that is none."""
    if not data.lstrip().startswith(b"{\\rtf"):
        raise UnreadableBook("broken_document", path=str(path), kind="RTF")
    document = _Document(data.decode("latin-1"))
    return BookText(
        format="rtf",
        sections=tuple(sections(parse_html(document.html(), path))),
        title=one_line(document.info["title"]),
        authors=tuple(filter(None, [one_line(document.info["author"])])),
    )


@dataclass(slots=True)
class _Group:
    """What holds between two braces."""

    encoding: str
    destination: str = "text"
    substitutes: int = 1  # characters behind each \\u, for readers without Unicode
    optional: bool = False  # behind \\*: a destination that is left out unless we know it


class _Document:
    """One pass over an RTF file. `info` holds its title and author."""

    def __init__(self, rtf: str) -> None:
        self.info = {"title": "", "author": ""}
        self._ansi = _ansi_encoding(rtf)
        self._fonts: dict[str, str] = {}
        self._default_font = ""
        self._font = ""  # the one that the font table is describing
        self._heading_levels: dict[str, int] = {}  # by style
        self._style = ""  # the one that the style sheet is describing

        self._group = _Group(self._ansi)
        self._groups: list[_Group] = []
        self._bytes = bytearray()  # not yet decoded
        self._to_skip = 0

        self._html: list[str] = []
        self._around = ""  # the list or table that is open
        self._line: list[str] = []
        self._cells: list[str] = []
        self._level = 0  # of the heading that the paragraph is; 0 for none
        self._in_table = False
        self._list_mark = ""
        self._note = ""
        self._notes = 0
        self._parse(rtf)

    def html(self) -> str:
        """The text of the document."""
        text = "".join(self._html)
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # \\u gives halves of surrogate pairs

    def _parse(self, rtf: str) -> None:
        position = 0
        while token := _TOKEN.match(rtf, position):
            position = token.end()
            if word := token["word"]:
                self._to_skip = 0
                if word == "bin":
                    position += max(0, int(token["number"] or 0))
                else:
                    self._control(word, token["number"] or "")
            elif brace := token["brace"]:
                self._to_skip = 0
                self._begin_group() if brace == "{" else self._end_group()
            elif sign := token["sign"]:
                self._sign(sign)
            elif token["byte"]:
                self._add(bytes.fromhex(token["byte"]))
            elif text := token["text"]:
                self._add(text.encode("latin-1"))
        self._flush()
        self._end_paragraph()
        self._open("")

    def _add(self, data: bytes) -> None:
        skipped = min(self._to_skip, len(data))
        self._to_skip -= skipped
        self._bytes += data[skipped:]

    def _begin_group(self) -> None:
        self._flush()
        self._groups.append(self._group)
        self._group = replace(self._group, optional=False)

    def _end_group(self) -> None:
        self._flush()
        if not self._groups:
            return
        ended, self._group = self._group, self._groups.pop()
        if ended.destination == "note" != self._group.destination:
            self._notes += 1
            self._line.append(f'<note mark="{self._notes}">{escape(self._note)}</note>')
            self._note = ""

    def _sign(self, sign: str) -> None:
        if sign == "*":
            self._group.optional = True
        elif sign in "\r\n":
            self._control("par", "")
        else:
            self._write(_SIGNS.get(sign, ""))

    def _control(self, word: str, number: str) -> None:
        group = self._group
        if group.destination == "left out":
            return
        self._flush()
        if word in _DESTINATIONS:
            group.destination = _DESTINATIONS[word]
            if word in self.info:
                self.info[word] = ""
        elif word in _LEFT_OUT or (group.optional and word != "ud"):
            group.destination = "left out"
        elif word in _CHARACTERS:
            self._write(_CHARACTERS[word])
        elif word == "u" and number:
            self._write(chr(int(number) % 0x10000))
            self._to_skip = group.substitutes
        elif word == "uc":
            group.substitutes = int(number or 1)
        elif word == "plain":
            group.encoding = self._fonts.get(self._default_font, self._ansi)
        elif word == "deff":
            self._default_font = number
        elif group.destination == "fonts":
            self._describe_font(word, number)
        elif word == "f":
            group.encoding = self._fonts.get(number, self._ansi)
        elif group.destination == "styles":
            self._describe_style(word, number)
        elif group.destination == "text":
            self._lay_out(word, number)
        elif word in ("par", "line"):
            self._write(" ")
        group.optional = False

    def _describe_font(self, word: str, number: str) -> None:
        if word == "f":
            self._font = number
        elif word == "fcharset" and number in _CHARSETS:
            self._fonts[self._font] = _CHARSETS[number]

    def _describe_style(self, word: str, number: str) -> None:
        if word == "s":
            self._style = number
        elif word == "outlinelevel":
            self._heading_levels[self._style] = _heading_level(number)

    def _lay_out(self, word: str, number: str) -> None:
        match word:
            case "par" | "sect" if self._in_table:
                self._line.append("<br>")
            case "par" | "sect":
                self._end_paragraph()
            case "line":
                self._line.append("<br>")
            case "pard":
                self._level, self._in_table, self._list_mark = 0, False, ""
            case "s":
                self._level = self._heading_levels.get(number, 0)
            case "outlinelevel":
                self._level = _heading_level(number)
            case "intbl":
                self._in_table = True
            case "cell":
                self._cells.append("".join(self._line).removesuffix("<br>"))
                self._line.clear()
            case "row":
                self._open("table")
                self._html.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in self._cells) + "</tr>")
                self._cells.clear()

    def _end_paragraph(self) -> None:
        content = "".join(self._line).strip()
        self._line.clear()
        if not content:
            return
        mark = self._list_mark.strip() or content[0] * (content[0] in _BULLETS)
        if mark:
            self._open("ol" if mark[0].isdecimal() else "ul")
            self._html.append(f"<li>{content.lstrip(_BULLETS)}</li>")
            self._list_mark = ""
        else:
            self._open("")
            tag = f"h{self._level}" if self._level else "p"
            self._html.append(f"<{tag}>{content}</{tag}>")

    def _open(self, around: str) -> None:
        if around != self._around:
            self._html.append((f"</{self._around}>" if self._around else "") + (f"<{around}>" if around else ""))
            self._around = around

    def _flush(self) -> None:
        if self._bytes:
            data, self._bytes = bytes(self._bytes), bytearray()
            self._write(data.decode(self._group.encoding, "replace"))

    def _write(self, text: str) -> None:
        self._flush()
        match self._group.destination:
            case "text":
                self._line.append(escape(text))
            case "note":
                self._note += text
            case "list mark":
                self._list_mark += text
            case "title" | "author" as key:
                self.info[key] += text
            case "styles":
                if found := _HEADING_STYLE.search(text):
                    self._heading_levels.setdefault(self._style, int(found[1]))


def _heading_level(outline_level: str) -> int:
    """1 to 6 for the levels that count from 0; 0 for running text."""
    return int(outline_level) + 1 if outline_level in tuple("012345") else 0


def _ansi_encoding(rtf: str) -> str:
    """The encoding of letters whose font names none: what the file declares, if its letters agree."""
    page = re.search(r"\\ansicpg(\d+)", rtf)
    kind = re.search(r"\\(mac|pca|pc)\b", rtf[:200])
    declared = f"cp{page[1]}" if page else _CODE_PAGES[kind[1]] if kind else "cp1252"
    sample = _BYTE.sub(lambda byte: chr(int(byte[1], 16)), rtf[:_SAMPLE])
    letters = _CONTROL.sub(" ", sample).encode("latin-1")
    return encoding_of(letters, declared) if not letters.isascii() else "cp1252"

"""Footnotes and endnotes, brought to the words they belong to."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import unquote

from lxml import etree

from ai_library_bot.readers.markup import attribute, find_all, local, names_of, remove, text_of

_REFERENCE_NAMES = frozenset("noteref doc-noteref note footnote-ref footnoteref footnote-reference fnanchor".split())
_NOTE_NAMES = frozenset("footnote endnote rearnote doc-footnote doc-endnote".split())
_BACKLINK_NAMES = frozenset("backlink doc-backlink footnote-back footnote-backref".split())

_MARK = re.compile(r"[\[({]?\s*(?:\d{1,4}|[*†‡§¶#]{1,4}|[a-zа-я]|[ivxlc]{1,7})\s*[\])}]?", re.IGNORECASE)
_BRACKETS = "[](){} "
_BACK = re.compile(r"[\s↑↩↵←⇑⇧⏎⤴^\ufe0e\ufe0f]+|back|return|назад|вернуться", re.IGNORECASE)
_CLOSES_SENTENCE = tuple(".,;:!?…)]»”’")

_INLINE_AROUND_MARK = frozenset("sup small span b i em strong font".split())
_NOTE_BLOCKS = frozenset("p li aside div section dd tr blockquote".split())
_HOLD_ONE_NOTE = frozenset("li aside div".split())
_MAX_IMPLICIT_NOTE = 5000  # characters; what a bare "1" leads to is a chapter if it is longer


class _Reference(NamedTuple):
    link: etree._Element
    target: etree._Element | None
    certain: bool


def place(documents: Mapping[str, etree._Element]) -> None:
    """Replace each reference mark by an element `note` that holds the note, taken from where it stood.

    `documents` are the parts of one book by their file names, against which links are resolved. `note` has the
    attribute `mark`. A note that is referred to again stays with the first reference; the later marks go.
    """
    targets = {name: _targets(root) for name, root in documents.items()}
    references = [found for name, root in documents.items() for found in _references(name, root, targets)]
    wanted = {found.target for found in references if found.target is not None}
    placed: set[etree._Element] = set()
    looked_at: dict[etree._Element, tuple[etree._Element | None, bool]] = {}  # many links may lead to one long chapter
    for link, target, certain in references:
        note = None
        if target is not None and target not in placed:
            if target not in looked_at:
                note = _note(target, wanted)
                looked_at[target] = note, note is not None and _may_be_note(note)
            note, may_be = looked_at[target]
            if note is None or not (certain or (may_be and _begins_with(note, text_of(link)))):
                continue
            if any(ancestor is note for ancestor in link.iterancestors()):
                continue
            placed.add(target)
            looked_at.clear()  # without this note, what held it may be another
        if note is not None or target in placed or certain:
            _replace(link, note)


def _targets(root: etree._Element) -> dict[str, etree._Element]:
    found: dict[str, etree._Element] = {}
    for element in root.iter(etree.Element):
        if name := element.get("id") or (element.get("name") if local(element.tag) == "a" else None):
            found.setdefault(name, element)
    return found


def _references(
    name: str, root: etree._Element, targets: Mapping[str, Mapping[str, etree._Element]]
) -> Iterator[_Reference]:
    for link in find_all(root, "a"):
        file, hash_sign, fragment = attribute(link, "href").partition("#")
        if not hash_sign:
            continue
        file = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(file))) if file else name
        target = targets.get(file, {}).get(unquote(fragment))
        names = set(names_of(link).lower().split())
        if names & _BACKLINK_NAMES:
            continue
        if names & _REFERENCE_NAMES or (target is not None and _NOTE_NAMES & set(names_of(target).lower().split())):
            yield _Reference(link, target, certain=True)
        elif target is not None and _MARK.fullmatch(text_of(link)) and not _stands_first(link):
            yield _Reference(link, target, certain=False)


def _stands_first(link: etree._Element) -> bool:
    """Whether no text stands before the link in its paragraph: then it numbers a note or leads back from one."""
    element: etree._Element | None = link
    while element is not None and local(element.tag) not in _NOTE_BLOCKS:
        before = element.getprevious()
        while before is not None:
            if (before.tail or "").strip(_BRACKETS) or text_of(before):
                return False
            before = before.getprevious()
        element = element.getparent()
        if element is not None and (element.text or "").strip(_BRACKETS):
            return False
    return True


def _note(target: etree._Element, wanted: set[etree._Element]) -> etree._Element | None:
    """The whole note at a target; None when no element holds this one note and nothing else."""
    block: etree._Element | None = target
    while block is not None and local(block.tag) not in _NOTE_BLOCKS:
        block = block.getnext() if local(block.tag) == "dt" else block.getparent()
    if block is None:
        return None
    around = block.getparent()
    while (
        around is not None
        and local(around.tag) in _HOLD_ONE_NOTE
        and around[0] is block
        and not (around.text or "").strip()
        and not any(other in wanted and other is not target for other in around.iter(etree.Element))
    ):
        block, around = around, around.getparent()
    others = any(other in wanted and other is not target for other in block.iter(etree.Element))
    return None if others else block


def _may_be_note(note: etree._Element) -> bool:
    """Whether a bare mark may lead to it as its note: it is no chapter."""
    headings = find_all(note, "h1", "h2", "h3", "h4", "h5", "h6")
    return len(text_of(note)) <= _MAX_IMPLICIT_NOTE and next(headings, None) is None


def _begins_with(note: etree._Element, mark: str) -> bool:
    """Whether the note has the same mark in front, or its list numbers it."""
    return local(note.tag) in ("li", "dd") or text_of(note).lstrip(_BRACKETS).startswith(mark.strip(_BRACKETS))


def _replace(link: etree._Element, source: etree._Element | None) -> None:
    """Put the contents of `source` in the place of `link`. A link on real words stays, the note follows it."""
    text = text_of(link)
    note = etree.Element("note", mark=text.strip(_BRACKETS))
    if source is not None:
        note.text = source.text
        note.extend(source)
        term = source.getprevious()
        if term is not None and local(source.tag) == "dd" and local(term.tag) == "dt":
            remove(term)
        remove(source)
        for back in [a for a in find_all(note, "a") if _leads_back(a, text)]:
            remove(back)
    if not _MARK.fullmatch(text):
        link.append(note)
        return
    replaced = link
    while (parent := replaced.getparent()) is not None and local(parent.tag) in _INLINE_AROUND_MARK:
        if text_of(parent).strip(_BRACKETS) != text.strip(_BRACKETS):
            break
        replaced = parent
    replaced.addprevious(note)
    note.tail = None
    remove(replaced)
    _mend_gap(note)


def _leads_back(link: etree._Element, mark: str) -> bool:
    text = text_of(link)
    return bool(
        _BACKLINK_NAMES & set(names_of(link).lower().split())
        or _BACK.fullmatch(text)
        or text.strip(_BRACKETS) == mark.strip(_BRACKETS)
    )


def _mend_gap(note: etree._Element) -> None:
    """Drop the brackets that stood around a mark, and the space before it where the sentence goes on with a sign."""
    parent, before, after = note.getparent(), note.getprevious(), note.tail or ""
    if parent is None:
        return
    text = (before.tail if before is not None else parent.text) or ""
    if text.endswith(("[", "(")) and after.startswith(("]", ")")):
        text, after = text[:-1], after[1:]
    if after.startswith(_CLOSES_SENTENCE):
        text = text.rstrip()
    if before is not None:
        before.tail = text
    else:
        parent.text = text
    note.tail = after

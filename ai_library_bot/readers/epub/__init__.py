"""EPUB 2 and 3 (https://idpf.org/epub/20/spec/OPF_2.0_final_spec.html, https://www.w3.org/TR/epub-33/)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lxml import etree

from ai_library_bot.errors import UnreadableBook
from ai_library_bot.readers import notes
from ai_library_bot.readers.archive import Archive
from ai_library_bot.readers.epub import contents, metadata
from ai_library_bot.readers.epub.contents import Link
from ai_library_bot.readers.gutenberg import without_licence
from ai_library_bot.readers.markup import attribute, find_all, local, parse_xml, remove, text_of
from ai_library_bot.readers.sections import Heading, sections
from ai_library_bot.types import BookText, Section

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_TEXT_TYPES = frozenset(["", "application/xhtml+xml", "text/html", "application/xml", "text/x-oeb1-document"])
_NCX_TYPE = "application/x-dtbncx+xml"
_FURNITURE = frozenset(
    "cover titlepage title-page halftitlepage imprint colophon copyright-page toc landmarks page-list loi lot".split()
)
_MAX_FURNITURE = 20_000  # characters; a "title page" with more is the book itself, all in one file
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")


@dataclass(frozen=True, slots=True)
class _Item:
    """A file that the manifest lists and the archive holds."""

    name: str
    media_type: str
    is_navigation: bool


@dataclass(frozen=True, slots=True)
class _Part:
    """A file of the spine. One that is not `linear` is read only for the notes in it."""

    name: str
    body: etree._Element
    linear: bool


def read(data: bytes, path: Path) -> BookText:
    """The book in an EPUB file; its table of contents, where it has one, names the chapters.

    Raises UnreadableBook for a damaged archive, one that lists no parts, and one locked by its seller.
    """
    archive = Archive(data, path)
    package_name, package = _package(archive, path)
    items, missing = _manifest(archive, package, package_name)
    spine = _spine(package, items)
    if not spine:
        raise UnreadableBook("epub_no_parts", path=str(path))
    _refuse_locked(archive, {item.name for item, _ in spine}, path)
    parts = [_Part(item.name, _body(archive.read(item.name), path), linear) for item, linear in spine]
    about = metadata.read(package)
    chapters: dict[Link, Heading] = {}
    marked = list(contents.landmarks(package, package_name))
    for item in sorted(items.values(), key=lambda item: not item.is_navigation):
        if item.is_navigation or item.media_type == _NCX_TYPE:
            navigation = parse_xml(archive.read(item.name), path)
            chapters = chapters or contents.chapters(navigation, item.name, about.title)
            marked += contents.landmarks(navigation, item.name)
    furniture = {archive.find(place.file) for kind, place in marked if kind in _FURNITURE and not place.fragment}
    notes.place({part.name: part.body for part in parts})
    listed: dict[str | None, dict[str, Heading]] = {}
    for place, heading in chapters.items():
        listed.setdefault(archive.find(place.file), {})[place.fragment] = heading
    readable = [part for part in parts if part.linear and not _furnishes(part, furniture)]
    return BookText(
        format="epub",
        sections=tuple(without_licence(_sections(readable, listed, about.title))),
        title=about.title,
        authors=about.authors,
        language=about.language,
        year=about.year,
        warnings=("parts_missing",) if missing else (),
    )


def _package(archive: Archive, path: Path) -> tuple[str, etree._Element]:
    """The package document (OPF) and its name: the one that the container names, else any."""
    container = archive.find(_CONTAINER)
    rootfiles = find_all(parse_xml(archive.read(container), path), "rootfile") if container else ()
    named = [archive.find(attribute(rootfile, "full-path")) for rootfile in rootfiles]
    for name in (*named, *archive.names):
        if name and name.lower().endswith(".opf"):
            return name, parse_xml(archive.read(name), path)
    raise UnreadableBook("epub_no_parts", path=str(path))


def _manifest(archive: Archive, package: etree._Element, package_name: str) -> tuple[dict[str, _Item], bool]:
    """The files of the manifest by their ids, and whether one with text is missing."""
    items: dict[str, _Item] = {}
    missing = False
    for line in find_all(package, "item"):
        media_type = attribute(line, "media-type").lower()
        if name := archive.find(contents.link(attribute(line, "href"), package_name).file):
            items[attribute(line, "id")] = _Item(name, media_type, "nav" in attribute(line, "properties").split())
        else:
            missing = missing or media_type in _TEXT_TYPES
    return items, missing


def _spine(package: etree._Element, items: Mapping[str, _Item]) -> list[tuple[_Item, bool]]:
    """The files of text in reading order, each with whether it is linear; without a spine, the manifest's order."""
    lines = [(items.get(attribute(line, "idref")), attribute(line, "linear")) for line in find_all(package, "itemref")]
    chosen = {item: linear != "no" for item, linear in lines if item} or dict.fromkeys(items.values(), True)
    return [pair for pair in chosen.items() if pair[0].media_type in _TEXT_TYPES and not pair[0].is_navigation]


def _refuse_locked(archive: Archive, names: set[str], path: Path) -> None:
    """Raises UnreadableBook if a file of text is encrypted. Fonts often are, and that is no lock."""
    encryption = archive.find(_ENCRYPTION)
    if not encryption:
        return
    for entry in find_all(parse_xml(archive.read(encryption), path), "encrypteddata"):
        places = [contents.link(attribute(found, "uri"), "") for found in find_all(entry, "cipherreference")]
        if names & {archive.find(place.file) for place in places}:
            raise UnreadableBook("epub_locked", path=str(path))


def _body(data: bytes, path: Path) -> etree._Element:
    root = parse_xml(data, path)
    return next(find_all(root, "body"), root)


def _furnishes(part: _Part, furniture: set[str | None]) -> bool:
    """Whether a part is a cover, a title page, an imprint …; such sections inside of it are taken out."""
    for element in list(find_all(part.body, "section", "div", "nav", "article")):
        if _FURNITURE & set(attribute(element, "type").lower().split()):
            remove(element)
    is_marked = part.name in furniture or _FURNITURE & set(attribute(part.body, "type").lower().split())
    return bool(is_marked) and len(text_of(part.body)) <= _MAX_FURNITURE


def _sections(
    parts: Sequence[_Part], listed: Mapping[str | None, Mapping[str, Heading]], title: str
) -> Iterator[Section]:
    """The sections of all parts; `listed` are the chapters of the table of contents by file and fragment.

    A part that the table does not list goes on with the chapter before it, unless it has a heading of its own.
    """
    path: Heading = ()
    last: Heading = ()
    for part in parts:
        chapters = listed.get(part.name, {})
        if "" in chapters:
            path = chapters[""]
        elif chapters and not chapters.keys() & {element.get("id") for element in part.body.iter(etree.Element)}:
            path = next(iter(chapters.values()))
        on_its_own = not chapters and _begins_with_heading(part.body)
        found = sections(part.body, path[:-1] if on_its_own else path, chapters, title)
        if found and not chapters and found[0].heading == path:
            found[0] = replace(found[0], heading=last)
        yield from found
        path = [path, *chapters.values()][-1]
        last = found[-1].heading if found else path


def _begins_with_heading(body: etree._Element) -> bool:
    for element in body.iter(etree.Element):
        if local(element.tag) in _HEADINGS:
            return True
        if (element.text or "").strip():
            return False
    return False

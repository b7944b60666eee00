"""Results as JSON. The names are a contract with other programs: fields may be added, none renamed or taken away."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from ai_library_bot.errors import LibraryError
from ai_library_bot.locales import Messages
from ai_library_bot.text import escaped
from ai_library_bot.types import (
    Answer,
    Book,
    Check,
    Excerpt,
    Failure,
    Generation,
    Hit,
    IngestPlan,
    IngestReport,
    Notice,
    Passage,
    SearchResult,
    Skip,
    Verification,
)

Json = dict[str, Any]


def write(value: Json) -> None:
    """Write one object and a line end to standard output, in UTF-8 whatever the locale.

    What a terminal would obey comes out as an escape, and so does a byte of a file name that is no UTF-8, such as
    `\\udcff`, which Python reads back unchanged.
    """
    text = escaped(json.dumps(value, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None))
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode() + b"\n")
    sys.stdout.buffer.flush()


def error(problem: LibraryError, language: str) -> Json:
    return {"error": {"key": problem.key, "message": problem.say(language)}}


def search(result: SearchResult, say: Messages) -> Json:
    return {
        "query": result.query,
        "generation": result.generation,
        "mode": result.mode,
        "corrections": [{"typed": typed, "searched": searched} for typed, searched in result.corrections],
        "hits": [_hit(hit) for hit in result.hits],
        "notices": _notices(result.notices, say),
        "usage": asdict(result.usage),
    }


def answer(result: Answer, say: Messages) -> Json:
    return {
        "question": result.question,
        "found": result.found,
        "text": result.text,
        "writer": result.writer,
        "citations": [
            {
                "number": citation.number,
                "quote": citation.quote,
                "book": _book(citation.book),
                **_place(citation.passage),
                "page": citation.page,
                "page_end": citation.passage.page_at(citation.end - 1),
            }
            for citation in result.citations
        ],
        "closest": [_hit(hit) for hit in result.closest],
        "own_words": list(result.own_words),
        "next_questions": list(result.next_questions),
        "notices": _notices(result.notices, say),
        "generation": result.generation,
        "usage": asdict(result.usage),
        "seconds": round(result.seconds, 3),
    }


def ingest(report: IngestReport, say: Messages) -> Json:
    return {
        "generation": report.generation,
        "parent": report.parent,
        **_files(report, say),
        "books": report.books,
        "passages": report.passages,
        "languages": report.languages,
        "warnings": [{"path": str(path), "key": key, "reason": say(f"warning.{key}")} for path, key in report.warnings],
        "embedded": report.embedded,
        "notices": _notices(report.notices, say),
        "seconds": round(report.seconds, 3),
        "usage": asdict(report.usage),
    }


def plan(found: IngestPlan, say: Messages) -> Json:
    return {
        "dry_run": True,
        **_files(found, say),
        "passages": found.passages,
        "embedder": found.embedder,
        "to_embed": found.to_embed,
        "tokens": found.tokens,
        "cost": found.cost,
        "seconds": round(found.seconds, 3),
    }


def books(catalogue: Sequence[Book]) -> Json:
    return {
        "books": [
            {
                **_book(book),
                "year": book.year,
                "format": book.format,
                "size": book.size,
                "passages": book.passages,
                "characters": book.characters,
                "warnings": list(book.warnings),
            }
            for book in catalogue
        ]
    }


def excerpt(found: Excerpt) -> Json:
    return {
        "book": _book(found.book),
        "before": [_passage(passage) for passage in found.before],
        **_passage(found.passage),
        "after": [_passage(passage) for passage in found.after],
    }


def generations(kept: Sequence[Generation]) -> Json:
    return {
        "generations": [
            {
                "generation": one.number,
                "active": one.active,
                "parent": one.parent,
                "created": datetime.fromtimestamp(one.created, UTC).isoformat(timespec="seconds"),
                "books": one.books,
                "passages": one.passages,
                "size": one.size,
            }
            for one in kept
        ]
    }


def rolled_back(moved: tuple[int, int]) -> Json:
    origin, to = moved
    return {"from": origin, "to": to}


def verification(found: Sequence[Verification]) -> Json:
    return {
        "sound": not any(one.damages for one in found),
        "generations": [
            {
                "generation": one.generation,
                "sound": not one.damages,
                "files": one.files,
                "size": one.size,
                "damages": [{"file": damage.file, "reason": damage.reason} for damage in one.damages],
            }
            for one in found
        ],
    }


def dialogue(lines: Sequence[tuple[bool, str, list[list[str]]]]) -> Json:
    return {
        "dialogue": [
            {"from": "bot" if by_bot else "you", "text": text, "buttons": buttons} for by_bot, text, buttons in lines
        ]
    }


def checks(found: Sequence[Check], say: Messages) -> Json:
    return {
        "checks": [
            {
                "key": check.key,
                "ok": check.ok,
                "details": check.details,
                "message": say.check(check),
            }
            for check in found
        ]
    }


def _hit(hit: Hit) -> Json:
    return {
        "rank": hit.rank,
        "score": hit.score,
        "relevance": hit.relevance,
        "book": _book(hit.book),
        **_passage(hit.passage),
        "matches": [list(span) for span in hit.matches],
    }


def _passage(passage: Passage) -> Json:
    return {**_place(passage), "text": passage.text}


def _place(passage: Passage) -> Json:
    return {
        "passage": passage.id,
        "chapter": list(passage.chapter),
        "page": passage.page,
        "page_end": passage.last_page,
        "position": passage.position,
    }


def _book(book: Book) -> Json:
    return {
        "id": book.id,
        "title": book.title,
        "authors": list(book.authors),
        "language": book.language,
        "path": str(book.path),
    }


def _files(found: IngestReport | IngestPlan, say: Messages) -> Json:
    """What happens to the files on the shelf."""
    return {
        "added": [str(path) for path in found.added],
        "updated": [str(path) for path in found.updated],
        "unchanged": found.unchanged,
        "removed": [str(path) for path in found.removed],
        "failed": [{**_left_out(file, say), "retry": file.retry} for file in found.failed],
        "skipped": [_left_out(file, say) for file in found.skipped],
    }


def _notices(notices: Sequence[Notice], say: Messages) -> list[Json]:
    return [{"key": notice.key, "message": say.notice(notice)} for notice in notices]


def _left_out(file: Failure | Skip, say: Messages) -> Json:
    return {"path": str(file.path), "reason": file.reason, "message": say(f"error.{file.reason}", **file.details)}

"""The `library` command: take the words apart, let the library work, show what came of it.

Each command returns its exit code: 0, or 1 when nothing was found. What goes wrong is raised, and `main` says it.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperArgument

from ai_library_bot import json_output, render
from ai_library_bot.env_file import read_env_file
from ai_library_bot.errors import BadData, BadRequest, BadSetting, LibraryError, UnreadableBook
from ai_library_bot.help import PROGRAM, Command, Group, translate
from ai_library_bot.locales import Messages, interface_language, messages
from ai_library_bot.session import OpenLibrary, Session, open_library
from ai_library_bot.terminal import Page
from ai_library_bot.types import Answer, IngestReport, Turn

if TYPE_CHECKING:
    from ai_library_bot.library import Library

NOTHING_FOUND = 1
INTERRUPTED = 128 + signal.SIGINT  # as shells report it, and as Typer returns it after Ctrl-C

_STANDARD_INPUT = "-"
_LONGEST_INPUT = 100_000  # bytes read from standard input; a longer question is refused anyway


app = typer.Typer(cls=Group, rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"]})
books_app = typer.Typer(cls=Group, rich_markup_mode=None)

Words = Annotated[list[str] | None, typer.Argument()]
Books = Annotated[list[str] | None, typer.Option("--book")]
Authors = Annotated[list[str] | None, typer.Option("--author")]
Languages = Annotated[list[str] | None, typer.Option("--language")]
AsJson = Annotated[bool, typer.Option("--json")]


@app.callback(invoke_without_command=True)
def library(context: typer.Context, version: Annotated[bool, typer.Option("--version")] = False) -> int:
    if version:
        from importlib.metadata import version as installed_version

        _session(context).out.write(f"{PROGRAM} {installed_version('ai-library-bot')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
    return 0


@app.command(cls=Command)
def ingest(
    context: typer.Context,
    paths: Annotated[list[Path] | None, typer.Argument()] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run")] = False,
    as_json: AsJson = False,
) -> int:
    from ai_library_bot.progress import ProgressBars

    session = _session(context)
    if dry_run:
        with ProgressBars(session.err, session.say) as bars:
            plan = session.wait_for(lambda library: library.plan(paths or (), on_progress=bars))
        session.show(plan, render.plan, lambda plan: json_output.plan(plan, session.say), as_json)
        return UnreadableBook.exit_code if plan.failed else 0
    with ProgressBars(session.err, session.say) as bars:
        report = session.wait_for(lambda library: library.ingest(paths or (), on_progress=bars))
    return _report(session, report, as_json)


@app.command(cls=Command)
def search(
    context: typer.Context,
    query: Words = None,
    limit: Annotated[int, typer.Option(min=1)] = 10,
    books: Books = None,
    authors: Authors = None,
    languages: Languages = None,
    as_json: AsJson = False,
) -> int:
    session, words = _session(context), _words(context, "query", query)
    result = session.wait_for(
        lambda library: library.search(
            words, limit=limit, books=books or (), authors=authors or (), languages=languages or ()
        )
    )
    session.show(result, render.search, lambda result: json_output.search(result, session.say), as_json)
    return 0 if result.hits else NOTHING_FOUND


@app.command(cls=Command)
def ask(
    context: typer.Context,
    question: Words = None,
    books: Books = None,
    authors: Authors = None,
    languages: Languages = None,
    go_on: Annotated[bool, typer.Option("--continue")] = False,
    strict: Annotated[bool, typer.Option("--strict/--no-strict")] = True,
    as_json: AsJson = False,
) -> int:
    from ai_library_bot.progress import GrowingAnswer

    session, words = _session(context), _words(context, "question", question)

    async def answered(library: Library) -> Answer:
        turns = library.conversation.turns() if go_on else ()
        with GrowingAnswer(session.err, session.say) as grow:
            answer = await library.ask(
                words,
                books=books or (),
                authors=authors or (),
                languages=languages or (),
                strict=strict,
                history=turns,
                on_growth=grow,
            )
        notices = library.conversation.write((*turns, Turn(words, answer.text)))
        return replace(answer, notices=(*answer.notices, *notices))

    answer = session.wait_for(answered)
    session.show(answer, render.answer, lambda answer: json_output.answer(answer, session.say), as_json)
    return 0 if answer.found else NOTHING_FOUND


@app.command(cls=Command)
def show(
    context: typer.Context,
    passage: Annotated[str, typer.Argument()],
    around: Annotated[int, typer.Option(min=0)] = 1,
    as_json: AsJson = False,
) -> int:
    session = _session(context)
    excerpt = session.read(lambda library: library.show(passage, around=around))
    session.show(excerpt, render.excerpt, json_output.excerpt, as_json)
    return 0


@books_app.callback(invoke_without_command=True)
def books(context: typer.Context, as_json: AsJson = False) -> int:
    if context.invoked_subcommand is not None:
        return 0
    session = _session(context)
    catalogue = session.read(lambda library: library.books())
    session.show(catalogue, render.books, json_output.books, as_json)
    return 0


@books_app.command(cls=Command)
def remove(context: typer.Context, names: Annotated[list[str], typer.Argument()], as_json: AsJson = False) -> int:
    session = _session(context)
    return _report(session, session.wait_for(lambda library: library.remove(names)), as_json, render.removed)


app.add_typer(books_app, name="books")


@app.command(cls=Command)
def rollback_index(
    context: typer.Context,
    list_kept: Annotated[bool, typer.Option("--list")] = False,
    to: Annotated[int | None, typer.Option(min=1)] = None,
    as_json: AsJson = False,
) -> int:
    session = _session(context)
    if list_kept:
        kept = session.read(lambda library: library.generations())
        session.show(kept, render.generations, json_output.generations, as_json)
        return 0
    moved = session.read(lambda library: library.roll_back(to))
    session.show(moved, render.rolled_back, json_output.rolled_back, as_json)
    return 0


@app.command(cls=Command)
def serve_bot(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run")] = False,
    as_json: AsJson = False,
) -> int:
    session = _session(context)
    if dry_run:
        session.show(session.rehearse(), render.dialogue, json_output.dialogue, as_json)
    else:
        session.serve(as_json)
    return 0


@app.command(cls=Command)
def verify(context: typer.Context, as_json: AsJson = False) -> int:
    session = _session(context)
    found = session.read(lambda library: library.verify())
    session.show(found, render.verification, json_output.verification, as_json)
    return BadData.exit_code if any(one.damages for one in found) else 0


@app.command(cls=Command)
def doctor(context: typer.Context, as_json: AsJson = False) -> int:
    session = _session(context)
    found = session.wait_for(lambda library: library.check())
    session.show(found, render.checks, lambda found: json_output.checks(found, session.say), as_json)
    return BadSetting.exit_code if any(check.ok is False for check in found) else 0


def main(arguments: Sequence[str] | None = None, open_library: OpenLibrary = open_library) -> int:
    """Run one command and return its exit code. Nothing but a broken pipe (SystemExit) comes out as an exception.

    `arguments` are those of the process if None; `open_library` is the door to the library.
    """
    given = sys.argv[1:] if arguments is None else arguments
    set_in_environment = {name: value for name, value in os.environ.items() if value}
    say = messages(interface_language(set_in_environment))
    session = Session(say, Page(), Page(stderr=True), open_library)
    try:
        session = replace(session, say=messages(interface_language(read_env_file() | set_in_environment)))
        command = typer.main.get_command(app)
        translate(command, session.say)
        code = command.main(arguments, PROGRAM, standalone_mode=False, obj=session)
    except (LibraryError, typer.TyperException) as error:
        problem = error if isinstance(error, LibraryError) else _in_our_words(error, given)
        if "--json" in takewhile(lambda argument: argument != "--", given):
            json_output.write(json_output.error(problem, session.say.language))
        session.err.write(problem.say(session.say.language), indent=2, label=("✗", "bold red"))
        return problem.exit_code
    except Exception:  # noqa: BLE001 - what nobody foresaw is a bug; the one place that says so
        from ai_library_bot.logs import redacted

        for line in redacted(traceback.format_exc()).splitlines():
            session.err.write(line)
        session.err.write((session.say("bug.message"), "bold red"))
        return LibraryError.exit_code
    finally:
        _flush_output()
    if code == INTERRUPTED:
        session.err.write(session.say("interrupted.message"))
    return int(code)


def _flush_output() -> None:
    """Write what is still to be written; if nobody reads it any more (`| head`), let it go, also when Python exits."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _session(context: typer.Context) -> Session:
    session: Session = context.obj
    return session


def _words(context: typer.Context, parameter: str, words: Sequence[str] | None) -> str:
    """The words of the command line as one text, or what standard input holds for "-" or, in a pipe, for no words."""
    if words and list(words) != [_STANDARD_INPUT]:
        return " ".join(words)
    if not words and sys.stdin.isatty():
        name = _session(context).say(f"help.metavar.{parameter}").rstrip("…")
        raise BadRequest("missing_argument", name=name, help=f"{context.command_path} --help")
    return sys.stdin.buffer.read(_LONGEST_INPUT).decode("utf-8", "replace").strip()


def _report(
    session: Session,
    report: IngestReport,
    as_json: bool,
    for_people: Callable[[Page, Messages, IngestReport], None] = render.ingest,
) -> int:
    session.show(report, for_people, lambda report: json_output.ingest(report, session.say), as_json)
    return UnreadableBook.exit_code if report.failed else 0


_COMPLAINTS = {
    "NoSuchOption": "unknown_option",
    "BadOptionUsage": "bad_option_value",
    "BadParameter": "bad_number",
    "MissingParameter": "missing_argument",
}


def _in_our_words(complaint: typer.TyperException, given: Sequence[str]) -> BadRequest:
    """Typer's complaint about the command line. Typer keeps the classes of its complaints private, so by name."""
    details: dict[str, Any] = vars(complaint)
    context, parameter = details.get("ctx"), details.get("param")
    name = details.get("option_name", "")
    if parameter is not None:
        name = str(parameter.metavar).rstrip("…") if isinstance(parameter, TyperArgument) else parameter.opts[0]
    return BadRequest(
        _COMPLAINTS.get(type(complaint).__name__, "too_many_arguments"),
        name=name,
        least=getattr(parameter, "min", None) or 0,
        help=f"{context.command_path if context else _command_path(given)} --help",
    )


def _command_path(given: Sequence[str]) -> str:
    """The command that the words of a command line name, such as "library books remove"."""
    command: Any = typer.main.get_command(app)
    path = [PROGRAM]
    for word in given:
        if word in getattr(command, "commands", {}):
            command = command.commands[word]
            path.append(word)
    return " ".join(path)

"""The `library` command as somebody meets it: words in, two streams and an exit code out."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, cast
from unittest.mock import Mock

import pytest
from rich.cells import cell_len

import ai_library_bot.__main__
from ai_library_bot.cli import main
from ai_library_bot.locales import LANGUAGES, messages
from ai_library_bot.settings import Settings
from ai_library_bot.types import Answer, Check, Damage, Failure, IngestReport, Notice, SearchResult, Verification
from tests.fakes import PASSAGES, FakeConversation, FakeLibrary
from tests.screens import COLOURS, MOVES, Stream, attach

ROOT = Path(__file__).parent.parent
COMMANDS = (
    ("ingest",),
    ("search",),
    ("ask",),
    ("show",),
    ("books",),
    ("books", "remove"),
    ("rollback-index",),
    ("verify",),
    ("doctor",),
)
RUNS: Sequence[Sequence[str]] = (
    ("ingest",),
    ("ingest", "--dry-run"),
    ("search", "keeper", "letters"),
    ("ask", "when did the keeper stop letters"),
    ("ask", "lamp"),
    ("ask", "--continue", "--no-strict", "when did the keeper stop letters"),
    ("show", "b3f2a9:0001"),
    ("books",),
    ("books", "remove", "Записки о мосте"),
    ("rollback-index", "--list"),
    ("rollback-index",),
    ("verify",),
    ("doctor",),
)


@dataclass(frozen=True)
class Run:
    """What came of one command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.out.endswith("\n")
        return json.loads(self.out)


class Shell:
    """Runs commands against a library in memory, in an empty folder with nothing set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def __call__(
        self,
        *arguments: str,
        language: str = "en",
        library: type[FakeLibrary] = FakeLibrary,
        columns: int | None = None,
        typed: str | None = None,
        encoding: str = "utf-8",
        colours: bool = True,
    ) -> Run:
        """`columns` is the width of the terminal, None for pipes; `typed` comes in on a pipe, None is a keyboard."""
        with self._monkeypatch.context() as patch:
            patch.setenv("LIBRARY_LANG", language)
            screen = attach(patch, columns=columns, encoding=encoding, colours=colours)
            keyboard = Stream(is_terminal=typed is None)
            keyboard.write(typed or "")
            keyboard.seek(0)
            patch.setattr(sys, "stdin", keyboard)
            code = main(arguments, cast("Any", library))
            return Run(code, screen.out.written(), screen.err.written())


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    return Shell(monkeypatch)


# Help


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("language", LANGUAGES)
def test_help_tells_what_a_command_does_and_shows_an_example(
    shell: Shell, command: Sequence[str], language: str
) -> None:
    run = shell(*command, "--help", language=language)
    about, _, usage, *_ = run.out.splitlines()
    say = messages(language)
    key = "_".join(command).replace("-", "_")
    assert (run.code, run.err) == (0, "")
    assert about == say(f"help.{key}.about")
    assert usage.startswith(f"{say('help.usage')}: library {' '.join(command)}")
    for example in say(f"help.{key}.examples").strip().splitlines():
        assert example.startswith(f"library {' '.join(command)}")
        assert f"  {example}\n" in run.out


def test_a_short_option_helps_as_well_and_books_needs_no_command(shell: Shell) -> None:
    for command in COMMANDS:
        assert shell(*command, "-h") == shell(*command, "--help")
    assert "Usage: library books [COMMAND] [OPTIONS]\n" in shell("books", "-h").out


@pytest.mark.parametrize("language", LANGUAGES)
def test_library_alone_shows_every_command(shell: Shell, language: str) -> None:
    run = shell(language=language)
    assert (run.code, run.err) == (0, "")
    assert run == shell("--help", language=language)
    for command, *_ in COMMANDS:
        assert f"\n  {command} " in run.out


def test_russian_help_holds_no_english_words_of_the_framework(shell: Shell) -> None:
    for command in COMMANDS:
        out = shell(*command, "--help", language="ru").out
        assert not {"Usage", "Options", "OPTIONS", "Show", "default", "TEXT", "required"} & set(out.split())


def test_the_version_is_that_of_the_package(shell: Shell) -> None:
    from importlib.metadata import version

    assert shell("--version") == Run(0, f"library {version('ai-library-bot')}\n", "")


def test_help_and_version_load_no_heavy_library() -> None:
    heavy = "numpy", "faiss", "tantivy", "openai", "aiogram", "lxml", "pydantic_settings", "pymorphy3", "pypdfium2"
    script = (
        "import sys; from ai_library_bot.cli import main; main(['--help']); main(['search', '--help']); "
        f"print([name for name in {heavy} if name in sys.modules], file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stderr.strip() == "[]"


# Results, messages and exit codes


@pytest.mark.parametrize("arguments", RUNS, ids=" ".join)
@pytest.mark.parametrize("language", LANGUAGES)
def test_results_go_to_standard_output_and_nothing_else_does(
    shell: Shell, arguments: Sequence[str], language: str
) -> None:
    run = shell(*arguments, language=language)
    assert run.code in (0, 1)
    assert run.err == ""
    assert "\x1b" not in run.out
    assert all(line == line.rstrip(" ") for line in run.out.splitlines())


@pytest.mark.parametrize(
    "arguments", [*RUNS, ("--help",), *((*command, "--help") for command in COMMANDS)], ids=" ".join
)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("columns", [40, 80])
def test_everything_fits_the_terminal(shell: Shell, arguments: Sequence[str], language: str, columns: int) -> None:
    run = shell(*arguments, language=language, columns=columns)
    for line in COLOURS.sub("", run.out).splitlines():
        assert cell_len(line) <= columns, line


WRONG: Sequence[tuple[int, Sequence[str], str]] = (
    (64, ("frobnicate",), "frobnicate"),
    (64, ("serch", "sea"), "search"),
    (64, ("search", "sea", "--colour"), "--colour"),
    (64, ("search", "sea", "--limit"), "--limit"),
    (64, ("search", "sea", "--limit", "many"), "--limit"),
    (64, ("search", "sea", "--limit", "0"), "--limit"),
    (64, ("search", "sea", "--json=yes"), "--json"),
    (64, ("search", "sea", "--limit"), "library search --help"),
    (64, ("books", "remove", "--nonsense"), "library books remove --help"),
    (64, ("search",), "library search --help"),
    (64, ("search", "?!"), ""),
    (64, ("ask",), "library ask --help"),
    (64, ("show",), "library show --help"),
    (64, ("show", "b3f2a9:0000", "--around", "-1"), "--around"),
    (64, ("verify", "everything"), "library verify --help"),
    (64, ("books", "delete"), "delete"),
    (64, ("books", "remove"), "library books remove --help"),
    (64, ("rollback-index", "--to", "99"), "99"),
    (66, ("ingest", "missing.epub"), "missing.epub"),
    (66, ("show", "zzz"), "zzz"),
    (66, ("books", "remove", "No such book"), "No such book"),
)


@pytest.mark.parametrize(("code", "arguments", "named"), WRONG, ids=[" ".join(case[1]) for case in WRONG])
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_wrong_is_said_in_one_line_with_its_exit_code(
    shell: Shell, code: int, arguments: Sequence[str], named: str, language: str
) -> None:
    run = shell(*arguments, language=language)
    assert (run.code, run.out) == (code, "")
    assert run.err.startswith("✗ ")
    assert run.err.count("\n") == 1
    assert named in run.err


@pytest.mark.parametrize(("code", "arguments", "named"), WRONG, ids=[" ".join(case[1]) for case in WRONG])
def test_with_json_the_error_is_an_object_too(shell: Shell, code: int, arguments: Sequence[str], named: str) -> None:
    run = shell(arguments[0], "--json", *arguments[1:])
    assert run.code == code
    assert run.json.keys() == {"error"}
    assert run.json["error"].keys() == {"key", "message"}
    assert run.err == f"✗ {run.json['error']['message']}\n"


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_book_that_is_removed_is_named(shell: Shell, language: str) -> None:
    say = messages(language)
    first, *_ = shell("books", "remove", "Записки о мосте", language=language).out.splitlines()
    named = f"Пётр Северов · Лидия Тихонова · {say('locator.title', title='Записки о мосте')}"
    assert first == f"– {say('ingest.removed_book', book=named)}"


def test_nothing_found_is_exit_code_1(shell: Shell) -> None:
    assert shell("search", "zeppelin").code == 1
    assert shell("search", "zeppelin", "--json").code == 1
    assert shell("ask", "zeppelin").code == 1


def test_the_language_follows_the_locale_and_the_env_file(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    russian = messages("ru")("error.unknown_command", name="x")
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "ru_RU.UTF-8")
    assert shell("x", language="").err == f"✗ {russian}\n"
    monkeypatch.setenv("LANG", "C")
    Path(".env").write_text("LIBRARY_LANG=ru\n")
    assert shell("x", language="").err == f"✗ {russian}\n"


def test_a_bad_setting_is_named_with_exit_code_78(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIN_RELEVANCE", "high")
    run = shell("search", "keeper")
    assert (run.code, run.out) == (78, "")
    assert run.err.startswith("✗ MIN_RELEVANCE is “high”")


def test_an_env_file_in_another_encoding_is_named(shell: Shell) -> None:
    Path(".env").write_bytes("BOOKS_PATH=Книги".encode("cp1251"))
    run = shell("search", "keeper")
    assert (run.code, run.out) == (78, "")
    assert ".env" in run.err


def test_what_the_library_has_to_say_goes_to_standard_error(shell: Shell) -> None:
    class Damaged(FakeLibrary):
        def __init__(self, settings: Settings) -> None:
            super().__init__(settings)
            self.notices = (Notice("generation_damaged", {"damaged": 9, "served": 8}),)

    notice = messages("en")("notice.generation_damaged", damaged=9, served=8)
    run = shell("search", "keeper", "--json", library=Damaged)
    assert run.err == f"{notice}\n"
    assert run.json["generation"] == 8
    assert shell("search", "?", library=Damaged).err.startswith(f"{notice}\n✗ ")


def test_control_c_says_that_nothing_is_lost(shell: Shell) -> None:
    class Interrupted(FakeLibrary):
        async def ingest(self, paths: Sequence[Path] = (), *, on_progress: Any = None) -> IngestReport:
            signal.raise_signal(signal.SIGINT)
            await asyncio.Event().wait()
            raise AssertionError

    for language in LANGUAGES:
        run = shell("ingest", library=Interrupted, language=language)
        assert run == Run(130, "", messages(language)("interrupted.message") + "\n")


def test_control_c_while_the_program_loads_shows_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("ai_library_bot.cli.main", interrupted)
    monkeypatch.setattr(ai_library_bot.__main__, "gc", Mock())  # this process has more to do
    monkeypatch.setattr(ai_library_bot.__main__, "_QUICKER", {})
    assert ai_library_bot.__main__.main() == 130


def test_a_bug_shows_its_traceback_with_exit_code_70(shell: Shell) -> None:
    class Broken(FakeLibrary):
        async def search(self, query: str, **filters: Any) -> SearchResult:
            raise RuntimeError("the \x1b[31mroof\x1b[0m fell in")

    run = shell("search", "keeper", library=Broken)
    assert (run.code, run.out) == (70, "")
    assert r"RuntimeError: the \x1b[31mroof\x1b[0m fell in" in run.err
    assert run.err.endswith(messages("en")("bug.message") + "\n")


@pytest.mark.skipif(os.name == "nt", reason="pipes close differently on Windows")
@pytest.mark.parametrize("arguments", [("books",), ("books", "--json"), ("--help",)], ids=" ".join)
def test_a_reader_that_goes_away_is_no_error(arguments: Sequence[str]) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    script = (
        "import sys; from ai_library_bot.cli import main; from tests.fakes import FakeLibrary; "
        "sys.exit(main(None, FakeLibrary))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=ROOT, stdout=write_end, stderr=subprocess.PIPE, check=False
    )
    os.close(write_end)
    assert run.stderr == b""


# The question


def test_words_need_no_quotation_marks(shell: Shell) -> None:
    assert shell("search", "keeper", "letters", "--json").json["query"] == "keeper letters"


def test_a_dash_or_a_pipe_reads_the_question_from_standard_input(shell: Shell) -> None:
    assert shell("search", "-", "--json", typed="keeper letters\n").json["query"] == "keeper letters"
    assert shell("ask", "--json", typed="  keeper\n").json["question"] == "keeper"
    assert shell("search", "lamp", "--json", typed="keeper").json["query"] == "lamp"


def test_an_empty_pipe_is_an_empty_question(shell: Shell) -> None:
    assert shell("search", typed="").code == 64


def test_filters_can_be_repeated(shell: Shell) -> None:
    def titles(*filters: str) -> list[str]:
        run = shell("search", "the", "keeper", "мост", *filters, "--json")
        return [hit["book"]["title"] for hit in run.json["hits"]]

    assert set(titles()) == {"The Keeper's Ledger", "Записки о мосте"}
    assert titles("--language", "ru") == ["Записки о мосте"]
    assert set(titles("--author", "Holm", "--author", "Северов")) == {"The Keeper's Ledger", "Записки о мосте"}
    assert titles("--book", "записки") == ["Записки о мосте"]
    assert len(titles("--limit", "1")) == 1


# Terminals and pipes


def test_a_long_run_shows_its_phases_on_a_terminal_only(shell: Shell) -> None:
    for language in LANGUAGES:
        shown = COLOURS.sub("", shell("ingest", columns=100, language=language).err)
        for phase in ("scan", "read", "index", "check"):
            assert messages(language)(f"phase.{phase}") in shown
    assert "2/2" in shown
    assert shell("ingest").err == ""


@pytest.mark.parametrize("columns", [40, 80, 100])
def test_the_bars_fit_the_terminal_however_long_a_file_name_is(shell: Shell, columns: int) -> None:
    shown = MOVES.sub("\n", shell("ingest", columns=columns, language="ru").err)
    assert "2/2" in shown
    assert all(cell_len(line) <= columns for line in COLOURS.sub("", shown).splitlines())


def test_no_color_leaves_no_colour(shell: Shell) -> None:
    import re

    run = shell("search", "keeper", columns=80, colours=False)
    assert not re.search(r"\x1b\[[\d;]*3\d", run.out)


@pytest.mark.parametrize("encoding", ["ascii", "cp1251"])
@pytest.mark.parametrize("arguments", RUNS, ids=" ".join)
def test_an_old_encoding_loses_signs_but_nothing_else(shell: Shell, arguments: Sequence[str], encoding: str) -> None:
    assert shell(*arguments, language="ru", encoding=encoding).code in (0, 1)


# JSON

BOOK = {"id", "title", "authors", "language", "path"}
PLACE = {"passage", "chapter", "page", "page_end", "position"}
HIT = {"rank", "score", "relevance", "book", "text", "matches", *PLACE}
USAGE = {"prompt_tokens", "completion_tokens", "cost"}


def test_search_as_json(shell: Shell) -> None:
    found = shell("search", "keper", "--json").json
    assert found.keys() == {"query", "generation", "mode", "corrections", "hits", "notices", "usage"}
    assert found["corrections"] == [{"typed": "keper", "searched": "keeper"}]
    (hit,) = found["hits"]
    assert hit.keys() == HIT
    assert hit["book"].keys() == BOOK
    assert (hit["rank"], hit["passage"], hit["page"], hit["chapter"]) == (1, "b3f2a9:0000", 12, ["Part One", "III"])
    assert [hit["text"][start:end] for start, end in hit["matches"]] == ["keeper"]


def test_ask_as_json(shell: Shell) -> None:
    answer = shell("ask", "keeper", "letters", "--json").json
    assert answer.keys() == {
        *("question", "found", "text", "writer", "citations", "closest", "generation", "usage", "seconds"),
        *("own_words", "notices", "next_questions"),
    }
    assert answer["usage"].keys() == USAGE
    (citation,) = answer["citations"]
    assert citation.keys() == {"number", "quote", "book", *PLACE}
    assert citation["quote"] in PASSAGES[0].text
    assert answer["found"] is True


def test_an_answer_not_found_as_json(shell: Shell) -> None:
    answer = shell("ask", "lamp", "--json").json
    assert (answer["found"], answer["citations"]) == (False, [])
    assert [hit.keys() for hit in answer["closest"]] == [HIT]


def test_ingest_and_remove_as_json(shell: Shell) -> None:
    keys = {"generation", "parent", "added", "updated", "unchanged", "removed", "failed", "skipped", "books"}
    keys |= {"passages", "languages", "seconds", "usage", "warnings", "embedded", "notices"}
    report = shell("ingest", "--json").json
    assert report.keys() == keys
    assert report["added"] == ["books/ledger.pdf", "books/мост.fb2"]
    assert shell("books", "remove", "Записки о мосте", "--json").json["removed"] == ["books/мост.fb2"]


def test_books_as_json(shell: Shell) -> None:
    ledger, _ = shell("books", "--json").json["books"]
    assert ledger.keys() == BOOK | {"year", "format", "size", "passages", "characters", "warnings"}


def test_show_as_json(shell: Shell) -> None:
    shown = shell("show", "b3f2a9:0001", "--json").json
    assert shown.keys() == {"book", "before", "after", "text", *PLACE}
    assert [passage["passage"] for passage in shown["before"]] == ["b3f2a9:0000"]


def test_versions_of_the_index_as_json(shell: Shell) -> None:
    newest, *_ = shell("rollback-index", "--list", "--json").json["generations"]
    assert newest.keys() == {"generation", "active", "parent", "created", "books", "passages", "size"}
    assert newest["created"] == "2023-11-14T22:13:28+00:00"
    assert shell("rollback-index", "--json").json == {"from": 8, "to": 7}


def test_verify_as_json(shell: Shell) -> None:
    class Damaged(FakeLibrary):
        def verify(self) -> tuple[Verification, ...]:
            return (Verification(8, 12, 100, (Damage("books.jsonl", "size"),)),)

    assert shell("verify", "--json").json["sound"] is True
    run = shell("verify", "--json", library=Damaged)
    assert run.code == 65
    assert run.json["sound"] is False
    assert run.json["generations"][0]["damages"] == [{"file": "books.jsonl", "reason": "size"}]


def test_json_is_utf8_on_one_line_whatever_the_locale(shell: Shell) -> None:
    out = shell("books", "--json").out
    assert "Записки о мосте" in out
    assert out.count("\n") == 1


def test_a_file_name_that_is_no_utf8_comes_through_json_unchanged(shell: Shell) -> None:
    path = Path(b"b\xffok.epub".decode("utf-8", "surrogateescape"))

    class Odd(FakeLibrary):
        async def ingest(self, paths: Sequence[Path] = (), *, on_progress: Any = None) -> IngestReport:
            report = await super().ingest()
            failure = Failure(path, "empty_file", {"path": str(path)}, retry=False)
            return replace(report, added=(path,), failed=(failure,))

    run = shell("ingest", "--json", library=Odd)
    assert run.code == 65
    assert run.json["added"] == [str(path)]
    assert run.json["failed"][0].keys() == {"path", "reason", "message", "retry"}
    assert r"b\udcffok.epub" in shell("ingest", library=Odd).out


def test_a_failed_check_is_exit_code_78(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    class Poor(FakeLibrary):
        async def check(self) -> tuple[Check, ...]:
            return Check("folder", True, {}), Check("key", None, {}), Check("space", False, {"free": 3})

    sentences = {"folder": "The folder is there.", "key": "No key.", "space": "{free} MB left."}
    monkeypatch.setitem(cast("Any", messages("en"))._table, "doctor", sentences)
    run = shell("doctor", library=Poor)
    assert (run.code, run.out) == (78, "✓ The folder is there.\n– No key.\n✗ 3 MB left.\n")
    assert [check["ok"] for check in shell("doctor", "--json", library=Poor).json["checks"]] == [True, None, False]


# With a model


class Degraded(FakeLibrary):
    """Its service is down: it says so in every result."""

    NOTICE = Notice("search_by_words", because=("service_slow", {"service": "api.example", "seconds": 5}))

    async def search(self, query: str, **filters: Any) -> SearchResult:
        return replace(await super().search(query, **filters), notices=(self.NOTICE,))

    async def ask(self, question: str, **wishes: Any) -> Answer:
        return replace(await super().ask(question, **wishes), notices=(self.NOTICE,))

    async def ingest(self, paths: Sequence[Path] = (), *, on_progress: Any = None) -> IngestReport:
        left = Notice("not_embedded", {"count": 1200}, because=("service_key_refused", {"service": "api.example"}))
        return replace(await super().ingest(paths), notices=(left,), embedded=3)


@pytest.mark.parametrize("command", [("search", "keeper"), ("ask", "when did the keeper stop letters"), ("ingest",)])
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_result_could_not_do_is_said_beside_it(shell: Shell, command: Sequence[str], language: str) -> None:
    plain, run = (shell(*command, language=language, library=library) for library in (FakeLibrary, Degraded))
    assert (run.code, run.out) == (plain.code, plain.out)
    assert "api.example" in run.err
    (notice,) = shell(*command, "--json", language=language, library=Degraded).json["notices"]
    assert run.err == f"{notice['message']}\n"


def test_a_dry_run_tells_what_would_be_paid(shell: Shell) -> None:
    out = shell("ingest", "--dry-run").out
    assert re.search(r"^Would be added +2$", out, re.MULTILINE)
    assert "3 passages for the model openai:api.openai.com:text-embedding-3-small:512: about 640 tokens" in out
    assert "less than $0.01" in out
    told = shell("ingest", "--dry-run", "--json").json
    assert (told["dry_run"], told["to_embed"], told["tokens"], told["cost"]) == (True, 3, 640, 0.0000128)


class Asked(FakeLibrary):
    """Remembers what it was asked; what it remembers outlives it, as a conversation does."""

    asked: ClassVar[list[tuple[Any, ...]]] = []
    kept: ClassVar[FakeConversation] = FakeConversation()

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.conversation = self.kept

    async def ask(self, question: str, **wishes: Any) -> Answer:
        self.asked.append((wishes["strict"], tuple(turn.question for turn in wishes["history"])))
        return await super().ask(question, **wishes)


def test_a_conversation_goes_on_only_where_it_is_asked_to(shell: Shell) -> None:
    for command in (("ask", "first"), ("ask", "second", "--continue"), ("ask", "third", "--continue", "--no-strict")):
        shell(*command, library=Asked)
    shell("ask", "fourth", library=Asked)
    assert Asked.asked == [(True, ()), (True, ("first",)), (False, ("first", "second")), (True, ())]
    assert [turn.question for turn in Asked.kept.turns()] == ["fourth"]


def test_an_answer_grows_on_a_terminal_only_and_goes_when_it_is_there(shell: Shell) -> None:
    question = "when did the keeper stop letters"
    assert shell("ask", question).err == ""
    growing = shell("ask", question, columns=40).err
    assert "He kept the paper dry in a biscuit tin \nall the same." in growing
    assert MOVES.search(growing)

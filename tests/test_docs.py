"""The documentation is true: its commands run, the answers it shows are real, its tables and links are whole."""

from __future__ import annotations

import asyncio
import html
import re
import runpy
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from ai_library_bot import errors
from ai_library_bot.cli import INTERRUPTED, NOTHING_FOUND, app, main
from ai_library_bot.locales import LANGUAGES
from ai_library_bot.readers import SUFFIXES
from ai_library_bot.settings import Settings
from tests.bot.running import ADMIN, running, settings_for
from tests.bot.telegram_server import TelegramServer
from tests.screens import attach
from tests.test_locales import SENTENCES
from tests.test_project import make_targets

ROOT = Path(__file__).parent.parent
READMES = {"en": "README.md", "ru": "README.ru.md"}
GUIDES = {"en": "docs/run_local.md", "ru": "docs/run_local.ru.md"}
DOCUMENTS = sorted(path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")))
TRANSLATED = [(name.replace(".ru.", "."), name) for name in DOCUMENTS if name.endswith(".ru.md")]

# What a page may tell to type besides: none of it is ours.
STRANGERS = {"source", "git", "cd"}

# Blocks of a page that are parts of files or other people's commands.
FILES = ("text", "yaml", "ini", "sh", "sql")

OWN_BOOK = "The ferryman of Orsk kept bees. " * 20


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def language_of(document: str) -> str:
    return "ru" if document.endswith(".ru.md") else "en"


def blocks(document: str, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", read(document), re.MULTILINE | re.DOTALL)


def prose(document: str) -> str:
    return re.sub(r"^```.*?^```", "", read(document), flags=re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Typed:
    """A command that a page tells to type, what it shows below, and the exit code that `echo $?` shows after it."""

    words: list[str]
    shown: str = ""
    code: int = 0

    @property
    def shape(self) -> list[str]:
        """The program, its command and its options: what the pages of all languages have in common."""
        return [*self.words[:2], *(word for word in self.words[2:] if word.startswith("-"))]


def typed(document: str) -> list[Typed]:
    found: list[Typed] = []
    for block in blocks(document, "console"):
        for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
            if command == "echo $?":
                found[-1] = Typed(found[-1].words, found[-1].shown, int(shown))
            else:
                found.append(Typed(shlex.split(command), shown))
    return found


def looks_like(shown: str, printed: str) -> bool:
    """Whether that was printed. Line breaks and seconds make no difference, and a line "…" stands for any text."""
    pieces = [re.escape(even(piece)) for piece in re.split(r"^…$", shown, flags=re.MULTILINE)]
    return re.fullmatch(" ?.*".join(pieces), even(printed), re.DOTALL) is not None


def even(text: str) -> str:
    text = re.sub("^▌", "", text, flags=re.MULTILINE)  # the gutter of a dialogue stands before each line of the screen
    return re.sub(r"\d+[.,]\d (?=[sс]\b)", "", " ".join(text.split()))


Run = Callable[[list[str]], tuple[int, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs a command as a person with the sample books and books of their own; gives exit code and standard output."""
    shutil.copytree(ROOT / "books", tmp_path / "books")
    for name in ("Books", "Книги"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "own.txt").write_text(OWN_BOOK)
    for name in ("novel.epub", "роман.fb2"):
        (tmp_path / name).write_bytes(next((ROOT / "books").glob(f"*{Path(name).suffix}")).read_bytes())
    monkeypatch.chdir(tmp_path)
    for setting in Settings.model_fields:
        if setting != "library_lang":
            monkeypatch.delenv(setting.upper(), raising=False)

    def run(words: list[str]) -> tuple[int, str]:
        with monkeypatch.context() as patch:
            screen = attach(patch)
            code = main([re.sub("^~/", f"{tmp_path.as_posix()}/", word) for word in words[1:]])
            return code, screen.out.written() + screen.err.written()

    return run


# Commands


@pytest.mark.parametrize("document", [document for document in DOCUMENTS if typed(document)])
def test_what_a_page_tells_to_type_does_what_it_shows(document: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIBRARY_LANG", language_of(document))
    for command in typed(document):
        program, argument = command.words[:2]
        if command.words == ["library", "serve-bot"]:
            assert command.shown == asyncio.run(bot_starts(language_of(document)))
        elif program == "library":
            code, printed = run(command.words)
            assert code == command.code, f"{command.words}: {printed}"
            assert not command.shown or looks_like(command.shown, printed), printed
        elif program == "make":
            assert argument in make_targets()
        else:
            assert program in STRANGERS


async def bot_starts(language: str) -> str:
    """What `library serve-bot` prints when it is ready. A message to it is answered, and it stops."""
    with TelegramServer() as telegram:
        owner = telegram.user(ADMIN)
        async with running(settings_for(telegram, Path(), library_lang=language)):
            owner.say("/start")
            await telegram.wait_for(lambda: telegram.last(owner))
    ready = SENTENCES[language]["serve.ready"]
    assert isinstance(ready, str)
    return ready.format(bot="@your_library_bot") + "\n"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_examples_of_the_help_work_with_the_sample_books(
    language: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIBRARY_LANG", language)
    examples = [text for key, text in SENTENCES[language].items() if re.fullmatch(r"help\.\w+\.examples", key)]
    assert examples
    for lines in examples:
        run(["library", "ingest", "./books"])
        for line in lines.strip().splitlines():
            code, printed = run(shlex.split(line))
            assert code == 0, f"{line}: {printed}"


@pytest.mark.parametrize("document", [*DOCUMENTS, ".env.example"])
def test_commands_that_the_text_mentions_exist(document: str) -> None:
    root: Any = get_command(app)
    for mention in re.findall(r"`(library [^`]*)`", prose(document)):
        command = root
        for word in mention.split()[1:]:
            if word.startswith("--"):
                assert word in {"--help", *(name for parameter in command.params for name in parameter.opts)}, mention
            elif command is root:
                assert word in command.commands, mention
                command = command.commands[word]
            elif word in getattr(command, "commands", {}):
                command = command.commands[word]
    for target in re.findall(r"`make ([a-z]+)`", prose(document)):
        assert target in make_targets()


def test_a_changed_answer_does_not_look_like_the_one_shown() -> None:
    shown = "Nobody knew. [1]\n\n[1] A. Tresk · 7%\n"
    assert looks_like(shown, "Nobody\nknew. [1]\n\n[1] A. Tresk · 7%\n")
    assert looks_like("Not found.\n…\n", "Not found.\n\n 1. A book\n")
    assert looks_like("Version 1 · 0.7 s\n", "Version 1 · 12.3 s\n")
    assert not looks_like(shown, "Everybody knew. [1]\n\n[1] A. Tresk · 7%\n")
    assert not looks_like(shown, shown + "[2] B. Tresk\n")


# The Python example and the pictures


@pytest.mark.parametrize("readme", READMES.values())
def test_the_python_example_prints_what_it_shows(readme: str, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    (example,), (shown,) = blocks(readme, "python"), blocks(readme, "text")
    run(["library", "ingest", "./books"])
    exec(compile(example, readme, "exec"), {"__name__": "__main__"})
    assert looks_like(shown, capsys.readouterr().out)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_picture_shows_what_the_program_prints(language: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = f"docs/images/terminal-{language}.svg"
    assert f"]({picture})" in read(READMES[language])
    drawn = "".join(html.unescape(re.sub("<[^>]*>", "", read(picture))).split())
    monkeypatch.setenv("LIBRARY_LANG", language)
    run(["library", "ingest", "./books"])
    for command in runpy.run_path(str(ROOT / "docs" / "images" / "draw.py"))["SHOWN"][language]:
        _, printed = run(shlex.split(command))
        for text in (command, printed):
            assert "".join(text.split()) in drawn, "run python docs/images/draw.py"


# Tables


def rows(document: str) -> Iterator[list[str]]:
    for line in read(document).splitlines():
        if line.startswith("| ") and not line.startswith("|-"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize("readme", READMES.values())
def test_the_readme_has_every_setting_with_its_default(readme: str) -> None:
    shown = {name.strip("`"): row[0].strip("`") for name, *row in rows(readme) if re.fullmatch("`[A-Z_]+`", name)}
    defaults = dict(re.findall(r"^#([A-Z_]+)=(.*)$", read(".env.example"), re.MULTILINE))
    assert shown == defaults | {"LIBRARY_LANG": {"en": "of your system", "ru": "язык системы"}[language_of(readme)]}
    assert shown.keys() == {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("readme", READMES.values())
def test_the_readme_has_every_kind_of_file(readme: str) -> None:
    suffixes = [suffix for _, files, *_ in rows(readme) for suffix in re.findall(r"`\.([a-z0-9.]+)`", files)]
    assert sorted(suffixes) == sorted(SUFFIXES)


@pytest.mark.parametrize("readme", READMES.values())
def test_the_readme_has_every_command(readme: str) -> None:
    command: Any = get_command(app)
    shown = {first.strip("`").split()[1] for first, *_ in rows(readme) if first.startswith("`library ")}
    assert shown == command.commands.keys()


@pytest.mark.parametrize("readme", READMES.values())
def test_the_readme_has_every_exit_code(readme: str) -> None:
    (sentence,) = re.findall(r"^.*(?:Exit codes|Коды завершения): (.*?)\n\n", read(readme), re.MULTILINE | re.DOTALL)
    codes = {kind.exit_code for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "exit_code")}
    assert set(map(int, re.findall(r"\d+", sentence))) == codes | {0, NOTHING_FOUND, INTERRUPTED}


@pytest.mark.parametrize(("language", "guide"), GUIDES.items())
def test_the_messages_that_the_guide_explains_are_those_of_the_program(language: str, guide: str) -> None:
    sentences = SENTENCES[language].values()
    said = [form for one in sentences for form in (one.values() if isinstance(one, dict) else [one])]
    _, table = read(guide).split("\n## 6. ")
    messages = re.findall(r"^\| (.+?) \| ", table.split("\n## ")[0], re.MULTILINE)[1:]
    assert len(messages) > 10
    for message in messages:
        pattern = ".*".join(map(re.escape, message.split("…")))
        assert any(re.search(pattern, sentence) for sentence in said), message


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_a_page_lets_the_program_say_it_says(document: str) -> None:
    said = [one for one in SENTENCES[language_of(document)].values() if isinstance(one, str)]
    patterns = [re.sub(r"\\{\w+\\}", ".+", re.escape(one)) for one in said]
    for quoted in re.findall("^(?:> .*\n)+", prose(document), re.MULTILINE):
        sentence = " ".join(re.sub("^> ", "", quoted, flags=re.MULTILINE).split())
        assert any(re.fullmatch(pattern, sentence) for pattern in patterns), sentence


# Links, and the pages in two languages


def links(page: str) -> list[str]:
    """Where the page links to; a page and a picture in another language count as the same."""
    return sorted(re.sub(r"[.-](?:ru|en)\b|#.*", "", target) for target in re.findall(r"\]\(([^)\s]+)\)", read(page)))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_to_files(document: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", read(document)):
        if "://" not in target:
            assert (ROOT / document).parent.joinpath(target.partition("#")[0]).exists(), target


def test_the_tests_that_keep_the_invariants_exist() -> None:
    named = 0
    for name, *cells in rows("docs/architecture.md"):
        if re.fullmatch(r"[IB]\d", name):
            sources = "".join(read(f"docs/{path}") for path in re.findall(r"\((\.\./tests/[\w/]+\.py)\)", cells[-1]))
            for test in re.findall(r"`(test_\w+)`", cells[-1]):
                assert f"def {test}(" in sources, test
                named += 1
    assert named


@pytest.mark.parametrize("pages", TRANSLATED, ids=[english for english, _ in TRANSLATED])
def test_pages_in_two_languages_have_the_same_parts(pages: tuple[str, str]) -> None:
    english, russian = (
        {
            "headings": re.findall("^#+(?= )", prose(page), re.MULTILINE),
            "commands": [command.shape for command in typed(page)],
            "rows": [len(row) for row in rows(page)],
            "python": len(blocks(page, "python")),
            "powershell": blocks(page, "powershell"),
            "pictures": len(re.findall(r"!\[", prose(page))),
            "points": len(re.findall("^ *(?:-|[0-9]+[.]) ", prose(page), re.MULTILINE)),
            "quoted": len(re.findall("^> ", prose(page), re.MULTILINE)),
            "files": {kind: len(blocks(page, kind)) for kind in FILES},
            "links": links(page),
        }
        for page in pages
    )
    assert russian == english

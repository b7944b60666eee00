"""What docs/deploy and its pages tell to set up fits the program: settings, files, ports, times, sums."""

from __future__ import annotations

import ast
import asyncio
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ai_library_bot import metrics
from ai_library_bot.bot import inbox, serve, web
from ai_library_bot.bot.sqlite_store import SqliteStore
from ai_library_bot.errors import BadSetting
from ai_library_bot.locales import LANGUAGES
from ai_library_bot.settings import Settings
from tests.test_docs import DOCUMENTS, ROOT, blocks, prose, read, rows
from tests.test_locales import SENTENCES

DEPLOY = ROOT / "docs" / "deploy"
FILES = {path.name: path.read_text("utf-8") for path in sorted(DEPLOY.iterdir())}
PAGES = [name for name in DOCUMENTS if re.match(r"docs/(deploy|ops|demo_run)\.", name)]

TOLD_IN_WORDS = {"TG_TOKEN", "TG_WEBHOOK_SECRET"}
OF_OTHERS = {"LIBRARY_USER", "NO_COLOR"}
BOTFATHER = {"newbot", "revoke", "setinline"}
ONLY_IN_GROUPS = {"allow", "disallow"}
PATHS = {"healthz", "telegram"}

STOP = serve.STOP_SECONDS + inbox._LAST_WORDS + web._CLOSING
"""How many seconds a stop may take."""


@pytest.mark.parametrize("document", DOCUMENTS)
def test_settings_that_the_text_sets_exist(document: str) -> None:
    text = "\n".join(blocks(document, "text") + blocks(document, "ini") + [prose(document)])
    for name in re.findall(r"\b([A-Z]+(?:_[A-Z]+)+)=|\b(TG_[A-Z_]+)\b", text):
        assert "".join(name) in {*map(str.upper, Settings.model_fields), *OF_OTHERS}, name


@pytest.mark.parametrize("document", PAGES)
def test_settings_that_a_page_writes_into_the_env_file_are_taken(document: str) -> None:
    for block in re.findall(r"^ *```text\n(.*?)^ *```", read(document), re.MULTILINE | re.DOTALL):
        given = dict(re.findall(r"^ *([A-Z_]+)=(.*)$", block, re.MULTILINE))
        Settings(**{name.lower(): value for name, value in given.items() if name not in TOLD_IN_WORDS})


@pytest.mark.parametrize("document", PAGES)
def test_commands_of_the_bot_that_the_text_mentions_exist(document: str) -> None:
    known = {key.split(".")[2] for key in SENTENCES["en"] if key.startswith("bot.command.")} | {"start"}
    for command in re.findall(r"`/([a-z]+)[ `]", prose(document)):
        assert command in known | BOTFATHER | ONLY_IN_GROUPS | PATHS, command


def logged() -> set[str]:
    """What the program may write into its log: the sentences in the code, and those of errors."""
    lines = set()
    for path in (ROOT / "ai_library_bot").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("_LOG."):
                lines.add(ast.literal_eval(node.args[0]))
    return lines | {one for key, one in SENTENCES["en"].items() if key.startswith("error.") and isinstance(one, str)}


@pytest.mark.parametrize("page", ["docs/ops.md", "docs/ops.ru.md"])
def test_the_lines_that_the_page_about_the_log_explains_are_those_of_the_program(page: str) -> None:
    lines, explained = logged(), 0
    for first, *_ in rows(page):
        if re.fullmatch(r"`[^`]+ [^`]+`", first):
            pattern = ".*".join(map(re.escape, first.strip("`").split("…")))
            assert any(re.search(pattern, line) for line in lines), first
            explained += 1
    assert explained > 10


@pytest.mark.parametrize("page", ["docs/ops.md", "docs/ops.ru.md"])
def test_what_the_page_types_to_erase_a_person_leaves_nothing_of_them(page: str, tmp_path: Path) -> None:
    path = tmp_path / serve.DATABASE
    theirs = ["person/17/talk/17", "person/17/language", "person/8/vote/key/17", "vote/key/17", "member/17"]
    others = ["person/170/talk/170", "vote/key/8", "member/170", "spent/2026-01-01/170"]

    async def remember() -> None:
        store = SqliteStore(path)
        for key in (*theirs, "spent/2026-01-01/17"):
            await store.put(key, b"a secret of seventeen")
        for key in others:
            await store.put(key, b"somebody else")
        await store.close()

    asyncio.run(remember())
    (typed,) = blocks(page, "sql")
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(typed)
        left = connection.execute("SELECT CAST(key AS TEXT) FROM kept").fetchall()
    assert sorted(key for (key,) in left) == sorted(others)
    assert not any(b"seventeen" in file.read_bytes() for file in tmp_path.iterdir())


def test_whatever_stops_the_bot_lets_it_finish() -> None:
    (systemd,) = re.findall(r"^TimeoutStopSec=(\d+)$", FILES["library-bot.service"], re.MULTILINE)
    (docker,) = re.findall(r"^ +stop_grace_period: (\d+)s$", FILES["compose.yaml"], re.MULTILINE)
    assert int(systemd) > 1.5 * STOP
    assert int(docker) > 1.5 * STOP


def test_the_bot_is_not_started_again_with_a_setting_that_is_wrong() -> None:
    assert f"RestartPreventExitStatus={BadSetting.exit_code}\n" in FILES["library-bot.service"]


def test_the_image_installs_with_hashes_from_files_that_are_there() -> None:
    dockerfile = FILES["Dockerfile"].replace("\\\n", " ")
    for sources in re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile, re.MULTILINE):
        assert all((ROOT / source).exists() for source in sources.split())
    for command in re.findall(r"pip install (.*)", dockerfile):
        assert "--require-hashes --only-binary :all:" in command or "--no-index --no-deps" in command
    assert re.search(r"^USER [1-9]", dockerfile, re.MULTILINE)


def test_what_the_containers_are_told_is_what_the_program_reads() -> None:
    (environment,) = re.findall(r"    environment:\n((?:      .*\n)+)", FILES["compose.yaml"])
    given = dict(line.strip().split(": ", 1) for line in environment.splitlines())
    Settings(**{name.lower(): value for name, value in given.items()})
    assert {name.lower() for name in given} <= Settings.model_fields.keys()
    for source in re.findall(r"^      - \.\./\.\./([\w.]+):/library", FILES["compose.yaml"], re.MULTILINE):
        assert (ROOT / source).exists() or source == ".env"
    assert web.HEALTH in FILES["compose.yaml"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_proxies_lead_to_where_the_page_lets_the_bot_listen(language: str) -> None:
    page = read("docs/deploy.md" if language == "en" else "docs/deploy.ru.md")
    (address,) = re.findall(r"^TG_WEBHOOK_URL=https://([\w.]+/\w+)$", page, re.MULTILINE)
    (listen,) = re.findall(r"^TG_LISTEN=(\S+)$", page, re.MULTILINE)
    host, path = address.split("/")
    for proxy in ("Caddyfile", "nginx.conf"):
        assert re.search(rf"^(?:{host} \{{|    server_name {host};)$", FILES[proxy], re.MULTILINE)
        assert re.search(rf"^\s(?:handle|   location =) /{path} \{{$", FILES[proxy], re.MULTILINE)
        assert re.search(rf"^\s+(?:reverse_proxy|server) {listen};?$", FILES[proxy], re.MULTILINE)


def test_alerts_watch_figures_that_there_are() -> None:
    source = Path(metrics.__file__).read_text("utf-8")
    for figure in re.findall(r"\b(library_\w+?)(?:_total|_bucket)\b", FILES["alerts.yaml"]):
        assert f'"{figure}"' in source


@pytest.mark.parametrize("name", FILES)
def test_each_file_is_shown_by_the_pages(name: str) -> None:
    for ending in ("md", "ru.md"):
        assert f"(deploy/{name})" in read(f"docs/deploy.{ending}") + read(f"docs/ops.{ending}")

"""The arrows of docs/architecture.md: which part of the package may import which, and who owns each heavy library."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import ai_library_bot

PACKAGE = Path(ai_library_bot.__file__).parent

# Anyone may use the words of the domain and the sentences for people.
WORDS = {"errors", "locales", "protocols", "text", "types"}

# A part is a module or a folder right under the package; inside a folder anything may import anything.
MAY_IMPORT = {
    "__init__": {"library", "settings", *WORDS},
    "__main__": {"cli"},
    "cli": {
        *("env_file", "help", "json_output", "library", "logs", "progress", "render", "session", "terminal"),
        *WORDS,
    },
    "session": {"bot", "json_output", "library", "logs", "settings", "terminal", *WORDS},
    "bot": {"library", "locators", "logs", "metrics", "redis_client", "settings", "snippet", *WORDS},
    "help": {"terminal", *WORDS},
    "json_output": WORDS,
    "render": {"locators", "snippet", "terminal", *WORDS},
    "locators": WORDS,
    "logs": {"settings", *WORDS},
    "progress": {"terminal", *WORDS},
    "terminal": WORDS,
    "snippet": WORDS,
    "library": {
        *("adapters", "answers", "ask", "choosing", "conversation", "doctor", "index", "ingest"),
        *("local_model", "metrics", "models", "pictures", "settings", "shelving", "voice", *WORDS),
    },
    "models": {
        *("accounts", "adapters", "answers", "embedding", "index", "local_model", "metrics", "openai_api"),
        *("settings", "usage", *WORDS),
    },
    "accounts": {"openai_api", "usage", *WORDS},
    "voice": {"accounts", "openai_api", *WORDS},
    "adapters": {"answers", "local_model", "openai_api", "settings", *WORDS},
    "settings": {"env_file", "prices", *WORDS},
    "env_file": WORDS,
    "choosing": {"index", *WORDS},
    "ask": {"answers", "index", *WORDS},
    "ingest": {"changes", "chunking", "embedding", "index", "reading", "scan", *WORDS},
    "pictures": {"index", "readers", "scan", *WORDS},
    "shelving": {"index", "ingest", "readers", "reading", "scan", *WORDS},
    "reading": {"changes", "readers", "scan", *WORDS},
    "embedding": {"index", *WORDS},
    "conversation": {"index", *WORDS},
    "usage": {"index", *WORDS},
    "metrics": WORDS,
    "changes": {"readers", "scan", *WORDS},
    "scan": {"readers", *WORDS},
    "doctor": {"embedding", "index", "openai_api", "readers", "scan", "usage", *WORDS},
    "local_model": WORDS,
    "openai_api": {"prices", *WORDS},
    "prices": {"types"},
    "readers": WORDS,
    "index": WORDS,
    "answers": {"openai_api", "redis_client", *WORDS},
    "redis_client": WORDS,
    "chunking": WORDS,
    "errors": {"locales"},
    "protocols": {"types"},
    "types": set(),
    "text": set(),
    "locales": {"types"},
}

# The one module, or folder, that knows a heavy library: the place to learn about it, and to replace it.
OWNERS = {
    "aiogram": "bot",
    "aiohttp": "bot",
    "backoff": "openai_api.tries",
    "chardet": "readers.decode",
    "faiss": "index.vectors",
    "httpx2": "openai_api",
    "huggingface_hub": "local_model",
    "lxml": "readers",
    "mammoth": "readers.docx",
    "markdown_it": "readers.markdown",
    "onnxruntime": "local_model",
    "openai": "openai_api",
    "prometheus_client": "metrics",
    "dawg_python": "index.morphology",
    "pymorphy3_dicts_ru": "index.morphology",
    "pypdfium2": "readers.pdf",
    "redis": "redis_client",
    "tantivy": "index.lexical",
    "tokenizers": "local_model",
}

# What runs before a command is chosen; no heavy library may load there.
ENTRANCES = ("__init__", "__main__", "cli")


@dataclass(frozen=True)
class Import:
    """One import statement: `what` is imported by `by`; both names are dotted, ours without the package in front.

    `eager` imports run as soon as the importing module is loaded.
    """

    by: str
    what: str
    ours: bool
    eager: bool
    line: int


def module_name(path: Path, package: Path) -> str:
    parts = path.relative_to(package).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


@cache
def imports(package: Path) -> tuple[Import, ...]:
    """Every import under `package`, those inside functions included."""
    return tuple(_imports(package))


def _imports(package: Path) -> Iterator[Import]:
    modules = {module_name(path, package): path for path in sorted(package.rglob("*.py"))}
    for by, path in modules.items():
        tree = ast.parse(path.read_text("utf-8"))
        lazy = {
            id(inner)
            for outer in ast.walk(tree)
            if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or is_type_checking(outer)
            for inner in ast.walk(outer)
        }
        inside = (package.name, *by.split(".")) if path.name == "__init__.py" else (package.name, *by.split(".")[:-1])
        if by == "__init__":
            inside = (package.name,)
        for node in ast.walk(tree):
            for name in imported(node, inside):
                ours = name.split(".")[0] == package.name
                what = name.removeprefix(package.name).removeprefix(".") if ours else name
                if ours and what not in modules:  # `from package.module import name`
                    what = what.rpartition(".")[0]
                yield Import(by, what or "__init__", ours, id(node) not in lazy, getattr(node, "lineno", 0))


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def imported(node: ast.AST, inside: tuple[str, ...]) -> Iterator[str]:
    """The dotted names that one statement imports; relative ones count from the package `inside`."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        start = ".".join(inside[: len(inside) - node.level + 1]) if node.level else ""
        module = ".".join(filter(None, (start, node.module)))
        if module.split(".")[0] == inside[0]:
            yield from (f"{module}.{alias.name}" for alias in node.names)
        else:
            yield module


def part(module: str) -> str:
    return module.split(".")[0]


def crossings(package: Path) -> list[str]:
    """The imports that go against `MAY_IMPORT`."""
    return [
        f"{found.by}:{found.line} imports {found.what}"
        for found in imports(package)
        if found.ours and part(found.what) not in (part(found.by), *MAY_IMPORT.get(part(found.by), ()))
    ]


def trespasses(package: Path) -> list[str]:
    """The imports of a heavy library by a module that does not own it."""
    return [
        f"{found.by}:{found.line} imports {part(found.what)}"
        for found in imports(package)
        if not found.ours and not f"{found.by}.".startswith(f"{OWNERS.get(part(found.what), found.by)}.")
    ]


def loaded_at_start(package: Path) -> list[str]:
    """The heavy libraries that the command line loads before it knows its command, each with the way to it."""
    found = imports(package)
    ways = {entrance: entrance for entrance in ENTRANCES}
    waiting = list(ENTRANCES)
    heavy = []
    while waiting:
        module = waiting.pop()
        for step in found:
            if step.by != module or not step.eager:
                continue
            if not step.ours and part(step.what) in OWNERS:
                heavy.append(f"{ways[module]} → {part(step.what)}")
            for target in (step.what, part(step.what)) if step.ours else ():  # a package loads before its modules
                if target not in ways:
                    ways[target] = f"{ways[module]} → {target}"
                    waiting.append(target)
    return heavy


def test_imports_go_down_only() -> None:
    assert crossings(PACKAGE) == []


def test_every_part_of_the_package_has_its_place() -> None:
    parts = {part(module_name(path, PACKAGE)) for path in PACKAGE.rglob("*.py")}
    assert parts - MAY_IMPORT.keys() == set(), "say in MAY_IMPORT what these may import"


def test_heavy_libraries_are_imported_by_their_owners_only() -> None:
    assert trespasses(PACKAGE) == []


def test_the_command_line_starts_without_heavy_libraries() -> None:
    assert loaded_at_start(PACKAGE) == []


@pytest.mark.parametrize("layer", ["readers", "index", "answers"])
def test_readers_index_and_answers_do_not_know_one_another(layer: str) -> None:
    assert MAY_IMPORT[layer].isdisjoint({"readers", "index", "answers"} - {layer})


def test_only_the_command_line_knows_the_bot() -> None:
    assert {by for by, allowed in MAY_IMPORT.items() if "bot" in allowed} == {"session"}


SEEDED = {
    "text.py": "",
    "cli.py": "from ai_library_bot import render\nfrom ai_library_bot.index import search",
    "render.py": "def show():\n    from ai_library_bot import library",
    "library.py": "from .ask import answer\nimport ai_library_bot.text",
    "ask.py": "",
    "readers/__init__.py": "from .. import text\nfrom . import pdf",
    "readers/pdf.py": "import lxml.etree\nfrom ..index import lexical",
    "index/__init__.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import tantivy",
    "index/lexical.py": "import tantivy",
    "index/search.py": "from .lexical import x\nfrom ..answers.quotes import verify",
    "answers/__init__.py": "",
    "answers/quotes.py": "def verify():\n    import tantivy.query",
}


@pytest.fixture
def broken_package(tmp_path: Path) -> Path:
    package = tmp_path / "ai_library_bot"
    for name, source in SEEDED.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return package


def test_wrong_arrows_are_found(broken_package: Path) -> None:
    assert crossings(broken_package) == [
        "cli:2 imports index.search",
        "index.search:2 imports answers.quotes",
        "readers.pdf:2 imports index.lexical",
        "render:2 imports library",
    ]


def test_a_heavy_library_in_a_strange_module_is_found(broken_package: Path) -> None:
    assert trespasses(broken_package) == ["answers.quotes:2 imports tantivy", "index:3 imports tantivy"]


def test_a_heavy_library_on_the_way_of_the_command_line_is_found(broken_package: Path) -> None:
    assert loaded_at_start(broken_package) == ["cli → index.search → index.lexical → tantivy"]

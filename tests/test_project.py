"""The files around the code agree: pyproject.toml, lock files, Makefile, workflows, changelog and README."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from typer.main import get_group

from ai_library_bot.cli import app
from tests.test_layers import PACKAGE, imports, part

ROOT = Path(__file__).parent.parent
LOCK_FILES = ("requirements.lock", "requirements-extras.lock", "requirements-dev.lock", "requirements-audit.lock")
READMES = ("README.md", "README.ru.md")


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def locked(name: str) -> dict[str, str]:
    """The packages of a lock file, each with its version."""
    pins = re.findall(r"^([\w.-]+)==(\S+)", read(name), re.MULTILINE)
    return {canonicalize_name(package): pinned for package, pinned in pins}


def tracked_texts() -> dict[str, str]:
    """The project's text files, those that git keeps or would keep."""
    git = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(git, cwd=ROOT, check=True, capture_output=True, encoding="utf-8").stdout.split("\0")
    texts = {}
    for name in filter(None, names):
        if not name.startswith("books/") and (ROOT / name).is_file():
            content = (ROOT / name).read_bytes()
            if b"\0" not in content:
                texts[name] = content.decode("utf-8", errors="replace")
    return texts


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))


def assert_satisfied(requirements: list[str], lock: str) -> None:
    pins = locked(lock)
    for requirement in map(Requirement, requirements):
        pinned = pins.get(canonicalize_name(requirement.name))
        assert pinned is not None, f"{lock} lacks {requirement.name}: run make lock"
        assert pinned in requirement.specifier, f"{lock} has {requirement.name} {pinned}: run make lock"


def extras(pyproject: dict[str, Any]) -> list[str]:
    """What the optional parts need, all together."""
    return [line for lines in pyproject["project"]["optional-dependencies"].values() for line in lines]


def test_the_dependencies_are_what_the_package_imports(pyproject: dict[str, Any]) -> None:
    distributions = packages_distributions()
    imported = {part(found.what) for found in imports(PACKAGE) if not found.ours} - sys.stdlib_module_names
    lines = [*pyproject["project"]["dependencies"], *extras(pyproject)]
    declared = {canonicalize_name(Requirement(line).name) for line in lines}
    assert {canonicalize_name(distributions[name][0]) for name in imported} == declared


def test_the_lock_holds_every_dependency_and_what_building_needs(pyproject: dict[str, Any]) -> None:
    assert_satisfied(pyproject["project"]["dependencies"], "requirements.lock")
    assert_satisfied(pyproject["build-system"]["requires"], "requirements.lock")


def test_the_lock_of_the_extras_adds_what_they_need_and_changes_nothing(pyproject: dict[str, Any]) -> None:
    assert_satisfied(extras(pyproject), "requirements-extras.lock")
    assert locked("requirements.lock").items() <= locked("requirements-extras.lock").items()


def test_the_development_lock_adds_the_tools_and_changes_nothing(pyproject: dict[str, Any]) -> None:
    assert_satisfied(pyproject["dependency-groups"]["dev"], "requirements-dev.lock")
    assert locked("requirements-extras.lock").items() <= locked("requirements-dev.lock").items()


def test_what_audits_the_dependencies_is_locked_too(pyproject: dict[str, Any]) -> None:
    assert_satisfied(pyproject["dependency-groups"]["audit"], "requirements-audit.lock")
    workflow = read(".github/workflows/ci.yml")
    assert "pip-audit --require-hashes --disable-pip --requirement requirements-extras.lock" in workflow
    assert "cyclonedx-py requirements requirements-extras.lock" in workflow


def test_workflows_may_only_read() -> None:
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        assert re.findall(r"^permissions:\n((?:  .*\n)+)", path.read_text("utf-8"), re.MULTILINE) == [
            "  contents: read\n"
        ]


@pytest.mark.parametrize("lock", LOCK_FILES)
def test_every_locked_package_has_hashes_and_no_address(lock: str) -> None:
    entries = re.split(r"^(?=[A-Za-z])", re.sub(r"^#.*\n", "", read(lock), flags=re.MULTILINE), flags=re.MULTILINE)
    for entry in filter(None, entries):
        assert re.match(r"[\w.-]+==\S+( ; .+)? \\\n    --hash=sha256:[0-9a-f]{64}", entry), entry
    assert "://" not in read(lock)


def test_the_version_is_said_once(pyproject: dict[str, Any]) -> None:
    current = pyproject["project"]["version"]
    assert version("ai-library-bot") == current, "run make setup"
    python = {name for name, text in tracked_texts().items() if name.endswith(".py") and f'"{current}"' in text}
    assert python == set()


def test_the_changelog_knows_the_current_version(pyproject: dict[str, Any]) -> None:
    assert f"## [{pyproject['project']['version']}]" in read("CHANGELOG.md")


def test_actions_are_pinned_to_commits_that_name_their_release() -> None:
    workflows = [path.read_text("utf-8") for path in (ROOT / ".github" / "workflows").glob("*.yml")]
    uses = [line.strip(" -") for text in workflows for line in text.splitlines() if "uses:" in line]
    assert uses
    for line in uses:
        assert re.fullmatch(r"uses: [\w-]+/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_continuous_integration_covers_the_oldest_python_we_support(pyproject: dict[str, Any]) -> None:
    oldest = pyproject["project"]["requires-python"].removeprefix(">=")
    assert f'"{oldest}"' in read(".github/workflows/ci.yml")
    assert pyproject["tool"]["mypy"]["python_version"] == oldest
    assert pyproject["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"


def test_no_file_names_a_developers_folder_or_a_package_registry() -> None:
    foreign = re.compile(r"(?<![\w.])/(?:home|Users)/[a-z]\w+|(?:pypi|pythonhosted|npmjs)\.(?:org|com|io)")
    for name, text in tracked_texts().items():
        assert str(ROOT) not in text, name
        assert not foreign.search(text), f"{name}: {foreign.search(text)}"


def test_every_make_target_is_phony_and_has_its_line_of_help() -> None:
    makefile = read("Makefile")
    (phony,) = re.findall(r"^\.PHONY: (.*)", makefile, re.MULTILINE)
    assert set(phony.split()) == make_targets()
    helped = re.findall(r"^([a-z]+):.* ## .+", makefile, re.MULTILINE)
    assert helped[0] == "help"
    assert set(helped) == make_targets()


@pytest.mark.parametrize("script", ["apt", "run", "venv"])
def test_scripts_can_be_run(script: str) -> None:
    assert os.access(ROOT / ".ci" / script, os.X_OK)


@pytest.mark.parametrize("readme", READMES)
def test_what_the_readme_tells_to_type_exists(readme: str) -> None:
    code = "\n".join(re.findall(r"^```\w*\n(.*?)^```", read(readme), re.MULTILINE | re.DOTALL))
    typed = set(re.findall(r"^(?:\$ )?(make|library) ([a-z][a-z-]*)", code, re.MULTILINE))
    commands = {("library", name) for name in get_group(app).commands}
    assert {("make", "demo"), ("library", "ingest"), ("library", "ask")} <= typed
    assert typed <= commands | {("make", name) for name in make_targets()}

# Everything is installed into .venv, from the lock files, with hashes; nothing outside this folder changes,
# except that Debian and Ubuntu may need a package from their own archive (see .ci/venv).

# The Python to make .venv with; empty picks the newest one found.
PYTHON =

# Debian packages that some tests run (servers, tools); `make test` installs the missing ones where it can, and where
# it can't those tests are skipped.
TEST_PACKAGES = redis-server strace

INSTALL = .venv/bin/python -m pip install --quiet --disable-pip-version-check
LOCKED = $(INSTALL) --require-hashes --only-binary :all: --requirement
COMPILE = .venv/bin/uv pip compile --quiet --no-config --upgrade --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command "make lock"
BUILD_REQUIREMENTS = .venv/bin/python -c "import sys, tomllib; \
	print(*tomllib.load(sys.stdin.buffer)['build-system']['requires'], sep='\n')" < pyproject.toml

.PHONY: help install extras demo setup check test torture fix bench lock clean

help: ## print this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1	\2/p' Makefile | expand -t 14

install: .venv/runtime ## install what using it needs, and nothing else

extras: .venv/runtime ## also install what local models, Redis and metrics need
	$(LOCKED) requirements-extras.lock

demo: .venv/runtime ## install, read ./books and answer two questions from them
	.venv/bin/library ingest ./books
	.venv/bin/library ask "Сколько дней прослужил мост, открытый в 1955 году?"
	.venv/bin/library ask "Why does the keeper of the lighthouse stop writing letters?"

setup: .venv/development ## install what working on the project needs

check: .venv/development ## lint, formatting and types
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy

test: .venv/development ## run the tests
	@sh .ci/apt $(TEST_PACKAGES) || echo "Going on without: the tests that need it are skipped." >&2
	.venv/bin/python -m pytest --numprocesses auto

torture: .venv/development ## try by force, for hours, what docs/reliability.md promises
	.venv/bin/python -m tests.reliability

fix: .venv/development ## mend what ruff can mend, and format
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

bench: .venv/development ## measure the figures that the documentation gives
	.venv/bin/python -m benchmarks

lock: .venv/development ## renew the lock files: the newest releases that pyproject.toml allows
	$(BUILD_REQUIREMENTS) | $(COMPILE) --output-file requirements.lock pyproject.toml -
	$(COMPILE) --all-extras --output-file requirements-extras.lock pyproject.toml requirements.lock
	$(COMPILE) --all-extras --group dev --output-file requirements-dev.lock pyproject.toml requirements-extras.lock
	$(COMPILE) --group audit --output-file requirements-audit.lock

clean: ## remove .venv and every cache; the index stays
	rm -rf .venv .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@sh .ci/venv $(PYTHON)

.venv/runtime: .venv/bin/python requirements.lock pyproject.toml
	$(LOCKED) requirements.lock
	$(INSTALL) --no-index --no-deps --no-build-isolation --editable .
	.venv/bin/python -m compileall -q ai_library_bot  # what reads books may not write, not even bytecode
	@touch $@

.venv/development: .venv/runtime requirements-dev.lock
	$(LOCKED) requirements-dev.lock
	@touch $@

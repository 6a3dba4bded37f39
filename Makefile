# Each target sets up what it needs in .venv by itself and then, in no time, finds that it is there.
# PYTHON picks the interpreter (3.11 or newer), VENV the folder, ARGS is handed to the tool: make test ARGS="-k mailbox -x"

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
DEMO ?= examples/demo.py

with = @$(PYTHON) tools/environment.py --venv $(VENV)
python = $(VENV)/bin/python

.PHONY: help demo test lint format types bench bench-quick soak mutants lock clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile | expand -t 14

demo:  ## see a reply being interrupted (installs only what that takes)
	$(with) examples
	@$(python) $(DEMO) $(ARGS)

test:  ## run the tests; ARGS="-n auto" uses all processors, for those who have the machine to themselves
	$(with) test servers
	@$(python) -m pytest $(ARGS)

lint:  ## ruff: its rules and its format
	$(with) lint
	@$(python) -m ruff check $(ARGS)
	@$(python) -m ruff format --check

format:  ## let ruff repair and format what it can
	$(with) lint
	@$(python) -m ruff check --fix $(ARGS)
	@$(python) -m ruff format

types:  ## mypy and pyright, both strict
	$(with) test lint
	@$(python) -m mypy $(ARGS)
	@$(python) -m pyright --project pyproject.toml --pythonpath $(python)

bench:  ## measure against the floor and against peers
	$(with) bench
	@$(python) -m benchmarks $(ARGS)

bench-quick:  ## the same in a minute or so, with less to be read from it
	$(with) bench
	@$(python) -m benchmarks --quick $(ARGS)

soak:  ## kill, pause and cut off real servers at random, for five minutes; ARGS="--seconds 60 --kind redis"
	$(with) test servers
	@$(python) -m tests.soak $(ARGS)

mutants:  ## break the code on purpose and see whether the tests notice
	$(with) test servers
	@$(python) tests/mutants/run.py $(ARGS)

lock:  ## renew constraints.txt; ARGS=--upgrade takes the newest of everything
	$(with) --bare
	@$(python) -m uv --version >/dev/null 2>&1 || $(python) -m pip install -qq uv
	@$(python) -m uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 \
		--no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
		--quiet --output-file constraints.txt $(ARGS)

clean:  ## remove what was made here
	rm -rf $(VENV) dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

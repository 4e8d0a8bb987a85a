# Each target makes its own environment in .venv when there is none, or when the pins changed.
# Another Python: make test PYTHON=python3.12. Other options for pip: PIP_FLAGS="--index-url …".

PYTHON ?= python3
PIP_FLAGS ?=
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: help quickstart test browser faults lint .venv

help:
	@echo "make quickstart   four arms on world facts: some minutes, then a table of what each gave"
	@echo "make test         the tests (Chromium is installed for the report's, if it is missing)"
	@echo "make lint         style and types"
	@echo "make faults       sweeps killed at random, resumed and compared with undisturbed ones"
	@echo "make .venv        only the environment; then: . .venv/bin/activate && harness --help"

quickstart: $(STAMP)
	$(BIN)/harness run experiment=quickstart

test: $(STAMP) browser
	$(BIN)/python -m pytest

# The report is tested in headless Chromium. Where it is missing and cannot be installed, those tests
# are skipped, and say so; HARNESS_REQUIRE_BROWSER=1 makes that a failure.
browser:
	@command -v chromedriver >/dev/null && exit 0; \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	    echo "installing Chromium for the report's tests"; \
	    (apt-get update && apt-get install -y --no-install-recommends chromium chromium-driver) \
	        >/dev/null 2>&1 || echo "Chromium could not be installed"; \
	else \
	    echo "no chromedriver: install Chromium and its driver to test the report in a browser"; \
	fi

# Not part of the tests: it kills a sweep a hundred times, alone and with two workers. An hour or so.
faults: $(STAMP)
	$(BIN)/python -m tests.faults.campaign

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
	$(BIN)/python -m pip install --quiet $(PIP_FLAGS) --no-deps -c constraints.txt hydra-ray-launcher
	@touch $@

# The two commands to know: `make demo` and `make test`.

VENV   := .venv
PYTHON ?= python3
BIN    := $(VENV)/bin
# Where the tests run side by side; `make test TESTS=tests/app` runs a part.
TESTS  ?= tests
JOBS   ?= auto
# Which tests of those: `make test ONLY='-m "not long"'` leaves out what takes minutes.
ONLY   ?=
# Options of the measurements: `make bench BENCH='--only packets --json report.json'`.
BENCH  ?=

.PHONY: help install demo test lint format bench clean
.DEFAULT_GOAL := help

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

install: $(VENV)/.installed ## Install hotswitch and what it needs into .venv

$(VENV)/.installed: pyproject.toml src/hotswitch/__init__.py | $(VENV)/.packages-install
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11) \
	    and "hotswitch: needs Python 3.11 or newer (make install PYTHON=python3.12)" or 0)'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[develop]'
	@touch $@

# One stamp a purpose, so that the demo does not wait for what only the benchmark needs.
$(VENV)/.packages-%: apt-packages.txt tools/packages
	@mkdir -p $(VENV) && if tools/packages $*; then touch $@; fi

demo: $(VENV)/.installed $(VENV)/.packages-demo ## Show hotswitch at work in a small lab (root)
	@$(BIN)/python -m demo

test: $(VENV)/.installed $(VENV)/.packages-test ## Run all tests (root, for those with real devices)
	$(BIN)/python -m pytest -n $(JOBS) $(ONLY) $(TESTS)

lint: $(VENV)/.installed ## Check style, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed ## Put the style right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed $(VENV)/.packages-bench ## Measure, side by side with others (root)
	@$(BIN)/python -m bench $(BENCH)

clean: ## Remove what the other commands made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

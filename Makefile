# Everything here makes its own environment first: `make demo` or `make test` after a clone is enough.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: help install demo test lint bench docs clean

help:
	@echo "make demo   learn \"hello\", then train a character model on Shakespeare for under a minute"
	@echo "make test   ruff, mypy and every test"
	@echo "make lint   ruff and mypy"
	@echo "make bench  the benchmarks"
	@echo "make docs   the site with the course and the reference, in build/site"
	@echo "make clean  remove the environment and everything else that was made"
	@echo "The environment is $(VENV), made with $(PYTHON); choose another with PYTHON=python3.12."

install: $(INSTALLED)

$(INSTALLED): pyproject.toml
	@command -v "$(PYTHON)" > /dev/null || { \
		echo "There is no '$(PYTHON)'. Install Python 3.11 or newer, or name one: make PYTHON=python3.12"; \
		exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "'$(PYTHON)' is $$("$(PYTHON)" --version), and 3.11 or newer is needed." \
			"Name a newer one: make PYTHON=python3.12"; \
		exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2> /dev/null || { \
		echo "'$(PYTHON)' cannot make environments: its venv module is missing." \
			"On Debian and Ubuntu: apt install python3-venv"; \
		exit 1; }
	@"$(BIN)/python" -m pip --version > /dev/null 2>&1 || "$(PYTHON)" -m venv --clear "$(VENV)"
	"$(BIN)/python" -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	@touch $@

demo: $(INSTALLED)
	$(BIN)/python examples/hello.py
	$(BIN)/python examples/shakespeare.py demo

test: lint
	$(BIN)/python -m pytest -n 2 --dist loadfile tests

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(INSTALLED)
	@for script in benchmarks/[a-z]*.py; do \
		echo "$(BIN)/python $$script"; \
		$(BIN)/python "$$script" || exit 1; \
	done

docs: $(INSTALLED)
	"$(BIN)/python" -m pip install --quiet --disable-pip-version-check -e ".[docs]"
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

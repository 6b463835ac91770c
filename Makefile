# Two commands do everything on a fresh machine: `make demo` and `make test`.
# Each makes .venv when it is missing or older than what it was made from.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
BIN := .venv/bin
MADE_FROM := pyproject.toml constraints.txt
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt

.PHONY: demo test test-slow test-gpu fuzz check docs format clean

demo: .venv/.core
	$(BIN)/zerosum train rpgan/digits --out runs/demo
	@echo "(commands live in .venv/bin: type  source .venv/bin/activate  first)"

test: .venv/.dev
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-slow: .venv/.dev
	$(BIN)/python -m pytest -m slow

test-gpu: .venv/.dev
	$(BIN)/python -m pytest -m gpu

fuzz: .venv/.dev
	$(BIN)/python tests/fuzz/mutate.py --count 1000000

check: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python .ci/environment.py

docs: .venv/.dev
	$(BIN)/mkdocs build --strict

format: .venv/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv build site .pytest_cache .ruff_cache .import_linter_cache

.venv/.core: $(MADE_FROM)
	@echo "setting up .venv (once; about two minutes) ..."
	$(PYTHON) -m venv .venv
	$(PIP) -e .
	@touch $@

.venv/.dev: $(MADE_FROM)
	@echo "setting up .venv with the development tools (once; about three minutes) ..."
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) -e '.[dev]'
	@touch .venv/.core $@

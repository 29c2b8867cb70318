# Everything sets itself up: a virtual environment in .venv, emulators in .cache.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
NEWEST := .venv-newest

PIN := --constraint constraints.txt

# Compiled modules are kept whatever the shell says: tests start hundreds of processes, and each would compile what it imports.
unexport PYTHONDONTWRITEBYTECODE

# More workers than cores: half of the time of the end-to-end tests is waiting for processes, timeouts and emulators.
WORKERS := 4

.PHONY: demo example-documentdb test test-newest constraints lint types unit bench clean

# Exact versions, also of pip and of what builds: what works today works on any day.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(PIN) pip
	$(BIN)/python -m pip install --quiet $(PIN) --build-constraint constraints.txt --editable . --group dev
	touch $(STAMP)

demo: $(STAMP)
	$(BIN)/headrace demo

# A change stream on a server that is installed for it.
example-documentdb: $(STAMP)
	$(BIN)/python examples/documentdb/run.py

test: $(STAMP)
	$(BIN)/python -m pytest -n $(WORKERS)

# The suite on the newest of everything that pyproject.toml admits, in an environment that is made anew each time.
test-newest:
	$(PYTHON) -m venv --clear $(NEWEST)
	$(NEWEST)/bin/python -m pip install --quiet --upgrade pip
	$(NEWEST)/bin/python -m pip install --quiet --editable . --group dev
	$(NEWEST)/bin/python -m pytest -n $(WORKERS)

# Renews the exact versions: constraints.txt, and the emulators'.
constraints:
	PYTHON=$(PYTHON) .ci/constraints

# Unit tests hardly wait, and each worker collects all of them: fewer do.
unit: $(STAMP)
	$(BIN)/python -m pytest -n 3 tests/unit

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

bench: $(STAMP)
	$(BIN)/python -m benchmarks.sqs_throughput
	$(BIN)/python -m benchmarks.streams
	$(BIN)/python -m benchmarks.documentdb
	$(BIN)/python -m benchmarks.invocations
	$(BIN)/python -m benchmarks.filters
	$(BIN)/python -m benchmarks.invoke_api

clean:
	rm -rf $(VENV) $(NEWEST) .cache

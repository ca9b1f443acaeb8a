# `make demo` and `make test` need Python 3.11+ and make, nothing else. `make help` lists the rest.
PYTHON ?= python3
BIN := .venv/bin
export HF_HUB_OFFLINE = 1

.PHONY: help demo test test-slow lint bench clean
help:
	@echo "make demo       train, attribute, check by retraining, pay, report; about 5 minutes on 2 cores"
	@echo "make test       lint and all tests but the slow ones"
	@echo "make test-slow  the slow ones: whole trainings, the whole demo"
	@echo "make lint       ruff, mypy, import contracts"
	@echo "make bench      speed and size of the store and of capture, against a yardstick in the same run"

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Byline needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: .venv/ready
	$(BIN)/byline demo

test: .venv/ready lint
	$(BIN)/python -m pytest -m 'not slow'

test-slow: .venv/ready
	$(BIN)/python -m pytest -m slow

lint: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/ready
	$(BIN)/python benchmarks/store.py
	$(BIN)/python benchmarks/capture.py

clean:
	rm -rf .venv byline-demo

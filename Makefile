# Everything runs in .venv, made on first use from constraints.txt. No root needed.
#   make demo    set up, then the main job on real data
#   make test    set up, then every test this machine can run
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt
SETUP := constraints.txt pyproject.toml runtime/pyproject.toml

.PHONY: demo test lint bench clean

demo: $(VENV)/.demo
	$(BIN)/edge-lasso demo

test: $(VENV)/.all
	$(BIN)/python -m pytest -n auto --dist worksteal

lint: $(VENV)/.all
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.all
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/inference.py

clean:
	rm -rf $(VENV) build dist edge-lasso-demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "make: edge-lasso needs Python 3.11 or later; say: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) pip
	@touch $@

$(VENV)/.demo: $(VENV)/.python $(SETUP)
	@echo "setting up $(VENV) (once)"
	$(PIP) --editable ./runtime --editable ".[onnx,tflite]"
	@touch $@

$(VENV)/.all: $(VENV)/.demo
	$(PIP) --editable ./runtime --editable ".[all]" --group dev
	@touch $@

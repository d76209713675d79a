# Everything runs in .venv, made on first use from constraints.txt. No root needed.
#   make demo      set up, then the main job on real data
#   make test      set up, then the tests that this machine can run, without the slow ones
#   make test-all  the slow ones too
#   make docs      the documentation, in site/
#   make check     the fast inner loop: style, types, and the tests that take no tool and no second
#   make integrations  what is written for Home Assistant, inside Home Assistant (needs PYTHON313=python3.13)
#   make fuzz      files that somebody else made, for SECONDS a kind
#   make mutants   changes to what decides results, for SECONDS; its tests must notice them
#   make coverage  branches of the runtime that its tests take
#   make bench     every figure of docs/figures.md from one run; FAST=1: some, on small tables; BENCH="--only training"
#   make audit     known weaknesses of the pinned versions (asks over the network)
PYTHON ?= python3
SECONDS ?= 120
PYTHON313 ?= python3.13
VENV := .venv
BIN := $(VENV)/bin
# pip's own news (a newer pip, a warning about root) are not about edge-lasso.
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore
PIP := $(BIN)/python -m pip install -qq --constraint constraints.txt
PYTEST := $(BIN)/python -m pytest -n auto --dist worksteal
SETUP := constraints.txt pyproject.toml runtime/pyproject.toml

.PHONY: demo test test-all check lint fuzz mutants coverage audit bench docs integrations clean

demo: $(VENV)/.demo
	@$(BIN)/edge-lasso demo

test: $(VENV)/.all
	@$(PYTEST) -m "not slow"

test-all: $(VENV)/.all
	@$(PYTEST)

check: lint
	@$(PYTEST) -q -m "not slow and not tool and not long"

lint: $(VENV)/.all
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fuzz: $(VENV)/.all
	EDGE_LASSO_FUZZ_SECONDS=$(SECONDS) $(BIN)/python -m pytest -q -n auto tests/test_hostile.py

mutants: $(VENV)/.all
	@$(PIP) cosmic-ray
	$(BIN)/python tests/tools/mutants.py --seconds $(SECONDS) --write

# What runs the runtime: its own tests, and sessions, bundles, deliveries and learning as the workbench uses them.
MEASURED := tests/runtime tests/test_hostile.py tests/test_table_rule.py tests/devices/test_deploy.py $(addprefix tests/exporters/test_, \
	bundle.py counts.py formula_target.py interpreters.py js_target.py promql_target.py sql_target.py stateful.py stateful_q.py wasm_target.py) \
	$(addprefix tests/edge_lasso/test_, bundle.py cascade.py intervals.py mlflow.py quantize_detector.py sandbox.py service.py times.py train_fleet.py)
coverage: $(VENV)/.all
	@$(PIP) coverage
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest -q -n auto --dist worksteal -m "not slow" $(MEASURED)
	$(BIN)/python -m coverage combine -q
	$(BIN)/python -m coverage report

audit: $(VENV)/.python
	@$(PIP) pip-audit
	$(BIN)/pip-audit --strict --no-deps --disable-pip --requirement constraints.txt

bench: $(VENV)/.all
	$(BIN)/python benchmarks/run.py $(if $(FAST),--fast) $(BENCH)

docs: $(VENV)/.docs
	@$(BIN)/python docs/generate.py
	@$(BIN)/python docs/build.py
	@echo "open site/index.html"

# Home Assistant itself, for the integration that `--to homeassistant` writes: some 300 packages, ten minutes.
integrations: $(VENV)/.all
	$(PYTHON313) -m venv $(VENV)/home-assistant
	$(VENV)/home-assistant/bin/python -m pip install -qq -r integrations/home_assistant/requirements.txt
	$(BIN)/python integrations/home_assistant/run.py $(VENV)/home-assistant/bin/python

clean:
	rm -rf $(VENV) build dist site edge-lasso-demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "make: edge-lasso needs Python 3.11 or later; say: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@echo "setting up $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) pip
	@touch $@

$(VENV)/.demo: $(VENV)/.python $(SETUP)
	@$(PIP) --editable ./runtime --editable ".[onnx,tflite]"
	@touch $@

$(VENV)/.all: $(VENV)/.demo
	@$(PIP) --editable ./runtime --editable ".[all]" --group dev
	@touch $@

$(VENV)/.docs: $(VENV)/.demo
	@$(PIP) --group docs
	@touch $@

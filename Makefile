# Everything is set up on demand: each target builds the virtual environment it needs, once.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input

.PHONY: setup serve demo test fast test-all check bench docs contract fuzz rolling soak

setup: $(VENV)/.installed ## virtual environment with the pinned packages

$(VENV)/bin/python:
	@echo "creating the virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "installing the pinned packages (torch is large; the first time takes minutes)"
	@$(PIP) install --progress-bar on -r requirements.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock tools/openapi-client.txt $(VENV)/.installed
	@echo "installing the development tools"
	@$(PIP) install --quiet -r requirements-dev.lock
	@$(PIP) install --quiet --no-deps --upgrade --target $(VENV)/tools -r tools/openapi-client.txt
	@touch $@

serve: $(VENV)/.installed ## the service on 127.0.0.1:8000 with the bundled weights
	@$(BIN)/gaitkeeper serve

# DEMO_DATA=folder of Market-style crops, DEMO_POSE=pictures, DEMO_GAIT=folder of silhouettes, or video
demo: $(VENV)/.installed ## the main jobs on pictures: who, which pose, how old a gait
	@$(BIN)/gaitkeeper demo $(if $(DEMO_DATA),--data $(DEMO_DATA)) $(DEMO_POSE:%=--pose %) $(DEMO_GAIT:%=--gait %) \
		--out build/demo

check: $(VENV)/.installed-dev ## format, lint, types, layering
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# A file's tests stay together, so that its servers and networks are made once.
PYTEST := $(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder

test: check ## check, then every test but the slow ones
	$(PYTEST) -m "not slow"
	$(BIN)/python -m tests.fuzz --inputs 50000
	$(BIN)/python -m benchmarks.soak --minutes 3

UNITS := tests/models tests/training tests/benchmarks tests/app/access tests/app/edge tests/app/engine tests/app/gallery \
	tests/app/pipelines tests/app/telemetry

fast: check ## check, then what needs no server: for while you work
	$(PYTEST) -m "not slow" $(UNITS)

test-all: check ## every test this machine can run
	$(PYTEST)

contract: $(VENV)/.installed-dev ## the service against its own OpenAPI document, for ten minutes
	$(BIN)/python -m tests.contract --seconds 600

fuzz: $(VENV)/.installed-dev ## everything that reads what strangers send; FUZZ_INPUTS, FUZZ_SEED
	$(BIN)/python -m tests.fuzz --inputs $(or $(FUZZ_INPUTS),1000000) --seed $(or $(FUZZ_SEED),0)

rolling: $(VENV)/.installed ## two servers restarted in turn under load; what failed
	$(BIN)/python -m benchmarks.rolling

soak: $(VENV)/.installed ## memory under load; SOAK_MINUTES=3 for a short one
	$(BIN)/python -m benchmarks.soak --minutes $(or $(SOAK_MINUTES),30)

bench: $(VENV)/.installed-dev ## measured ratios, printed as tables
	$(BIN)/python -m benchmarks

docs: $(VENV)/.installed-dev ## the documentation as pages in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

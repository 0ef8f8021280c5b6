# Everything is set up on demand: each target builds the virtual environment it needs, once.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input

.PHONY: setup serve demo test test-all check bench docs contract rolling soak

setup: $(VENV)/.installed ## virtual environment with the pinned packages

$(VENV)/bin/python:
	@echo "creating the virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "installing the pinned packages (torch is large; the first time takes minutes)"
	@$(PIP) install --progress-bar on -r requirements.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	@echo "installing the development tools"
	@$(PIP) install --quiet -r requirements-dev.lock
	@touch $@

serve: $(VENV)/.installed ## the service on 127.0.0.1:8000 with the bundled weights
	@$(BIN)/gaitkeeper serve

demo: $(VENV)/.installed ## the main job on pictures; DEMO_DATA=folder of Market-style crops
	@$(BIN)/gaitkeeper demo $(if $(DEMO_DATA),--data $(DEMO_DATA)) --out build/demo

check: $(VENV)/.installed-dev ## format, lint, types, layering
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check ## check, then every test but the slow ones
	$(BIN)/pytest -n auto -m "not slow"
	$(BIN)/python -m tests.fuzz --inputs 50000

test-all: check ## every test this machine can run
	$(BIN)/pytest -n auto

contract: $(VENV)/.installed-dev ## the service against its own OpenAPI document, for ten minutes
	$(BIN)/python -m tests.contract --seconds 600

rolling: $(VENV)/.installed ## two servers restarted in turn under load; what failed
	$(BIN)/python -m benchmarks.rolling

soak: $(VENV)/.installed ## memory under load; SOAK_MINUTES=3 for a short one
	$(BIN)/python -m benchmarks.soak --minutes $(or $(SOAK_MINUTES),30)

bench: $(VENV)/.installed-dev ## measured ratios, printed as tables
	$(BIN)/python -m benchmarks

docs: $(VENV)/.installed-dev ## the documentation as pages in site/
	$(BIN)/mkdocs build --quiet

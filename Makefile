# moviegen: `make demo` and `make test` each do everything on a machine with only Python 3.11 or 3.12 and make.
#
# The dependencies live in a cache keyed by the Python version and the hash of what pyproject.toml and constraints.txt ask for, so a second
# clone is set up in seconds; .venv is a thin environment of this clone on top of it. Set MOVIEGEN_CACHE to move the cache, NO_CACHE=1 to build inside .venv.

SHELL := /bin/sh
PYTHON ?= $(shell for p in python3.11 python3.12 python3 python; do $$p -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null && echo $$p && break; done)
MOVIEGEN_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/moviegen
EXTRAS := all,test
DEPS_KEY := $(shell { $(PYTHON) tools/requirements.py pyproject.toml "$(EXTRAS)" && cat constraints.txt; } 2>/dev/null | $(PYTHON) -c 'import hashlib, platform, sys; print("py" + platform.python_version() + "-" + hashlib.sha256(sys.stdin.buffer.read()).hexdigest()[:12])' 2>/dev/null)
DEPS := $(if $(NO_CACHE),$(CURDIR)/.venv/deps,$(MOVIEGEN_CACHE)/deps/$(DEPS_KEY))
DEMO_VIDEOS := $(MOVIEGEN_CACHE)/demo-videos
BIN := .venv/bin

OUTPUT ?= demo
WORLD ?= world
SHOTS ?= 1
export MOVIEGEN_DEMO_VIDEOS := $(DEMO_VIDEOS)

.PHONY: help setup demo world test test-all airflow test-airflow lint format bench docs clean constraints
.DEFAULT_GOAL := help

help:
	@echo "make demo [VIDEOS=folder] [OUTPUT=demo]  set up, curate, train tiny models, generate, report"
	@echo "make test        set up and run the tests (make test-all: the slow ones too)"
	@echo "make world [WORLD=world]  the laboratory: films, shards, models of every product, one page of what they can do (3 to 5 hours)"
	@echo "make setup       only set up; then: . .venv/bin/activate && moviegen --help"
	@echo "make lint        ruff and the import rules"
	@echo "make airflow     Airflow with the DAGs and a Spark cluster on this machine; a toy batch run through it [ONCE=1: and end]"
	@echo "make test-airflow  the DAGs' tests, in an environment of their own"
	@echo "make bench       every benchmark: ratios against peers and physical limits"
	@echo "make docs        the documentation as pages, offline: site/index.html; pictures of the pages: site/shots/index.html [SHOTS=0: without]"
	@echo "make clean       remove what was made in this clone (the cache stays; make clean CACHE=1 removes it too)"

setup: .venv/.ready-$(DEPS_KEY) $(DEMO_VIDEOS)/.complete
	@:

$(DEPS)/.complete:
	@test -n "$(PYTHON)" || { echo "moviegen needs Python 3.11 or 3.12 with the venv module: install it, or say make PYTHON=/path/to/python3.11"; exit 2; }
	@echo "setting up: dependencies (4 to 6 minutes the first time, about 8 GB)"
	@rm -rf "$(DEPS)" && mkdir -p "$(dir $(DEPS))"
	@$(PYTHON) -m venv "$(DEPS)"
	@"$(DEPS)/bin/python" tools/requirements.py pyproject.toml "$(EXTRAS)" > "$(DEPS)/requirements.txt"
	@"$(DEPS)/bin/python" -m pip install -q --disable-pip-version-check -c constraints.txt -r "$(DEPS)/requirements.txt"
	@"$(DEPS)/bin/python" -m pip install -q --disable-pip-version-check --no-deps -c constraints.txt facenet-pytorch
	@touch "$@"

.venv/.ready-$(DEPS_KEY): $(DEPS)/.complete pyproject.toml
	@rm -rf .venv/bin .venv/lib .venv/.ready-* && $(PYTHON) -m venv --without-pip .venv
	@"$(DEPS)/bin/python" tools/link_environment.py "$(DEPS)" .venv
	@"$(DEPS)/bin/python" -m pip --python $(BIN)/python install -q --disable-pip-version-check --no-deps --no-build-isolation --no-warn-script-location -e .
	@touch "$@"

$(DEMO_VIDEOS)/.complete: | .venv/.ready-$(DEPS_KEY)
	@mkdir -p "$(DEMO_VIDEOS)"
	@"$(DEPS)/bin/python" tools/demo_videos.py "$(DEMO_VIDEOS)"
	@touch "$@"

demo: setup
	@$(BIN)/moviegen demo --output "$(OUTPUT)" $(if $(VIDEOS),--videos "$(VIDEOS)")

world: setup
	@MOVIEGEN="$(BIN)/moviegen" /bin/sh tools/world.sh "$(WORLD)"

test: setup
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile --durations 25 --durations-min 5 -m "not slow and not airflow" $(TESTS)

test-all: setup
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not airflow" $(TESTS)

lint: setup
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python tools/lint_imports.py

format: setup
	@$(BIN)/python -m ruff check --fix . && $(BIN)/python -m ruff format .

AIRFLOW_KEY := $(shell $(PYTHON) -c 'import hashlib, platform; print("py" + platform.python_version() + "-" + hashlib.sha256(open("dags/constraints.txt", "rb").read()).hexdigest()[:12])' 2>/dev/null)
AIRFLOW := $(if $(NO_CACHE),$(CURDIR)/.venv-airflow,$(MOVIEGEN_CACHE)/airflow/$(AIRFLOW_KEY))
AIRFLOW_OUTPUT ?= airflow-demo

$(AIRFLOW)/.complete:
	@echo "setting up Airflow in an environment of its own (about 2 minutes)"
	@rm -rf "$(AIRFLOW)" && mkdir -p "$(dir $(AIRFLOW))" && $(PYTHON) -m venv "$(AIRFLOW)"
	@"$(AIRFLOW)/bin/python" -m pip install -q --disable-pip-version-check -c dags/constraints.txt apache-airflow apache-airflow-providers-apache-spark pytest
	@touch "$@"

airflow: setup $(AIRFLOW)/.complete
	@$(BIN)/moviegen world --output "$(AIRFLOW_OUTPUT)/videos/toy" --num_clips 12
	@$(BIN)/python -m curation.cluster --workers 2 -- $(BIN)/python tools/airflow_standalone.py --airflow "$(AIRFLOW)" --home "$(AIRFLOW_OUTPUT)/airflow" --master {master} \
		--conf '{"batches": {"toy": "$(abspath $(AIRFLOW_OUTPUT))/videos/toy"}, "lake": "$(abspath $(AIRFLOW_OUTPUT))/lake", "config": "$(CURDIR)/configs/curation/demo.yaml"}' $(if $(ONCE),--once)

test-airflow: setup $(AIRFLOW)/.complete
	@MOVIEGEN_BIN="$(CURDIR)/$(BIN)/moviegen" "$(AIRFLOW)/bin/python" -m pytest -q -m airflow -o addopts="--import-mode=importlib" -o timeout= tests/dags

bench: setup
	@failed=""; unmeasured=""; for script in benchmarks/*.py; do echo "== $$script"; code=0; $(BIN)/python tools/bench.py $$script || code=$$?; \
	case $$code in 0) ;; 77) unmeasured="$$unmeasured $$script";; *) failed="$$failed $$script";; esac; done; \
	if [ -n "$$unmeasured" ]; then echo "could not be measured on this machine:$$unmeasured"; fi; \
	if [ -n "$$failed" ]; then echo "a promise is missed in:$$failed"; exit 1; fi

docs: setup
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict -q && echo "open site/index.html"
	@if [ "$(SHOTS)" != 0 ]; then $(BIN)/python tools/screenshots.py --output site/shots --cache "$(MOVIEGEN_CACHE)/shots" --world "$(WORLD)/world.html" --airflow "$(AIRFLOW)"; fi

constraints: setup
	@"$(DEPS)/bin/python" -m pip freeze --exclude-editable

clean:
	@rm -rf .venv .venv-airflow demo airflow-demo build dist site .schemas .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@if [ -n "$(CACHE)" ]; then rm -rf "$(MOVIEGEN_CACHE)"; fi

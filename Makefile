# Requires only make and Python 3.11 or newer: no Docker, no root, no database. `make` lists the targets.

SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The newest of these that works and is new enough. Each is tried, because a version manager's shim may be broken.
PYTHON ?= $(eval PYTHON := $(shell for python in python3.13 python3.12 python3.11 python3; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; \
	done))$(PYTHON)

# A .venv whose Python is missing, or that was created in another folder, is recreated.
$(shell [ ! -e .venv/.made ] || { .venv/bin/python -I -S -c '' && [ "$$(cat .venv/.made)" = "$$(pwd)" ]; } \
	>/dev/null 2>&1 || rm -f .venv/.made .venv/.installed-*)

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
CLI := $(BIN)/ecommerce-platform

# make up SERVE=0: load the days and exit. make up DAYS=30: load 30 days.
SERVE ?= 1
DAYS ?=
UP_ARGS := $(if $(filter 0 no false,$(SERVE)),--no-serve) $(if $(DAYS),--days $(DAYS))
YES ?=
PYTEST_ARGS ?=

.PHONY: help install up test lint bench bench-dbt soak lock clean clean-data

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

install: $(VENV)/.installed-runtime ## Create .venv and install the platform

up: $(VENV)/.installed-runtime ## Load the days, then serve Dagster and the dashboards [SERVE=0] [DAYS=30]
	@exec $(CLI) up $(UP_ARGS)

test: $(VENV)/.installed-dev ## Run the tests [PYTEST_ARGS=...]
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --no-loadscope-reorder $(PYTEST_ARGS)

lint: $(VENV)/.installed-dev ## Check style, SQL, types, and dependencies
	@status=0; \
	for check in 'ruff check .' 'ruff format --check .' 'sqlfluff lint --nocolor sql' 'ty check ecommerce_platform dashboards' \
		'lint-imports --no-cache' \
		'python -m pip --disable-pip-version-check check' 'python .ci/audit.py'; do \
		echo "$$check"; $(BIN)/$$check || status=1; \
	done; exit $$status

# make bench BENCH_ARGS="--orders 200000 --json": a smaller benchmark with JSON output.
BENCH_ARGS ?=
bench: $(VENV)/.installed-dev ## Benchmark against plain SQL, one day after 100 to 1,000 days, and the dashboards under load
	@$(CLI) bench $(BENCH_ARGS)
	@$(BIN)/python -m pytest -m benchmark -s ecommerce_platform_tests/benchmarks/test_day_cost.py \
		ecommerce_platform_tests/benchmarks/test_dashboard_speed.py \
		ecommerce_platform_tests/benchmarks/test_dashboard_load.py

# dbt and the platform need different versions of some packages.
DBT_VENV := .venv-dbt
DBT := ecommerce_platform_tests/benchmarks/dbt
bench-dbt: $(VENV)/.installed-dev $(DBT_VENV)/.installed ## Benchmark against plain SQL and dbt [BENCH_ARGS=...]
	@$(CLI) bench --dbt $(BENCH_ARGS)

soak: $(VENV)/.installed-dev ## Run 200 days one at a time through the real daemon
	@$(BIN)/python -m pytest -m benchmark -s ecommerce_platform_tests/benchmarks/test_soak.py

# A lock file lists every package with the hashes of all its files, for all platforms, and contains no URL. The client of
# object stores (extra s3, gcs or azure) is in it, so that the image can use them.
LOCK_ARGS ?=
LOCK := $(BIN)/python -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-header --no-emit-index-url --no-strip-extras $(LOCK_ARGS)

lock: $(VENV)/.made ## Update the lock files [LOCK_ARGS=--upgrade]
	@$(BIN)/python -m uv --version >/dev/null 2>&1 || $(PIP) install --quiet uv
	$(LOCK) pyproject.toml --extra s3 --output-file requirements.lock
	$(LOCK) pyproject.toml --extra s3 --extra dev --constraint requirements.lock --output-file requirements-dev.lock
	$(LOCK) pyproject.toml --extra s3 --extra kubernetes --constraint requirements.lock --output-file deploy/kubernetes/requirements.lock
	$(LOCK) $(DBT)/requirements.in --output-file $(DBT)/requirements.lock

clean: ## Remove .venv, .venv-dbt and caches; keep the data
	rm -rf $(VENV) $(DBT_VENV) build *.egg-info .pytest_cache .ruff_cache .hypothesis .tmp_dagster_home_*
	find . \( -name .git -o -path ./data \) -prune -o -type d -name __pycache__ -exec rm -rf {} +

clean-data: ## Stop the embedded database and delete data/, after confirmation [YES=1]
	@test -x $(CLI) || { echo 'make: the platform is not installed, but is needed to stop its database; run: make install' >&2; exit 1; }
	@$(CLI) clean-data $(if $(filter 1 yes true,$(YES)),--yes)

# Stamp files. Each is written last, so that an interrupted installation is resumed.
$(VENV)/.made:
	@test -n "$(PYTHON)" || { \
		echo 'make: Python 3.11 or newer is required, but none was found. Install it or set its path: make up PYTHON=/path/to/python3' >&2; \
		exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'make: $(PYTHON) is not Python 3.11 or newer. Set another path: make up PYTHON=/path/to/python3' >&2; \
		exit 1; }
	@echo "Creating $(VENV) with $$("$(PYTHON)" --version)"
	@"$(PYTHON)" -m venv --clear $(VENV) || { \
		echo 'make: could not create a virtual environment; on Debian and Ubuntu, run: apt-get install python3-venv' >&2; \
		exit 1; }
	@pwd > $@

$(VENV)/.installed-runtime: requirements.lock pyproject.toml | $(VENV)/.made
	@$(call install,requirements.lock)

$(VENV)/.installed-dev: requirements-dev.lock pyproject.toml | $(VENV)/.made
	@$(call install,requirements-dev.lock)

$(DBT_VENV)/.installed: $(DBT)/requirements.lock | $(VENV)/.made
	@echo "Installing $<: $$(grep -c == $<) packages"
	@$(BIN)/python -m venv --clear $(DBT_VENV)
	@$(DBT_VENV)/bin/python -m pip --disable-pip-version-check --no-input install --quiet --require-hashes --requirement $<
	@PYTHONDONTWRITEBYTECODE= $(DBT_VENV)/bin/python -m compileall -q -j 0 $(DBT_VENV)/lib >/dev/null 2>&1 || true
	@touch $@

# The project is installed last and downloads nothing: setuptools, its build tool, is in the lock file. Bytecode is compiled
# once here, because a machine with PYTHONDONTWRITEBYTECODE=1 would compile it at every start.
define install
echo "Installing $(1): $$(grep -c == $(1)) packages" \
&& { $(PIP) install --progress-bar off --require-hashes --requirement $(1) || echo "make: pip failed; see the output above" >&2; } \
	| awk '/^Collecting/ { printf "." } /^Installing/ { printf " installing" } { fflush() } END { print "" }' \
&& $(PIP) install --quiet --no-deps --require-hashes --requirement $(1) \
&& $(PIP) install --quiet --no-deps --no-build-isolation --no-index --editable . \
&& { PYTHONDONTWRITEBYTECODE= $(BIN)/python -m compileall -q -j 0 $(VENV)/lib ecommerce_platform dashboards >/dev/null 2>&1 || true; } \
&& touch $@ $(if $(findstring dev,$(1)),$(VENV)/.installed-runtime)
endef

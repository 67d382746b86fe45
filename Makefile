# `make` alone lists what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CLIENTS := tests/receiver/senders/clients/node_modules/.package-lock.json
LOCK := uv pip compile --universal --python-version 3.11 --generate-hashes \
	--no-header --no-strip-extras --no-emit-index-url --no-emit-find-links --no-annotate --quiet

# `make check` needs a warehouse to compile the models against; not yours.
CHECK := $(CURDIR)/$(VENV)/check
check: export SEAMLINE_WAREHOUSE := ducklake:sqlite:$(CHECK)/catalog.sqlite
check: export SEAMLINE_WAREHOUSE_DATA := $(CHECK)/data
check: export SEAMLINE_LANDING := $(CHECK)/landing
check: export DAGSTER_HOME := $(CHECK)/dagster

# Python may keep what it compiles, whatever the shell says: the tests take twice as long without.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo run receiver load verify rebuild replay rename sql test test-integration test-scale test-long chaos fuzz check bench bench-dagster bench-freshness bench-history bench-load bench-receiver bench-tables lock screenshots install install-dev clean upkeep bench-upkeep import bench-import forget unsuppress sbom

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: install ## start everything, send 1,000 events, watch them arrive (ONCE=1: then stop)
	@$(BIN)/python -m demo $(if $(ONCE),--once)

run: install ## start receiver, Dagster's webserver and daemon for real use
	@$(BIN)/python -m stack run

receiver: install ## start the receiver alone
	@$(BIN)/python -m receiver

import: install ## land events from elsewhere: FILE="files, folders, s3://…" SOURCE=name
	@$(BIN)/python -m receiver import $(if $(SOURCE),--source $(SOURCE)) $(FILE)

load: install ## load all sealed files, run the dbt models, exit
	@$(BIN)/python -m orchestration load

verify: install ## prove the warehouse against the files, line by line
	@$(BIN)/python -m orchestration verify

rebuild: install ## make the whole warehouse again from the landed and archived files (WITHOUT=1: without what is missing)
	@$(BIN)/python -m orchestration rebuild $(if $(WITHOUT),--without)

replay: install ## derive rows again: DAY=2026-11-22, TABLE=track, both, or REJECTED=1 after a fix or with other limits
	@$(BIN)/python -m orchestration replay $(if $(DAY),--day $(DAY)) $(if $(TABLE),--table $(TABLE)) $(if $(REJECTED),--rejected)

upkeep: install ## write small files together, expire snapshots, remove what nobody needs, once
	@$(BIN)/python -m orchestration upkeep

# an id may hold anything: it goes to the shell in quotes, and is never cut at a comma
quoted = '$(subst ','\'',$(value $(1)))'
IDS = $(if $(value USER_ID),--user-id=$(call quoted,USER_ID)) $(if $(value ANONYMOUS_ID),--anonymous-id=$(call quoted,ANONYMOUS_ID))

forget: install ## erase a person everywhere: USER_ID=, ANONYMOUS_ID=, EMAIL= (NEAR=1: nearly the same ids too; SUPPRESS=0: store what comes later)
	@$(BIN)/python -m orchestration forget $(IDS) $(if $(value EMAIL),--email=$(call quoted,EMAIL)) $(if $(filter 1,$(NEAR)),--near) $(if $(filter 0,$(SUPPRESS)),--no-suppress)

unsuppress: install ## store the events of a person again who was erased: USER_ID=, ANONYMOUS_ID= or both
	@$(BIN)/python -m orchestration unsuppress $(IDS)

rename: install ## move the tables to the schema that SEAMLINE_INTEGRATION_NAME gives now
	@$(BIN)/python -m orchestration rename

sql: install ## open a SQL prompt on the warehouse
	@$(BIN)/python -m orchestration sql

test: install-dev ## run the tests, but for what takes long
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(PYTEST)

# More processes than cores: these tests mostly wait for what they have started.
test-long: install-dev ## run the tests that take long
	@$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder -m long $(PYTEST)

# In one process: the cases of schemathesis share one name, and xdist would run one of them.
test-integration: install-dev $(CLIENTS) ## run the tests that want a browser, Node, nginx or an object store
	@$(BIN)/python -m pytest -m integration $(PYTEST)

test-scale: $(VENV)/.installed-spark ## run the tests of more than one machine: PostgreSQL, an object store, Spark
	@$(BIN)/python -m pytest -m scale $(PYTEST)

screenshots: install-dev $(CLIENTS) ## make the pictures of the docs anew, of a running demo, in Chromium
	@$(BIN)/python -m pytest -m integration tests/stack/test_seen.py
screenshots: export SEAMLINE_PICTURES := $(CURDIR)/docs/pictures

chaos: install-dev ## kill receiver, load, dbt and Dagster hundreds of times, fail each disk operation
	@$(BIN)/python -m pytest -m chaos -q

SECONDS := 600
fuzz: install-dev ## search for inputs that break the receiver, for SECONDS=600
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-fuzz.lock
	@$(BIN)/python -m fuzz $(SECONDS)

check: install-dev ## lint and type-check everything, parse dbt, validate Dagster's definitions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m orchestration prepare
	$(BIN)/sqlfluff lint dbt_project
	$(BIN)/dbt parse --project-dir dbt_project --no-partial-parse --quiet
	$(BIN)/dagster definitions validate -w workspace.yaml

bench: install-dev ## measure loads, queries and bytes beside SQL, Singer, dlt and a DuckDB file (a quarter of an hour)
	@$(BIN)/python -m benchmarks.compare $(OPTIONS)

bench-history: install-dev ## measure a load on 1 and 10 million events of history (OPTIONS="--millions 1 10 100")
	@$(BIN)/python -m benchmarks.history $(OPTIONS)

bench-receiver: install-dev ## measure the receiver beside a bare Flask handler and nginx (OPTIONS=--soak)
	@$(BIN)/python -m benchmarks.receiver $(OPTIONS)

bench-dagster: install-dev $(CLIENTS) ## measure Dagster's pages behind a week of loads, in Chromium (half an hour, 10 GB)
	@$(BIN)/python -m benchmarks.dagster_history $(OPTIONS)

bench-freshness: install-dev ## measure how long an event takes to be a row, through all of it (ten minutes)
	@$(BIN)/python -m benchmarks.freshness $(OPTIONS)

bench-load: install-dev ## measure a load beside a script of SQL that does the same work
	@$(BIN)/python -m benchmarks.load $(OPTIONS)

bench-tables: install-dev ## measure what very many names of properties cost
	@$(BIN)/python -m benchmarks.tables $(OPTIONS)

bench-upkeep: install-dev ## measure 5,000 loads with upkeep, and 600 without (two hours)
	@$(BIN)/python -m benchmarks.upkeep $(OPTIONS)

bench-import: install-dev ## measure an import beside the bare reading of the same gzip
	@$(BIN)/python -m benchmarks.imports $(OPTIONS)

lock: install-dev ## write the lock files from pyproject.toml
	$(BIN)/$(LOCK) pyproject.toml --group build -o requirements.lock
	$(BIN)/$(LOCK) pyproject.toml --group build --group dev -c requirements.lock -o requirements-dev.lock
	$(BIN)/$(LOCK) --group fuzz -o requirements-fuzz.lock
	$(BIN)/$(LOCK) --group singer -o requirements-singer.lock
	$(BIN)/$(LOCK) --group dlt -o requirements-dlt.lock
	$(BIN)/$(LOCK) --group spark -c requirements-dev.lock -o requirements-spark.lock
	$(BIN)/$(LOCK) --group sbom -c requirements-dev.lock -o requirements-sbom.lock

SBOM := sbom.json
sbom: $(VENV)/.installed-sbom ## list every pinned package with its hashes, as CycloneDX, in SBOM=sbom.json
	@PYTHONWARNINGS=ignore::UserWarning $(VENV)/sbom/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible -o $(SBOM) requirements.lock

install: $(VENV)/.installed
install-dev: $(VENV)/.installed-dev

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else "Python %d.%d is too old: Seamline needs 3.11 or newer. Name another with make PYTHON=python3.12" % v[:2])'
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.python requirements.lock pyproject.toml
	@echo "Installing into $(VENV) (about a minute, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m orchestration.warehouse.extensions
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

# In an environment of its own: beside the rest, what it brings makes each import of dbt a second slower.
$(VENV)/.installed-sbom: $(VENV)/.python requirements-sbom.lock
	@$(PYTHON) -m venv $(VENV)/sbom
	@$(VENV)/sbom/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-sbom.lock
	@touch $@

$(VENV)/.installed-spark: $(VENV)/.installed-dev requirements-spark.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-spark.lock
	@touch $@

# Segment's SDKs for JavaScript; pytest says so when its tests are left out for want of them.
$(CLIENTS): tests/receiver/senders/clients/package-lock.json
	@if command -v npm >/dev/null; then npm ci --prefix tests/receiver/senders/clients --ignore-scripts --silent || true; fi

clean: ## remove the environment and caches, never data
	rm -rf $(VENV) tests/receiver/senders/clients/node_modules .mypy_cache .pytest_cache .ruff_cache dbt_project/target dbt_project/logs logs

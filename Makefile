# Each target sets up what it needs; `make help` lists them.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
ARGS ?=
# Bytecode is made of what the lab imports, once. Made of all packages, it took 15 s of an installation's 21 s.
PIP_OPTIONS := --quiet --disable-pip-version-check --no-compile --require-hashes
# A file of tests stays with one process, which makes what they share once. ARGS="--numprocesses=0" is without.
ON_ALL_CPUS := --numprocesses=auto --maxprocesses=8 --dist=loadfile

.DEFAULT_GOAL := help
.PHONY: help bench quick test test-long test-entries unit unit-313 benchmark docs lint setup images clean lock

help: ## this list
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' Makefile

bench: $(VENV)/lab ## measure two entries (about ten minutes) and print the tables; ARGS="--framework crax" and the like
	$(PY) lab.py $(ARGS)

quick: $(VENV)/lab ## a first look: two minutes by its plan
	$(PY) lab.py --profile quick $(ARGS)

# The images are built while lint and unit tests run: that waits for the network, and these for the CPU.
test: $(VENV)/dev ## lint, unit tests, tests on a real Docker engine: what a developer waits for
	$(MAKE) --jobs=3 lint unit images ARGS=
	$(PY) -m pytest -m "docker and not long" $(ARGS)

test-long: $(VENV)/dev images ## the other tests on the engine, which take longer; CI runs both
	$(PY) -m pytest -m long $(ARGS)

test-entries: $(VENV)/dev images ## build, verify and try every entry, whatever has changed
	LAB_TEST_ENTRIES=all $(PY) -m pytest -m entries $(ARGS)

unit: $(VENV)/dev ## the tests that need no Docker engine
	$(PY) -m pytest -m "not docker" $(ON_ALL_CPUS) $(ARGS)

unit-313: $(VENV)/dev images ## the unit tests on the Python 3.13 of the images; make test-long has them too
	$(PY) -m pytest tests/docker/test_python.py $(ARGS)

benchmark: $(VENV)/dev ## how long 24,000 samples take to analyse, and how much memory
	$(PY) -m tests.benchmarks.analysis

docs: $(VENV)/lab ## renew the parts of docs/ that are made from the code
	$(PY) docs/generate.py

lint: $(VENV)/dev ## ruff and mypy
	$(VENV)/bin/ruff format --check --quiet .
	$(VENV)/bin/ruff check --quiet .
	$(VENV)/bin/mypy

setup: $(VENV)/lab ## the locked environment, an engine that answers, images; ARGS="--set popular" for more of them
	$(PY) lab.py setup $(ARGS)

# As tests need it: their ARGS are none of it.
images: $(VENV)/lab
	$(PY) lab.py setup

# What is local goes even where no engine answers; that the rest stays is told by the exit code.
clean: $(VENV)/lab ## remove the lab's containers, networks, images and environment; results stay
	status=0; $(PY) lab.py clean || status=$$?; \
	rm -rf images/base/rootfs/usr/local/share/ca-certificates/*.crt $(VENV) .lab \
	  .mypy_cache .ruff_cache .pytest_cache .hypothesis; \
	exit $$status

lock: $(VENV)/dev ## lock what the requirements.in files name, keeping what is locked; ARGS=--upgrade for the newest
	for file in requirements requirements-dev; do \
	  $(VENV)/bin/uv pip compile --quiet $(ARGS) --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $$file.in -o $$file.txt || exit 1; \
	done
	for file in frameworks/*/*requirements.in tests/tfb/*/requirements.in; do \
	  $(VENV)/bin/uv pip compile --quiet $(ARGS) --universal --python-version 3.13 --generate-hashes \
	    --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $$file -o $${file%.in}.txt || exit 1; \
	done

# The two states of the environment: what lab.py runs on, and what the tests need on top.
$(VENV)/lab: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: $(PYTHON) is too old: Python 3.11 or newer is needed; set PYTHON=python3.12 or the like" >&2; exit 1; }
	@test -x $(PY) && $(PY) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) || \
	  { test "$$(id -u)" = 0 && test -e /etc/debian_version && echo "installing Debian's python3-venv" && \
	    apt-get update -qq && apt-get install -qq --yes --no-install-recommends python3-venv && \
	    $(PYTHON) -m venv --clear $(VENV); } || \
	  { echo "error: $(PYTHON) -m venv failed; install your system's python3-venv package" >&2; exit 1; }
	$(PY) -m pip install $(PIP_OPTIONS) -r requirements.txt
	@PYTHONDONTWRITEBYTECODE= $(PY) -c 'import argcomplete, docker, jinja2, pandas, pydantic, rich.progress, scipy.optimize, scipy.stats, tabulate, yaml'
	@touch $@

$(VENV)/dev: requirements-dev.txt $(VENV)/lab
	$(PY) -m pip install $(PIP_OPTIONS) -r requirements-dev.txt
	@touch $@

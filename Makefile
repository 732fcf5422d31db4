# What a developer types. Everything is kept in .venv, node_modules and var; nothing needs root.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Kept in the environment, so that they go with it.
CREATED := $(VENV)/.created
RUNNABLE := $(VENV)/.runnable
TESTABLE := $(VENV)/.testable
DOCUMENTABLE := $(VENV)/.documentable
# What checks the page's JavaScript, as npm wrote down that it is there.
PAGE_TOOLS := node_modules/.package-lock.json
LIGHTHOUSE := tests/web/lighthouse/node_modules/.package-lock.json

# Python keeps what it compiled, whatever the environment says: tests start hundreds of processes.
export PYTHONDONTWRITEBYTECODE :=

# The seed makes all that run tests see the same ones. Most tests wait for processes and clocks, so five at a
# time take a third of the time; those of test-unit keep a processor busy each. tests/conftest.py has the order.
SEEDED := PYTHONHASHSEED=0 $(BIN)/pytest
PYTEST := $(SEEDED) -n 5 --dist loadfile --no-loadscope-reorder
UNIT := $(SEEDED) -n logical --dist worksteal --hypothesis-profile quick -m 'not slow and not server' \
    tests/unit tests/contract

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run cluster test test-unit coverage test-engines lighthouse fuzz bench bench-quick bench-peers lint lint-python lint-page \
    lint-lua kubernetes systemd format format-python format-page docs docs-links lock clean release release-tools test-pythons

help:
	@echo 'make run        run a node with a Redis of its own, data in ./var'
	@echo 'make cluster    run Redis, three nodes, HAProxy and Prometheus, in ./var/cluster'
	@echo 'make test       run all tests'
	@echo 'make test-unit  run the tests that need no server and take no real time'
	@echo 'make test-pythons  lint Python and run those tests on each of PYTHONS, in environments of their own'
	@echo 'make coverage   run the unit and the contract tests, and print how much of the code they go through'
	@echo 'make test-engines  run the tests that have to do with Redis on each server of TEST_ENGINES:'
	@echo '                   embedded, system, or any program of Redis or Valkey'
	@echo 'make lighthouse  have Lighthouse judge the page (needs npm)'
	@echo 'make systemd    play the commands for a host in a container that systemd runs (needs root, runc and mmdebstrap)'
	@echo 'make kubernetes  have a real API server take the chart (needs what tests/kubernetes/install builds, and etcd)'
	@echo 'make fuzz       give every reader of bytes from outside such as nobody sends, for SECONDS=60'
	@echo 'make bench      measure speed, with the peers that are installed, into docs/benchmarks (an hour)'
	@echo 'make bench-peers  build nats-server, Ergo and Centrifugo for it, in their versions of today (needs Go)'
	@echo 'make bench-quick  the same in short, into build/bench; or some of it: make bench CASES="private-*"'
	@echo 'make lint       check style, types and imports: of Python, the page and Lua. Or one of them: make lint-python,'
	@echo '                lint-page (needs npm), lint-lua (needs luacheck)'
	@echo 'make format     put the code in the style that lint wants'
	@echo 'make docs       make the site of the docs, build/docs, and check every link within it'
	@echo 'make docs-links  check the links to elsewhere; needs the network'
	@echo 'make lock       choose new versions of what this depends on'
	@echo 'make release    build what a release publishes, from the commit that is checked out, into build/release'
	@echo 'make clean      remove everything that was made, data excepted'

$(CREATED):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo '$(PYTHON) is older than Python 3.11: run make PYTHON=python3.11, or newer' >&2; \
	    exit 1; }
	@if $(PYTHON) -c 'import ensurepip, venv' 2> /dev/null; then \
	    $(PYTHON) -m venv $(VENV); \
	elif $(PYTHON) -c 'import pip, venv' 2> /dev/null; then \
	    $(PYTHON) -m venv --without-pip $(VENV) && \
	    $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; \
	else \
	    echo '$(PYTHON) cannot make environments: apt-get install python3-venv' >&2; \
	    exit 1; \
	fi
	@touch $@

# What is installed has the versions and the hashes of a lock file; the project itself asks for nothing more.
LOCKED := $(PIP) install --quiet --require-hashes --requirement

$(RUNNABLE): $(CREATED) pyproject.toml load/pyproject.toml requirements-embedded.lock
	$(LOCKED) requirements-embedded.lock
	$(PIP) install --quiet --no-deps --no-build-isolation --editable . --editable ./load
	@touch $@

$(TESTABLE): $(RUNNABLE) requirements-dev.lock
	$(LOCKED) requirements-dev.lock
	@touch $@

$(DOCUMENTABLE): $(CREATED) requirements-docs.lock
	$(LOCKED) requirements-docs.lock
	@touch $@

DATA_DIR := var
run: $(RUNNABLE)
	@exec $(BIN)/tertulia serve --data-dir $(DATA_DIR) $(ARGS)

# The deployment on this machine, without containers: docs/tutorial.md takes you around.
cluster: $(RUNNABLE)
	@exec deploy/cluster/ctl up

test: $(TESTABLE)
	$(PYTEST) --ignore=tests/web/lighthouse --ignore=tests/kubernetes --ignore=tests/systemd

test-unit: $(TESTABLE)
	$(UNIT)

PYTHONS ?= python3.11 python3.12 python3.13 python3.14
test-pythons:
	@for it in $(PYTHONS); do \
	    $(MAKE) PYTHON=$$it VENV=build/pythons/$$(basename $$it) lint-python test-unit || exit 1; \
	done

# How much of the code the unit and the contract tests go through, wing by wing and in all. Whether they pass, the
# other targets say (status 1: some did not): measured, code is too slow for those that have a time to keep.
coverage: $(TESTABLE)
	rm -rf build/coverage && mkdir -p build/coverage
	PYTHONHASHSEED=0 $(BIN)/coverage run -m pytest -n 3 --dist loadfile -m 'not slow' -q --tb=no -rN \
	    tests/unit tests/contract || [ $$? = 1 ]
	$(BIN)/coverage combine --quiet
	@for wing in service/tertulia/*/ load/tertulia_load/; do \
	    percent=$$($(BIN)/coverage report --include="$$wing*" --format=total 2> /dev/null) && \
	    printf '%-28s %3s %%\n' $$wing $$percent; \
	done
	@printf '%-28s %3s %%\n' 'coverage in all' $$($(BIN)/coverage report --format=total)

test-engines: $(TESTABLE)
	cd tests && ../$(BIN)/python -m harness.matrix env $(PYTEST) tests/contract tests/integration tests/deploy

# Large, so it is installed for this alone.
lighthouse: $(TESTABLE) $(LIGHTHOUSE)
	$(SEEDED) tests/web/lighthouse

# Its programs take minutes to build, so it is run for this alone. What is not there, it says and leaves out.
kubernetes: $(TESTABLE)
	$(SEEDED) -p no:xdist tests/kubernetes

# A whole Debian is fetched for it, and only root can run it.
systemd: $(TESTABLE)
	$(SEEDED) -p no:xdist tests/systemd

# Also: make fuzz FUZZ='--only chatte --seed 7'
SECONDS ?= 60
fuzz: $(TESTABLE)
	cd tests && ../$(BIN)/python -m fuzz --seconds $(SECONDS) $(FUZZ)

bench-peers:
	tests/deploy/install-tools
	tests/speed/bench/install-peers

# Measured on the fastest Python that is here, unless one is named.
ifeq ($(origin PYTHON),file)
bench bench-quick:
	@set -- $$(cd tests && $(PYTHON) -m speed.bench.fastest_python '$(PYTHON)' '$(VENV)') && \
	    $(MAKE) --no-print-directory PYTHON=$$1 VENV=$$2 $@
else
# Some cases, or all in short, are to look at: the results in docs/ are of whole runs.
bench: $(TESTABLE)
	cd tests && ../$(BIN)/python -m speed.bench $(if $(CASES),--only '$(CASES)' --out ../build/bench,--out ../docs/benchmarks) $(BENCH)

bench-quick: $(TESTABLE)
	cd tests && ../$(BIN)/python -m speed.bench --quick --out ../build/bench $(BENCH)
endif

# The versions and the hashes of the lock file; no package runs anything when it is installed.
$(PAGE_TOOLS): package.json package-lock.json
$(LIGHTHOUSE): tests/web/lighthouse/package.json tests/web/lighthouse/package-lock.json
$(PAGE_TOOLS) $(LIGHTHOUSE):
	@command -v npm > /dev/null || { \
	    echo 'there is no npm here, which brings what checks the page: apt-get install npm' >&2; \
	    exit 1; }
	npm ci --prefix $(patsubst %/,%,$(dir $(@D))) --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

lint: lint-python lint-page lint-lua

lint-python: $(TESTABLE)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests
	$(BIN)/mypy deploy/cluster
	$(BIN)/mypy deploy/docker/image.py
	$(BIN)/lint-imports

lint-page: $(PAGE_TOOLS)
	node_modules/.bin/tsc --project .
	node_modules/.bin/tsc --project tsconfig.worker.json
	node_modules/.bin/tsc --project tests/web
	node_modules/.bin/tsc --project tests/console
	node_modules/.bin/biome ci --error-on-warnings

lint-lua: $(TESTABLE)
	cd tests && ../$(BIN)/python -m harness.lua_check

format: format-python format-page

format-python: $(TESTABLE)
	$(BIN)/ruff check --quiet --fix-only .
	$(BIN)/ruff format .

format-page: $(PAGE_TOOLS)
	node_modules/.bin/biome check --write

# A warning, as of a link or an anchor that leads nowhere, is an error.
SPHINX := $(BIN)/sphinx-build --quiet --fail-on-warning --conf-dir docs --doctree-dir build/doctrees
docs: $(DOCUMENTABLE)
	rm -rf build/docs build/doctrees
	$(SPHINX) . build/docs
	@echo 'The site: build/docs/index.html'

docs-links: $(DOCUMENTABLE)
	$(SPHINX) --builder linkcheck . build/docs-links

# In an environment of its own, so that nothing is pinned but what is asked for in pyproject.toml. A node's lock, that
# of the image, that of one with a Redis of its own, that of the tests and all extras, and that of the docs have the
# same versions.
COMPILE := build/lock/bin/pip-compile --quiet --generate-hashes --allow-unsafe --no-annotate --no-header \
    --strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links
# What a package asks for on a Python that may be older than the one here: redis before 3.11.3, which Debian 12 has.
OF_OLDER := async-timeout
lock:
	rm -rf build/lock
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet --upgrade pip
	build/lock/bin/python -m pip install --quiet '.[embedded]' ./load --group dev --group bench
	build/lock/bin/python -m pip freeze --exclude tertulia --exclude tertulia-load > build/lock/all.in
	build/lock/bin/python -c 'import tomllib; wanted = tomllib.load(open("load/pyproject.toml", "rb"))["project"]["dependencies"]; \
	    print(*(it for it in wanted if it != "tertulia"), sep="\n")' > build/lock/load.in
	build/lock/bin/python -c 'import tomllib; wanted = tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["docs"]; \
	    print(*wanted, sep="\n")' > build/lock/docs.in
	printf '%s\n' 'setuptools>=77' 'setuptools-scm>=10' $(OF_OLDER) > build/lock/build.in
	build/lock/bin/python -m pip install --quiet pip-tools
	$(COMPILE) build/lock/all.in build/lock/build.in -o requirements-dev.lock
	$(COMPILE) -c build/lock/all.in pyproject.toml build/lock/build.in -o requirements.lock
	$(COMPILE) -c build/lock/all.in --extra otel pyproject.toml build/lock/build.in -o requirements-image.lock
	$(COMPILE) -c build/lock/all.in --extra embedded pyproject.toml build/lock/build.in build/lock/load.in -o requirements-embedded.lock
	$(COMPILE) -c build/lock/all.in build/lock/docs.in -o requirements-docs.lock
	$(COMPILE) -c requirements-dev.lock release/requirements.in -o release/requirements.lock
	rm -rf build/lock
	for it in . tests/web/lighthouse; do \
	    npm update --prefix $$it --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund; \
	done

# What builds a release is apart from what it is built of: no node gets it. Helm: tests/deploy/install-tools.
RELEASE_TOOLS := build/release-tools
release-tools: $(RELEASE_TOOLS)/.complete

$(RELEASE_TOOLS)/.complete: release/requirements.lock | $(CREATED)
	$(BIN)/python -m venv --without-pip --clear $(RELEASE_TOOLS)
	$(BIN)/python -m pip --python $(RELEASE_TOOLS)/bin/python --disable-pip-version-check install --quiet \
	    --require-hashes --requirement release/requirements.lock
	@touch $@

release: release-tools
	@PATH="$(CURDIR)/$(RELEASE_TOOLS)/bin:$(CURDIR)/build/tools/bin:$$PATH" release/build

clean:
	rm -rf $(VENV) node_modules tests/web/lighthouse/node_modules build dist service/*.egg-info load/*.egg-info .import_linter_cache
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis test-output
	find service tests -name __pycache__ -type d -prune -exec rm -rf {} +

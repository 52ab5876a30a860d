# Needs Python 3.11 or later, git and make. All else goes into .venv.
#
#   make demo        a model's whole life on census data, told step by step
#   make test        every test
#   make lint        style, types, import arrows, documentation, licences
#   make audit       known vulnerabilities of every pinned version
#   make docs        the documentation, in build/docs
#   make load        ten minutes of an endpoint under load, with all that may happen to it
#   make bench       every benchmark; make bench-NAME for one
#   make dist        every wheel and source distribution, in dist/
#   make clean       away with builds and caches; the environment stays

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PLUGINS := $(sort $(patsubst %/pyproject.toml,%,$(wildcard plugins/*/pyproject.toml)))
# What `pip install interlock` brings: the plugins that the root distribution requires.
EMBEDDED := $(foreach plugin,$(PLUGINS),$(if $(shell grep -F '"interlock-$(notdir $(plugin))==' pyproject.toml),$(plugin)))
RUNTIME := hookspecs worker serving core $(EMBEDDED)
MEMBERS := hookspecs worker serving core $(PLUGINS)
CONTRIB := $(sort $(patsubst %/pyproject.toml,%,$(wildcard contrib/*/pyproject.toml)))
PROJECTS := pyproject.toml $(MEMBERS:%=%/pyproject.toml)
BENCHMARKS := $(sort $(patsubst tests/benchmarks/bench_%.py,bench-%,$(wildcard tests/benchmarks/bench_*.py)))
# The environments that tests need beside .venv.
APART := build/mlflow-venv/.ready build/mlserver-venv/.ready build/clients-venv/.ready
# These need a server or a plugin that comes with the tests' libraries.
SERVED := bench-cold_start bench-ledger_postgresql bench-registry bench-serving bench-track

# pip says what goes wrong, and nothing else.
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check
INSTALL := $(PIP) install --no-compile --only-binary :all: --constraint constraints.txt

# What tests hold numbers against. They alone import it, not the processes that they start:
# scikit-learn and Arrow import pandas wherever they find it, and no user gets it with Interlock.
ORACLES := fairlearn pandas

# Bytecode is written once, whatever the caller's environment says: start-up times depend on it.
# By all cores, where pip uses one; the tests of libraries are a fifth of it, and nobody runs them.
COMPILE := $(BIN)/python -m compileall -q -j 0 -x '/tests?/'
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test load lint audit docs bench dist clean $(BENCHMARKS)
.DELETE_ON_ERROR:
.SUFFIXES:

demo: .venv/.runtime
	@$(BIN)/python contrib/examples/employment/demo.py

# The environments are made side by side: pip downloads, resolves and unpacks on one core.
# Five workers on two cores: half of a test is waiting, for a server to start, to answer and to end.
# One OpenMP thread a process: those that spin wait for each other. conftest.py says which files
# begin.
test:
	@$(MAKE) --no-print-directory -j 4 .venv/.dev $(APART)
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 5 --dist loadfile --no-loadscope-reorder

load: .venv/.dev
	@INTERLOCK_LOAD_SECONDS=600 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -o faulthandler_timeout=1800 tests/load/test_load.py
	@$(BIN)/python tests/load/load_page.py

lint: .venv/.dev docs
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/pip-licenses --order=license --output-file=build/licences.txt >/dev/null
	@$(BIN)/pip-licenses --summary --partial-match --fail-on "AGPL;Affero;SSPL;Commercial;Proprietary"
	@echo "Each package with its licence is in build/licences.txt"

# Fails where the advisories cannot be reached: not knowing is not passing.
audit: build/audit/bin/pip-audit
	@build/audit/bin/pip-audit --strict --disable-pip --no-deps --requirement constraints.txt

build/audit/bin/pip-audit: constraints.txt
	@$(PYTHON) -m venv build/audit
	@build/audit/bin/python -m pip -qq --disable-pip-version-check install --only-binary :all: --constraint constraints.txt pip-audit
	@touch $@

# What the tests and the benchmarks ask, in environments that know nothing of Interlock: a real
# MLflow, a real MLServer, and the public clients of the protocol. Bytecode comes with the first use:
# a server imports a part of what it brings.
build/mlflow-venv/.ready: PACKAGES := mlflow onnx onnxruntime skops "psycopg[binary]"
build/mlserver-venv/.ready: PACKAGES := mlserver mlserver-mlflow mlserver-sklearn onnxruntime orjson
build/clients-venv/.ready: PACKAGES := kserve "tritonclient[grpc,http]"

$(APART): build/%-venv/.ready: constraints-%.txt | .venv/bin/pip
	@echo "Making an environment in build/$*-venv ..."
	@rm -rf build/$*-venv && mkdir -p build
	@$(PYTHON) -m venv --without-pip build/$*-venv
	@$(PIP) --python build/$*-venv/bin/python install --no-compile --only-binary :all: --constraint $< $(PACKAGES)
	@touch $@

# What bench-serving and bench-frameworks measure against: what cannot share an environment has one
# of its own.
build/peers/.ready: PACKAGES := mlserver mlserver-sklearn mlflow fastapi uvicorn httptools orjson uvloop
build/peers-kserve/.ready: PACKAGES := kserve bentoml litserve scikit-learn joblib orjson
build/peers-frameworks/.ready: PACKAGES := kedro "zenml[local]" scikit-learn pyarrow skops

build/peers/.ready build/peers-kserve/.ready build/peers-frameworks/.ready: build/%/.ready: constraints-%.txt
	@echo "Making an environment for peers to measure against ($*) ..."
	@rm -rf build/$* && mkdir -p build
	@$(PYTHON) -m venv build/$*
	@build/$*/bin/python -m pip -qq --disable-pip-version-check install --only-binary :all: --constraint $< $(PACKAGES)
	@touch $@

bench-serving: build/peers/.ready build/peers-kserve/.ready
bench-frameworks: build/peers-frameworks/.ready build/mlflow-venv/.ready

docs: .venv/.dev
	@$(BIN)/python -m sphinx -q -W -n --keep-going -b html docs build/docs
	@echo "The documentation is in build/docs/index.html"

# All of them are run, whichever miss their bound; then the table is written from what they found.
bench: build/bench-venv/.runtime
	@failed=0; for name in $(BENCHMARKS); do $(MAKE) --no-print-directory $$name || failed=1; done; \
		build/bench-venv/bin/python tests/benchmarks/table.py; exit $$failed

$(filter-out $(SERVED),$(BENCHMARKS)): bench-%: build/bench-venv/.runtime
	@build/bench-venv/bin/python tests/benchmarks/bench_$*.py

# And these hold us against MLflow.
bench-registry bench-track: build/mlflow-venv/.ready

$(SERVED): bench-%: .venv/.dev
	@$(BIN)/python tests/benchmarks/bench_$*.py

# Of what a user installs and nothing else: a library that tests need may change what others import.
build/bench-venv/.runtime: constraints.txt $(PROJECTS)
	@echo "Making an environment to measure in ..."
	@rm -rf build/bench-venv && mkdir -p build
	@$(PYTHON) -m venv build/bench-venv
	@$(subst $(BIN),build/bench-venv/bin,$(INSTALL)) setuptools
	@$(subst $(BIN),build/bench-venv/bin,$(INSTALL)) --no-build-isolation $(RUNTIME:%=--editable %) .
	@$(subst $(BIN),build/bench-venv/bin,$(COMPILE)) $(RUNTIME) build/bench-venv/lib
	@touch $@

dist: .venv/.dev
	@rm -rf dist && mkdir -p build
	@printf '%s\n' . $(MEMBERS) $(CONTRIB) | xargs -P 2 -I MEMBER \
		$(BIN)/python -m build --no-isolation --outdir dist MEMBER >build/dist.log 2>&1 || { tail -n 40 build/dist.log; echo "The whole log is build/dist.log"; exit 1; }
	@echo "$$(ls dist/*.whl | wc -l) wheels and $$(ls dist/*.tar.gz | wc -l) source distributions are in dist/"

clean:
	@rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@rm -rf $(foreach member,. $(MEMBERS) $(CONTRIB),$(member)/build $(member)/*.egg-info)
	@find . -path ./.venv -prune -o -name __pycache__ -prune -exec rm -rf {} +

# With a pip of today: one that comes with Python 3.11 takes twice as long to read an index.
.venv/bin/pip:
	@echo "Making the environment in .venv ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=...")'
	@$(PYTHON) -m venv .venv
	@$(INSTALL) pip setuptools

.venv/.runtime: constraints.txt $(PROJECTS) | .venv/bin/pip
	@echo "Installing Interlock and what it runs on ..."
	@$(INSTALL) --no-build-isolation $(RUNTIME:%=--editable %) .
	@$(COMPILE) $(RUNTIME) .venv/lib
	@touch $@

.venv/.dev: requirements-dev.txt .venv/.runtime $(CONTRIB:%=%/pyproject.toml)
	@echo "Installing what tests and checks need ..."
	@$(INSTALL) -r requirements-dev.txt
	@$(INSTALL) --no-deps --upgrade --target .venv/oracles $(ORACLES)
	@$(INSTALL) --no-build-isolation $(patsubst %,--editable %,$(filter-out $(EMBEDDED),$(PLUGINS)) $(CONTRIB))
	@$(COMPILE) .venv/lib .venv/oracles
	@touch $@

# Every target sets up .venv by itself, from the pinned requirements.lock; again only when that or pyproject.toml changed.
PYTHON ?= python3
BIN := .venv/bin
DEPLOYER ?= process
MADE_BY := .venv/made-by-$(notdir $(PYTHON))

# Nothing that is started here reports to anybody.
export DO_NOT_TRACK := true
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export MLFLOW_DISABLE_TELEMETRY := true
export ENGINES

.PHONY: setup demo test soak mutations lint bench clean

setup: .venv/installed

$(MADE_BY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "$(PYTHON) is missing or older than 3.11; name another one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' \
		|| { echo "$(PYTHON) lacks venv; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv --clear .venv
	@touch $@

.venv/installed: $(MADE_BY) requirements.lock pyproject.toml
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# Empty databases, so that the demo need not make their tables each time.
.venv/demo/mlflow.db: .venv/installed
	@$(BIN)/python -m examples.demo.prepared .venv/demo

# make demo ARGS=--keep leaves it running, to look at; make demo DEPLOYER=docker serves in containers.
demo: .venv/demo/mlflow.db
	$(BIN)/python -m examples.demo --deployer $(DEPLOYER) $(ARGS)

# Tests every engine that it can reach. With ENGINES="process docker" (or all) a missing one is a failure.
# make test ARGS=--cov tells what they reach.
test: setup
	$(BIN)/python -m pytest $(ARGS)

# Deployers killed and frozen at hundreds of random moments, and whatever else takes too long for `make test`.
soak: setup
	$(BIN)/python -m tests.soak $(ARGS)

# Breaks each rule of the rollout protocol on purpose, in copies; what stays green is a missing test.
mutations: setup
	$(BIN)/python -m tests.mutations $(ARGS)

lint: setup
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup
	$(BIN)/python -m benchmarks $(ARGS)

clean:
	rm -rf .venv build dist

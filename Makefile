# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= $(shell for p in python3.12 python3.11 python3; do command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
READY := $(VENV)/.ready
IDEA := experiments/sae_variants/ideas/adaptive_sparse_orthogonal_sae.json
CASSETTE := experiments/sae_variants/cassettes/adaptive_sparse_orthogonal_sae.jsonl

.PHONY: demo test test-fast check setup system clean

demo: setup
	$(VENV)/bin/orch run $(IDEA) --experiment sae_variants --model cassette:$(CASSETTE) --runs 4

test: setup check
	$(VENV)/bin/python -m pytest

test-fast: setup
	$(VENV)/bin/python -m pytest -m "not slow"

check: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

setup: system $(READY)

system:
	@sh scripts/system_packages.sh

$(READY): pyproject.toml
	@test -n "$(PYTHON)" || { echo "orch needs Python 3.11 or 3.12; none was found. Set PYTHON=/path/to/python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $(READY)

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache

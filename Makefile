# Every target sets up .venv by itself; `make` alone lists them.
PYTHON ?= python3
PYTEST_ARGS ?=

VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.complete
UNFINISHED := $(VENV)/.unfinished

.DEFAULT_GOAL := help
.PHONY: help book test exercises grade-demo lint bench lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

book: $(STAMP) ## run every chapter and write the pages to _build/html
	$(PY) $(VENV)/bin/jupyter-book build book -W -n --keep-going
	@echo "Open $(CURDIR)/_build/html/index.html"

test: $(STAMP) ## run the tests; PYTEST_ARGS adds to them, e.g. PYTEST_ARGS="-m slow"
	$(PY) -m pytest $(PYTEST_ARGS)

exercises: $(STAMP) ## write exercises/ anew from solutions/
	$(PY) -m identity_edu.grading.release

grade-demo: $(STAMP) ## release, collect, autograde and return one assignment
	$(PY) -m identity_edu.grading.demo

lint: $(STAMP) ## check style and formatting
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

bench: $(STAMP) ## measure every performance claim
	@set -e; for script in $(filter-out %/gpu_all.py,$(sort $(wildcard benchmarks/*.py))); \
	do echo "== $$script"; $(PY) $$script; done

lock: $(STAMP) ## write requirements.txt anew, with the newest versions that fit
	$(PY) -m pip install --quiet uv
	$(PY) -m uv pip compile --no-config --universal --fork-strategy fewest \
	  --python-version 3.11 --extra book --extra grade --extra dev \
	  --no-header --no-annotate --quiet pyproject.toml > requirements.new
	sed '/^#/!d' requirements.txt | cat - requirements.new > requirements.lock
	mv requirements.lock requirements.txt && rm requirements.new

clean: ## remove what was built; .venv stays, and .grading/ with its marks
	rm -rf _build .pytest_cache .ruff_cache .hypothesis build *.egg-info

# The mark is set before the first package and taken away after the last, so that an
# interrupted installation is recognised and made anew instead of trusted.
$(STAMP): requirements.txt pyproject.toml
	@found=$$($(PYTHON) -c 'import platform; print(platform.python_version())' \
	  2>/dev/null) || found=absent; \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Needed: Python 3.11 or later; $(PYTHON) is $$found." \
	    "Name another: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "Needed: Python's venv module, which $(PYTHON) lacks." \
	    "On Debian or Ubuntu: apt install python3-venv" >&2; exit 1; }
	@if [ -e $(UNFINISHED) ]; then \
	  echo "An installation in $(VENV) was interrupted; making it anew." >&2; \
	  rm -rf $(VENV); \
	elif [ -e $(VENV) ] && ! $(PY) -m pip --version >/dev/null 2>&1; then \
	  echo "The Python in $(VENV) does not run; making it anew." >&2; \
	  rm -rf $(VENV); \
	fi
	@mkdir -p $(VENV) && touch $(UNFINISHED)
	[ -x $(PY) ] || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(PY) -m pip install --quiet --disable-pip-version-check \
	  --no-build-isolation --no-deps --editable .
	@rm $(UNFINISHED) && touch $@

# Everything runs in a virtual environment of its own, .venv, made by the first target that needs it.
# Needs only make, Python >= 3.11 and a package index. Choose the interpreter with PYTHON=python3.12.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
# The stamps live inside the environment, so that removing it removes them.
INSTALLED := $(VENV)/.installed
TOOLS := $(VENV)/.tools
MEASURING := $(VENV)/.measuring

.DEFAULT_GOAL := help
.PHONY: help demo test check soak lowest newest mutants bench profile clean

help:
	@echo "make demo    see the main job done on a small set of epics"
	@echo "make test    run the tests"
	@echo "make check   lint, formatting, types, the import contracts and the figures of the house"
	@echo "make soak    run the slow tests, then the quick ones with the lowest and the newest versions of what epicvc needs"
	@echo "             make lowest, make newest: these alone; make test VENV=.venv-3.13 PYTHON=python3.13: another Python"
	@echo "make mutants change single conditions of the rules, and tell which changes no test notices (long)"
	@echo "make bench   measure against references, with N=1000 epics or 10,000; ROWS=status,sync: some rows (KEEP=1 writes them); LONG=1: laws of merging too;"
	@echo "             AGAINST=HEAD~10: the rows by another commit of the project, side by side;"
	@echo "             GROWTH=1000,10000: what grows with the epics and with the change;"
	@echo "             SERIES=all, or SERIES=blame,undo: that no work grows faster than n log n, in about five minutes"
	@echo "make profile what each second of the slowest works is spent on; WORK=\"status commit\" for others"
	@echo "make clean   remove the virtual environment, caches and build output"

demo: $(INSTALLED)
	@$(RUN) demo/demo.py

test: $(TOOLS)
	$(RUN) -m pytest -n auto -m "not slow"

check: $(TOOLS)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(VENV)/bin/lint-imports
	$(RUN) tests/support/house.py

soak: $(TOOLS)
	$(RUN) -m pytest -n auto -m slow
	$(MAKE) lowest newest

# The quick tests with the lowest versions that pyproject.toml allows, and with the newest.
lowest:
	@mkdir -p build
	@"$(PYTHON)" tests/support/floors.py > build/lowest.txt
	@rm -rf .venv-lowest
	PIP_CONSTRAINT="$(CURDIR)/build/lowest.txt" $(MAKE) test VENV=.venv-lowest

newest:
	@rm -rf .venv-newest
	$(MAKE) test VENV=.venv-newest

mutants: $(TOOLS)
	PYTHONPATH=tests $(RUN) -m mutation

# Imports take up to three times as long where no bytecode may be written.
bench: $(MEASURING)
	@env -u PYTHONDONTWRITEBYTECODE $(RUN) -m tests.benchmarks $(if $(N),--epics $(N)) $(if $(ROWS),--rows $(ROWS)) \
	  $(if $(AGAINST),--against "$(AGAINST)") $(if $(RUNS),--runs $(RUNS)) $(if $(KEEP),--keep) $(if $(GROWTH),--growth $(GROWTH)) $(if $(SERIES),--series $(SERIES))
	@$(if $(LONG),PYTHONPATH=tests $(RUN) -m tests.merge.triples --count 100000)

profile: $(MEASURING)
	@env -u PYTHONDONTWRITEBYTECODE $(RUN) -m tests.benchmarks.profile $(or $(N),10000) \
	  $(or $(WORK),first-sync first-commit sync)

clean:
	rm -rf $(VENV) .venv-* .bench build dist *.egg-info .hypothesis .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "make: no $(PYTHON) found; name a Python >= 3.11, for instance: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "make: $(PYTHON) is $$("$(PYTHON)" -V 2>&1); epicvc needs Python >= 3.11: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	"$(PYTHON)" -m venv --clear $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

# The dependency groups are read with tomllib: `pip install --group` needs a pip newer than many machines have.
define install_groups
	@$(RUN) -c 'import sys, tomllib; g = tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]; print(*sum(map(g.get, sys.argv[1:]), []), sep="\n")' $(1) > $(VENV)/requirements.txt
	$(RUN) -m pip install --quiet --disable-pip-version-check --requirement $(VENV)/requirements.txt
	@touch $@
endef

$(TOOLS): $(INSTALLED)
	$(call install_groups,test check)

$(MEASURING): $(INSTALLED)
	$(call install_groups,bench)

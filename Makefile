# make lab        work through the course          make lab ARGS="--no-browser --port=8890"
# make test       everything that must hold; of what is slow, what has not run with the present code, and some in turn
#                 (make test DUE= runs all of it)
# make quick      of that, style, types and the library: no browser, no sandbox, no notebooks
# make long       what need not run at every push, where it has not passed with the present code; keeps a row of each
# make notebooks  rebuild the notebooks whose inputs changed; write their help, the released labs and the tables anew
# make bench      how fast it is beside the usual ways, in about five minutes; ARGS="--json new.json" keeps the figures
# Every line below can be typed by hand; PYTHON=python3.12 chooses another interpreter for a new .venv.

PYTHON ?= python3
ARGS ?=
DUE ?= --due
BIN := .venv/bin
THREE := --numprocesses=3 --dist=loadfile --no-loadscope-reorder
NBVAL := --nbval-lax --nbval-sanitize-with tests/nbval_sanitize.cfg --nbval-current-env --nbval-cell-timeout=900

.PHONY: lab test quick long notebooks bench

lab: .venv/installed
	$(BIN)/autoencoder-lab open $(ARGS)

test: .venv/installed-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pytest $(THREE) $(NBVAL) $(DUE) notebooks tests

quick: .venv/installed-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pytest $(THREE) -m "not slow"

long: .venv/installed-test
	$(BIN)/pytest $(THREE) $(NBVAL) --long=new $(ARGS) notebooks tests

notebooks: .venv/installed-test
	$(BIN)/python -m notebooks.exercises
	$(BIN)/python -m notebooks.labs
	$(BIN)/python notebooks/build.py $(ARGS)
	$(BIN)/python -m notebooks.tables

bench: .venv/installed-test
	$(BIN)/python -m benchmarks --short $(ARGS)

# The stamps are newer than pyproject.toml and constraints.txt as long as these do not change: then nothing is installed
.venv/installed: pyproject.toml constraints.txt | $(BIN)/pip
	$(BIN)/python -m pip install -c constraints.txt -e .
	@touch $@

.venv/installed-test: pyproject.toml constraints.txt | $(BIN)/pip
	$(BIN)/python -m pip install -c constraints.txt -e '.[test,dev,grading]'
	@touch $@ .venv/installed

$(BIN)/pip:
	@command -v $(PYTHON) >/dev/null || { echo '$(PYTHON) was not found: install Python 3.11 or newer, or name one, as in: make lab PYTHON=python3.12' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version.split()[0]; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed, but $(PYTHON) is Python " + v + ": install a newer one and name it, as in: make lab PYTHON=python3.12")'
	$(PYTHON) -m venv .venv

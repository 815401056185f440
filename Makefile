# Every target works from nothing: make and Python 3.11 or newer are all that is needed. `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help demo reset-demo test fuzz lint format types migrations-check check benchmarks screenshots readme-pictures lock messages clean
.PHONY: environment-demo environment-dev

PYTHON_ENV := .venv/bin/python
WORKERS ?= 2
LANGUAGES ?= en

help: ## List what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1	\2/p' Makefile | expand -t 22

demo: environment-demo ## Run everything with made-up data: http://localhost:8000 (ARGS=--help lists options)
	@exec $(PYTHON_ENV) manage.py demo $(ARGS)

reset-demo: environment-demo ## Run the demo afresh; what was in it is deleted
	@exec $(PYTHON_ENV) manage.py demo --reset $(ARGS)

test: environment-dev ## Run the whole test suite (ARGS="-k filters" for a part of it)
	@$(PYTHON_ENV) -m pytest -n $(WORKERS) -p tests.ci_plugin $(ARGS)

fuzz: environment-dev ## Play random histories against the sync engine (HISTORIES=10000, WORKERS=2, ARGS=-x)
	@HISTORIES=$(or $(HISTORIES),10000) $(PYTHON_ENV) -m pytest -q -p tests.figures tests/fuzz.py -n $(WORKERS) $(ARGS)

lint: environment-dev ## Look for mistakes and for lines that are not formatted
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

format: environment-dev ## Format the code and mend what can be mended by itself
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

types: environment-dev ## Check the type hints
	@.venv/bin/mypy

migrations-check: environment-dev ## Fail when a model has changed without its migration
	@DJANGO_SETTINGS_MODULE=tests.settings $(PYTHON_ENV) manage.py makemigrations --check --dry-run

check: lint types migrations-check test ## All of the above

benchmarks: environment-dev ## Measure speed and memory, beside what they are measured against (takes minutes)
	@for name in sync_speed sync_memory preview_speed contacts_list duplicates filter_impact; do $(PYTHON_ENV) -m tests.benchmarks.$$name || exit 1; done

screenshots: environment-dev ## Take a picture of every page, in both themes and at both widths (LANGUAGES="en da"; needs Chromium)
	@LANGUAGES="$(LANGUAGES)" $(PYTHON_ENV) -m pytest -q tests/screenshots.py

readme-pictures: environment-dev ## Take anew the four pictures that the README shows (needs Chromium)
	@LANGUAGES= $(PYTHON_ENV) -m pytest -q tests/screenshots.py
	@cp screenshots/readme/*.png docs/images/

lock: ## Write the lock files again, with the newest versions that pyproject.toml allows (needs uv)
	@uv pip compile pyproject.toml --extra dev $(LOCK) --upgrade -o requirements-dev.lock
	@uv pip compile pyproject.toml --extra demo $(LOCK) -c requirements-dev.lock -o requirements-demo.lock
	@uv pip compile pyproject.toml $(LOCK) -c requirements-dev.lock -o requirements.lock
LOCK := --quiet --universal --generate-hashes --no-annotate --no-header

messages: environment-dev ## Collect the texts to translate into locale/, and compile the translations (needs gettext)
	@$(PYTHON_ENV) manage.py makemessages --locale da --no-wrap --no-obsolete --add-location file \
		--ignore .venv --ignore var --ignore tests
	@sed -i.bak '/^"POT-Creation-Date:/d' $(DANISH) && rm $(DANISH).bak
	@$(PYTHON_ENV) manage.py compilemessages --locale da --ignore .venv
DANISH := locale/da/LC_MESSAGES/django.po

clean: ## Delete the environment, the demo's data and every cache
	@rm -rf .venv var .pytest_cache .mypy_cache .ruff_cache .hypothesis test-results screenshots
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

environment-demo:
	@scripts/environment demo

environment-dev:
	@scripts/environment dev

# Everything runs from the virtual environment .venv, by relative paths: a folder whose path has a
# space in it is fine.

PYTHON ?= python3
ENVIRONMENT := .venv/installed
AUDIT := .venv/audit/installed
# Node's packages, where there is Node: without it the tests that need it are skipped.
NODE_PACKAGES := $(if $(and $(shell command -v node),$(shell command -v npm)),$(patsubst \
	%/package-lock.json,%/node_modules/.installed,$(wildcard \
	tests/interop/*/package-lock.json tests/interop/*/node/package-lock.json)))
# Three workers on two cores: much of the time is spent waiting for processes to start. Files go to
# them in the order of tests/conftest.py.
WORKERS := -n 3 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help serve test coverage lint audit lock schema docs bench history soak

help: ## Print this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

serve: $(ENVIRONMENT) ## Run the service with a database of its own, or the one in DATABASE_URL
	@exec .venv/bin/gatepost dev

# With ARGS pytest gets just these, and Node's packages come when they name the tests that need them.
test: $(ENVIRONMENT) $(if $(ARGS),$(if $(findstring interop,$(ARGS)),$(NODE_PACKAGES)),$(NODE_PACKAGES))
test: ## Run the tests; or only some: make test ARGS=tests/unit; COVERAGE=1 measures what they reach
	@$(if $(COVERAGE),.venv/bin/coverage erase)
	@exec $(if $(COVERAGE),.venv/bin/coverage run,.venv/bin/python) -m pytest $(or $(ARGS),$(WORKERS))

coverage: $(ENVIRONMENT) ## Say what of app/ the last `make test COVERAGE=1` did not reach
	@.venv/bin/coverage combine -q
	@.venv/bin/coverage report
	@exec .venv/bin/python scripts/check_coverage.py

lint: $(ENVIRONMENT) ## Check style, types, imports and migrations
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/basedpyright
	@.venv/bin/lint-imports --no-cache --no-logo
	@.venv/bin/python scripts/lint_migrations.py

# What the service is installed with may be under these, and what tests and tools need as it likes.
LICENCES := MIT;BSD;Apache;ISC;PSF-2.0

# Asks PyPI and npm's registry, so it needs the network; --strict: what they do not know is a failure.
audit: $(ENVIRONMENT) $(AUDIT) ## Look for packages with known vulnerabilities or other licences
	@failed=0; for file in requirements/*.txt; do \
		.venv/audit/bin/pip-audit --strict --disable-pip --require-hashes -r $$file || failed=1; \
	done; \
	for lock in $$(git ls-files '*package-lock.json'); do \
		(cd $$(dirname $$lock) && npm audit --package-lock-only) || failed=1; \
	done; \
	.venv/audit/bin/pip-licenses --python=.venv/bin/python --from=mixed --partial-match \
		--allow-only='$(LICENCES)' \
		--packages $$(sed -n 's/==.*//p' requirements/service.txt) || failed=1; \
	exit $$failed

LOCK := .venv/audit/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate

lock: $(AUDIT) ## Write requirements/*.txt, with hashes, from pyproject.toml and constraints.txt
	@$(LOCK) -c constraints.txt pyproject.toml -o requirements/service.txt
	@$(LOCK) -c constraints.txt --extra dev pyproject.toml -o requirements/dev.txt
	@printf 'hatchling\neditables\n' | $(LOCK) -c constraints.txt - -o requirements/build.txt
	@printf 'pip-audit\npip-licenses\nuv\n' | $(LOCK) -c constraints.txt - -o requirements/audit.txt

schema: $(ENVIRONMENT) ## Write db/schema.sql and what goes with it from the migrations
	@exec .venv/bin/python scripts/dump_schema.py

bench: $(ENVIRONMENT) ## Compare the speed with others, some 15 minutes; ARGS as bench/compare.py has them
	@exec .venv/bin/python bench/compare.py $(ARGS)

history: $(ENVIRONMENT) ## Check histories while everything is broken; SECONDS of each, default 300
	@HISTORY_SECONDS=$(or $(SECONDS),300) exec .venv/bin/python -m pytest -s tests/faults/history

soak: $(ENVIRONMENT) ## An hour of mixed load: memory, backends and latency stay flat; SECONDS, ARGS
	@exec .venv/bin/python bench/soak.py $(if $(SECONDS),--seconds $(SECONDS)) $(ARGS)

docs: $(ENVIRONMENT) ## Write docs/SCHEMA.md and the settings in docs/OPERATIONS.md
	@.venv/bin/python scripts/document_settings.py
	@exec .venv/bin/python scripts/document_schema.py

$(ENVIRONMENT): pyproject.toml constraints.txt requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed: make PYTHON=python3.11 …" >&2; exit 1; }
	@echo "Installing the dependencies into .venv: about a minute"
	@test -x .venv/bin/pip || $(PYTHON) -m venv --clear .venv
	@$(if $(CI),.venv/bin/python -m pip install -q --disable-pip-version-check \
		--require-hashes -r requirements/dev.txt)
	@.venv/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

$(AUDIT): requirements/audit.txt
	@$(PYTHON) -m venv --clear .venv/audit
	@.venv/audit/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r $<
	@touch $@

%/node_modules/.installed: %/package.json %/package-lock.json
	@cd $* && npm ci --silent --no-audit --no-fund
	@touch $@

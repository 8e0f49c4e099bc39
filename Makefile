# Everything runs from the virtual environment .venv, by relative paths: a folder whose path has a
# space in it is fine.

PYTHON ?= python3
ENVIRONMENT := .venv/installed
AUDIT := .venv/audit/installed
SITE := .venv/site/installed
# Node's packages, where there is Node: without it the tests that need it are skipped.
NODE_PACKAGES := $(if $(and $(shell command -v node),$(shell command -v npm)),$(patsubst \
	%/package-lock.json,%/node_modules/.installed,$(wildcard \
	scripts/assets/package-lock.json tests/interop/*/package-lock.json \
	tests/interop/*/node/package-lock.json)))
# Three workers on two cores: much of the time is spent waiting for processes to start. Files go to
# them in the order of tests/conftest.py.
WORKERS := -n 3 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help serve test coverage lint audit lock schema docs site assets images bench history soak

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
	@exec .venv/bin/python -m scripts.check_coverage

lint: $(ENVIRONMENT) ## Check style, types, imports and migrations
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/basedpyright
	@.venv/bin/lint-imports --no-cache --no-logo
	@.venv/bin/python -m scripts.lint_migrations

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
	@$(LOCK) -c constraints.txt --extra jwt --extra social --extra webhooks pyproject.toml -o requirements/social.txt
	@$(LOCK) -c constraints.txt --extra admin --extra devices --extra jwt --extra social --extra webhooks pyproject.toml -o requirements/admin.txt
	@$(LOCK) -c constraints.txt --extra dev pyproject.toml -o requirements/dev.txt
	@printf 'setuptools\n' | $(LOCK) -c constraints.txt - -o requirements/build.txt
	@printf 'pip-audit\npip-licenses\nuv\n' | $(LOCK) -c constraints.txt - -o requirements/audit.txt
	@printf 'furo\nmyst-parser\nsphinx\n' | $(LOCK) -c constraints.txt - -o requirements/site.txt

schema: $(ENVIRONMENT) ## Write db/schema.sql and what goes with it from the migrations
	@exec .venv/bin/python -m scripts.dump_schema

bench: $(ENVIRONMENT) ## Compare the speed with others, some 15 minutes; ARGS as bench/compare.py has them
	@exec .venv/bin/python bench/compare.py $(ARGS)

history: $(ENVIRONMENT) ## Check histories while everything is broken; SECONDS of each, default 300
	@HISTORY_SECONDS=$(or $(SECONDS),300) exec .venv/bin/python -m pytest -s tests/faults/history

soak: $(ENVIRONMENT) ## An hour of mixed load: memory, backends and latency stay flat; SECONDS, ARGS
	@exec .venv/bin/python bench/soak.py $(if $(SECONDS),--seconds $(SECONDS)) $(ARGS)

docs: $(ENVIRONMENT) ## Write docs/SCHEMA.md, docs/COMMANDS.md and the settings in docs/OPERATIONS.md
	@.venv/bin/python -m scripts.document_settings
	@.venv/bin/python -m scripts.document_commands
	@exec .venv/bin/python -m scripts.document_schema

assets: scripts/assets/node_modules/.installed ## Bundle better-auth/client for the page of the development server
	@node scripts/assets/build.mjs

images: $(ENVIRONMENT) ## Take the pictures in docs/images; needs Chromium and its chromedriver
	@.venv/bin/python -m scripts.take_pictures
	@exec .venv/bin/python -m scripts.take_admin_pictures

# From nothing, for a page that was not read again would not be checked again.
site: $(SITE) ## Make the documentation a site in site/, with search, and check its links
	@rm -rf site
	@exec .venv/site/bin/sphinx-build --quiet --fail-on-warning --keep-going -c docs . site

$(ENVIRONMENT): pyproject.toml clients/python/pyproject.toml constraints.txt requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed: make PYTHON=python3.11 …" >&2; exit 1; }
	@echo "Installing the dependencies into .venv: about a minute"
	@test -x .venv/bin/pip || $(PYTHON) -m venv --clear .venv
	@$(if $(CI),.venv/bin/python -m pip install -q --disable-pip-version-check \
		--require-hashes -r requirements/dev.txt)
	@.venv/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]' \
		-e clients/python
	@touch $@

$(AUDIT): requirements/audit.txt
	@$(PYTHON) -m venv --clear .venv/audit
	@.venv/audit/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(SITE): requirements/site.txt
	@$(PYTHON) -m venv --clear .venv/site
	@.venv/site/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r $<
	@touch $@

%/node_modules/.installed: %/package.json %/package-lock.json
	@cd $* && npm ci --silent --no-audit --no-fund
	@touch $@

# make demo   install, load the demo and serve it         (make demo PORT=9000)
# make test   install what the tests need and run them all
# make test-postgres   those of them that the database may matter to, on a PostgreSQL of their own
# make messages   collect the strings to translate and compile the translations (needs gettext)
PYTHON ?= python3
PORT ?= 8000
# Not from the environment, where conda and tcsh put another HOST.
HOST = 127.0.0.1
GOAL := $(or $(firstword $(MAKECMDGOALS)),demo)
PIP := .venv/bin/python -m pip --disable-pip-version-check --no-input
RUN := .venv/bin/python

# Whether a Python has a torch that pairselect runs on. One that is there is kept: it may be the
# build for this machine's GPU.
FITS := import importlib.metadata as m; v = m.version("torch").split(".")[:2]; \
	assert (2, 9) <= tuple(map(int, v)) < (3, 0)

.PHONY: demo serve test test-postgres check messages install clean

demo: install
	@$(RUN) manage.py migrate --verbosity 0
	@$(RUN) manage.py load_demo
	@$(RUN) manage.py serve --host $(HOST) --port $(PORT)

serve: install
	@$(RUN) manage.py migrate --verbosity 0
	@$(RUN) manage.py serve --host $(HOST) --port $(PORT)

# In the order of tests/conftest.py, whose long files come first.
PYTEST = $(RUN) -m pytest --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder \
	--durations 25 --durations-min 5
PROCESSES ?= 3

test: .venv/.tested-with
	$(PYTEST)

# DATABASE_URL names a server that is there; without it one is started for the tests.
test-postgres: .venv/.tested-with
	$(if $(DATABASE_URL),,tests/on_postgres.sh) $(PYTEST) --database-only

check: .venv/.tested-with
	.venv/bin/ruff check .
	.venv/bin/mypy

# One file a place, no line numbers: else every edit of the code would change the catalogues.
MAKE_MESSAGES = $(RUN) manage.py makemessages --locale de --no-wrap --no-obsolete \
	--add-location file --ignore .venv --ignore data --ignore tests --ignore benchmarks \
	--ignore static/vendor

messages: .venv/.runs-with
	$(MAKE_MESSAGES) --domain django
	$(MAKE_MESSAGES) --domain djangojs
	$(RUN) manage.py compilemessages --locale de --ignore .venv --ignore data

install: .venv/.runs-with

# A .venv that is there is used if its pip runs, unless an installation into it was cut off: pip
# takes a package that is half written for an installed one. One that failed may go on.
.venv/.runs-with: requirements.txt requirements-model.txt constraints.txt
	@if [ -e .venv/.unfinished ] || ! $(PIP) --version >/dev/null 2>&1; then \
		$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
			{ echo "pairselect needs Python 3.11 or newer: make $(GOAL) PYTHON=python3.11" >&2; exit 1; }; \
		rm -rf .venv && mkdir .venv && touch .venv/.unfinished || exit 1; \
		if $(PYTHON) -c '$(FITS)' 2>/dev/null; then keep=--system-site-packages; else keep=; fi; \
		$(PYTHON) -m venv $$keep .venv && $(PIP) --version >/dev/null || \
			{ rm -rf .venv; echo "$(PYTHON) -m venv failed: on Debian and Ubuntu it needs the package python3-venv." >&2; exit 1; }; \
	fi
	@echo "Installing what pairselect runs on"
	@touch .venv/.unfinished; trap 'exit 130' INT TERM HUP; { \
		{ $(RUN) -c '$(FITS)' 2>/dev/null || $(PIP) install -q $$(grep '^torch==' requirements.txt); } && \
		grep -v '^torch==' requirements.txt | $(PIP) install -q -r /dev/stdin -c constraints.txt && \
		$(PIP) install -q --no-deps -r requirements-model.txt && \
		mv .venv/.unfinished $@; \
	} || { rm .venv/.unfinished; exit 1; }

.venv/.tested-with: .venv/.runs-with requirements-dev.txt constraints.txt
	@echo "Installing what the tests need"
	@grep -v '^-r' requirements-dev.txt | $(PIP) install -q -r /dev/stdin -c constraints.txt
	@touch $@

clean:
	rm -rf .venv

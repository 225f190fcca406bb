PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: install demo test check docs trials clean

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[demo,spark,video,encoders,postgres,dev]'
	touch $@

demo: install    ## real data, trained, compared, reported; ends with an open shop
	$(BIN)/endcap demo

test: install    ## the tests, in minutes
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -rs --numprocesses 2 --dist loadfile

check: install   ## format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: install    ## docs/configuration.md, from the dataclasses
	$(BIN)/python docs/generate.py

trials: install  ## long random trials: kills, fuzzing
	$(BIN)/python -m pytest -m trials --timeout 3600

clean:
	rm -rf .venv demo runs

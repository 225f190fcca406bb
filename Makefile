PYTHON ?= python3.11
BIN := .venv/bin

UV := $(BIN)/uv
# What pip is told where to look holds for uv too. Where nothing is said, PyTorch's build for processors is taken.
told = $(shell $(BIN)/python -m pip config list | sed -n "s/.*[.]$(1)='\(.*\)'/\1/p" | head -n 1)
links = $(call told,find-links)
index = $(call told,index-url)
options = $(if $(links),--find-links $(links),--torch-backend cpu) $(if $(index),--default-index $(index))
with = --quiet --constraint constraints.txt --editable
EVERYTHING := demo,spark,video,encoders,postgres,dev

.PHONY: install demo test check docs trials clean

install: .venv/installed  ## everything: all extras, and what developers need

.venv/installed: pyproject.toml constraints.txt | $(UV)
	$(UV) pip install --python $(BIN)/python --compile-bytecode $(options) $(with) '.[$(EVERYTHING)]' || $(BIN)/python -m pip install $(with) '.[$(EVERYTHING)]'
	touch $@ .venv/demo

.venv/demo: pyproject.toml constraints.txt | $(UV)  # what the demo needs and no more
	$(UV) pip install --python $(BIN)/python $(options) $(with) '.[demo]' || $(BIN)/python -m pip install $(with) '.[demo]'
	touch $@

$(UV):  # installs in a third of pip's time; where there is none pip does the installing
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet uv || touch $@

demo: .venv/demo  ## real data, a shop that is open in minutes and gets better while it is
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

# Two commands are all one needs: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin

include scripts/llama.mk

# GGML_NATIVE=ON builds for this very CPU; the Debian package builds for named CPUs instead.
# llama.cpp's AMX kernels die with SIGSEGV or SIGILL on virtual machines that announce AMX, and no
# board has it.
AMX_OFF := $(if $(filter x86_64,$(shell uname -m)),-DCMAKE_C_FLAGS=-mno-amx-int8 -DCMAKE_CXX_FLAGS=-mno-amx-int8)
CMAKE_ARGS ?= -DLLAVA_BUILD=OFF -DGGML_NATIVE=ON $(AMX_OFF)
export LLAMA_CMAKE_ARGS := $(CMAKE_ARGS)

.PHONY: help venv demo demo-heat demo-home test check bench peers pocket deb apt-repo test-machine test-pi test-home \
  release release-commit clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' Makefile

venv: ## build .venv with all that edged needs (does nothing when it is up to date)
	@PYTHON=$(PYTHON) scripts/venv

demo: venv ## start a private broker and edged, ask a prompt, show the streamed answer
	@$(BIN)/edged demo

demo-heat: venv ## let a real worker heat a simulated Pi 5, and watch edged keep it cool
	@$(BIN)/python -m bench.heat

demo-home: venv ## an evening at home: every example of config/examples once, with a private broker and edged
	@$(BIN)/python -m bench.home

test: check ## lint, types and every test
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest
	@scripts/pure-coverage

check: venv ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: venv ## run every bench and write bench/report.html
	@$(BIN)/python -m bench.all

peers: ## build llama-bench and llama-server to compare with (outside the tree, 15 minutes on 2 cores)
	@PYTHON=$(PYTHON) scripts/peers

pocket: ## train the pocket model anew (PyTorch, about 25 minutes on 2 quiet cores)
	@$(PYTHON) -m venv build/pocket/venv
	@build/pocket/venv/bin/python -m pip install -q -r bench/pocket/requirements.txt
	@for step in tokenizer train export evaluate; do build/pocket/venv/bin/python -m bench.pocket.$$step || exit; done

deb: ## build the Debian packages for amd64 and arm64 into build/ (arm64 is cross-built)
	@PYTHON=$(PYTHON) scripts/deb $(ARCH)

apt-repo: ## make a signed apt repository of them in build/apt
	@scripts/apt-repo

test-machine: venv ## boot a Debian 13 as a container (root), install the package with apt, break things, purge it
	@$(BIN)/python -m pytest -q --machine tests/machine
	@$(PYTHON) -m scripts.stamp write machine

test-pi: venv ## boot the arm64 package on an emulated Raspberry Pi 5 and 4 (root), ask it, kill its engine
	@$(BIN)/python -m pytest -q --pi tests/pi
	@$(PYTHON) -m scripts.stamp write pi

test-home: venv ## run the real Home Assistant and the real Node-RED against it (root; fetched once, 5 minutes)
	@$(BIN)/python -m pytest -q --home tests/home

release: ## tests, packages, repository, bill of materials, SHA256SUMS, if version and tree are fit (root); DRY=1
	@PYTHON=$(PYTHON) DRY=$(DRY) scripts/release

release-commit: ## commit VERSION=X.Y.Z and today as a release: edged/__init__.py, CHANGELOG.md, debian/changelog
	@files=$$($(PYTHON) -m scripts.release_prepare "$(VERSION)" "$$(date -u +%F)") && \
	  git commit -q -m "Release edged $(VERSION)" -- $$files && git show --stat --format=%s HEAD

clean: ## remove what the other targets made in the tree (the wheel cache stays)
	@rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage bench/report.html
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

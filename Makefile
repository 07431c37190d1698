# Wingpath. `make` lists what there is to make; `make demo` and `make test` need nothing before them.

P4C    ?= p4embed-c
SWITCH ?= p4embed-switch
TOPOLOGY ?= two_npus
NPU    ?= 1

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV   := .venv
BIN    := $(abspath $(VENV)/bin)
PYTHON := $(BIN)/python
# Debian's python3, whose mininet the environment is to see.
SYSTEM_PYTHON := /usr/bin/python3
# Debian keeps ip and ifconfig where an ordinary user's PATH does not look.
export PATH := $(BIN):$(PATH):/usr/sbin:/sbin
export PYTHONDONTWRITEBYTECODE :=

# Namespaces, interfaces and packages need root: directly, or by sudo with our PATH.
AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo env "PATH=$(BIN):$(PATH)")

# -- what is there to make ----------------------------------------------------------------------

.PHONY: help
help: ## this list
	@echo "usage: make TARGET [P4C=p4c] [SWITCH=simple_switch_grpc]"
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

.PHONY: demo
demo: build ## bring up two NPUs, show the main job on real traffic, take them down
	@echo "==> demo: $(P4C), $(SWITCH)"
	@$(AS_ROOT) $(PYTHON) -m topologies demo --switch "$(SWITCH)"

.PHONY: test
test: lint unit simulate differential sanitize ports ptf mininet ## every check and test
	@echo "==> all tests passed ($(P4C), $(SWITCH))"

.PHONY: topology
topology: build ## keep a topology up until Ctrl-C: TOPOLOGY=two_npus
	@$(AS_ROOT) $(PYTHON) -m topologies --topology "$(TOPOLOGY)" up --serve --switch "$(SWITCH)"

.PHONY: cli
cli: setup ## operator's prompt of the running topology, or one command: C="show ..."
	@$(AS_ROOT) $(BIN)/wingpath cli --socket "$${WINGPATH_RUN_DIRECTORY:-/run/wingpath}/$(TOPOLOGY).sock" $(if $(C),-c "$$C")

.PHONY: host
host: setup ## a shell or a command on a host of the running topology: H=trust1 C="ping 203.0.113.10"
	@test -n "$(H)" || { echo "error: say on which host: make host H=trust1" >&2; exit 2; }
	@$(AS_ROOT) $(PYTHON) -m topologies --topology "$(TOPOLOGY)" exec $(H) $(if $(C),bash -c "$$C")

.PHONY: shell
shell: setup .venv-shell/.done ## p4runtime-shell on a running NPU, read-only: NPU=1
	@$(AS_ROOT) $(PYTHON) -m topologies --topology "$(TOPOLOGY)" shell $(NPU) --python .venv-shell/bin/python

# -- setting up ---------------------------------------------------------------------------------

PACKAGES := $(shell sed -E '/^(#|$$)/d' debian-packages.txt)

.PHONY: packages
packages: # Debian packages, if one is missing
	@missing=$$(for package in $(PACKAGES); do \
	    dpkg-query -W -f='$${db:Status-Abbrev}' $$package 2>/dev/null | grep -q '^ii' || echo $$package; \
	  done); \
	if [ "$$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then \
	  echo "error: this needs root: run make as root, or install sudo" >&2; exit 1; fi; \
	if [ -n "$$missing" ]; then \
	  echo "==> installing Debian packages:" $$missing; \
	  $(if $(AS_ROOT),sudo) apt-get update -qq; \
	  $(if $(AS_ROOT),sudo) env DEBIAN_FRONTEND=noninteractive \
	    apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi

$(VENV)/.done: requirements.lock pyproject.toml | packages
	@echo "==> making the Python environment in $(VENV) (a minute)"
	@rm -rf $(VENV)
	@$(SYSTEM_PYTHON) -m venv --system-site-packages $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

# p4runtime-shell pins a protobuf that nothing else here can use: an environment of its own.
.venv-shell/.done: requirements-shell.lock | packages
	@echo "==> making the environment of p4runtime-shell in .venv-shell"
	@rm -rf .venv-shell
	@$(SYSTEM_PYTHON) -m venv .venv-shell
	@.venv-shell/bin/pip install --quiet --disable-pip-version-check --require-hashes \
	  -r requirements-shell.lock
	@touch $@

.PHONY: setup
setup: packages $(VENV)/.done # everything but the compiled program

# Unpacked, so that nothing of them starts: for tests that run them on their hosts.
SERVERS := $(shell sed -E '/^(\#|$$)/d' debian-servers.txt)

.servers/.done: debian-servers.txt | packages
	@echo "==> unpacking Debian packages:" $(SERVERS)
	@rm -rf .servers && mkdir -p .servers/packages
	@cd .servers/packages && { apt-get download -qq $(SERVERS) 2>/dev/null || \
	  { $(if $(AS_ROOT),sudo) apt-get update -qq && apt-get download -qq $(SERVERS); }; }
	@for package in .servers/packages/*.deb; do dpkg-deb --extract $$package .servers; done
	@touch $@

# -- the P4 program -----------------------------------------------------------------------------

P4_SOURCES := $(wildcard p4src/*.p4)

# The compiler's name is part of what the output depends on.
build/compiler.$(notdir $(P4C)): | setup
	@command -v $(P4C) >/dev/null || { echo "error: no compiler '$(P4C)' on PATH" >&2; exit 1; }
	@mkdir -p build && rm -f build/compiler.* && touch $@

build/npu.json: $(P4_SOURCES) build/compiler.$(notdir $(P4C)) \
                $(wildcard p4embed/compiler/*.py p4embed/compiler/*/*.py \
                  p4embed/compiler/include/*.p4)
	@echo "==> compiling p4src/npu.p4 with $(P4C)"
	@$(P4C) --target bmv2 --arch v1model -o build \
	  --p4runtime-files build/npu.p4info.txtpb p4src/npu.p4

.PHONY: build
build: setup build/npu.json ## compile p4src/npu.p4

# Programs asked for that are not on PATH; ours come with the environment.
MISSING := $(strip $(foreach program,$(P4C) $(SWITCH),$(if $(filter p4embed%,$(program)),,\
             $(if $(shell command -v $(program)),,$(program)))))

# -- checks and tests ---------------------------------------------------------------------------

.PHONY: lint
lint: setup ## ruff and mypy
	@echo "==> lint: ruff, mypy"
	@ruff check --quiet . && ruff format --quiet --check . && mypy

.PHONY: unit
unit: setup ## unit tests: no root, under a minute
	@echo "==> unit tests"
	@$(PYTHON) -m pytest -q -n auto tests/unit

SEEDS ?= 200

.PHONY: simulate
simulate: setup ## the machines under virtual time, with faults: SEEDS=200 [ARGS="--sessions 5000"]
	@echo "==> simulator: $(SEEDS) seeds"
	@wingpath simulate --seeds $(SEEDS) --sessions 300 --swarm $(ARGS)

# What is random is the same each time, but in "make fuzz" without FUZZ_SEED.
SEEDED := env FUZZ_SEED=$(or $(FUZZ_SEED),1)

.PHONY: differential
differential: $(if $(MISSING),setup,build) ## reference executor against native executor on random packets
	@echo "==> differential tests: reference against native"
	@$(SEEDED) $(PYTHON) -m pytest -q tests/differential --ignore tests/differential/test_sanitized.py

.PHONY: sanitize
sanitize: setup ## native code under AddressSanitizer and UBSan: random packets, messages, entries
	@echo "==> native code under sanitizers"
	@$(SEEDED) $(PYTHON) -m pytest -q tests/differential/test_sanitized.py

.PHONY: fuzz
fuzz: setup ## spoilt programs; any frames, messages and connections, under sanitizers: FOR=60
	@FUZZ_SECONDS=$(or $(FOR),60) $(PYTHON) -m pytest -q -s tests/differential/test_spoilt.py
	@FUZZ_SECONDS=$(or $(FOR),60) $(PYTHON) -m pytest -q -s -k fuzz \
	  tests/differential/test_sanitized.py
	@$(AS_ROOT) env FUZZ_SECONDS=$(or $(FOR),60) $(PYTHON) -m pytest -q -s -p no:cacheprovider \
	  tests/ports/test_whole_switch.py

.PHONY: ports
ports: setup ## the native data plane on real ports
	@echo "==> native data plane on real ports"
	@$(AS_ROOT) $(SEEDED) $(PYTHON) -m pytest -q -p no:cacheprovider tests/ports

.PHONY: ptf
ptf: $(if $(MISSING),,build) ## data-plane tests over real ports; by name: T=express; ARGS=--list
ifdef MISSING
	@echo "==> PTF tests SKIPPED: not on PATH: $(MISSING)"
else
	@echo "==> PTF tests: $(P4C), $(SWITCH)"
	@$(AS_ROOT) $(PYTHON) ptf-tests/run.py --switch "$(SWITCH)" \
	  --json build/npu.json --p4info build/npu.p4info.txtpb $(if $(T),--test $(T)) $(ARGS)
endif

.PHONY: mininet
mininet: $(if $(MISSING),,build .servers/.done) ## the main job in Mininet, as a test
ifdef MISSING
	@echo "==> Mininet tests SKIPPED: not on PATH: $(MISSING)"
else
	@echo "==> Mininet tests: $(P4C), $(SWITCH)"
	@$(AS_ROOT) env SWITCH="$(SWITCH)" $(PYTHON) -m pytest -q -p no:cacheprovider tests/mininet
endif

.PHONY: conformance
conformance: setup ## judge p4embed by p4c's samples: P4C_SRC=/path/to/p4c (a checkout)
	@test -n "$(P4C_SRC)" || { \
	  echo "error: say where a checkout of p4c is: make conformance P4C_SRC=/path/to/p4c" >&2; exit 2; }
	@echo "==> conformance: the samples of $(P4C_SRC)"
	@$(PYTHON) -m conformance "$(P4C_SRC)"

.PHONY: bench-install
bench-install: build ## latency of table installs: TARGET=HOST:PORT [ARGS="--port-in IFACE --port 1"]
	@$(AS_ROOT) $(PYTHON) -m bench.install $(if $(TARGET),--target $(TARGET)) $(ARGS) \
	  --switch "$(SWITCH)" --json build/npu.json --p4info build/npu.p4info.txtpb --out build/bench

.PHONY: bench-forwarding
bench-forwarding: build ## packets a second and latency through the NPU, against a bare forwarder
	@mkdir -p build/bench
	@$(AS_ROOT) $(PYTHON) -m bench.forwarding --switch "$(SWITCH)" \
	  --json build/npu.json --p4info build/npu.p4info.txtpb --out build/bench/forwarding.json

# What ours are held against, where it is installed.
AGAINST ?= $(if $(shell command -v simple_switch_grpc),simple_switch_grpc -L off)

.PHONY: bench-switch
bench-switch: build ## all measurements of the switch, into docs/PERFORMANCE.md: ten minutes
	@$(AS_ROOT) $(PYTHON) -m bench.switch --switch "$(SWITCH)" $(if $(AGAINST),--against "$(AGAINST)") \
	  --compiler p4embed-c $(if $(shell command -v p4c),--compiler p4c) \
	  --out build/bench --page docs/PERFORMANCE.md --summary README.md

.PHONY: bench-setups
bench-setups: build ## sessions set up a second through the whole path, and what a first packet waits
	@$(AS_ROOT) $(PYTHON) -m bench.setups --switch "$(SWITCH)" $(ARGS)

.PHONY: bench-control-plane
bench-control-plane: build ## all measurements of the control plane, into docs/PERFORMANCE.md: twelve minutes
	@$(AS_ROOT) $(PYTHON) -m bench.control_plane --switch "$(SWITCH)" \
	  --page docs/PERFORMANCE.md --summary README.md $(ARGS)

.PHONY: bench-policies
bench-policies: setup ## cost of the policy search by number of policies
	@$(PYTHON) -m bench.policies

.PHONY: lock
lock: # renew the lock files, without addresses of any package registry
	@pip install --quiet uv
	@uv pip compile --quiet --extra dev --generate-hashes --no-emit-index-url --no-annotate \
	  --no-header --python $(SYSTEM_PYTHON) -o requirements.lock pyproject.toml
	@echo "p4runtime-shell==0.0.6" | uv pip compile --quiet --generate-hashes --no-emit-index-url \
	  --no-annotate --no-header --python $(SYSTEM_PYTHON) -o requirements-shell.lock -

.PHONY: clean
clean: ## delete all that was made
	@rm -rf build $(VENV) .venv-shell .servers .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info

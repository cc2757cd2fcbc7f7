# SPDX-License-Identifier: Apache-2.0
# What a person does with this repository. `make` lists it; what takes longer to say is in scripts/.

PYTHON ?= python3
CARGO_TARGET_DIR ?= target
CHECK_TOOLS = @PYTHON=$(PYTHON) scripts/check-tools.sh
# The console is built by Node; without its sources there is nothing to build.
CONSOLE_TOOLS = $(if $(wildcard console/package.json),node)

# Holds a server of the binary that is named behind it against its own document.
CONTRACT = set -e; schemathesis="$$(PYTHON=$(PYTHON) scripts/setup-contract.sh)"; $(PYTHON) contract/run.py --tests $(CARGO_TARGET_DIR)/tmp --schemathesis "$$schemathesis"

.DEFAULT_GOAL := help
# The steps use the same build folder and the same two or three cores.
.NOTPARALLEL:
.PHONY: help run test test-rust test-python test-api test-e2e test-bench test-machine lint fmt bench soak fuzz fuzz-api docs release clean tools tools-test tools-venv console

help: ## list what can be made
	@sed -n 's/^\([a-z][a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

run: tools console ## build Lithouse and serve the example apps
	cargo build --release --locked
	$(CARGO_TARGET_DIR)/release/lithouse serve examples/apps --data data

test: tools-test lint test-rust test-python test-api test-e2e ## test everything, the browser included
	@echo "All tests passed: lint, Rust, Python, API, end to end."

test-rust: tools console
	cargo test --workspace --locked

test-python: tools
	$(PYTHON) -m unittest discover -s python/tests -t python
	$(PYTHON) -m unittest discover -s bench/tests -t bench

test-api: tools tools-venv console ## hold the API against its document
	cargo build --locked
	@$(CONTRACT) --binary $(CARGO_TARGET_DIR)/debug/lithouse

test-e2e: tools-test console
	cargo build --locked
	@scripts/setup-e2e.sh
	LITHOUSE_BIN="$$(realpath $(CARGO_TARGET_DIR))/debug/lithouse" CHROMIUM="$$(scripts/setup-chromium.sh)" npm --prefix e2e test

lint: tools-test console ## check form and style, changing nothing
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo xtask tidy
	@scripts/lint-rest.sh

fmt: ## bring the Rust code into its form
	cargo fmt --all
	cargo fmt --manifest-path fuzz/Cargo.toml

bench: tools console ## measure side by side with what a user would take instead
	cargo build --release --locked
	$(PYTHON) bench/run.py --binary $(CARGO_TARGET_DIR)/release/lithouse $(BENCH_FLAGS)

test-bench: tools console ## check in some minutes that the benchmark works
	cargo build --locked
	$(PYTHON) bench/run.py --quick --binary $(CARGO_TARGET_DIR)/debug/lithouse

test-machine: tools console ## try systemd and cgroup v2 in a virtual machine (RELEASE=trixie, ACCEL=tcg)
	@scripts/test-machine.sh

soak: tools console ## run snippets under load, and kill servers at random, for some minutes (SOAK_SECONDS=120)
	cargo test --release --locked -p lithouse-engine --test it -- --ignored soak
	cargo test --release --locked -p lithouse --test it -- --ignored --nocapture soak

fuzz-api: tools tools-venv console ## ask the API at random for some minutes (SOAK_SECONDS=120)
	cargo build --locked
	@$(CONTRACT) --binary $(CARGO_TARGET_DIR)/debug/lithouse --seconds $${SOAK_SECONDS:-120}

fuzz: ## look for input that upsets a reader of it, ten minutes each (FUZZ_SECONDS=600, TARGET=multipart)
	$(CHECK_TOOLS) cargo fuzz
	@FUZZ_SECONDS="$(FUZZ_SECONDS)" TARGET="$(TARGET)" scripts/fuzz.sh

docs: tools console ## build the documentation of the code
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --document-private-items

release: tools console ## make the archive that is handed out
	cargo build --profile dist --locked --bin lithouse
	@CARGO_TARGET_DIR=$(CARGO_TARGET_DIR) scripts/pack-release.sh

clean: ## remove what was built; the data folder stays
	cargo clean
	rm -rf fuzz/target fuzz/corpus fuzz/artifacts console/dist console/node_modules e2e/node_modules e2e/results dist

# All that is missing is told at once, before anything is built.
tools:
	$(CHECK_TOOLS) cargo python $(CONSOLE_TOOLS)

tools-test:
	$(CHECK_TOOLS) cargo rust-components python venv node

tools-venv:
	$(CHECK_TOOLS) venv

console:
	@scripts/setup-console.sh

# bindery: `make run` serves this repository's operators from a private stack, `make test` runs every test.
# Each target installs what it needs and does nothing twice.

SHELL := /bin/bash
CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)

.PHONY: install run test lint format clippy bench clean

install:
	@bash agent/dev/install.sh

run: install
	$(CARGO) build --workspace
	$(TARGET)/debug/bindery-agent dev

test: install
	$(CARGO) build --workspace --all-targets
	$(CARGO) test --workspace

format:
	$(CARGO) fmt --all --check

clippy:
	$(CARGO) clippy --workspace --all-targets -- -D warnings

lint: format clippy
	@command -v cargo-deny >/dev/null || $(CARGO) install --locked cargo-deny
	$(CARGO) deny check

# Minutes: builds in release mode, then times the compiler beside a script and a commit's way into the stores.
bench: install
	@bash tests/benches/check.sh
	@$(CARGO) build --quiet --release --workspace --bin latency
	@RUST_LOG=off $(TARGET)/release/latency

clean:
	$(CARGO) clean
	rm -rf .bindery

# bindery: `make run` serves this repository's operators from a private stack, `make test` runs every test.
# Each target installs what it needs and does nothing twice.

SHELL := /bin/bash
CARGO ?= cargo

.PHONY: install run test lint bench clean

install:
	@bash agent/dev/install.sh

run: install
	$(CARGO) build --workspace
	$${CARGO_TARGET_DIR:-target}/debug/bindery-agent dev

test: install
	$(CARGO) build --workspace --all-targets
	$(CARGO) test --workspace

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	@command -v cargo-deny >/dev/null || $(CARGO) install --locked cargo-deny
	$(CARGO) deny check

bench:
	@bash tests/benches/check.sh

clean:
	$(CARGO) clean
	rm -rf .bindery

# bindery: `make run` serves this repository's operators from a private stack, `make test` runs every test.
# Each target installs what it needs and does nothing twice.

SHELL := /bin/bash
CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)

.PHONY: install run test schemathesis chaos lint format clippy bench bench-sync bench-client bench-health fuzz clean

install:
	@bash agent/dev/install.sh

run: install
	$(CARGO) build --workspace
	$(TARGET)/debug/bindery-agent dev

test: install
	$(CARGO) build --workspace --all-targets
	$(CARGO) test --workspace

# Part of `make test`; here with what was asked and how often.
schemathesis: install
	$(CARGO) build --workspace --bins
	$(CARGO) test -p bindery-tests --test it schemathesis:: -- --nocapture

# Minutes: random operations and faults on two agents and servers of its own, then every invariant. `make chaos
# CHAOS_SEED=…` draws the same operations again.
CHAOS_OPERATIONS ?= 2000
CHAOS_SEED ?=
chaos: install
	@$(CARGO) build --quiet --workspace --bins
	@$(TARGET)/debug/chaos --operations $(CHAOS_OPERATIONS) $(if $(CHAOS_SEED),--seed $(CHAOS_SEED))

format:
	$(CARGO) fmt --all --check

clippy:
	$(CARGO) clippy --workspace --all-targets -- -D warnings

lint: format clippy
	@command -v cargo-deny >/dev/null || $(CARGO) install --locked cargo-deny
	$(CARGO) deny check

# Minutes: builds in release mode, then times the compiler beside a script and a commit's way into the stores.
bench: install
	@bash tests/benches/check.sh --plan
	@$(CARGO) build --quiet --release --workspace --bin latency
	@RUST_LOG=off $(TARGET)/release/latency

# Minutes: the first sync of a large configuration beside a bare COPY of its rules, and small commits after it.
BENCH_SIZE ?= L
bench-sync: install
	@$(CARGO) build --quiet --release --workspace --bin sync
	@RUST_LOG=off $(TARGET)/release/sync --size $(BENCH_SIZE)

# Minutes: the lookup of the client's routing table, and how soon a client that knows nothing has a million prefixes.
bench-client: install
	@$(CARGO) bench --quiet -p bindery-client
	@$(CARGO) build --quiet --release --workspace --bin bootstrap
	@RUST_LOG=off $(TARGET)/release/bootstrap

# Minutes: how soon Redis shows what connectors say, at HEALTH_RATE signals a second over 2,000 operators.
HEALTH_RATE ?= 5000
bench-health: install
	@$(CARGO) build --quiet --release --workspace --bin bindery-agent --bin health
	@RUST_LOG=off $(TARGET)/release/health --rate $(HEALTH_RATE)

# Each target for FUZZ_SECONDS. The seeds are kept in git, what grows from them is not.
FUZZ_SECONDS ?= 60
fuzz:
	@command -v cargo-fuzz >/dev/null || $(CARGO) install --locked cargo-fuzz
	@for target in yaml csv numbers values table; do \
		mkdir -p fuzz/corpus/$$target && \
		RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run --sanitizer none $$target fuzz/corpus/$$target fuzz/seeds/$$target -- \
			-max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=10 -rss_limit_mb=1024 || exit 1; \
	done

clean:
	$(CARGO) clean
	rm -rf .bindery

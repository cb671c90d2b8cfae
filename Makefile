# Everything that is done to this project, as one command each. `make` alone lists them.

CARGO_DENY_VERSION := 0.20.2
SCRIPTS := $(wildcard scripts/*.sh) .ci/run deploy/debian/postinst deploy/debian/prerm

# Most tests wait: for a worker, a deadline, a Temporal that comes.
export RUST_TEST_THREADS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) * 2)))

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: ## One signed, encrypted webhook through everything, on this machine; stops all it started
	@scripts/demo.sh

.PHONY: dev
dev: ## The same, to stay: Temporal, certificate, secret, forwarder, and lines to try (ARGS="--port 8443")
	@scripts/need.sh cargo cc
	@echo "Building; the first time takes some minutes"
	@TEMPORAL_BIN="$$(scripts/temporal.sh)" && export TEMPORAL_BIN && exec cargo run --quiet -- dev $(ARGS)

.PHONY: test
test: ## Every test, on a real Temporal server with real workers (ARGS="--test e2e routes" for some)
	@scripts/need.sh cargo cc python node go java
	@TEMPORAL_BIN="$$(scripts/temporal.sh)" && VERSITYGW_BIN="$$(scripts/versitygw.sh)" && PEBBLE_BIN="$$(scripts/pebble.sh)" && \
	export TEMPORAL_BIN VERSITYGW_BIN PEBBLE_BIN && exec cargo test --workspace --locked $(ARGS)

.PHONY: test-next
test-next: ## The end-to-end tests on the newest Temporal server that can be built, not on the CLI's (ARGS="outage" for some)
	@scripts/need.sh cargo cc python node go java
	@TEMPORAL_BIN="$$(scripts/temporal.sh)" && VERSITYGW_BIN="$$(scripts/versitygw.sh)" && \
	TEMPORAL_SERVER_BIN="$$(scripts/temporal-next.sh)" && \
	export TEMPORAL_BIN VERSITYGW_BIN TEMPORAL_SERVER_BIN && exec cargo test --locked --test e2e -- $(ARGS)

.PHONY: simulate
simulate: ## 100,000 simulated worlds, each from its seed (SEEDS=1000 for so many, SEED=7 for one and its trace)
	@scripts/need.sh cargo cc
	@$(if $(SEED),SEED="$(SEED)",SEEDS="$(or $(SEEDS),100000)") exec cargo test --locked --profile simulation --test simulation -- every_invariant --nocapture

.PHONY: chaos
chaos: ## Ten faults, each again and again for a minute under load, and a ledger (SECONDS=60 RATE=100)
	@scripts/need.sh cargo cc
	@TEMPORAL_BIN="$$(scripts/temporal.sh)" && export TEMPORAL_BIN CHAOS_SECONDS="$(or $(SECONDS),60)" CHAOS_RATE="$(or $(RATE),100)" && \
	exec cargo test --locked --test e2e chaos::whatever -- --nocapture

.PHONY: soak
soak: ## 200 events a second for half an hour: what a replica holds does not grow (MINUTES=30 RATE=200)
	@scripts/need.sh cargo cc
	@TEMPORAL_BIN="$$(scripts/temporal.sh)" && export TEMPORAL_BIN SOAK_MINUTES="$(or $(MINUTES),30)" SOAK_RATE="$(or $(RATE),200)" && \
	exec cargo test --locked --test e2e chaos::soak -- --nocapture

.PHONY: fuzz
fuzz: ## Each fuzz target for two minutes (FOR=600 for so many seconds, TARGETS="locator json"; needs nightly and cargo-fuzz)
	@FOR="$(FOR)" TARGETS="$(TARGETS)" exec scripts/fuzz.sh

.PHONY: test-page
test-page: ## The admin listener's page in a real Chromium, which is installed where there is none
	@scripts/need.sh cargo cc node
	@TEMPORAL_BIN="$$(scripts/temporal.sh)" && CHROMIUM_BIN="$$(scripts/chromium.sh)" && FORWARDER_BIN="$$(scripts/binary.sh)" && \
	export TEMPORAL_BIN CHROMIUM_BIN FORWARDER_BIN && cd tests/page && \
	npm ci --ignore-scripts --no-audit --no-fund --silent && exec node --test page.test.mjs

.PHONY: pictures
pictures: ## Take the pictures of the page that docs/images has, anew (two minutes)
	@scripts/need.sh cargo cc node
	@TEMPORAL_BIN="$$(scripts/temporal.sh)" && CHROMIUM_BIN="$$(scripts/chromium.sh)" && FORWARDER_BIN="$$(scripts/binary.sh)" && \
	export TEMPORAL_BIN CHROMIUM_BIN FORWARDER_BIN && cd tests/page && \
	npm ci --ignore-scripts --no-audit --no-fund --silent && exec node pictures.mjs "$(CURDIR)/docs/images"

.PHONY: check
check: ## Format, lints, documentation, scripts, licences and dependencies
	@scripts/need.sh cargo cc
	cargo fmt --all --check
	cargo clippy --workspace --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --locked --no-deps
	@if command -v shellcheck >/dev/null; then (set -x; shellcheck $(SCRIPTS)); else echo "shellcheck is not installed: the scripts were not checked"; fi
	@$(MAKE) --no-print-directory check-bench
	@$(MAKE) --no-print-directory deny

.PHONY: check-bench
check-bench: ## The part of check that looks at bench/, which is a workspace of its own and built by `make bench` alone
	@scripts/need.sh python go
	cargo fmt --manifest-path bench/Cargo.toml --all --check
	@unformatted=$$(gofmt -l bench/go) && { [ -z "$$unformatted" ] || { echo "gofmt: $$unformatted"; exit 1; }; }
	PYTHONPATH=bench python3 -B -m unittest --quiet run.tests
	cd bench/go && go vet ./...

.PHONY: bench
bench: ## What an event costs, beside the floor and beside Go, into docs/performance.md (ARGS="--quick")
	@scripts/need.sh cargo cc python go
	@PYTHONPATH=bench exec python3 -B -m run $(ARGS)

.PHONY: deny
deny: cargo-deny ## The part of check that reads deny.toml
	cargo deny --locked check --hide-inclusion-graph licenses bans sources
	@if cargo deny --locked fetch db >/dev/null 2>&1; then (set -x; cargo deny --locked check --hide-inclusion-graph advisories); \
	else echo "the database of advisories cannot be reached: known vulnerabilities were not looked for"; fi

.PHONY: cargo-deny
cargo-deny:
	@cargo deny --version >/dev/null 2>&1 || { \
		echo "Installing cargo-deny $(CARGO_DENY_VERSION) into cargo's bin folder (once; a few minutes)"; \
		nice -n 15 cargo install --locked cargo-deny --version $(CARGO_DENY_VERSION); }

.PHONY: build
build: ## The optimised program, in target/release
	@scripts/need.sh cargo cc
	cargo build --release --locked

.PHONY: install
install: ## What `make build` made, with manual page, completions, systemd units (PREFIX=/usr/local DESTDIR= BINARY=)
	@PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" BINARY="$(BINARY)" scripts/install.sh install

.PHONY: uninstall
uninstall: ## Remove what `make install` put there
	@PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" BINARY="$(BINARY)" scripts/install.sh uninstall

.PHONY: deb
deb: ## A Debian package of what `make build` made, in target/debian
	@cargo deb --version >/dev/null 2>&1 || { echo "cargo install --locked cargo-deb"; exit 1; }
	rm -rf target/package
	@PREFIX=/usr DESTDIR=target/package BINARY="$(BINARY)" scripts/install.sh install
	cargo deb --no-build --locked

.PHONY: image
image: ## The container image, around a static program that is built here, without a registry of images
	@BINARY="$(BINARY)" scripts/image.sh

.PHONY: test-image
test-image: ## That image, started as a container would start it: serves, is healthy, drains as PID 1 (Linux, root)
	@scripts/need.sh cargo cc python openssl
	@TEMPORAL_BIN="$$(scripts/temporal.sh)" BINARY="$(BINARY)" && export TEMPORAL_BIN BINARY && exec python3 -B tests/image/test_image.py

.PHONY: check-deploy
check-deploy: ## Helm chart, compose.yaml, release workflow and systemd unit, each by what reads it (Linux)
	@scripts/check-deploy.sh

.PHONY: test-edge
test-edge: ## What h2spec, sslyze, testssl.sh and slowhttptest say of the public listener, and 10,000 idle connections over TLS (Debian, Ubuntu; some five minutes)
	@scripts/edge-tools.sh
	@TEMPORAL_BIN="$$(scripts/temporal.sh)" && export TEMPORAL_BIN EDGE_CONNECTIONS=10000 && \
	exec cargo test --locked --test e2e edge::idle -- --nocapture

.PHONY: temporal
temporal: ## The Temporal CLI: found, or built with Go
	@scripts/temporal.sh

.PHONY: pebble
pebble: ## Pebble, the ACME server of the tests: found, or built with Go
	@scripts/pebble.sh

.PHONY: clean
clean: ## Remove what was built
	cargo clean
	rm -rf bench/target .venv .venv-large .venv-sdk .venv-telemetry .venv-edge tests/{page,sdk}/node_modules examples/workers/typescript/{node_modules,lib} examples/workers/java/target

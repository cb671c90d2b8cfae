#!/usr/bin/env bash
# Builds the program without optimisation and prints its path.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --locked --quiet >&2
echo "${CARGO_TARGET_DIR:-$PWD/target}/debug/temporal-webhook-forwarder"

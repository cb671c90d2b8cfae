#!/usr/bin/env bash
# Runs the fuzz targets one after the other. What is found is written to fuzz/artifacts/TARGET: mended, it
# belongs into fuzz/seeds/TARGET, which the stable tests read, too.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo +nightly fuzz --version >/dev/null 2>&1 || {
	echo "rustup toolchain install nightly --profile minimal && cargo install --locked cargo-fuzz" >&2
	exit 1
}
all="locator multipart signed expression payload json config proxy"
for target in ${TARGETS:-$all}; do
	features=()
	case "$target" in config | proxy) features=(--features program) ;; esac
	mkdir -p "fuzz/corpus/$target"
	echo "$target"
	# Nothing in here is unsafe: an address sanitizer would find nothing and cost half of the runs.
	cargo +nightly fuzz run --sanitizer none "${features[@]}" "$target" \
		"fuzz/corpus/$target" "fuzz/seeds/$target" -- \
		-max_total_time="${FOR:-120}" -timeout=30 -rss_limit_mb=4096 -print_final_stats=1
done

#!/usr/bin/env bash
# Prints the path of the newest Temporal server that Go's module proxy has, built first if it is not there: tests/next.
# Usage: temporal-next.sh
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/need.sh go
program=target/next/temporal-next
version=$(sed -n 's/^require go.temporal.io\/server //p' tests/next/go.mod)
if [ ! -x "$program" ] || [ tests/next/main.go -nt "$program" ] || [ tests/next/go.mod -nt "$program" ]; then
    echo "Building Temporal's server $version into $program (once; some minutes, with no output while it compiles)" >&2
    started=$SECONDS
    mkdir -p target/next
    go -C tests/next build -o "$PWD/$program" . >&2
    echo "Built in $((SECONDS - started)) s" >&2
fi
echo "$PWD/$program"

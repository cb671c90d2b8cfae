#!/usr/bin/env bash
# Prints the path of the Temporal CLI: $TEMPORAL_BIN, else the one on PATH, else the one in Go's bin folder, built first if it is not there.
set -euo pipefail

version=v1.5.1 # later versions cannot be built with `go install`

if [ -n "${TEMPORAL_BIN:-}" ]; then
    command -v "$TEMPORAL_BIN" && exit
    echo "TEMPORAL_BIN names no program: $TEMPORAL_BIN" >&2
    exit 1
fi
command -v temporal && exit

"$(dirname "$0")/need.sh" go
bin=$(go env GOBIN)
if [ -z "$bin" ]; then
    gopath=$(go env GOPATH)
    bin=${gopath%%:*}/bin
fi
if [ ! -x "$bin/temporal" ]; then
    echo "Building the Temporal CLI $version into $bin (once; a few minutes, with no output while it compiles)" >&2
    started=$SECONDS
    go install "github.com/temporalio/cli/cmd/temporal@$version" >&2
    echo "Built in $((SECONDS - started)) s" >&2
fi
echo "$bin/temporal"

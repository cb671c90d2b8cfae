#!/usr/bin/env bash
# Prints the path of the Temporal CLI: $TEMPORAL_BIN, found, or built with Go.
set -euo pipefail

# Later versions cannot be built with `go install`.
exec "$(dirname "$0")/go-program.sh" TEMPORAL_BIN "the Temporal CLI" github.com/temporalio/cli/cmd/temporal v1.5.1

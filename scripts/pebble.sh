#!/usr/bin/env bash
# Prints the path of Pebble, the ACME server of the tests: $PEBBLE_BIN, found, or built with Go.
set -euo pipefail

exec "$(dirname "$0")/go-program.sh" PEBBLE_BIN Pebble github.com/letsencrypt/pebble/v2/cmd/pebble v2.10.3

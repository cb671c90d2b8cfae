#!/usr/bin/env bash
# Prints the path of versitygw, the S3 server of the tests: $VERSITYGW_BIN, found, or built with Go.
set -euo pipefail

exec "$(dirname "$0")/go-program.sh" VERSITYGW_BIN versitygw github.com/versity/versitygw/cmd/versitygw v1.8.0

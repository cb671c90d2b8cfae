#!/usr/bin/env bash
# Prints the path of a Go program: $VARIABLE, else the one on PATH, else the one in Go's bin folder, built first if it is not there.
# Usage: go-program.sh VARIABLE TITLE PACKAGE VERSION
set -euo pipefail
variable=$1 title=$2 package=$3 version=$4
name=${package##*/}

if [ -n "${!variable:-}" ]; then
    command -v "${!variable}" && exit
    echo "$variable names no program: ${!variable}" >&2
    exit 1
fi
command -v "$name" && exit

"$(dirname "$0")/need.sh" go
bin=$(go env GOBIN)
if [ -z "$bin" ]; then
    gopath=$(go env GOPATH)
    bin=${gopath%%:*}/bin
fi
if [ ! -x "$bin/$name" ]; then
    echo "Building $title $version into $bin (once; a few minutes, with no output while it compiles)" >&2
    started=$SECONDS
    go install "$package@$version" >&2
    echo "Built in $((SECONDS - started)) s" >&2
fi
echo "$bin/$name"

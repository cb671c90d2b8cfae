#!/usr/bin/env bash
# Prints the path of a Chromium: $CHROMIUM_BIN, found, or installed with apt where that is possible.
set -euo pipefail

find_it() {
    local name
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        command -v "$name" && return
    done
    return 1
}

if [ -n "${CHROMIUM_BIN:-}" ]; then
    [ -x "$CHROMIUM_BIN" ] || { echo "CHROMIUM_BIN names no program: $CHROMIUM_BIN" >&2 && exit 1; }
    echo "$CHROMIUM_BIN"
elif ! find_it; then
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        echo 'This machine lacks a Chromium: Debian and Ubuntu: apt install chromium; or name one in CHROMIUM_BIN' >&2
        exit 1
    fi
    echo 'Installing Chromium (once)' >&2
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium; } >&2
    find_it
fi

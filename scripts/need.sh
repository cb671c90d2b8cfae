#!/usr/bin/env bash
# Checks that the named tools are here: need.sh cargo cc go openssl python node. Names every missing one and how to get it.
set -euo pipefail

missing=0
need() { # need "what it is and how to get it" COMMAND...
    local hint=$1
    shift
    "$@" >/dev/null 2>&1 && return
    [ "$missing" -eq 1 ] || echo "This machine lacks:" >&2
    missing=1
    printf '  - %s\n' "$hint" >&2
}

for tool in "$@"; do
    case $tool in
        cargo) need 'Rust (cargo): see https://rustup.rs' command -v cargo ;;
        cc) need 'a C compiler (cc): Debian and Ubuntu: apt install build-essential; macOS: xcode-select --install' command -v cc ;;
        go) need 'Go, to build the Temporal CLI once: see https://go.dev/doc/install. Or put a Temporal CLI on PATH, or name it in TEMPORAL_BIN' command -v go ;;
        openssl) need 'OpenSSL (openssl): Debian and Ubuntu: apt install openssl; macOS has one' command -v openssl ;;
        node)
            need 'Node.js 20 or later with npm, for the SDKs that the tests talk to: see https://nodejs.org/en/download' \
                sh -c 'npm --version && node -e "process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)"'
            ;;
        python)
            need 'Python 3 with venv, for the worker and the SDKs that the tests start: Debian and Ubuntu: apt install python3 python3-venv' \
                python3 -c 'import ensurepip, venv' ;;
        *)
            echo "need.sh: no such tool: $tool" >&2
            exit 64
            ;;
    esac
done
exit "$missing"

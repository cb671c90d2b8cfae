#!/usr/bin/env bash
# Checks that the named tools are here: need.sh cargo cc go java openssl python node. Names every missing one and how to get it.
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
        go)
            need 'Go 1.21 or later, to build a worker and, once, the Temporal CLI: see https://go.dev/doc/install. A CLI may also be on PATH, or named in TEMPORAL_BIN' \
                sh -c 'go version | grep -Eq "go1\.(2[1-9]|[3-9][0-9])"'
            ;;
        java)
            need 'Java 17 or later (a JDK) with Maven 3.8 or later, for the worker that the tests build: Debian and Ubuntu: apt install default-jdk maven' \
                sh -c 'mvn --version && javac -version 2>&1 | grep -Eq "^javac (1[7-9]|[2-9][0-9])"'
            ;;
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

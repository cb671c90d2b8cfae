#!/usr/bin/env bash
# `make check-deploy`: the Helm chart, compose.yaml, the release workflow and the systemd unit, each by what reads it. On Linux.
set -euo pipefail
cd "$(dirname "$0")/.."

main() {
    scripts/need.sh cargo cc go openssl
    local helm actionlint forwarder
    # Helm's packages are many: on a new machine this takes minutes.
    helm=$(scripts/go-program.sh HELM_BIN Helm helm.sh/helm/v3/cmd/helm v3.19.2)
    actionlint=$(scripts/go-program.sh ACTIONLINT_BIN actionlint github.com/rhysd/actionlint/cmd/actionlint v1.7.9)
    forwarder=${FORWARDER_BIN:-$(scripts/binary.sh)}

    (set -x && "$actionlint" -no-color)
    (cd tests/deploy && HELM_BIN=$helm FORWARDER_BIN=$forwarder go test -count=1 ./...)

    work=$(mktemp -d "${TMPDIR:-/tmp}/forwarder-unit.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    BINARY=$forwarder PREFIX=$work scripts/install.sh install >/dev/null
    check_unit "$work/lib/systemd/system/temporal-webhook-forwarder.service"
    check_system_calls "$forwarder"
    echo 'deployment files: all as they should be'
}

check_unit() {
    command -v systemd-analyze >/dev/null || {
        echo 'This machine lacks systemd-analyze: the unit cannot be checked here' >&2
        exit 1
    }
    # An unknown key is a line and exit code 0.
    local said
    said=$(MANPATH="$work/share/man" systemd-analyze verify "$1" "${1%.service}.socket" 2>&1) || true
    [ -z "$said" ] || fail "systemd-analyze verify: $said"
    # 0 is safe, 100 is as open as can be; what is left is the network, which it is for.
    systemd-analyze security --no-pager --offline=true --threshold=15 "$1" >"$work/security" || fail "$(cat "$work/security")"
    tail -n 1 "$work/security"
    systemd-sysusers --dry-run "$work/lib/sysusers.d/temporal-webhook-forwarder.conf" >/dev/null 2>"$work/sysusers" ||
        fail "systemd-sysusers: $(cat "$work/sysusers")"
}

# check_system_calls PROGRAM: a start, requests and a stop make no system call that the unit forbids.
check_system_calls() {
    command -v strace >/dev/null || {
        echo 'This machine lacks strace: Debian and Ubuntu: apt install strace' >&2
        exit 1
    }
    local port=$((20000 + RANDOM % 12000)) pid
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
    env -i SHOPIFY_WEBHOOKS_KEY=a-secret-of-a-shop-that-is-none TWF_HOST=127.0.0.1 TWF_PORT=$port TWF_CERT="$work/cert.pem" TWF_KEY="$work/key.pem" \
        TEMPORAL_ENDPOINT=127.0.0.1:1 TWF_ADMIN=127.0.0.1:0 strace -f -qq -e signal=none -o "$work/calls" "$1" serve </dev/null 2>"$work/log" &
    local tracer=$! tries=0
    until "$1" health --live --port $port >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ $tries -ge 100 ] || ! kill -0 $tracer 2>/dev/null; then fail "the program did not start: $(cat "$work/log")"; fi
        sleep 0.2
    done
    "$1" send shopify --url "https://localhost:$port/temporal/shopify" --insecure --secret a-secret-of-a-shop-that-is-none >/dev/null 2>&1 || true
    pid=$(head -n 1 "$work/calls" | cut -d ' ' -f 1)
    kill "$pid"
    wait $tracer || fail "the program did not stop as it should: $(cat "$work/log")"

    allowed >"$work/allowed"
    # The first call, execve, is systemd's own.
    sed -nE '1d; s/^[0-9]+ +([a-z0-9_]+)\(.*/\1/p' "$work/calls" | sort -u >"$work/made"
    [ "$(wc -l <"$work/made")" -gt 20 ] || fail "strace saw next to nothing: $(cat "$work/made")"
    local forbidden
    forbidden=$(comm -23 "$work/made" "$work/allowed")
    [ -z "$forbidden" ] || fail "the unit forbids what the program does: $forbidden"
}

# The system calls that SystemCallFilter leaves; @default is in every list.
allowed() {
    local filter
    filter=$(sed -n 's/^SystemCallFilter=//p' deploy/systemd/temporal-webhook-forwarder.service)
    # shellcheck disable=SC2046  # a set is a word
    calls_of @default $(grep -v '^~' <<<"$filter") >"$work/yes"
    # shellcheck disable=SC2046
    calls_of $(sed -n 's/^~//p' <<<"$filter") >"$work/no"
    comm -23 "$work/yes" "$work/no"
}

calls_of() { # calls_of SET...: those in it, and in the sets that it is made of
    local set line
    for set in "$@"; do
        while read -r line; do
            case $line in
                @*) if [ "$line" != "$set" ]; then calls_of "$line"; fi ;;
                '#'* | '') ;;
                *) echo "$line" ;;
            esac
        done < <(systemd-analyze syscall-filter --no-pager "$set" | tail -n +2)
    done | sort -u
}

fail() {
    echo "$1" >&2
    exit 1
}

main

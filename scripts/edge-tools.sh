#!/usr/bin/env bash
# `make test-edge`: what public tools say of the edge, on loopback: h2spec, sslyze, testssl.sh, slowhttptest. On Debian and Ubuntu, some three minutes.
set -euo pipefail
cd "$(dirname "$0")/.."

main() {
    scripts/need.sh cargo cc go openssl python
    local h2spec sslyze forwarder temporal
    packages testssl:testssl.sh slowhttptest:slowhttptest
    h2spec=$(scripts/go-program.sh H2SPEC_BIN h2spec github.com/summerwind/h2spec/cmd/h2spec v2.2.1+incompatible)
    sslyze=$(sslyze)
    temporal=$(scripts/temporal.sh)
    forwarder=${FORWARDER_BIN:-$(scripts/binary.sh)}

    work=$(mktemp -d "${TMPDIR:-/tmp}/forwarder-edge.XXXXXX")
    trap 'kill $running 2>/dev/null || true; rm -rf "$work"' EXIT
    certificate
    port=$((20000 + RANDOM % 12000))
    "$temporal" server start-dev --headless --ip 127.0.0.1 --port $((port + 1)) --log-level never >/dev/null 2>&1 &
    running=$!
    env -i SHOPIFY_WEBHOOKS_KEY=a-secret-of-a-shop-that-is-none TWF_HOST=127.0.0.1 TWF_PORT=$port TWF_CERT="$work/chain.pem" TWF_KEY="$work/key.pem" \
        TEMPORAL_ENDPOINT=127.0.0.1:$((port + 1)) "$forwarder" serve --generic-unverified </dev/null >"$work/log" 2>&1 &
    running="$running $!"
    local tries=0
    until "$forwarder" health --port $port >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 150 ] || fail "the program is not ready: $(cat "$work/log")"
        sleep 0.2
    done

    for path in /health/live /temporal/shopify /temporal/generic; do
        "$h2spec" -h 127.0.0.1 -p $port -t -k -o 3 -P $path >"$work/said" || fail "h2spec $path: $(grep -B 2 -A 8 'Failures:' "$work/said")"
        echo "h2spec $path: $(tail -n 1 "$work/said")"
    done
    "$sslyze" --mozilla_config=intermediate --certinfo_ca_file "$work/ca.pem" localhost:$port >"$work/said" 2>&1 || fail "sslyze: $(tail -n 20 "$work/said")"
    grep -q 'OK - Compliant' "$work/said" || fail "sslyze: $(tail -n 20 "$work/said")"
    echo "sslyze$(tail -n 2 "$work/said" | sed 's/.*localhost:[0-9]*//' | tr -d '\n')"
    testssl --quiet --color 0 --severity MEDIUM --add-ca "$work/ca.pem" --jsonfile "$work/findings.json" --ip 127.0.0.1 https://localhost:$port >/dev/null 2>&1 || true
    python3 - "$work/findings.json" <<'PYTHON'
import json, sys
found = json.load(open(sys.argv[1]))
bad = [it for it in found if it["severity"] in ("MEDIUM", "HIGH", "CRITICAL")]
print("testssl.sh:", bad or "nothing MEDIUM or worse")
sys.exit(bool(bad))
PYTHON
    for mode in '-H' '-B -s 8192' '-X -w 10 -y 20 -n 5 -z 32 -k 3'; do
        # shellcheck disable=SC2086
        slowhttptest $mode -c 1000 -i 5 -r 200 -l 20 -t POST -u https://localhost:$port/temporal/shopify -p 3 -x 24 >"$work/said" 2>&1 || true
        grep -q 'service available' "$work/said" || fail "slowhttptest $mode: $(cat "$work/said")"
        if sed 's/\x1b\[[0-9;]*m//g' "$work/said" | grep 'service available' | grep -qv YES; then fail "slowhttptest $mode: $(cat "$work/said")"; fi
        echo "slowhttptest $mode: service available"
    done
    echo 'the edge: as the tools would have it'
}

# packages PROGRAM:PACKAGE...: installs what is missing, where that is possible.
packages() {
    local missing=()
    for pair in "$@"; do command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}"); done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        echo "This machine lacks ${missing[*]}: Debian and Ubuntu: apt install ${missing[*]}" >&2
        exit 1
    fi
    echo "Installing ${missing[*]} (once)" >&2
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >&2
}

# Prints the path of sslyze, in an environment of its own.
sslyze() {
    [ -x .venv-edge/bin/sslyze ] || { python3 -m venv .venv-edge && .venv-edge/bin/pip install --quiet --disable-pip-version-check sslyze==6.3.1; } >&2
    echo "$PWD/.venv-edge/bin/sslyze"
}

# A leaf as an authority would make it, and its authority.
certificate() {
    local new='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
    # shellcheck disable=SC2086
    openssl req -x509 $new -keyout "$work/ca-key.pem" -out "$work/ca.pem" -days 90 -subj /CN=an-authority -addext basicConstraints=critical,CA:TRUE \
        -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
    # shellcheck disable=SC2086
    openssl req $new -keyout "$work/key.pem" -out "$work/request.pem" -subj /CN=localhost 2>/dev/null
    printf '%s\n' subjectAltName=DNS:localhost,IP:127.0.0.1 extendedKeyUsage=serverAuth keyUsage=critical,digitalSignature basicConstraints=critical,CA:FALSE \
        crlDistributionPoints=URI:http://localhost/none.crl >"$work/extensions"
    openssl x509 -req -in "$work/request.pem" -CA "$work/ca.pem" -CAkey "$work/ca-key.pem" -CAcreateserial -days 90 -out "$work/leaf.pem" -extfile "$work/extensions" 2>/dev/null
    cat "$work/leaf.pem" "$work/ca.pem" >"$work/chain.pem"
}

fail() {
    echo "$1" >&2
    exit 1
}

main

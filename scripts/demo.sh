#!/usr/bin/env bash
# `make demo`: a signed Shopify webhook becomes one encrypted Temporal workflow, on a Temporal server and a forwarder that live only as long as this script.
set -euo pipefail
cd "$(dirname "$0")/.."

main() {
    scripts/need.sh cargo cc openssl
    work=$(mktemp -d "${TMPDIR:-/tmp}/forwarder-demo.XXXXXX")
    # Nothing of the person's environment or configuration, so that no setting of theirs points the demo at their own Temporal.
    clean=(env -i PATH="$PATH" HOME="$work" TMPDIR="${TMPDIR:-/tmp}")
    trap stop_all EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM

    step "Get the Temporal CLI and build the forwarder"
    temporal=$(scripts/temporal.sh)
    cargo build --bin temporal-webhook-forwarder --example show_event
    local built=${CARGO_TARGET_DIR:-target}/debug
    forwarder=$built/temporal-webhook-forwarder
    show_event=$built/examples/show_event
    say "Temporal CLI: $temporal"
    say "forwarder:    $forwarder"

    step "Start a Temporal server"
    start_temporal
    say "listens on $temporal_address, in memory"

    step "Start the forwarder: TLS and payload encryption on"
    make_certificate
    aes_key=$(random_hex 32)
    shopify_secret=$(random_hex 32)
    start_forwarder
    url=https://localhost:$forwarder_port/temporal/shopify
    say "listens at $url"

    step "Send a signed order, as Shopify would"
    event=demo-$(random_hex 8)
    write_order
    send "$shopify_secret" || fail "the forwarder did not take the order"
    says started || fail "the answer is not \"started\""
    local run
    run=$(run_id) || fail "the answer has no run id"

    step "The workflow, as Temporal has it"
    in_temporal workflow describe --workflow-id "$event" >"$work/describe"
    say_lines 6 <"$work/describe"
    grep -qF "$run" "$work/describe" || fail "Temporal has another run than the answer says"
    local encoding
    in_temporal workflow show --workflow-id "$event" --detailed >"$work/history"
    encoding=$(payload metadata.encoding | openssl base64 -d -A)
    say "Input:"
    say "  encoding  $encoding"
    say "  key id    $(payload metadata.encryption-key-id | openssl base64 -d -A)"
    say "  data      $(payload data | cut -c 1-72)..."
    [ "$encoding" = binary/encrypted ] || fail "the input is not encrypted: its encoding is \"$encoding\""
    ! payload data | openssl base64 -d -A | grep -aqF "$customer" || fail "the input holds the customer's address in the clear"

    step "Its input, decrypted with the key"
    "${clean[@]}" AES_KEY="$aes_key" AES_KEY_ID=demo "$show_event" --address "$temporal_address" --workflow-id "$event" >"$work/decrypted" ||
        fail "the input could not be decrypted"
    say_lines 40 <"$work/decrypted"
    grep -qF "$customer" "$work/decrypted" || fail "the decrypted input is not the order that was sent"
    grep -qF "$price" "$work/decrypted" || fail "the price did not arrive digit for digit"

    step "Send the same order again"
    send "$shopify_secret" || fail "the forwarder refused a redelivery"
    says duplicate || fail "the answer to the same order is not \"duplicate\""

    step "Send a forged order, signed with another secret"
    ! send "$(random_hex 32)" || fail "the forwarder took a forged order"
    says 401 || fail "the answer to a forged order is not 401"

    step "Count the workflows"
    one_workflow || fail "Temporal does not have exactly one workflow"
    say "Temporal has one workflow"

    step "Stop everything"
    stop "$forwarder_pid" || fail "the forwarder did not stop with exit code 0"
    forwarder_pid=
    stop "$temporal_pid" || true
    temporal_pid=
    say "forwarder and Temporal server stopped"
    printf '\n%sAll as promised.%s To keep it running: make dev\n' "$bold" "$plain"
}

# --- the two servers

# Temporal's CLI takes no port 0, so draw one below the ports that systems hand out, and draw again where it is taken.
start_temporal() {
    local try port
    for try in 1 2 3 4 5 6 7 8; do
        port=$((20000 + RANDOM % 12000))
        ! port_answers "$port" || continue
        temporal_address=127.0.0.1:$port
        "${clean[@]}" "$temporal" server start-dev --headless --ip 127.0.0.1 --port "$port" </dev/null >"$work/temporal.log" 2>&1 &
        temporal_pid=$!
        wait_for "$temporal_pid" temporal_answers && return
        stop "$temporal_pid" || true
        temporal_pid=
    done
    fail "the Temporal server did not start in $try tries"
}

port_answers() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

temporal_answers() {
    in_temporal operator cluster health >/dev/null 2>&1
}

make_certificate() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
        -keyout "$work/privkey.pem" -out "$work/fullchain.pem" 2>"$work/openssl.log" || {
        cat "$work/openssl.log" >&2
        fail "openssl made no certificate"
    }
}

start_forwarder() {
    "${clean[@]}" AES_KEY="$aes_key" AES_KEY_ID=demo SHOPIFY_WEBHOOKS_KEY="$shopify_secret" \
        "$forwarder" serve --host 127.0.0.1 --port 0 --cert "$work/fullchain.pem" --key "$work/privkey.pem" \
        --endpoint "$temporal_address" --log-format json </dev/null >"$work/forwarder.log" 2>&1 &
    forwarder_pid=$!
    wait_for "$forwarder_pid" forwarder_listens || fail "the forwarder did not start"
}

forwarder_listens() {
    forwarder_port=$(grep -F '"message":"listening"' "$work/forwarder.log" | grep -F '"listener":"public"' |
        sed -n 's/.*"address":"[^"]*:\([0-9][0-9]*\)".*/\1/p' | head -n 1)
    [ -n "$forwarder_port" ]
}

# wait_for PID COMMAND: until COMMAND succeeds; fails when the process is gone or 30 s are over.
wait_for() {
    local pid=$1 end=$((SECONDS + 30))
    shift
    while [ "$SECONDS" -lt "$end" ]; do
        kill -0 "$pid" 2>/dev/null || return 1
        "$@" && return
        sleep 0.1
    done
    return 1
}

# stop PID: ends a process of ours, by force after 10 s, and returns its exit code.
stop() {
    local pid=$1 tenths=0
    kill "$pid" 2>/dev/null || true
    while kill -0 "$pid" 2>/dev/null && [ "$tenths" -lt 100 ]; do
        sleep 0.1
        tenths=$((tenths + 1))
    done
    if kill -0 "$pid" 2>/dev/null; then kill -9 "$pid"; fi
    wait "$pid" 2>/dev/null
}

stop_all() {
    local code=$?
    trap - EXIT
    trap '' HUP INT TERM
    [ -z "$forwarder_pid" ] || stop "$forwarder_pid" || true
    [ -z "$temporal_pid" ] || stop "$temporal_pid" || true
    rm -rf "$work"
    exit "$code"
}

# --- the webhook

# An order whose price shows that JSON is embedded as sent: read as a number and written again, it would lose digits.
write_order() {
    customer=jane.$(random_hex 4)@example.com
    price=12345678901234567890.10
    printf '{"id":820982911946154508,"email":"%s","total_price":%s,"currency":"EUR","line_items":[{"title":"Teapot","quantity":1}]}' \
        "$customer" "$price" >"$work/order.json"
}

# send SECRET: posts the order, signed with SECRET; the answer is kept in a file and shown.
send() {
    local code=0
    "${clean[@]}" "$forwarder" send shopify --url "$url" --insecure --topic orders/create --secret "$1" --id "$event" --data "$work/order.json" \
        </dev/null >"$work/answer" 2>&1 || code=$?
    say_lines 20 <"$work/answer"
    return "$code"
}

says() { # says WORD: the last answer has it
    grep -qw "$1" "$work/answer"
}

run_id() { # the run id in the last answer
    grep -Eo '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}' "$work/answer" | tail -n 1
}

payload() { # payload FIELD: that field of the workflow's input, in base64 as the history shows it
    sed -n "s/^input\.payloads\[0\]\.$1: *//p" "$work/history"
}

one_workflow() { # the server's list lags a little behind, and later must not grow
    local end=$((SECONDS + 10))
    while [ "$SECONDS" -lt "$end" ]; do
        sleep 1
        case $(in_temporal workflow count) in
            'Total: 0') ;;
            'Total: 1') return ;;
            *) return 1 ;;
        esac
    done
    return 1
}

# --- helpers

in_temporal() {
    "${clean[@]}" "$temporal" "$@" --address "$temporal_address" --namespace default
}

random_hex() { # random_hex BYTES
    openssl rand -hex "$1"
}

step() {
    count=$((count + 1))
    printf '\n%s%d. %s%s\n' "$bold" "$count" "$1" "$plain"
}

say() {
    printf '   %s\n' "$1"
}

say_lines() { # say_lines COUNT: that many lines of the input, long ones folded
    sed '/^[[:space:]]*$/d' | fold -w 110 | head -n "$1" | sed 's/^/   /'
}

fail() {
    printf '\n%sThe demo failed:%s %s\n' "$bold" "$plain" "$1" >&2
    local log
    for log in forwarder temporal; do
        [ -s "$work/$log.log" ] || continue
        printf '\nlast lines of %s.log:\n' "$log" >&2
        tail -n 15 "$work/$log.log" >&2
    done
    exit 1
}

bold='' plain='' count=0 temporal_pid='' forwarder_pid=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
    bold=$(printf '\033[1m') plain=$(printf '\033[0m')
fi
main

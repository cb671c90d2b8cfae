#!/usr/bin/env bash
# `make install` and `make uninstall`: the program, its manual page, completions, systemd units, example and licence.
# Usage: install.sh install|uninstall, with PREFIX (/usr/local), DESTDIR (none) and BINARY (what `make build` made).
set -euo pipefail
cd "$(dirname "$0")/.."

name=temporal-webhook-forwarder
prefix=${PREFIX:-/usr/local} destdir=${DESTDIR:-}
binary=${BINARY:-${CARGO_TARGET_DIR:-target}/release/$name}

main() {
    case ${1:-} in
        install)
            if [ ! -x "$binary" ]; then
                echo "there is no $binary: make build" >&2
                exit 1
            fi
            new=$(mktemp -d "${TMPDIR:-/tmp}/forwarder-install.XXXXXX")
            trap 'rm -rf "$new"' EXIT
            each put
            ;;
        uninstall) each remove ;;
        *)
            echo 'usage: install.sh install|uninstall' >&2
            exit 64
            ;;
    esac
}

each() { # each put|remove: MODE FILE WHAT-PRINTS-IT...
    "$1" 0755 "bin/$name" cat "$binary"
    "$1" 0644 "share/man/man1/$name.1" "$binary" man
    "$1" 0644 "share/bash-completion/completions/$name" "$binary" completions bash
    "$1" 0644 "share/zsh/site-functions/_$name" "$binary" completions zsh
    "$1" 0644 "share/fish/vendor_completions.d/$name.fish" "$binary" completions fish
    "$1" 0644 "share/doc/$name/forwarder.example.toml" cat forwarder.example.toml
    "$1" 0644 "share/doc/$name/LICENSE" cat LICENSE
    [ "$(uname)" = Linux ] || return 0
    "$1" 0644 "lib/systemd/system/$name.service" unit
    "$1" 0644 "lib/systemd/system/$name.socket" cat "deploy/systemd/$name.socket"
    "$1" 0644 "lib/sysusers.d/$name.conf" cat "deploy/systemd/$name.sysusers"
}

unit() { # the unit, with the program where it will be
    sed "s|^ExecStart=/usr/bin/|ExecStart=$prefix/bin/|" "deploy/systemd/$name.service"
}

put() {
    local mode=$1 file=$destdir$prefix/$2
    shift 2
    "$@" >"$new/file"
    mkdir -p "${file%/*}"
    # Another file under the name, so that one that runs is not written into.
    install -m "$mode" "$new/file" "$file.new"
    mv -f "$file.new" "$file"
    echo "$file"
}

remove() {
    local file=$destdir$prefix/$2
    [ -e "$file" ] || return 0
    rm -f "$file"
    echo "removed $file"
    # Of the folders only those that are ours alone.
    case $2 in share/doc/*) rmdir "${file%/*}" 2>/dev/null || true ;; esac
}

main "$@"

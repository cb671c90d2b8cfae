#!/usr/bin/env bash
# `make image`: the container image of docker/Dockerfile around a static program that is built here, without a registry of images.
# Usage: image.sh [--into FILE.tar]. BINARY: another program that is already built. Linux, as root; buildah is installed where there is none.
set -euo pipefail
cd "$(dirname "$0")/.."

name=temporal-webhook-forwarder target=$(uname -m)-unknown-linux-musl

main() {
    local into=''
    if [ "${1:-}" = --into ]; then into=$2; fi
    get_buildah
    local binary=${BINARY:-}
    if [ -z "$binary" ]; then
        need_target
        cargo build --release --locked --target "$target" >&2
        binary=${CARGO_TARGET_DIR:-target}/$target/release/$name
    fi
    if readelf --program-headers "$binary" | grep -q INTERP; then
        echo "$binary is not static: nothing in the image could load it" >&2
        exit 1
    fi
    local roots=/etc/ssl/certs/ca-certificates.crt
    if [ ! -s $roots ]; then
        echo "there is no $roots: Debian and Ubuntu: apt install ca-certificates" >&2
        exit 1
    fi
    context=$(mktemp -d "${TMPDIR:-/tmp}/forwarder-image.XXXXXX")
    trap 'rm -rf "$context"' EXIT
    install -D -m 0755 "$binary" "$context/usr/bin/$name"
    install -D -m 0644 $roots "$context/etc/ssl/certs/ca-certificates.crt"
    # The format: OCI's has no HEALTHCHECK.
    "${buildah[@]}" bud --quiet --isolation chroot --format docker --target prebuilt --file docker/Dockerfile --tag "$name" "$context" >&2
    if [ -n "$into" ]; then
        "${buildah[@]}" push --quiet "$name" "docker-archive:$into:$name:latest" >&2
        echo "$into"
    else
        echo "localhost/$name"
    fi
}

# BUILDAH_ARGS: where a test keeps its images.
get_buildah() {
    # shellcheck disable=SC2206  # several words
    buildah=(buildah --storage-driver vfs ${BUILDAH_ARGS:-})
    ! command -v buildah >/dev/null || return 0
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        echo 'This machine lacks buildah: Debian and Ubuntu: apt install buildah; or: docker build -f docker/Dockerfile .' >&2
        exit 1
    fi
    echo 'Installing buildah (once)' >&2
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends buildah; } >&2
}

need_target() {
    command -v musl-gcc >/dev/null || {
        if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
            echo 'This machine lacks a C compiler for musl (musl-gcc): Debian and Ubuntu: apt install musl-tools' >&2
            exit 1
        fi
        echo 'Installing musl-tools (once)' >&2
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends musl-tools; } >&2
    }
    if ! rustup target list --installed 2>/dev/null | grep -qx "$target"; then
        rustup target add "$target" >&2
    fi
}

main "$@"

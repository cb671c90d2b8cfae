#!/usr/bin/env bash
# Generates anew what the example workers have of proto/: after a change there. (Java's has a copy, and generates at each build.)
set -euo pipefail
cd "$(dirname "$0")/.."

main() {
    scripts/need.sh go node python
    tools=$(mktemp -d "${TMPDIR:-/tmp}/worker-protos.XXXXXX")
    trap 'rm -rf "$tools"' EXIT
    python3 -m venv "$tools/venv"
    "$tools/venv/bin/pip" install --quiet grpcio-tools==1.76.0
    GOBIN=$tools go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12

    local proto=webhook/forwarder/v1/event.proto workers=examples/workers
    PATH=$tools:$PATH "$tools/venv/bin/python" -m grpc_tools.protoc -I proto \
        --python_out="$workers/python" --pyi_out="$workers/python" \
        --go_out="$workers/go" --go_opt=module=example --go_opt="M$proto=example/webhookv1" "$proto"
    cp "proto/$proto" "$workers/java/src/main/protobuf/$proto"
    npx --yes --package protobufjs-cli@2.7.1 pbjs -t json-module -w commonjs --dts -o "$workers/typescript/protos/root.js" "proto/$proto"
}

main

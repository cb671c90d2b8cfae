"""Opens payloads as a worker would, with Python's zlib and `cryptography`: {"keys": {id: hex}, "payloads": [hex]} in,
[{"layers": [{"encoding", "key"}], "data"}] out."""

import json
import sys
import zlib

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload


def opened(payload, keys):
    layers = []
    while True:
        metadata = {name: value.decode() for name, value in payload.metadata.items()}
        encoding = metadata.pop("encoding")
        layers.append({"encoding": encoding, "key": metadata.pop("encryption-key-id", None)})
        assert not metadata, metadata
        if encoding == "binary/encrypted":
            cipher = AESGCM(bytes.fromhex(keys[layers[-1]["key"]]))
            inner = cipher.decrypt(payload.data[:12], payload.data[12:], None)
        elif encoding == "binary/zlib":
            inner = zlib.decompress(payload.data)
        else:
            return {"layers": layers, "data": payload.data.decode()}
        payload = Payload.FromString(inner)


ask = json.load(sys.stdin)
payloads = [Payload.FromString(bytes.fromhex(payload)) for payload in ask["payloads"]]
json.dump([opened(payload, ask["keys"]) for payload in payloads], sys.stdout)

"""Opens what the forwarder encrypts (AES-GCM) and compresses (zlib), in the form of Temporal's own samples."""

import os
import zlib
from collections.abc import Mapping, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

ENCRYPTED = b"binary/encrypted"
ZLIB = b"binary/zlib"
NONCE_BYTES = 12


class WebhookCodec(PayloadCodec):
    """Encrypts with the first key, if there is one, and decrypts with any."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self.ciphers = {key_id.encode(): AESGCM(key) for key_id, key in keys.items()}

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self.seal(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self.open(payload) for payload in payloads]

    def seal(self, payload: Payload) -> Payload:
        if not self.ciphers:
            return payload
        key_id, cipher = next(iter(self.ciphers.items()))
        nonce = os.urandom(NONCE_BYTES)
        sealed = cipher.encrypt(nonce, payload.SerializeToString(), None)
        return Payload(metadata={"encoding": ENCRYPTED, "encryption-key-id": key_id}, data=nonce + sealed)

    def open(self, payload: Payload) -> Payload:
        encoding = payload.metadata.get("encoding")
        if encoding == ENCRYPTED:
            return self.open(self.decrypt(payload))  # what is inside may be compressed
        if encoding == ZLIB:
            return self.open(Payload.FromString(zlib.decompress(payload.data)))
        return payload  # a plain one, or nothing of ours

    def decrypt(self, payload: Payload) -> Payload:
        key_id = payload.metadata.get("encryption-key-id", b"")
        if key_id not in self.ciphers:
            raise ValueError(f"no key with id {key_id.decode()!r}: see AES_KEY_ID and AES_KEYS")
        nonce, sealed = payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:]
        try:
            return Payload.FromString(self.ciphers[key_id].decrypt(nonce, sealed, None))
        except (InvalidTag, ValueError) as error:  # the latter if it is too short to be one
            raise ValueError(f"the key with id {key_id.decode()!r} does not open this payload") from error


def keys_from_env() -> dict[str, bytes]:
    """AES_KEY (hex) with AES_KEY_ID (by default that of the forwarder), then AES_KEYS: "id=hex,id2=hex2"."""
    entries = os.environ.get("AES_KEYS", "").split(",")
    if key := os.environ.get("AES_KEY"):
        entries.insert(0, os.environ.get("AES_KEY_ID", "default") + "=" + key)
    split = (entry.strip().rpartition("=") for entry in entries if entry.strip())
    return {key_id: bytes.fromhex(key) for key_id, _, key in split}

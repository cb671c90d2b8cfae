/** Opens what the forwarder encrypts (AES-GCM) and compresses (zlib), in the form of Temporal's own samples. */

import { createCipheriv, createDecipheriv, randomBytes, type CipherGCMTypes } from 'node:crypto';
import { inflateSync } from 'node:zlib';

import type { Payload, PayloadCodec } from '@temporalio/common';
import { decode, encode } from '@temporalio/common/lib/encoding';
import { temporal } from '@temporalio/proto';

const { Payload: PayloadMessage } = temporal.api.common.v1;
const ENCRYPTED = 'binary/encrypted';
const ZLIB = 'binary/zlib';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export type Keys = Map<string, Buffer>;

/** Encrypts with the first key, if there is one, and decrypts with any. */
export class WebhookCodec implements PayloadCodec {
  constructor(private readonly keys: Keys) {}

  async encode(payloads: Payload[]): Promise<Payload[]> {
    return payloads.map((payload) => this.seal(payload));
  }

  async decode(payloads: Payload[]): Promise<Payload[]> {
    return payloads.map((payload) => this.open(payload));
  }

  private seal(payload: Payload): Payload {
    for (const [id, key] of this.keys) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(algorithm(key), key, nonce);
      const plain = PayloadMessage.encode(payload).finish();
      const data = Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
      return { metadata: { encoding: encode(ENCRYPTED), 'encryption-key-id': encode(id) }, data };
    }
    return payload;
  }

  private open(payload: Payload): Payload {
    switch (text(payload.metadata?.encoding)) {
      case ENCRYPTED:
        return this.open(this.decrypt(payload)); // what is inside may be compressed
      case ZLIB:
        return this.open(PayloadMessage.decode(inflateSync(payload.data ?? new Uint8Array())));
      default:
        return payload; // a plain one, or nothing of ours
    }
  }

  private decrypt(payload: Payload): Payload {
    const id = text(payload.metadata?.['encryption-key-id']);
    const key = this.keys.get(id);
    if (key === undefined) {
      throw new Error(`no key with id '${id}': see AES_KEY_ID and AES_KEYS`);
    }
    const data = payload.data ?? new Uint8Array();
    try {
      const nonce = data.subarray(0, NONCE_BYTES);
      const decipher = createDecipheriv(algorithm(key), key, nonce, { authTagLength: TAG_BYTES });
      decipher.setAuthTag(data.subarray(-TAG_BYTES));
      const plain = [decipher.update(data.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()];
      return PayloadMessage.decode(Buffer.concat(plain));
    } catch (cause) {
      throw new Error(`the key with id '${id}' does not open this payload`, { cause });
    }
  }
}

/** AES_KEY (hex) with AES_KEY_ID (by default that of the forwarder), then AES_KEYS: "id=hex,id2=hex2". */
export function keysFromEnv(): Keys {
  const { AES_KEY, AES_KEY_ID = 'default', AES_KEYS = '' } = process.env;
  const entries = AES_KEYS.split(',').map((entry) => entry.trim());
  if (AES_KEY) {
    entries.unshift(`${AES_KEY_ID}=${AES_KEY}`);
  }
  const keys = entries.filter(Boolean).map((entry): [string, Buffer] => {
    const at = entry.lastIndexOf('=');
    return [entry.slice(0, Math.max(at, 0)), Buffer.from(entry.slice(at + 1), 'hex')];
  });
  keys.forEach(([, key]) => algorithm(key));
  return new Map(keys);
}

function text(bytes?: Uint8Array): string {
  return bytes ? decode(bytes) : '';
}

function algorithm(key: Buffer): CipherGCMTypes {
  switch (key.length) {
    case 16:
      return 'aes-128-gcm';
    case 24:
      return 'aes-192-gcm';
    case 32:
      return 'aes-256-gcm';
    default: // Buffer.from stops at what is no hex
      throw new Error('a key is not 16, 24 or 32 bytes of hex');
  }
}

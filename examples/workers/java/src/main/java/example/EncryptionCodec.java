package example;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import io.temporal.api.common.v1.Payload;
import io.temporal.payload.codec.PayloadCodec;
import io.temporal.payload.codec.PayloadCodecException;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * Opens what the forwarder encrypts (AES-GCM), in the form of Temporal's own sample: encrypts with
 * the first key, if there is one, and decrypts with any.
 */
public final class EncryptionCodec implements PayloadCodec {
  private static final ByteString ENCRYPTED = ByteString.copyFromUtf8("binary/encrypted");
  private static final String ENCODING = "encoding";
  private static final String KEY_ID = "encryption-key-id";
  private static final int NONCE_BYTES = 12;
  private static final int TAG_BITS = 128;

  private final Map<String, SecretKeySpec> keys;
  private final SecureRandom random = new SecureRandom();

  /** Ids and keys; the first in the map's order encrypts. */
  public EncryptionCodec(Map<String, SecretKeySpec> keys) {
    this.keys = keys;
  }

  /** AES_KEY (hex) with AES_KEY_ID (by default that of the forwarder), then AES_KEYS: "id=hex,id2=hex2". */
  public static EncryptionCodec fromEnv() {
    Map<String, String> env = System.getenv();
    String entries = env.getOrDefault("AES_KEYS", "");
    if (!env.getOrDefault("AES_KEY", "").isEmpty()) {
      String id = env.getOrDefault("AES_KEY_ID", "default");
      entries = id + "=" + env.get("AES_KEY") + "," + entries;
    }
    Map<String, SecretKeySpec> keys = new LinkedHashMap<>();
    for (String entry : entries.split("[, ]+")) {
      if (!entry.isEmpty()) {
        int at = entry.lastIndexOf('=');
        byte[] key = HexFormat.of().parseHex(entry.substring(at + 1));
        keys.put(entry.substring(0, Math.max(at, 0)), new SecretKeySpec(key, "AES"));
      }
    }
    return new EncryptionCodec(keys);
  }

  @Override
  public List<Payload> encode(List<Payload> payloads) {
    return payloads.stream().map(this::seal).toList();
  }

  @Override
  public List<Payload> decode(List<Payload> payloads) {
    return payloads.stream().map(this::open).toList();
  }

  private Payload seal(Payload payload) {
    if (keys.isEmpty()) {
      return payload;
    }
    var first = keys.entrySet().iterator().next();
    byte[] nonce = new byte[NONCE_BYTES];
    random.nextBytes(nonce);
    byte[] sealed;
    try {
      sealed = crypt(Cipher.ENCRYPT_MODE, first.getValue(), nonce, payload.toByteArray());
    } catch (GeneralSecurityException e) {
      throw new PayloadCodecException("the key with id '" + first.getKey() + "' is none", e);
    }
    return Payload.newBuilder()
        .putMetadata(ENCODING, ENCRYPTED)
        .putMetadata(KEY_ID, ByteString.copyFromUtf8(first.getKey()))
        .setData(ByteString.copyFrom(nonce).concat(ByteString.copyFrom(sealed)))
        .build();
  }

  private Payload open(Payload payload) {
    if (!ENCRYPTED.equals(payload.getMetadataOrDefault(ENCODING, ByteString.EMPTY))) {
      return payload;
    }
    String id = payload.getMetadataOrDefault(KEY_ID, ByteString.EMPTY).toStringUtf8();
    SecretKeySpec key = keys.get(id);
    if (key == null) {
      throw new PayloadCodecException("no key with id '" + id + "': see AES_KEY_ID and AES_KEYS");
    }
    ByteString data = payload.getData();
    int nonceBytes = Math.min(NONCE_BYTES, data.size());
    byte[] nonce = data.substring(0, nonceBytes).toByteArray();
    byte[] sealed = data.substring(nonceBytes).toByteArray();
    try {
      return Payload.parseFrom(crypt(Cipher.DECRYPT_MODE, key, nonce, sealed));
    } catch (GeneralSecurityException | InvalidProtocolBufferException e) {
      throw new PayloadCodecException("the key with id '" + id + "' does not open this payload", e);
    }
  }

  private static byte[] crypt(int mode, SecretKeySpec key, byte[] nonce, byte[] data)
      throws GeneralSecurityException {
    Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
    cipher.init(mode, key, new GCMParameterSpec(TAG_BITS, nonce));
    return cipher.doFinal(data);
  }
}

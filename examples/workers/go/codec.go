package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"strings"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"
)

const (
	encrypted = "binary/encrypted"
	keyID     = "encryption-key-id"
	nonceSize = 12
)

// encryption opens what the forwarder encrypts (AES-GCM), in the form of Temporal's own sample: it encrypts with the
// first key, if there is one, and decrypts with any.
type encryption struct{ keys []key }

type key struct {
	id  string
	gcm cipher.AEAD
}

func (e encryption) Encode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	if len(e.keys) == 0 {
		return payloads, nil
	}
	return each(payloads, e.keys[0].seal)
}

func (e encryption) Decode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	return each(payloads, e.open)
}

func (e encryption) open(payload *commonpb.Payload) (*commonpb.Payload, error) {
	if string(payload.Metadata[converter.MetadataEncoding]) != encrypted {
		return payload, nil
	}
	id := string(payload.Metadata[keyID])
	for _, key := range e.keys {
		if key.id == id {
			return key.open(payload)
		}
	}
	return nil, fmt.Errorf("no key with id '%s': see AES_KEY_ID and AES_KEYS", id)
}

func (k key) open(payload *commonpb.Payload) (*commonpb.Payload, error) {
	if len(payload.Data) < nonceSize {
		return nil, fmt.Errorf("the key with id '%s' does not open this payload of %d bytes", k.id, len(payload.Data))
	}
	plain, err := k.gcm.Open(nil, payload.Data[:nonceSize], payload.Data[nonceSize:], nil)
	if err != nil {
		return nil, fmt.Errorf("the key with id '%s' does not open this payload: %w", k.id, err)
	}
	opened := &commonpb.Payload{}
	return opened, proto.Unmarshal(plain, opened)
}

func (k key) seal(payload *commonpb.Payload) (*commonpb.Payload, error) {
	plain, err := proto.Marshal(payload)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, nonceSize)
	rand.Read(nonce) // never fails
	return &commonpb.Payload{
		Metadata: map[string][]byte{converter.MetadataEncoding: []byte(encrypted), keyID: []byte(k.id)},
		Data:     k.gcm.Seal(nonce, nonce, plain, nil),
	}, nil
}

// keysFromEnv reads AES_KEY (hex) with AES_KEY_ID (by default that of the forwarder), then AES_KEYS: "id=hex,id2=hex2".
func keysFromEnv() ([]key, error) {
	entries := strings.FieldsFunc(os.Getenv("AES_KEYS"), func(r rune) bool { return r == ',' || r == ' ' })
	if digits := os.Getenv("AES_KEY"); digits != "" {
		id, isSet := os.LookupEnv("AES_KEY_ID")
		if !isSet {
			id = "default"
		}
		entries = append([]string{id + "=" + digits}, entries...)
	}
	keys := make([]key, len(entries))
	for i, entry := range entries {
		at := max(strings.LastIndex(entry, "="), 0)
		id, digits := entry[:at], strings.TrimPrefix(entry[at:], "=")
		bytes, err := hex.DecodeString(digits)
		if err != nil {
			return nil, fmt.Errorf("the key with id %q is not hex", id) // without the error, which shows a digit
		}
		block, err := aes.NewCipher(bytes)
		if err != nil {
			return nil, fmt.Errorf("the key with id %q: %w", id, err)
		}
		gcm, err := cipher.NewGCM(block)
		if err != nil {
			return nil, fmt.Errorf("the key with id %q: %w", id, err)
		}
		keys[i] = key{id, gcm}
	}
	return keys, nil
}

func each(payloads []*commonpb.Payload, change func(*commonpb.Payload) (*commonpb.Payload, error)) ([]*commonpb.Payload, error) {
	changed := make([]*commonpb.Payload, len(payloads))
	for i, payload := range payloads {
		var err error
		if changed[i], err = change(payload); err != nil {
			return nil, err
		}
	}
	return changed, nil
}

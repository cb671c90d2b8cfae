package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"
)

// As Temporal's encryption sample: data = nonce || AES-GCM(serialized payload).
type codec struct {
	id   string
	aead cipher.AEAD
}

func newCodec(id string, key []byte) (*codec, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &codec{id: id, aead: aead}, nil
}

func (c *codec) Encode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	sealed := make([]*commonpb.Payload, len(payloads))
	for i, payload := range payloads {
		plain, err := proto.Marshal(payload)
		if err != nil {
			return nil, err
		}
		size := c.aead.NonceSize()
		nonce := make([]byte, size, size+len(plain)+c.aead.Overhead())
		if _, err := rand.Read(nonce); err != nil {
			return nil, err
		}
		sealed[i] = &commonpb.Payload{
			Metadata: map[string][]byte{
				converter.MetadataEncoding: []byte("binary/encrypted"),
				"encryption-key-id":        []byte(c.id),
			},
			Data: c.aead.Seal(nonce, nonce, plain, nil),
		}
	}
	return sealed, nil
}

func (c *codec) Decode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	opened := make([]*commonpb.Payload, len(payloads))
	for i, payload := range payloads {
		if string(payload.Metadata[converter.MetadataEncoding]) != "binary/encrypted" {
			opened[i] = payload
			continue
		}
		size := c.aead.NonceSize()
		if len(payload.Data) < size {
			return nil, errors.New("the payload is shorter than a nonce")
		}
		plain, err := c.aead.Open(nil, payload.Data[:size], payload.Data[size:], nil)
		if err != nil {
			return nil, err
		}
		opened[i] = &commonpb.Payload{}
		if err := proto.Unmarshal(plain, opened[i]); err != nil {
			return nil, err
		}
	}
	return opened, nil
}

// The same job as a competent Go developer would write it in a day: net/http, the official Temporal SDK, an AES-GCM payload
// codec, Shopify's signature, a log line for each event.
// go LISTEN CERT KEY TEMPORAL, with SHOPIFY_WEBHOOKS_KEY and AES_KEY. The SDK compresses requests unless told not to, which does
// nothing for encrypted payloads: GZIP=off tells it so.
package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
)

const (
	bodyLimit = 2 << 20
	deadline  = 4 * time.Second
)

type event struct {
	Headers map[string]string `json:"headers"`
	Data    json.RawMessage   `json:"data"`
}

type forwarder struct {
	temporal client.Client
	secret   []byte
}

func main() {
	logger := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	slog.SetDefault(logger)
	if len(os.Args) != 5 {
		fail(errors.New("usage: go LISTEN CERT KEY TEMPORAL"))
	}
	key, err := hex.DecodeString(os.Getenv("AES_KEY"))
	if err != nil {
		fail(err)
	}
	codec, err := newCodec("bench", key)
	if err != nil {
		fail(err)
	}
	var connection client.ConnectionOptions
	if os.Getenv("GZIP") == "off" {
		connection.GrpcCompression = &client.GrpcCompressionNone{}
	}
	temporal, err := client.Dial(client.Options{
		HostPort:          os.Args[4],
		ConnectionOptions: connection,
		DataConverter:     converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), codec),
		Logger:            log.NewStructuredLogger(logger),
	})
	if err != nil {
		fail(err)
	}
	defer temporal.Close()

	f := &forwarder{temporal: temporal, secret: []byte(os.Getenv("SHOPIFY_WEBHOOKS_KEY"))}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /shopify", f.shopify)
	mux.HandleFunc("GET /health/live", func(http.ResponseWriter, *http.Request) {})
	server := &http.Server{
		Addr:              os.Args[1],
		Handler:           mux,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       620 * time.Second,
	}
	fail(server.ListenAndServeTLS(os.Args[2], os.Args[3]))
}

func fail(err error) {
	slog.Error("cannot go on", "error", err)
	os.Exit(1)
}

func (f *forwarder) shopify(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	status, outcome := f.handle(w, r)
	w.WriteHeader(status)
	slog.Info("webhook",
		"outcome", outcome,
		"status", status,
		"event_id", r.Header.Get("X-Shopify-Webhook-Id"),
		"topic", r.Header.Get("X-Shopify-Topic"),
		"tenant", r.Header.Get("X-Shopify-Shop-Domain"),
		"duration_ms", time.Since(began).Milliseconds())
}

func (f *forwarder) handle(w http.ResponseWriter, r *http.Request) (int, string) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyLimit))
	if err != nil {
		return http.StatusRequestEntityTooLarge, "too_large"
	}
	if !f.signed(r.Header.Get("X-Shopify-Hmac-Sha256"), body) {
		return http.StatusUnauthorized, "bad_signature"
	}
	id := r.Header.Get("X-Shopify-Webhook-Id")
	if id == "" || !json.Valid(body) {
		return http.StatusBadRequest, "malformed"
	}
	ctx, cancel := context.WithTimeout(r.Context(), deadline)
	defer cancel()
	_, err = f.temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                                       id,
		TaskQueue:                                "shopify_webhooks",
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		Memo: map[string]any{
			"source":      "/shopify",
			"provider":    "shopify",
			"event_id":    id,
			"received_at": time.Now().UTC().Format(time.RFC3339Nano),
			"topic":       r.Header.Get("X-Shopify-Topic"),
			"tenant":      r.Header.Get("X-Shopify-Shop-Domain"),
		},
	}, "ShopifyWebhook", event{Headers: kept(r.Header), Data: body})
	var started *serviceerror.WorkflowExecutionAlreadyStarted
	switch {
	case err == nil:
		return http.StatusOK, "started"
	case errors.As(err, &started):
		return http.StatusOK, "duplicate"
	default:
		slog.Error("cannot start", "error", err)
		return http.StatusServiceUnavailable, "unavailable"
	}
}

func (f *forwarder) signed(signature string, body []byte) bool {
	claimed, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, f.secret)
	mac.Write(body)
	return hmac.Equal(mac.Sum(nil), claimed)
}

func kept(all http.Header) map[string]string {
	headers := make(map[string]string)
	for name, values := range all {
		name = strings.ToLower(name)
		if name == "content-type" || strings.HasPrefix(name, "x-shopify-") && name != "x-shopify-hmac-sha256" {
			headers[name] = strings.Join(values, ", ")
		}
	}
	return headers
}

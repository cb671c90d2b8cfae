package main

import (
	"encoding/json"

	"go.temporal.io/sdk/workflow"

	"example/webhookv1"
)

// One workflow for each form in which the forwarder hands over a Shopify event. One run is one event.

// Webhook is format = "json": the kept headers (names in lower case) and the body as it was sent.
//
// Data stays raw: into an any, Go reads numbers as float64 and rounds ids above 2^53. A struct with int64 fields, or a
// json.Decoder with UseNumber, reads every digit.
type Webhook struct {
	Headers map[string]string `json:"headers"`
	Data    json.RawMessage   `json:"data"`
}

// CloudEvent is format = "cloudevents". What an event has besides is ignored.
type CloudEvent struct {
	ID     string          `json:"id"`
	Source string          `json:"source"`
	Type   string          `json:"type"`
	Topic  string          `json:"topic"`  // empty if the sender does not say
	Tenant string          `json:"tenant"` // likewise
	Data   json.RawMessage `json:"data"`
}

// Seen is what the workflows return in place of doing work.
type Seen struct {
	ID     string          `json:"id"`
	Topic  string          `json:"topic"`
	Tenant string          `json:"tenant"`
	Source string          `json:"source"`
	Data   json.RawMessage `json:"data"`
}

func ShopifyWebhook(ctx workflow.Context, event Webhook) (Webhook, error) {
	workflow.GetLogger(ctx).Info("got", "topic", event.Headers["x-shopify-topic"])
	return event, nil // here goes your work
}

func ShopifyCloudEvent(ctx workflow.Context, event CloudEvent) (Seen, error) {
	workflow.GetLogger(ctx).Info("got", "type", event.Type)
	return Seen{event.ID, event.Topic, event.Tenant, event.Source, event.Data}, nil
}

// ShopifyProtobuf is format = "protobuf" and "json-protobuf": the SDK reads both.
func ShopifyProtobuf(ctx workflow.Context, event *webhookv1.WebhookEvent) (Seen, error) {
	workflow.GetLogger(ctx).Info("got", "topic", event.Topic)
	return Seen{event.Id, event.Topic, event.Tenant, event.Source, bodyOf(event)}, nil
}

// bodyOf is the body as it was sent, to the byte: "json-protobuf" has what is UTF-8 as a text.
func bodyOf(event *webhookv1.WebhookEvent) []byte {
	if text := event.GetBodyText(); text != "" {
		return []byte(text)
	}
	return event.GetBody()
}

// ShopifyRaw is format = "raw": the body as it was sent. The headers are in the memo.
func ShopifyRaw(_ workflow.Context, body []byte) (map[string]json.RawMessage, error) {
	return map[string]json.RawMessage{"data": body}, nil
}

// ShopifyString is format = "json-string": the text of format = "json".
func ShopifyString(_ workflow.Context, text string) (Webhook, error) {
	var event Webhook
	err := json.Unmarshal([]byte(text), &event)
	return event, err
}

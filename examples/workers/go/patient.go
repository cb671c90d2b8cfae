package main

import (
	"context"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"
)

// patient lets a workflow wait for a worker that can read its argument: one with the right key. The other SDKs do so;
// Go's fails the workflow for good where its argument does not decode, but retries where it panics.
type patient struct{ converter.DataConverter }

func (p patient) WithWorkflowContext(workflow.Context) converter.DataConverter {
	return panicking{p.DataConverter}
}

func (p patient) WithContext(context.Context) converter.DataConverter { return p.DataConverter }

type panicking struct{ converter.DataConverter }

func (p panicking) FromPayloads(payloads *commonpb.Payloads, values ...any) error {
	if err := p.DataConverter.FromPayloads(payloads, values...); err != nil {
		panic(err)
	}
	return nil
}

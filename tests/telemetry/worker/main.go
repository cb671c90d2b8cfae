// A worker that traces with Temporal's OpenTelemetry interceptor: worker TASK_QUEUE
package main

import (
	"context"
	"log"
	"os"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.26.0"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// ShopifyWebhook is what the forwarder starts.
func ShopifyWebhook(_ workflow.Context, event map[string]any) (any, error) {
	return event["headers"], nil
}

func main() {
	if err := run(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(taskQueue string) error {
	exporter, err := otlptracehttp.New(context.Background())
	if err != nil {
		return err
	}
	provider := trace.NewTracerProvider(
		trace.WithSyncer(exporter),
		trace.WithResource(resource.NewSchemaless(semconv.ServiceName("worker"))),
	)
	tracing, err := opentelemetry.NewTracingInterceptor(opentelemetry.TracerOptions{Tracer: provider.Tracer("worker")})
	if err != nil {
		return err
	}
	options, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return err
	}
	options.Interceptors = []interceptor.ClientInterceptor{tracing}
	c, err := client.Dial(options)
	if err != nil {
		return err
	}
	defer c.Close()
	w := worker.New(c, taskQueue, worker.Options{})
	w.RegisterWorkflow(ShopifyWebhook)
	return w.Run(worker.InterruptCh())
}

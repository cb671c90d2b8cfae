// The smallest worker for Shopify webhooks: go run . [TASK_QUEUE]
package main

import (
	"log"
	"os"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/worker"
)

func main() {
	taskQueue := "shopify_webhooks"
	if len(os.Args) > 1 {
		taskQueue = os.Args[1]
	}
	if err := run(taskQueue); err != nil {
		log.Fatal(err)
	}
}

func run(taskQueue string) error {
	options, err := envconfig.LoadDefaultClientOptions() // TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, ...
	if err != nil {
		return err
	}
	keys, err := keysFromEnv()
	if err != nil {
		return err
	}
	// The first codec is the outer one: decrypt, then decompress.
	options.DataConverter = patient{converter.NewCodecDataConverter(
		converter.GetDefaultDataConverter(),
		encryption{keys},
		converter.NewZlibCodec(converter.ZlibCodecOptions{}),
	)}
	c, err := client.Dial(options)
	if err != nil {
		return err
	}
	defer c.Close()

	w := worker.New(c, taskQueue, worker.Options{})
	w.RegisterWorkflow(ShopifyWebhook)
	w.RegisterWorkflow(ShopifyCloudEvent)
	w.RegisterWorkflow(ShopifyProtobuf)
	w.RegisterWorkflow(ShopifyRaw)
	w.RegisterWorkflow(ShopifyString)
	return w.Run(worker.InterruptCh())
}

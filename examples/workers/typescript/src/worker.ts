/** The smallest worker for Shopify webhooks: npm start -- [TASK_QUEUE] */

import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection, Worker } from '@temporalio/worker';

import { WebhookCodec, keysFromEnv } from './codec';

async function main(taskQueue = 'shopify_webhooks'): Promise<void> {
  const { connectionOptions, namespace } = loadClientConnectConfig(); // TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, ...
  const worker = await Worker.create({
    connection: await NativeConnection.connect(connectionOptions),
    namespace,
    taskQueue,
    workflowsPath: require.resolve('./workflows'),
    dataConverter: {
      payloadConverterPath: require.resolve('./payload-converter'), // a path: the workflows' sandbox loads it, too
      payloadCodecs: [new WebhookCodec(keysFromEnv())],
    },
  });
  await worker.run();
}

main(process.argv[2]).catch((error) => {
  console.error(error);
  process.exit(1);
});

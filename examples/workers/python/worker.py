"""The smallest worker for Shopify webhooks: python worker.py [TASK_QUEUE]"""

import asyncio
import dataclasses
import logging
import sys

from temporalio.client import Client
from temporalio.converter import DataConverter
from temporalio.envconfig import ClientConfig
from temporalio.worker import Worker

from codec import WebhookCodec, keys_from_env
from workflows import ShopifyCloudEvent, ShopifyProtobuf, ShopifyRaw, ShopifyString, ShopifyWebhook


def data_converter() -> DataConverter:
    return dataclasses.replace(DataConverter.default, payload_codec=WebhookCodec(keys_from_env()))


async def main(task_queue: str) -> None:
    config = ClientConfig.load_client_connect_config()  # TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, ...
    config.setdefault("target_host", "localhost:7233")
    client = await Client.connect(**config, data_converter=data_converter())
    workflows = [ShopifyWebhook, ShopifyCloudEvent, ShopifyProtobuf, ShopifyRaw, ShopifyString]
    async with Worker(client, task_queue=task_queue, workflows=workflows):
        logging.info("waiting for events on task queue %s", task_queue)
        await asyncio.Event().wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    try:
        asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "shopify_webhooks"))
    except KeyboardInterrupt:
        pass

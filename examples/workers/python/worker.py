"""The smallest worker for Shopify webhooks: python worker.py [TASK_QUEUE]"""

import asyncio
import dataclasses
import logging
import os
import sys

from temporalio import workflow
from temporalio.client import Client
from temporalio.converter import DataConverter
from temporalio.envconfig import ClientConfig
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():  # the workflow's sandbox need not load it again
    from codec import EncryptionCodec


@workflow.defn(name="ShopifyWebhook")
class ShopifyWebhook:
    """One run is one event: {"headers": {...}, "data": the body as it was sent}."""

    @workflow.run
    async def run(self, event: dict) -> dict:
        headers, data = event["headers"], event["data"]
        workflow.logger.info("got %s", headers.get("x-shopify-topic"))
        return {"headers": headers, "data": data}  # here goes your work


def data_converter() -> DataConverter:
    """Decrypts when AES_KEY (hex) is set, with the same key and id as the forwarder."""
    key = os.environ.get("AES_KEY")
    if not key:
        return DataConverter.default
    codec = EncryptionCodec(os.environ.get("AES_KEY_ID", ""), bytes.fromhex(key))
    return dataclasses.replace(DataConverter.default, payload_codec=codec)


async def main(task_queue: str) -> None:
    config = ClientConfig.load_client_connect_config()  # TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, ...
    config.setdefault("target_host", "localhost:7233")
    client = await Client.connect(**config, data_converter=data_converter())
    async with Worker(client, task_queue=task_queue, workflows=[ShopifyWebhook]):
        logging.info("waiting for events on task queue %s", task_queue)
        await asyncio.Event().wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    try:
        asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "shopify_webhooks"))
    except KeyboardInterrupt:
        pass

"""A stock worker that reads large events from S3: python large_worker.py TASK_QUEUE

The codec is that of examples/workers/python. S3's address and credentials come from AWS' own variables.
"""

import asyncio
import dataclasses
import hashlib
import sys

from temporalio import workflow
from temporalio.client import Client
from temporalio.converter import DataConverter, ExternalStorage
from temporalio.envconfig import ClientConfig
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():  # the workflow's sandbox need not load them
    import aioboto3
    from temporalio.contrib.aws.s3driver import S3StorageDriver
    from temporalio.contrib.aws.s3driver.aioboto3 import new_aioboto3_client
    from codec import WebhookCodec, keys_from_env


@workflow.defn(name="GithubWebhook")
class GithubWebhook:
    @workflow.run
    async def run(self, event: dict) -> dict:
        text = event["data"]["text"]
        digest = hashlib.sha256(text.encode()).hexdigest()
        return {"topic": event["headers"]["x-github-event"], "length": len(text), "sha256": digest}


@workflow.defn(name="Asked")
class Asked:
    """Answers each event with the text in it, which may be large."""

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.update(name="github")
    async def github(self, event: dict) -> dict:
        return {"echo": event["data"]["text"]}


async def main(task_queue: str) -> None:
    codec = WebhookCodec(keys_from_env())
    async with aioboto3.Session().client("s3") as s3:
        driver = S3StorageDriver(client=new_aioboto3_client(s3), bucket="events")
        storage = ExternalStorage(drivers=[driver])
        converter = dataclasses.replace(DataConverter.default, payload_codec=codec, external_storage=storage)
        config = ClientConfig.load_client_connect_config()
        client = await Client.connect(**config, data_converter=converter)
        async with Worker(client, task_queue=task_queue, workflows=[GithubWebhook, Asked]):
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

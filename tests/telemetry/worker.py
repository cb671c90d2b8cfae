"""A worker that traces with Temporal's OpenTelemetry interceptor: python worker.py TASK_QUEUE

Its codec is that of examples/workers/python; headers are left as they are, which is the SDK's default.
"""

import asyncio
import dataclasses
import pathlib
import sys

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from temporalio import workflow
from temporalio.client import Client
from temporalio.contrib.opentelemetry import TracingInterceptor
from temporalio.converter import DataConverter
from temporalio.envconfig import ClientConfig
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "examples/workers/python"))
    from codec import WebhookCodec, keys_from_env


@workflow.defn(name="ShopifyWebhook")
class ShopifyWebhook:
    @workflow.run
    async def run(self, event: dict) -> str:
        return event["headers"]["x-shopify-webhook-id"]


@workflow.defn(name="Entity")
class Entity:
    def __init__(self) -> None:
        self.seen: list[str] = []

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: len(self.seen) >= 3)

    @workflow.signal(name="webhook")
    def signalled(self, event: dict) -> None:
        self.seen.append(event["headers"]["x-shopify-webhook-id"])

    @workflow.update(name="webhook")
    def updated(self, event: dict) -> int:
        self.seen.append(event["headers"]["x-shopify-webhook-id"])
        return len(self.seen)


async def main(task_queue: str) -> None:
    provider = TracerProvider(resource=Resource.create({"service.name": "worker"}))
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    converter = dataclasses.replace(DataConverter.default, payload_codec=WebhookCodec(keys_from_env()))
    config = ClientConfig.load_client_connect_config()
    client = await Client.connect(**config, data_converter=converter, interceptors=[TracingInterceptor()])
    async with Worker(client, task_queue=task_queue, workflows=[ShopifyWebhook, Entity]):
        await asyncio.Event().wait()


if __name__ == "__main__":  # the workflow's sandbox imports this file, too
    asyncio.run(main(sys.argv[1]))

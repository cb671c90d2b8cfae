"""One workflow for each form in which the forwarder hands over a Shopify event. One run is one event."""

import json
from dataclasses import dataclass
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():  # generated code registers itself: only once
    from webhook.forwarder.v1.event_pb2 import WebhookEvent


@dataclass
class Webhook:
    """format = "json": the kept headers (names in lower case) and the body as it was sent."""

    headers: dict[str, str]
    data: Any


@dataclass
class CloudEvent:
    """format = "cloudevents". What an event has besides is ignored."""

    id: str
    source: str
    type: str
    data: Any
    topic: str | None = None  # not every sender says
    tenant: str | None = None


@dataclass
class Body:
    data: Any


@dataclass
class Seen:
    """What the workflows return in place of doing work."""

    id: str
    topic: str
    tenant: str
    source: str
    data: Any


@workflow.defn
class ShopifyWebhook:
    @workflow.run
    async def run(self, event: Webhook) -> Webhook:
        workflow.logger.info("got %s", event.headers.get("x-shopify-topic"))
        return event  # here goes your work


@workflow.defn
class ShopifyCloudEvent:
    @workflow.run
    async def run(self, event: CloudEvent) -> Seen:
        workflow.logger.info("got %s", event.type)
        return Seen(event.id, event.topic or "", event.tenant or "", event.source, event.data)


@workflow.defn
class ShopifyProtobuf:
    """format = "protobuf" and "json-protobuf": the SDK reads both."""

    @workflow.run
    async def run(self, event: WebhookEvent) -> Seen:
        workflow.logger.info("got %s", event.topic)
        return Seen(event.id, event.topic, event.tenant, event.source, json.loads(body_of(event)))


def body_of(event: WebhookEvent) -> bytes:
    """As it was sent, to the byte: "json-protobuf" has what is UTF-8 as a text."""
    return event.body_text.encode() or event.body


@workflow.defn
class ShopifyRaw:
    """format = "raw": the body's bytes. The headers are in the memo."""

    @workflow.run
    async def run(self, body: bytes) -> Body:
        return Body(json.loads(body))


@workflow.defn
class ShopifyString:
    """format = "json-string": the text of format = "json"."""

    @workflow.run
    async def run(self, event: str) -> Webhook:
        return Webhook(**json.loads(event))

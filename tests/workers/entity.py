"""A workflow that takes signals and updates, for the tests: python entity.py TASK_QUEUE"""

import asyncio
import sys

from temporalio import workflow
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker


@workflow.defn(name="Entity")
class Entity:
    """Runs until an event says that it is done; its result is the ids of all events it saw."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.done = False

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: self.done)
        return self.seen

    def see(self, event: dict) -> None:
        self.seen.append(event["headers"]["x-shopify-webhook-id"])
        self.done = event["data"].get("done", False)

    @workflow.signal(name="webhook")
    def signalled(self, event: dict) -> None:
        self.see(event)

    @workflow.update(name="webhook")
    async def updated(self, event: dict) -> object:
        data = event["data"]
        mode = data.get("mode")
        if mode == "slow":
            await asyncio.sleep(data["seconds"])
        if mode == "fail":
            raise ApplicationError("the worker does not want it")
        self.see(event)
        if mode == "parts":
            return {"status": 201, "headers": {"X-Worker": "yes"}, "body": {"seen": self.seen}}
        return {"seen": self.seen}

    @updated.validator
    def valid(self, event: dict) -> None:
        if event["data"].get("mode") == "reject":
            raise ApplicationError("the validator does not want it")


async def main(task_queue: str) -> None:
    client = await Client.connect(**ClientConfig.load_client_connect_config())
    async with Worker(client, task_queue=task_queue, workflows=[Entity]):
        await asyncio.Event().wait()


if __name__ == "__main__":  # the workflow's sandbox imports this file, too
    asyncio.run(main(sys.argv[1]))

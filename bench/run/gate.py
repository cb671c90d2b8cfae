"""Before anything is measured: one right start for each good event, none for a forged one."""

from . import deliveries
from .servers import Failed

EVENTS = 50
# The rest are builds of the program: both senders.
SENDERS = {"floor-http": (), "floor": (), "go": ("shopify",), "go-no-gzip": ("shopify",)}


def check(world, server):
    """Fails if the server does not do the job whose cost is to be measured."""
    server.ready()
    for sender in SENDERS.get(server.name, ("shopify", "stripe")):
        for size in (3_000, 100_000):
            good = [f"gate-{server.name}-{sender}-{size}-{number}" for number in range(EVENTS)]
            world.report()
            _send(server, sender, size, good, deliveries.SECRET, 200)
            forged = [event_id + "-forged" for event_id in good]
            _send(server, sender, size, forged, "another secret", 401)
            calls, ids = world.report()
            # a source that shares its namespace with others puts its name before the id
            seen = {name.rpartition(":")[2]: count for name, count in ids.items()}
            starts = calls.get("StartWorkflowExecution", 0)
            if seen != dict.fromkeys(good, 1) or starts != EVENTS:
                raise Failed(f"{server.name}, {sender}, {size} bytes: {EVENTS} good and {EVENTS} forged events made {starts} starts of {len(ids)} workflows")


def _send(server, sender, size, ids, secret, expected):
    for event_id in ids:
        body, headers = deliveries.delivery(sender, size, event_id, secret)
        status = server.ask("POST", "/" + sender, body, headers)
        if status != expected:
            raise Failed(f"{server.name} answers {event_id} with {status} instead of {expected}")

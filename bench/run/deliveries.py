"""Events as their senders would send them: bodies of a size, signed, each with an id of its own."""

import base64
import hashlib
import hmac
import json
import struct
import time

SECRET = "bench-secret"
TENANT = "bench-shop.myshopify.com"


def order(size, event_id=None):
    """An order of about `size` bytes, as nested as Shopify's; with an id it is an event of Stripe's shape."""
    lines = []
    document = {"id": 820982911946154508, "name": "#9999", "email": "jon@example.com", "currency": "USD",
                "total_price": "409.94", "line_items": lines, "note": None}
    if event_id:
        document = {"id": event_id, "object": "event", "data": {"object": document}, "type": "checkout.session.completed"}
    dumps = lambda: json.dumps(document, separators=(",", ":")).encode()
    line = {"id": 866550311766439020, "title": "IPod Nano - 8GB", "quantity": 1, "price": "199.00", "taxable": True,
            "tax_lines": [{"title": "State Tax", "price": "3.98", "rate": 0.06}],
            "properties": [{"name": "engraving", "value": "Für Zoë \"with love\""}]}
    each = len(json.dumps(line, separators=(",", ":"))) + 1
    lines.extend([line] * max(1, (size - len(dumps())) // each))
    return dumps()


def shopify(body, event_id, secret=SECRET):
    """Headers of a delivery: the id is one of them."""
    signature = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return {"Content-Type": "application/json", "X-Shopify-Topic": "orders/create", "X-Shopify-Shop-Domain": TENANT,
            "X-Shopify-API-Version": "2026-10", "X-Shopify-Webhook-Id": event_id,
            "X-Shopify-Hmac-Sha256": base64.b64encode(signature).decode()}


def stripe(body, secret=SECRET, now=None):
    """Headers of a delivery: id and type are in the body."""
    at = int(now or time.time())
    signature = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Content-Type": "application/json", "Stripe-Signature": f"t={at},v1={signature}"}


def delivery(sender, size, event_id, secret=SECRET):
    """Body and headers."""
    if sender == "stripe":
        body = order(size, event_id)
        return body, stripe(body, secret)
    body = order(size)
    return body, shopify(body, event_id, secret)


def request(path, host, body, headers):
    """The request as the bytes of HTTP/1.1."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def write_pool(file, sender, size, path, host):
    """Prebuilt requests for wrk.lua: each as its length, then its bytes."""
    count = max(4, min(64, 8_000_000 // size))
    with open(file, "wb") as out:
        for number in range(count):
            body, headers = delivery(sender, size, f"evt_{size}_{number}")
            whole = request(path, host, body, headers)
            out.write(struct.pack("<I", len(whole)) + whole)

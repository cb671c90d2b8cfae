"""The official Python SDKs as the other side: one JSON request a line in, one JSON answer a line out.

sign:   {"op", "sdk", "secret", "body", "timestamp", "url", "id"} -> {"headers": {…}, "query": "…"}
verify: {"op", "sdk", "secret", "body", "url", "headers"} -> {"valid": true | false, "why": "…"}
decode: what formats.py reads
"""

import json
import sys
from datetime import datetime, timezone
from urllib.parse import parse_qsl

from formats import CloudEvents, Temporal


class Stripe:
    def __init__(self):
        import stripe

        self.sdk = stripe.WebhookSignature

    def sign(self, ask):
        header = self.sdk.generate_signature_header(ask["body"], ask["secret"], ask["timestamp"])
        return {"headers": {"Stripe-Signature": header}}

    def verify(self, ask):
        return self.sdk.verify_header(ask["body"], ask["headers"].get("stripe-signature"), ask["secret"], 300)


class Slack:
    def __init__(self):
        from slack_sdk.signature import SignatureVerifier

        self.sdk = SignatureVerifier

    def sign(self, ask):
        timestamp = str(ask["timestamp"])
        signature = self.sdk(ask["secret"]).generate_signature(timestamp=timestamp, body=ask["body"])
        return {"headers": {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": signature}}

    def verify(self, ask):
        return self.sdk(ask["secret"]).is_valid_request(ask["body"], ask["headers"])


class StandardWebhooks:
    prefix = "webhook"

    def __init__(self):
        from standardwebhooks.webhooks import Webhook

        self.sdk = Webhook

    def sign(self, ask):
        time = datetime.fromtimestamp(ask["timestamp"], timezone.utc)
        headers = {"id": ask["id"], "timestamp": str(ask["timestamp"])}
        headers["signature"] = self.sdk(ask["secret"]).sign(ask["id"], time, ask["body"])
        return {"headers": {f"{self.prefix}-{name}": value for name, value in headers.items()}}

    def verify(self, ask):
        self.sdk(ask["secret"]).verify(ask["body"], ask["headers"])
        return True


class Svix(StandardWebhooks):
    prefix = "svix"

    def __init__(self):
        from svix.webhooks import Webhook

        self.sdk = Webhook


class Twilio:
    algorithm = "HMAC_SHA1"

    def __init__(self):
        from twilio.request_validator import RequestValidator, get_signature_algorithm

        self.sdk, self.algorithm_of = RequestValidator, get_signature_algorithm

    def sign(self, ask):
        signature = self.sdk(ask["secret"]).compute_signature(ask["url"], Form(ask["body"]), self.algorithm)
        return {"headers": {"X-Twilio-Signature": signature}}

    def verify(self, ask):
        headers = ask["headers"]
        form = headers["content-type"].startswith("application/x-www-form-urlencoded")
        return self.sdk(ask["secret"]).validate(
            ask["url"],
            Form(ask["body"]) if form else ask["body"],
            headers.get("x-twilio-signature", ""),
            self.algorithm_of(headers.get("x-twilio-webhooks-signature-settings")),
        )


class TwilioSharedKey(Twilio):
    algorithm = "HMAC_SHA256"

    def sign(self, ask):
        signed = super().sign(ask)
        settings = "key=webhooks_sharedkey_test,algorithm=HMAC_SHA256"
        signed["headers"]["X-Twilio-Webhooks-Signature-Settings"] = settings
        return signed


class TwilioJson(Twilio):
    def sign(self, ask):
        validator = self.sdk(ask["secret"])
        query = "bodySHA256=" + validator.compute_hash(ask["body"])
        signature = validator.compute_signature(f"{ask['url']}?{query}", {}, self.algorithm)
        return {"headers": {"X-Twilio-Signature": signature}, "query": query}


class Form(dict):
    """What web frameworks hand to the SDK: a name may have several values."""

    def __init__(self, body):
        self.pairs = parse_qsl(body, keep_blank_values=True)
        super().__init__(self.pairs)

    def getall(self, name):
        return [value for key, value in self.pairs if key == name]


class Square:
    def __init__(self):
        from square.utils.webhooks_helper import verify_signature

        self.sdk = verify_signature

    def verify(self, ask):
        return self.sdk(
            request_body=ask["body"],
            signature_header=ask["headers"].get("x-square-hmacsha256-signature", ""),
            signature_key=ask["secret"],
            notification_url=ask["url"],
        )


class Mailgun:
    def __init__(self):
        from mailgun.security import SecurityGuard

        self.sdk = SecurityGuard

    def verify(self, ask):
        fields = json.loads(ask["body"])["signature"]
        return self.sdk.verify_webhook(ask["secret"], fields["token"], fields["timestamp"], fields["signature"])


SDKS = {
    "cloudevents": CloudEvents,
    "mailgun": Mailgun,
    "slack": Slack,
    "square": Square,
    "standard-webhooks": StandardWebhooks,
    "stripe": Stripe,
    "svix": Svix,
    "temporal": Temporal,
    "twilio": Twilio,
    "twilio-json": TwilioJson,
    "twilio-shared-key": TwilioSharedKey,
}


def main():
    answers, sys.stdout = sys.stdout, sys.stderr
    loaded = {}
    for line in sys.stdin:
        ask = json.loads(line)
        name = ask["sdk"]
        sdk = loaded[name] = loaded.get(name) or SDKS[name]()
        if ask["op"] != "verify":
            answer = getattr(sdk, ask["op"])(ask)
        else:
            try:
                answer = {"valid": bool(sdk.verify(ask))}
            except Exception as error:  # each SDK has exceptions of its own
                answer = {"valid": False, "why": repr(error)}
        print(json.dumps(answer), file=answers, flush=True)


main()

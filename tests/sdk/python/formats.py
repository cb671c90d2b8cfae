"""Who reads the payload formats: Temporal's Python SDK by its own converters, the CloudEvents SDK."""

import importlib
import os
import sys
import tempfile
from base64 import b64decode, b64encode


class Temporal:
    """decode: {"metadata", "data" in base64} -> {"type", "value"}"""

    def __init__(self):
        from google.protobuf import json_format, message
        from temporalio.api.common.v1 import Payload
        from temporalio.converter import DataConverter

        self.payload, self.converter = Payload, DataConverter.default.payload_converter
        self.json_format, self.message = json_format, message.Message
        self.event = generated("webhook/forwarder/v1/event.proto", "WebhookEvent")

    def decode(self, ask):
        metadata = {key: value.encode() for key, value in ask["metadata"].items()}
        payload = self.payload(metadata=metadata, data=b64decode(ask["data"]))
        hints = [self.event] if "messageType" in metadata else None
        [value] = self.converter.from_payloads([payload], hints)
        return {"type": type(value).__name__, "value": self.plain(value)}

    def plain(self, value):
        if isinstance(value, bytes):
            return b64encode(value).decode()
        if not isinstance(value, self.message):
            return value
        fields = {field.name: getattr(value, field.name) for field in value.DESCRIPTOR.fields}
        fields["headers"] = dict(value.headers)
        fields["body"] = b64encode(value.body_text.encode() or value.body).decode()
        fields["body_text"] = value.body_text if value.HasField("body_text") else None
        fields["received_at"] = value.received_at.ToJsonString()
        return fields


class CloudEvents:
    """decode: {"data" in base64} -> {"attributes", "data" or "bytes" in base64}"""

    def __init__(self):
        from cloudevents.core.formats.json import JSONFormat
        from cloudevents.core.v1.event import CloudEvent

        self.format, self.event = JSONFormat(), CloudEvent

    def decode(self, ask):
        event = self.format.read(self.event, b64decode(ask["data"]))
        attributes, data = dict(event.get_attributes()), event.get_data()
        attributes["time"] = attributes["time"].isoformat(timespec="milliseconds")
        if isinstance(data, bytes):
            return {"attributes": attributes, "bytes": b64encode(data).decode()}
        return {"attributes": attributes, "data": data}


def generated(file, name):
    """A class that protoc makes of the repository's own file."""
    import grpc_tools
    from grpc_tools import protoc

    root = os.path.join(os.path.dirname(__file__), "../../../proto")
    known = os.path.join(os.path.dirname(grpc_tools.__file__), "_proto")
    with tempfile.TemporaryDirectory() as folder:
        code = protoc.main(["protoc", f"-I{root}", f"-I{known}", f"--python_out={folder}", file])
        assert code == 0, f"protoc refuses {file}"
        sys.path.insert(0, folder)
        module = importlib.import_module(file.removesuffix(".proto").replace("/", ".") + "_pb2")
        sys.path.remove(folder)
    return getattr(module, name)

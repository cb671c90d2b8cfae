//! `temporal-webhook-forwarder`: verifies webhooks and starts one Temporal workflow per event.

fn main() {}

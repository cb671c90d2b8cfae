//! Makes the typed envelope of `proto/`, without protoc.

use std::io;
use std::path::PathBuf;

/// `OUT_DIR/webhook.forwarder.v1.rs`.
fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=proto/webhook/forwarder/v1/event.proto");
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("proto");
    let file = folder.join("webhook/forwarder/v1/event.proto");
    let descriptors = protox::compile([file], [folder]).map_err(io::Error::other)?;
    let message = ".webhook.forwarder.v1.WebhookEvent";
    let mut config = prost_build::Config::new();
    config
        .enable_type_names()
        .bytes([message])
        // In the order of their names: the same event is the same bytes.
        .btree_map([message]);
    config.compile_fds(descriptors)
}

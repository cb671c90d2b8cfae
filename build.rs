//! Lists `providers/*.toml` for the catalogue, so that adding a sender touches no code; makes the
//! typed envelope of `proto/`, without protoc.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    catalogue(&root.join("providers"), &out)?;
    envelope(&root.join("proto"))
}

fn catalogue(folder: &Path, out: &Path) -> io::Result<()> {
    println!("cargo::rerun-if-changed=providers");
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            paths.push(path);
        }
    }
    // By name: `a.toml` before `a-b.toml`, as the names are ordered without the ending.
    paths.sort_by_key(|path| path.file_stem().map(ToOwned::to_owned));
    let mut list = String::from("&[\n");
    for path in paths {
        let name = path.file_stem().unwrap_or_default();
        writeln!(list, "    ({name:?}, include_str!({path:?})),").map_err(io::Error::other)?;
    }
    list.push_str("]\n");
    fs::write(out.join("catalogue.rs"), list)
}

/// `OUT_DIR/webhook.forwarder.v1.rs`.
fn envelope(folder: &Path) -> io::Result<()> {
    println!("cargo::rerun-if-changed=proto");
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

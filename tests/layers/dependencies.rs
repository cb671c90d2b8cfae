//! What the core is built of, asked of cargo: nothing that could run, connect or read a command line for it.

use std::path::Path;
use std::process::Command;

/// Crates that begin so: with a word of theirs, whoever pulls them in.
const NOT_IN_THE_CORE: [&str; 11] = [
    "async-std",
    "clap",
    "hyper",
    "mio",
    "reqwest",
    "rustls",
    "socket2",
    "temporalio",
    "tokio",
    "toml",
    "tonic",
];

#[test]
fn the_core_has_no_runtime_no_network_and_no_command_line() {
    let tree = tree("webhook-core");
    let names: Vec<_> = tree.iter().map(|path| name(path)).collect();
    for name in ["bytes", "prost", "prost-build", "serde_json"] {
        assert!(names.contains(&name), "not read: {tree:?}");
    }
    let found: Vec<_> = tree
        .iter()
        .filter(|path| is_forbidden(name(path)))
        .map(|path| path.join(" -> "))
        .collect();
    assert!(
        found.is_empty(),
        "the core may not be built with:\n{}",
        found.join("\n")
    );
}

#[test]
fn in_the_program_they_are_found() {
    let tree = tree("temporal-webhook-forwarder");
    for word in ["clap", "hyper", "reqwest", "tokio", "toml", "tonic"] {
        let path = tree.iter().find(|path| name(path) == word);
        assert!(path.is_some_and(|path| path.len() > 1), "{word}");
        assert!(is_forbidden(word));
    }
}

/// `tokio-util` is one of tokio's, and `hyperlink` would be none of hyper's.
fn is_forbidden(name: &str) -> bool {
    let family = name.split(['-', '_']).next();
    NOT_IN_THE_CORE.contains(&name) || family.is_some_and(|it| NOT_IN_THE_CORE.contains(&it))
}

/// Each crate that the package is built with, by the path that leads to it; not what its tests need.
fn tree(package: &str) -> Vec<Vec<String>> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["tree", "--offline", "--locked", "--edges", "normal,build"])
        .args(["--prefix", "depth", "--package", package])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .output()
        .expect("cargo runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let (mut path, mut paths) = (Vec::new(), Vec::new());
    for line in String::from_utf8(output.stdout).expect("UTF-8").lines() {
        let digits = line.bytes().take_while(u8::is_ascii_digit).count();
        // Between those of the program and those of its build there is a heading.
        let Ok(depth) = line[..digits].parse() else {
            continue;
        };
        path.truncate(depth);
        let name = line[digits..].split(' ').next().unwrap_or_default();
        path.push(name.to_owned());
        paths.push(path.clone());
    }
    paths
}

fn name(path: &[String]) -> &str {
    path.last().map_or("", String::as_str)
}

//! `make install` and `make uninstall`: what they put where, and that they take nothing else away.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::process::Process;
use super::run::{BINARY, Run};

#[test]
fn it_installs_the_program_and_all_that_belongs_to_it_and_takes_it_away_again() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let root = folder.path();
    let bystander = root.join("opt/hooks/share/man/man1/another.1");
    fs::create_dir_all(bystander.parent().expect("it has one")).expect("the folder is writable");
    fs::write(&bystander, "").expect("the folder is writable");

    make("install", root, BINARY).fine();
    let installed = files(root);
    let names: Vec<_> = installed.keys().map(String::as_str).collect();
    assert_eq!(names, INSTALLED);
    for (name, mode) in &installed {
        let expected = if name.contains("/bin/") { 0o755 } else { 0o644 };
        assert!(*mode == expected || name.ends_with("another.1"), "{name}");
    }
    let text = |name: &str| fs::read_to_string(root.join("opt/hooks").join(name)).expect(name);
    assert!(text("share/man/man1/temporal-webhook-forwarder.1").contains(".TH"));
    assert_eq!(
        text("share/doc/temporal-webhook-forwarder/forwarder.example.toml"),
        include_str!("../../forwarder.example.toml")
    );
    let unit = text("lib/systemd/system/temporal-webhook-forwarder.service");
    assert!(unit.contains("\nExecStart=/opt/hooks/bin/temporal-webhook-forwarder serve\n"));
    let completions = "opt/hooks/share/bash-completion/completions/temporal-webhook-forwarder";
    let bash = Command::new("bash")
        .arg("-n")
        .arg(root.join(completions))
        .status();
    assert!(bash.expect("bash is there").success());

    // One that runs is replaced, not written into.
    let program = root.join("opt/hooks/bin/temporal-webhook-forwarder");
    let mut running = Command::new(&program);
    running
        .args(["send", "shopify", "--secret", "x", "--data", "-"])
        .stdin(Stdio::piped());
    let mut running = Process::spawn("the installed program", &mut running);
    make("install", root, BINARY).fine();
    assert!(running.is_running());
    assert_eq!(files(root), installed);
    let version = Run::of(Command::new(&program).arg("--version").env_clear()).fine();
    assert!(version.starts_with("temporal-webhook-forwarder "));

    // Without the program that was installed.
    make("uninstall", root, "/nowhere").fine();
    let left: Vec<_> = files(root).into_keys().collect();
    assert_eq!(left, ["opt/hooks/share/man/man1/another.1"]);
    assert!(
        !root
            .join("opt/hooks/share/doc/temporal-webhook-forwarder")
            .exists()
    );
    assert_eq!(make("uninstall", root, BINARY).fine(), "");
}

#[test]
fn what_is_not_built_cannot_be_installed() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let run = make("install", folder.path(), "/nowhere");
    assert_ne!(run.code, Some(0));
    assert!(
        run.stderr.contains("there is no /nowhere: make build"),
        "{run:?}"
    );
    assert!(files(folder.path()).is_empty());
}

fn make(target: &str, root: &Path, binary: &str) -> Run {
    let set = |name: &str, value: &dyn std::fmt::Display| format!("{name}={value}");
    let mut make = Command::new("make");
    make.args([
        "--silent",
        target,
        &set("PREFIX", &"/opt/hooks"),
        &set("BINARY", &binary),
    ])
    .arg(set("DESTDIR", &root.display()))
    .current_dir(env!("CARGO_MANIFEST_DIR"))
    .env("TMPDIR", env!("CARGO_TARGET_TMPDIR"))
    // Of the `make test` that may have started this.
    .env_remove("MAKEFLAGS")
    .env_remove("MAKELEVEL")
    .stdin(Stdio::null());
    Run::of(&mut make)
}

/// The files below, with their modes.
fn files(root: &Path) -> BTreeMap<String, u32> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let entry = entry.expect("an entry");
            let (path, meta) = (entry.path(), entry.metadata().expect("it is there"));
            if meta.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(root).expect("below it").display();
            found.insert(name.to_string(), meta.permissions().mode() & 0o777);
        }
    }
    found
}

const INSTALLED: [&str; 11] = [
    "opt/hooks/bin/temporal-webhook-forwarder",
    "opt/hooks/lib/systemd/system/temporal-webhook-forwarder.service",
    "opt/hooks/lib/systemd/system/temporal-webhook-forwarder.socket",
    "opt/hooks/lib/sysusers.d/temporal-webhook-forwarder.conf",
    "opt/hooks/share/bash-completion/completions/temporal-webhook-forwarder",
    "opt/hooks/share/doc/temporal-webhook-forwarder/LICENSE",
    "opt/hooks/share/doc/temporal-webhook-forwarder/forwarder.example.toml",
    "opt/hooks/share/fish/vendor_completions.d/temporal-webhook-forwarder.fish",
    "opt/hooks/share/man/man1/another.1",
    "opt/hooks/share/man/man1/temporal-webhook-forwarder.1",
    "opt/hooks/share/zsh/site-functions/_temporal-webhook-forwarder",
];

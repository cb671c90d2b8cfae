//! What the tests need from PyPI and npm: installed once, and again only when the pins change.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use aws_lc_rs::digest;

/// The Python of a virtual environment in the repository's folder `venv`, with these pins.
pub(crate) fn python(venv: &str, requirements: &Path) -> PathBuf {
    let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join(venv);
    let python = venv.join("bin/python");
    once(&venv.join("requirements.sha256"), requirements, || {
        let create = ["-m", "venv", "--clear"];
        must_succeed(Command::new("python3").args(create).arg(&venv));
        let install = ["-m", "pip", "install", "--quiet", "--no-compile", "-r"];
        must_succeed(Command::new(&python).args(install).arg(requirements));
    });
    python
}

/// `node_modules` in the folder of this package, as its lock file has it.
pub(crate) fn node_modules(package: &Path) {
    let stamp = package.join("node_modules/package-lock.sha256");
    once(&stamp, &package.join("package-lock.json"), || {
        let install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
        must_succeed(Command::new("npm").args(install).current_dir(package));
    });
}

/// Installs unless the stamp says that just these pins are installed.
fn once(stamp: &Path, pins: &Path, install: impl FnOnce()) {
    let pins = fs::read(pins).expect("the pins are part of the repository");
    let wanted = hex::encode(digest::digest(&digest::SHA256, &pins));
    if fs::read_to_string(stamp).is_ok_and(|there| there == wanted) {
        return;
    }
    install();
    fs::write(stamp, wanted).expect("what was just installed is writable");
}

fn must_succeed(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed:\n{text}");
}

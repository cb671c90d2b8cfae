//! What the tests need from PyPI, npm, Go's proxy and Maven: installed or built once, and again only
//! when the pins or the sources change.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use aws_lc_rs::digest;

/// The Python of a virtual environment in the repository's folder `venv`, with these pins.
pub(crate) fn python(venv: &str, requirements: &Path) -> PathBuf {
    let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join(venv);
    let python = venv.join("bin/python");
    once(
        &venv.join("requirements.sha256"),
        &[requirements.into()],
        || {
            let create = ["-m", "venv", "--clear"];
            must_succeed(Command::new("python3").args(create).arg(&venv));
            let install = ["-m", "pip", "install", "--quiet", "--no-compile", "-r"];
            must_succeed(Command::new(&python).args(install).arg(requirements));
        },
    );
    python
}

/// `node_modules` in the folder of this package, as its lock file has it.
pub(crate) fn node_modules(package: &Path) {
    let stamp = package.join("node_modules/package-lock.sha256");
    once(&stamp, &[package.join("package-lock.json")], || {
        let install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
        must_succeed(Command::new("npm").args(install).current_dir(package));
    });
}

/// `lib` in the folder of this package, as its script `build` makes it.
pub(crate) fn typescript(package: &Path) {
    node_modules(package);
    once(
        &package.join("lib/sources.sha256"),
        &sources(package),
        || {
            let build = ["npm", "run", "build", "--silent"];
            must_succeed(patiently(&build).current_dir(package));
        },
    );
}

/// The program of this Go module.
pub(crate) fn go(module: &Path) -> PathBuf {
    go_program(module, "go")
}

/// The same, in a folder of this name.
pub(crate) fn go_program(module: &Path, name: &str) -> PathBuf {
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let program = built.join("worker");
    once(&built.join("sources.sha256"), &sources(module), || {
        let mut build = patiently(&["go", "build", "-o"]);
        must_succeed(build.arg(&program).current_dir(module));
    });
    program
}

/// `target` in the folder of this Maven project.
pub(crate) fn maven(project: &Path) {
    let stamp = project.join("target/sources.sha256");
    once(&stamp, &sources(project), || {
        let package = ["mvn", "--batch-mode", "--quiet", "package"];
        must_succeed(patiently(&package).current_dir(project));
    });
}

/// A copy of this folder, and of nothing around it: what is built of it needs nothing else of the
/// repository. What was installed or built there before stays.
pub(crate) fn alone(folder: &Path) -> PathBuf {
    let name = folder.file_name().expect("a folder");
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("alone")
        .join(name);
    fs::create_dir_all(&copy).expect("the folder is writable");
    let inside = |file: &Path, folder: &Path| file.strip_prefix(folder).map(Path::to_owned);
    for stale in sources(&copy) {
        let is_there = inside(&stale, &copy).is_ok_and(|path| folder.join(path).exists());
        if !is_there {
            fs::remove_file(stale).expect("the folder is writable");
        }
    }
    for file in sources(folder) {
        let to = copy.join(inside(&file, folder).expect("it is in there"));
        let content = fs::read(&file).expect("the files are part of the repository");
        if fs::read(&to).is_ok_and(|there| there == content) {
            continue;
        }
        fs::create_dir_all(to.parent().expect("a folder")).expect("the folder is writable");
        fs::write(to, content).expect("the folder is writable");
    }
    copy
}

/// Installs unless the stamp says that just these files are installed.
fn once(stamp: &Path, files: &[PathBuf], install: impl FnOnce()) {
    let mut context = digest::Context::new(&digest::SHA256);
    for file in files {
        context.update(&fs::read(file).expect("the files are part of the repository"));
    }
    let wanted = hex::encode(context.finish());
    if fs::read_to_string(stamp).is_ok_and(|there| there == wanted) {
        return;
    }
    install();
    fs::write(stamp, wanted).expect("what was just installed is writable");
}

/// All files in this folder, without what is installed or built there.
pub(crate) fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of the repository");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("readable").path())
        .collect();
    paths.retain(|path| !MADE.iter().any(|made| path.ends_with(made)));
    paths.sort();
    let files = paths.into_iter().flat_map(|path| match path.is_dir() {
        true => sources(&path),
        false => vec![path],
    });
    files.collect()
}

/// A command that leaves the processor to the tests that run meanwhile.
fn patiently(words: &[&str]) -> Command {
    let mut command = Command::new("nice");
    command.args(["-n", "10"]).args(words);
    command
}

fn must_succeed(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(output.status.success(), "{command:?} failed:\n{out}{err}");
}

const MADE: [&str; 5] = ["node_modules", "lib", "target", "__pycache__", ".venv"];

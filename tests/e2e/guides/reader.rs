//! Who does what a page says, in a folder with nothing but the programs and a certificate.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::page::{Block, Page};
use crate::support::certs::Certificates;
use crate::support::program::Program;
use crate::support::run::{BINARY, Run};
use crate::support::run_folder;
use crate::support::temporal::{self, Temporal};

/// A person at a shell.
pub(super) struct Reader {
    folder: TempDir,
    temporal: String,
    port: u16,
    admin: u16,
    serves: Option<Program>,
}

impl Reader {
    pub(super) async fn new() -> Self {
        let folder = TempDir::new_in(run_folder()).expect("the folder of the run is writable");
        let programs = folder.path().join("bin");
        fs::create_dir(&programs).expect("the folder is writable");
        for (name, program) in [
            ("temporal-webhook-forwarder", Path::new(BINARY)),
            ("temporal", &temporal::binary()),
        ] {
            symlink(program, programs.join(name)).expect("links can be made");
        }
        let certificates = Certificates::shared();
        for (name, file) in [
            ("fullchain.pem", &certificates.cert),
            ("privkey.pem", &certificates.key),
        ] {
            fs::copy(file, folder.path().join(name)).expect("the folder is writable");
        }
        fs::write(folder.path().join(EXPORTED), "").expect("the folder is writable");
        Self {
            folder,
            temporal: own_temporal().await.address(),
            port: temporal::free_port(),
            admin: temporal::free_port(),
            serves: None,
        }
    }

    /// All of the page; how many of its blocks were commands.
    pub(super) fn read(&mut self, page: &Page) -> usize {
        let mut ran = 0;
        let blocks = &page.0;
        for (index, (line, block)) in blocks.iter().enumerate() {
            match block {
                Block::File { name, text } => {
                    let file = self.folder.path().join(name);
                    fs::write(file, self.here(text)).expect("the folder is writable");
                }
                Block::Serve(text) => {
                    self.serve(text);
                    ran += 1;
                }
                Block::Run { text, fails, soon } => {
                    let wanted = match blocks.get(index + 1) {
                        Some((_, Block::Prints(wanted))) => self.here(wanted),
                        _ => String::new(),
                    };
                    let patience = if *soon { SOON } else { Duration::ZERO };
                    self.run(*line, text, *fails, &wanted, patience);
                    ran += 1;
                }
                Block::Prints(_) => {
                    let before = index.checked_sub(1).map(|before| &blocks[before].1);
                    let is_said = matches!(before, Some(Block::Run { .. }));
                    assert!(is_said, "line {line}: printed by no command");
                }
            }
        }
        ran
    }

    /// Once, or until it prints what is wanted.
    fn run(&self, line: usize, text: &str, fails: bool, wanted: &str, patience: Duration) {
        let started = Instant::now();
        loop {
            let script = format!(
                "set -e\n. ./{EXPORTED}\n{}\nexport -p > {EXPORTED}\n",
                self.here(text)
            );
            let run = Run::of(&mut self.shell(&script));
            let missing = missing(&(run.stdout.clone() + &run.stderr), wanted);
            let as_said = (run.code == Some(0)) != fails;
            if as_said && missing.is_none() {
                return;
            }
            assert!(
                started.elapsed() < patience,
                "line {line}: {text}: missing {missing:?}: {run:?}\nserved: {}",
                self.serves
                    .as_ref()
                    .map(Program::stderr)
                    .unwrap_or_default()
            );
            thread::sleep(Duration::from_millis(200));
        }
    }

    fn serve(&mut self, text: &str) {
        self.serves = None;
        let replaced = format!("\nexport -p > {EXPORTED}\nexec temporal-webhook-forwarder");
        let text =
            format!("\n{}", self.here(text)).replace("\ntemporal-webhook-forwarder", &replaced);
        let script = format!("set -e\n. ./{EXPORTED}\n{text}");
        let mut program = Program::start("what the page serves", &mut self.shell(&script));
        program.wait_for("it listens", |printed| {
            let listens = printed.contains("listening");
            let is_codec_server = text.contains("codec-server");
            let found = printed.contains("connected to Temporal") || is_codec_server;
            (listens && found).then_some(())
        });
        self.serves = Some(program);
    }

    /// A shell in the folder, with nothing of whoever runs the tests.
    fn shell(&self, script: &str) -> Command {
        let folder = self.folder.path();
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", script])
            .current_dir(folder)
            .env_clear()
            .env(
                "PATH",
                format!("{}:/usr/bin:/bin", folder.join("bin").display()),
            )
            .env("HOME", folder)
            .env("XDG_DATA_HOME", folder)
            .env("XDG_CONFIG_HOME", folder)
            .env("TEMPORAL_ADDRESS", &self.temporal)
            .env("TWF_PORT", self.port.to_string())
            .env("TWF_ADMIN", format!("127.0.0.1:{}", self.admin))
            .stdin(std::process::Stdio::null());
        command
    }

    /// With the addresses that are free on this machine.
    fn here(&self, text: &str) -> String {
        let port = self.port.to_string();
        let mut text = text.to_owned();
        if !text.contains("--url") {
            let url = format!("--url https://localhost:{port}/temporal/shopify");
            text = text.replace("send shopify", &format!("send shopify {url}"));
        }
        text.replace("127.0.0.1:9000", &format!("127.0.0.1:{}", self.admin))
            .replace(":5000", &format!(":{port}"))
            .replace("--port 5000", &format!("--port {port}"))
            .replace("localhost:7233", &self.temporal)
            .replace("make dev\n", "temporal-webhook-forwarder dev\n")
            .replace("cargo run --quiet -- ", "temporal-webhook-forwarder ")
    }
}

/// One for all guides: in that of the other tests there are too many events to be listed.
async fn own_temporal() -> &'static Temporal {
    static OWN: OnceCell<Temporal> = OnceCell::const_new();
    OWN.get_or_init(|| Temporal::start(&[])).await
}

/// The first wanted line that is not in what was printed; the parts around `…` have to be there in order.
fn missing(printed: &str, wanted: &str) -> Option<String> {
    let is_there = |line: &str| {
        printed.lines().any(|printed| {
            let mut rest = printed;
            line.split('…').all(|part| match rest.split_once(part) {
                Some((_, after)) => {
                    rest = after;
                    true
                }
                None => false,
            })
        })
    };
    let mut lines = wanted.lines().filter(|line| !line.trim().is_empty());
    lines.find(|line| !is_there(line.trim())).map(str::to_owned)
}

/// What the shell of the page has exported so far.
const EXPORTED: &str = ".exported";
/// What Temporal has taken is in its lists a moment later.
const SOON: Duration = Duration::from_secs(20);

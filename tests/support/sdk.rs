//! The official SDKs of senders, in a Python and a Node process that answer line by line.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::thread;

use serde_json::{Value, json};
use tokio::task::block_in_place;

use super::process::Process;
use super::{install, run_folder};

/// An SDK: the language it is for, and what `tests/sdk` calls it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sdk {
    Python(&'static str),
    Node(&'static str),
}

/// Installs the SDKs and starts their processes, both at a time; not on the runtime, whose threads
/// other tests need.
pub(crate) fn prepare() {
    thread::scope(|scope| {
        scope.spawn(python);
        scope.spawn(node);
    });
}

impl Sdk {
    /// What the SDK has to say to a question of `tests/sdk`.
    pub(crate) fn ask(self, op: &str, mut question: Value) -> Value {
        let (peer, name) = match self {
            Self::Python(name) => (python(), name),
            Self::Node(name) => (node(), name),
        };
        question["op"] = json!(op);
        question["sdk"] = json!(name);
        block_in_place(|| {
            peer.lock()
                .expect("no other question broke it")
                .ask(&question)
        })
    }
}

fn python() -> &'static Mutex<Peer> {
    static PYTHON: OnceLock<Mutex<Peer>> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let python = install::python(".venv-sdk", &folder().join("requirements.txt"));
        let peer = Peer::start("sdk-python", Command::new(python), "python/peer.py");
        Mutex::new(peer)
    })
}

fn node() -> &'static Mutex<Peer> {
    static NODE: OnceLock<Mutex<Peer>> = OnceLock::new();
    NODE.get_or_init(|| {
        install::node_modules(&folder());
        Mutex::new(Peer::start(
            "sdk-node",
            Command::new("node"),
            "node/peer.mjs",
        ))
    })
}

struct Peer {
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    name: &'static str,
    _process: Process,
}

impl Peer {
    fn start(name: &'static str, mut command: Command, script: &str) -> Self {
        let log = std::fs::File::create(run_folder().join(format!("{name}.log")));
        command
            .arg(folder().join(script))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log.expect("the folder of the run is writable"));
        let mut process = Process::spawn(name, &mut command);
        let child = process.child();
        Self {
            stdin: child.stdin.take().expect("it is piped"),
            stdout: BufReader::new(child.stdout.take().expect("it is piped")),
            name,
            _process: process,
        }
    }

    fn ask(&mut self, question: &Value) -> Value {
        let mut answer = String::new();
        let said = writeln!(self.stdin, "{question}");
        let heard = said.and_then(|()| self.stdout.read_line(&mut answer));
        let logs = run_folder().display();
        let name = self.name;
        assert!(
            matches!(heard, Ok(1..)),
            "{name} ended at {question}: see {logs}"
        );
        serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{name} says {answer}"))
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk")
}

//! Sockets that are passed to the forwarder as systemd does: a parent that holds them, and a shell that
//! puts them in their places.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::run::BINARY;

/// Up to two listening sockets. As long as one of these is there, nobody who connects is refused.
#[derive(Debug, Clone)]
pub(crate) struct Passed {
    sockets: Vec<Arc<TcpListener>>,
    names: &'static str,
}

impl Passed {
    /// As many as there are names, `name:name`.
    pub(crate) fn new(names: &'static str) -> Self {
        let bind = |_| {
            let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
            Arc::new(socket.expect("a port is free"))
        };
        Self {
            sockets: names.split(':').map(bind).collect(),
            names,
        }
    }

    pub(crate) fn address(&self, index: usize) -> SocketAddr {
        self.sockets[index].local_addr().expect("it is bound")
    }

    /// Connections that nobody has accepted yet are left to whoever is passed the sockets next.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT, "sh", BINARY]);
        command
    }

    /// To be called last: it takes standard input and output.
    pub(crate) fn pass(&self, command: &mut Command) {
        let mut sockets = self.sockets.iter().map(|socket| {
            let socket = socket.try_clone().expect("a descriptor is free");
            Stdio::from(std::os::fd::OwnedFd::from(socket))
        });
        command
            .env("LISTEN_FDS", self.sockets.len().to_string())
            .env("LISTEN_FDNAMES", self.names)
            .stdin(sockets.next().expect("one at least"))
            .stdout(sockets.next().unwrap_or_else(Stdio::null));
        assert!(sockets.next().is_none(), "there are two places");
    }
}

/// The process keeps its id: the variable tells it that the sockets are its own.
const SCRIPT: &str = r#"exec 3<&0 4>&1; export LISTEN_PID=$$; exec "$@" </dev/null >/dev/null"#;

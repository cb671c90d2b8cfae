//! What systemd passes to a service, and wants to hear of it: sockets that stay open across restarts, and
//! messages that it is ready, reloads, stops, lives. Without systemd nothing happens here.

use std::env;
use std::io;
use std::net::TcpListener as StdListener;

use listenfd::ListenFd;
use sd_notify::NotifyState;
use tokio::net::TcpListener;

use crate::config::Mistake;

/// The sockets that were passed, by the listener that they are for.
#[derive(Debug, Default)]
pub struct Sockets {
    /// Where senders connect.
    pub public: Option<StdListener>,
    /// Where operators look.
    pub admin: Option<StdListener>,
}

impl Sockets {
    /// Those that were passed to this process (`sd_listen_fds(3)`). To be called once, before there are
    /// threads: it takes the variables away, so that no child believes that the sockets are its own.
    ///
    /// # Errors
    /// What is passed and is no listening socket of ours.
    pub fn take() -> Result<Self, Mistake> {
        let mut passed = ListenFd::from_env();
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let roles = roles(&names, passed.len()).map_err(|problem| Mistake::new(NAMES, problem))?;
        let mut sockets = Self::default();
        for (index, role) in roles.into_iter().enumerate() {
            let socket = passed
                .take_tcp_listener(index)
                .map_err(|error| Mistake::new(FDS, format!("{error}: {EXPECTED}")))?;
            match role {
                Role::Public => sockets.public = socket,
                Role::Admin => sockets.admin = socket,
            }
        }
        Ok(sockets)
    }
}

/// The same socket, for this runtime.
///
/// # Errors
/// The system's.
pub fn adopt(socket: StdListener) -> io::Result<TcpListener> {
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Public,
    Admin,
}

/// What each of `count` sockets is for. `names` is `name:name`; without `FileDescriptorName=` a socket has
/// its unit's name.
fn roles(names: &str, count: usize) -> Result<Vec<Role>, String> {
    let names = names.split(':').map(Some).chain(std::iter::repeat(None));
    let role = |name: Option<&str>| match name {
        Some("admin") => Role::Admin,
        _ => Role::Public,
    };
    let roles: Vec<_> = names.take(count).map(role).collect();
    for (role, name) in [(Role::Public, "public"), (Role::Admin, "admin")] {
        let many = roles.iter().filter(|other| **other == role).count();
        if many > 1 {
            return Err(format!(
                "{many} sockets are passed for the {name} listener: {EXPECTED}"
            ));
        }
    }
    Ok(roles)
}

/// It listens. `status` is for people.
pub fn ready(status: &str) {
    say(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// It was told to stop, and does.
pub fn stopping() {
    say(&[NotifyState::Stopping, NotifyState::Status("draining")]);
}

/// It reads its settings again, until this is dropped.
pub struct Reloading(());

impl Reloading {
    /// From now on.
    pub fn begin() -> Self {
        match NotifyState::monotonic_usec_now() {
            // The time is for Type=notify-reload.
            Ok(now) => say(&[NotifyState::Reloading, now]),
            Err(_) => say(&[NotifyState::Reloading]),
        }
        Self(())
    }
}

impl Drop for Reloading {
    fn drop(&mut self) {
        say(&[NotifyState::Ready]);
    }
}

/// Says that it lives, twice as often as it has to, for as long as the runtime runs tasks. It ends at once
/// where nobody asks.
pub async fn watchdog() {
    let Some(within) = sd_notify::watchdog_enabled() else {
        return;
    };
    loop {
        say(&[NotifyState::Watchdog]);
        tokio::time::sleep(within / 2).await;
    }
}

fn say(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd cannot be told how the service is");
    }
}

const FDS: &str = "LISTEN_FDS";
const NAMES: &str = "LISTEN_FDNAMES";
const EXPECTED: &str = "expected one TCP socket for webhooks and one with FileDescriptorName=admin at most; one ListenStream=443 takes IPv4 and IPv6";

#[cfg(test)]
mod tests {
    use super::Role::{Admin, Public};
    use super::roles;

    #[test]
    fn a_socket_is_for_webhooks_unless_it_is_called_admin() {
        for (names, count, expected) in [
            ("", 0, vec![]),
            ("", 1, vec![Public]),
            ("temporal-webhook-forwarder.socket", 1, vec![Public]),
            ("admin", 1, vec![Admin]),
            ("public:admin", 2, vec![Public, Admin]),
            ("admin:hooks.socket", 2, vec![Admin, Public]),
            // A name too many is of no socket.
            ("public:admin", 1, vec![Public]),
        ] {
            assert_eq!(roles(names, count), Ok(expected), "{names} {count}");
        }
    }

    #[test]
    fn two_of_a_kind_are_one_too_many() {
        for (names, count, said) in [
            ("", 2, "2 sockets are passed for the public listener"),
            ("a:admin:b", 3, "2 sockets are passed for the public"),
            ("admin:admin", 2, "2 sockets are passed for the admin"),
        ] {
            let problem = roles(names, count).expect_err(names);
            assert!(problem.starts_with(said), "{problem}");
        }
    }
}

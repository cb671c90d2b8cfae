//! The sockets of the two listeners: those that systemd passed, else those that the settings name.

use std::net::TcpListener as StdListener;

use tokio::net::{TcpListener, lookup_host};

use crate::config::Mistake;
use crate::config::listen::Listen;
use crate::server::bind;
use crate::systemd::{Sockets, adopt};

/// The two sockets, bound.
pub(super) struct Bound {
    pub(super) public: Result<TcpListener, Mistake>,
    /// With the name by which it is reached.
    pub(super) admin: Result<Option<(TcpListener, String)>, Mistake>,
    /// What works, but should be otherwise.
    pub(super) warnings: Vec<Mistake>,
}

/// Binds what is not `passed`.
pub(super) async fn bound(
    public: Result<Listen, Mistake>,
    admin: Result<Option<Listen>, Mistake>,
    passed: Sockets,
) -> Bound {
    let mut warnings = Vec::new();
    let public = match public {
        Ok(listen) => socket(&listen, passed.public, &mut warnings).await,
        Err(mistake) => Err(mistake),
    };
    let admin = match (admin, passed.admin) {
        (Ok(Some(listen)), passed) => {
            let socket = socket(&listen, passed, &mut warnings).await;
            socket.map(|socket| Some((socket, listen.host)))
        }
        (Ok(None), Some(_)) => Err(Mistake::new("LISTEN_FDNAMES", NO_ADMIN)),
        (Ok(None), None) => Ok(None),
        (Err(mistake), _) => Err(mistake),
    };
    Bound {
        public,
        admin,
        warnings,
    }
}

async fn socket(
    listen: &Listen,
    passed: Option<StdListener>,
    warnings: &mut Vec<Mistake>,
) -> Result<TcpListener, Mistake> {
    let Listen {
        host,
        port,
        setting,
    } = listen;
    let Some(passed) = passed else {
        let problem = |error| format!("cannot listen on {host} port {port}: {error}");
        let found = lookup_host((host.as_str(), *port)).await;
        let socket = found.and_then(|addresses| bind(&addresses.collect::<Vec<_>>()));
        return socket.map_err(|error| Mistake::new(*setting, problem(error)));
    };
    let unusable = |error| Mistake::new("LISTEN_FDS", format!("it cannot be used: {error}"));
    let address = passed.local_addr().map_err(unusable)?;
    if *port != 0 && *port != address.port() {
        let problem = format!(
            "port {port}, but systemd passes a socket on {address}, which counts: `health` and `check` ask on port {port} unless both say the same"
        );
        warnings.push(Mistake::new(*setting, problem));
    }
    adopt(passed).map_err(unusable)
}

const NO_ADMIN: &str = "a socket called admin is passed, and there is no admin listener: --admin ADDRESS:PORT or [admin] listen switches it on";

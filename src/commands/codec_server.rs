//! `codec-server`: settings -> listener -> Temporal's remote codec protocol, until a signal comes.

use std::net::SocketAddr;

use tokio::net::{TcpListener, lookup_host};

use super::load::{self, World};
use super::serve::Signals;
use super::{Failure, block_on};
use crate::cli::codec_server::CodecServerArgs;
use crate::codec_server::connections;
use crate::codec_server::{Rules, router};
use crate::core::config::Mistake;
use crate::core::config::codec_server::CodecServer;
use crate::core::config::listen::Listen;
use crate::server::tls;
use crate::telemetry;

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// [`Failure::Configuration`] with every mistake.
pub fn run(args: &CodecServerArgs) -> Result<(), Failure> {
    let settings = settings(args)?;
    block_on(async {
        let listener = listen(&settings.listen, settings.token.is_some()).await;
        let listener = listener.map_err(|mistake| Failure::Configuration(vec![mistake]))?;
        let tls = settings.tls.as_ref().map(tls::acceptor).transpose();
        let tls = tls.map_err(|problem| one("TLS", problem))?;
        telemetry::init_logs(args.log_format, args.debug);
        let mut signals = Signals::new()?;
        announce(&settings, &listener)?;
        let rules = Rules {
            codec: settings.codec,
            token: settings.token,
            origins: settings.origins,
        };
        let stop = async move { signals.next().await };
        connections::run(listener, tls, router(rules), stop).await;
        tracing::info!("stopped");
        Ok(())
    })
}

fn settings(args: &CodecServerArgs) -> Result<CodecServer, Failure> {
    let (file, mut mistakes) = load::file(args.config.as_deref(), &World)
        .map_err(|mistake| Failure::Configuration(vec![mistake]))?;
    if file.is_broken {
        return Err(Failure::Configuration(mistakes));
    }
    match CodecServer::new(args, &file, &World) {
        Ok(settings) if mistakes.is_empty() => Ok(settings),
        result => {
            mistakes.extend(result.err().unwrap_or_default());
            Err(Failure::Configuration(mistakes))
        }
    }
}

/// Without a token only where nobody else's machine reaches it.
async fn listen(listen: &Listen, has_token: bool) -> Result<TcpListener, Mistake> {
    let Listen {
        host,
        port,
        setting,
    } = listen;
    let wrong = |problem| Mistake::new(*setting, problem);
    let unable = |error| wrong(format!("cannot listen on {host} port {port}: {error}"));
    let found = lookup_host((host.as_str(), *port)).await.map_err(unable)?;
    let addresses: Vec<SocketAddr> = found.collect();
    let loopback = |address: &SocketAddr| address.ip().to_canonical().is_loopback();
    if !has_token && !addresses.iter().all(loopback) {
        return Err(wrong(format!(
            "{host} is not a loopback address, and without a token everybody who reaches it could decrypt every event: \
             give --token env:NAME or --token file:PATH, or listen on 127.0.0.1"
        )));
    }
    TcpListener::bind(addresses.as_slice())
        .await
        .map_err(unable)
}

fn announce(settings: &CodecServer, listener: &TcpListener) -> Result<(), Failure> {
    let keys = settings.codec.keys();
    if keys.is_empty() {
        tracing::warn!(
            "no payload key: set AES_KEY or name a --config with [encryption]; encode leaves payloads as they are, decode undoes zlib only"
        );
    }
    let ids: Vec<_> = keys.iter().map(|key| key.id()).collect();
    let (address, tls) = (listener.local_addr()?, settings.tls.is_some());
    let is_public = !address.ip().to_canonical().is_loopback();
    if is_public && !tls {
        tracing::warn!(
            "plain HTTP: the token and what is decrypted can be read on the way, unless a proxy before this adds TLS"
        );
    }
    let address = address.to_string();
    let (keys, origins) = (ids.join(" "), settings.origins.join(" "));
    let token = settings.token.is_some();
    tracing::info!(
        listener = "codec",
        address,
        tls,
        token,
        keys,
        origins,
        "listening"
    );
    Ok(())
}

fn one(place: &str, problem: String) -> Failure {
    Failure::Configuration(vec![Mistake::new(place, problem)])
}

//! `codec-server`: settings -> listener -> Temporal's remote codec protocol, until a signal comes.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, lookup_host};
use tokio::signal::unix::{SignalKind, signal};
use webhook_core::codec::Codec;

use super::serve::Signals;
use super::{Failure, block_on};
use crate::cli::codec_server::CodecServerArgs;
use crate::codec_server::{self, InUse, Rules, router};
use crate::config::codec_server::CodecServer;
use crate::config::listen::Listen;
use crate::config::{Environment, Mistake};
use crate::expiry::{self, Dated};
use crate::load::{self, SystemEnvironment};
use crate::reload::poll::{self, Reading};
use crate::reload::{Recorder, not_used};
use crate::server::bind;
use crate::telemetry;
use crate::tls::{self, Acceptor, Certificate};

/// Serves until SIGTERM or SIGINT. Keys, token and certificate are read again when their files
/// change, and at SIGHUP.
///
/// # Errors
/// [`Failure::Configuration`] with every mistake.
pub fn run(args: &CodecServerArgs) -> Result<(), Failure> {
    let (digest, result) = read(args);
    let ValidSettings { settings, acceptor } = result.map_err(Failure::Configuration)?;
    block_on(async {
        let socket = listen(&settings.listen, settings.token.is_some()).await?;
        let _written = telemetry::init_logs(args.log_format, None, args.debug)?;
        let (mut signals, hangup) = (Signals::new()?, signal(SignalKind::hangup())?);
        announce(&settings, &socket)?;
        let origins = settings.origins.clone();
        let (expiring, expires) = tokio::sync::watch::channel(expiring(&settings));
        let in_use = Reloadable {
            rules: Arc::new(InUse::new(rules(settings))),
            certificate: acceptor.map(|acceptor| Arc::new(Certificate::new(acceptor))),
            expiring,
        };
        let router = router(Arc::clone(&in_use.rules), &origins);
        let certificate = in_use.certificate.clone();
        let args = args.clone();
        let watching = poll::watch(digest, hangup, move || read(&args), |new| in_use.apply(new));
        let stop = async move { signals.next().await };
        tokio::select! {
            () = codec_server::listener(socket, certificate, router).run(stop) => {}
            () = watching => {}
            () = expiry::watch(expires) => {}
        }
        tracing::info!("stopped");
        Ok(())
    })
}

/// Settings that were read and found to be good.
struct ValidSettings {
    settings: CodecServer,
    acceptor: Option<Acceptor>,
}

/// What new settings replace: whom is answered with what, and the certificate. The rest stands in
/// flags.
struct Reloadable {
    rules: Arc<InUse>,
    certificate: Option<Arc<Certificate>>,
    expiring: tokio::sync::watch::Sender<Vec<Dated>>,
}

impl Reloadable {
    fn apply(&self, result: Result<ValidSettings, Vec<Mistake>>) {
        let ValidSettings { settings, acceptor } = match result {
            Ok(valid) => valid,
            Err(mistakes) => return not_used(&mistakes),
        };
        if let Some((certificate, acceptor)) = self.certificate.as_ref().zip(acceptor) {
            certificate.replace(acceptor);
        }
        let dated = expiring(&settings);
        self.expiring
            .send_if_modified(|old| std::mem::replace(old, dated.clone()) != dated);
        warn_without_keys(&settings.codec);
        let keys = ids(&settings.codec);
        self.rules.replace(rules(settings));
        tracing::info!(keys, "configuration reloaded");
    }
}

/// The settings, and a digest of everything that they were read from.
fn read(args: &CodecServerArgs) -> Reading<ValidSettings> {
    let recorder = Recorder::new(&SystemEnvironment);
    let result = validate(args, &recorder);
    (recorder.digest(), result)
}

fn validate(
    args: &CodecServerArgs,
    environment: &dyn Environment,
) -> Result<ValidSettings, Vec<Mistake>> {
    let (file, mut mistakes) = load::file(args.config.as_deref(), environment)?;
    if file.is_broken {
        return Err(mistakes);
    }
    let settings = match CodecServer::new(args, &file, environment) {
        Ok(settings) if mistakes.is_empty() => settings,
        result => {
            mistakes.extend(result.err().unwrap_or_default());
            return Err(mistakes);
        }
    };
    let acceptor = settings.tls.as_ref().map(tls::acceptor);
    let acceptor = acceptor.transpose();
    let acceptor = acceptor.map_err(|problem| Mistake::new("TLS", problem))?;
    Ok(ValidSettings {
        // Browsers and Temporal's CLI do without HTTP/2.
        acceptor: acceptor.as_ref().map(Acceptor::http1_only),
        settings,
    })
}

/// The certificate, and until when it is good.
fn expiring(settings: &CodecServer) -> Vec<Dated> {
    let identity = settings.tls.as_ref();
    let validity = identity.and_then(|identity| tls::validity(&identity.cert));
    validity.as_ref().map(Dated::server).into_iter().collect()
}

fn rules(settings: CodecServer) -> Rules {
    Rules {
        codec: settings.codec,
        token: settings.token,
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
    bind(&addresses).map_err(unable)
}

fn announce(settings: &CodecServer, listener: &TcpListener) -> Result<(), Failure> {
    warn_without_keys(&settings.codec);
    let (address, tls) = (listener.local_addr()?, settings.tls.is_some());
    let is_public = !address.ip().to_canonical().is_loopback();
    if is_public && !tls {
        tracing::warn!(
            "plain HTTP: the token and what is decrypted can be read on the way, unless a proxy before this adds TLS"
        );
    }
    let address = address.to_string();
    let (keys, origins) = (ids(&settings.codec), settings.origins.join(" "));
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

fn warn_without_keys(codec: &Codec) {
    if codec.keys().is_empty() {
        tracing::warn!(
            "no payload key: set AES_KEY or name a --config with [encryption]; encode leaves payloads as they are, decode undoes zlib only"
        );
    }
}

/// Those of all keys, the one that encodes first.
fn ids(codec: &Codec) -> String {
    let ids: Vec<_> = codec.keys().iter().map(|key| key.id()).collect();
    ids.join(" ")
}

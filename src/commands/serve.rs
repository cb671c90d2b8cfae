//! `serve`: configuration -> listeners -> forwarder, until a signal comes.

mod listeners;
mod upkeep;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{oneshot, watch};
use webhook_core::source::Source;

use self::listeners::bound;
use self::upkeep::{floods, metrics_upkeep, queues};
use super::{Failure, block_on};
use crate::acme::Keeper;
use crate::admin::access::Access;
use crate::admin::configuration::Configuration;
use crate::admin::{self, Admin};
use crate::cli::ServeArgs;
use crate::config::{Config, Environment, Mistake};
use crate::events::item::Place;
use crate::forward::journal::Journal;
use crate::forward::limits::Sizes;
use crate::forward::trace::Traces;
use crate::forward::{self, Forwarder};
use crate::load::{self, Loaded, SystemEnvironment};
use crate::reload::{Fixed, Inventory, Origin, Recorder, Reload, SharedEnvironment};
use crate::server::proxy::Trusted;
use crate::server::refused::Refusals;
use crate::server::service::webhooks;
use crate::server::{Limits, Listener};
use crate::storage::Store;
use crate::systemd::{self, Sockets};
use crate::telemetry::traces::Exported;
use crate::temporal::client::Client;
use crate::temporal::connect::Settings;
use crate::tls::{self, Certificate};
use crate::{expiry, telemetry};

/// Everything that can be wrong before the first request was checked.
pub struct Ready {
    config: Config,
    large: Option<Store>,
    temporal: Settings,
    certificate: Option<Arc<Certificate>>,
    keeper: Option<Keeper>,
    public: TcpListener,
    /// Whoever connected before the start may have waited in its queue.
    is_passed: bool,
    admin: Option<AdminSocket>,
    origin: Origin,
}

/// Where operators look, and who may.
struct AdminSocket {
    socket: TcpListener,
    access: Arc<Access>,
}

impl Ready {
    /// Where webhooks are received.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.public.local_addr()
    }

    /// Where operators look, if anywhere, and whether they have to show a token there.
    pub fn admin(&self) -> Option<(SocketAddr, bool)> {
        let AdminSocket { socket, access } = self.admin.as_ref()?;
        Some((socket.local_addr().ok()?, access.has_token()))
    }

    /// Whether they come over TLS.
    pub const fn has_tls(&self) -> bool {
        self.certificate.is_some()
    }

    /// Who may send.
    pub fn sources(&self) -> &[Source] {
        &self.config.sources
    }

    /// Where events go.
    pub const fn temporal(&self) -> &Settings {
        &self.temporal
    }

    /// Where Temporal's web interface was found, which the settings may say otherwise.
    pub fn found_ui(&mut self, host_and_port: Option<&str>) {
        if self.temporal.ui.is_none() {
            self.temporal.ui = host_and_port.map(|found| format!("http://{found}"));
        }
    }
}

/// Serves until SIGTERM or SIGINT; a second one ends the process at once.
///
/// # Errors
/// See [`Failure`].
pub fn run(args: &ServeArgs) -> Result<(), Failure> {
    let passed = Sockets::take()?;
    block_on(async {
        let environment: SharedEnvironment = Arc::new(SystemEnvironment);
        let ready = prepare(args, &*environment, passed).await?;
        until_signal(ready, args, environment).await
    })
}

/// Sets up logging, then serves until a signal comes.
///
/// # Errors
/// [`Failure::Reported`] if a second signal came before all requests were answered.
pub async fn until_signal(
    ready: Ready,
    args: &ServeArgs,
    environment: SharedEnvironment,
) -> Result<(), Failure> {
    // The last to go: what is said before is written.
    let _written = telemetry::init_logs(args.log_format, args.log_filter.as_ref(), args.debug)?;
    let mut signals = Signals::new()?;
    let (stop, stopped) = oneshot::channel();
    let second = async {
        signals.next().await;
        let _ = stop.send(());
        signals.next().await;
    };
    tokio::select! {
        result = serve(ready, args, environment, async { drop(stopped.await) }) => result,
        () = second => {
            tracing::warn!("second signal: stopping at once");
            Err(Failure::Reported(1))
        }
    }
}

/// Loads and checks everything, listeners bound unless they are `passed`: every mistake in one run.
///
/// # Errors
/// [`Failure::Configuration`].
pub async fn prepare(
    args: &ServeArgs,
    environment: &dyn Environment,
    passed: Sockets,
) -> Result<Ready, Failure> {
    let recorder = Recorder::new(environment);
    let loaded = Loaded::new(args, &recorder).map_err(Failure::Configuration)?;
    let digest = recorder.digest();
    let listens = (loaded.public.clone().ok(), loaded.admin.clone().ok());
    let is_passed = passed.public.is_some();
    let bound = bound(loaded.public, loaded.admin, passed).await;
    let (mut config, public, admin, temporal) =
        load::all(loaded.config, bound.public, bound.admin, loaded.temporal)
            .map_err(Failure::Configuration)?;
    config.warnings.extend(bound.warnings);
    let acme = config.tls.as_ref().and_then(|tls| tls.acme.clone());
    let keeper = acme.as_ref().map(Keeper::new).transpose();
    let keeper = keeper.map_err(|problem| Mistake::new("[server.tls] acme", problem))?;
    let ordered = keeper.as_ref().map(|keeper| &keeper.ordered);
    let acceptor = tls::acceptor_of(config.tls.as_ref(), ordered)?;
    let large = config.large.as_ref().map(Store::new).transpose()?;
    let admin = match admin {
        Some((socket, host)) => {
            let address = socket.local_addr().map_err(anyhow::Error::from)?;
            let access = Arc::new(Access::new(address, &host, config.admin.clone()));
            Some(AdminSocket { socket, access })
        }
        None => None,
    };
    let fixed = Fixed {
        public: listens.0,
        admin: listens.1.flatten(),
        temporal: (temporal.address.clone(), temporal.namespace.clone()),
        acme,
        limits: Limits::public(&config),
        trust_traceparent: config.trust_traceparent,
    };
    Ok(Ready {
        origin: Origin { digest, fixed },
        certificate: acceptor.map(|acceptor| Arc::new(Certificate::new(acceptor))),
        keeper,
        large,
        config,
        temporal,
        public,
        is_passed,
        admin,
    })
}

/// Serves until `shutdown`, then drains.
///
/// # Errors
/// If metrics or signals cannot be set up.
pub async fn serve(
    ready: Ready,
    args: &ServeArgs,
    environment: SharedEnvironment,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Failure> {
    let metrics = telemetry::init_metrics()?;
    // Before anybody knows that we listen: unhandled, the signal would end the process.
    let hangup = signal(SignalKind::hangup())?;
    telemetry::announce_start(&ready.config, args.config.as_deref());
    announce(&ready)?;
    let Ready {
        config,
        large,
        temporal,
        certificate,
        keeper,
        public,
        is_passed,
        admin,
        origin,
    } = ready;
    let upkeep = tokio::spawn(metrics_upkeep(metrics.clone()));
    let ordered = keeper.as_ref().map(|keeper| Arc::clone(&keeper.ordered));
    let certificates = expiry::certificates(&config, &temporal, ordered.as_ref());
    let inventory = Inventory::new(&config, &temporal);
    let temporal_address = temporal.address.clone();
    let place = Place::of(&temporal);
    let client = Client::new(temporal);
    let settings_sender = client.settings_sender();
    let (asked, waiting) = (Arc::clone(&client), Arc::clone(&client));
    let connecting = tokio::spawn(Arc::clone(&client).connect());
    if config.index {
        client.index().use_it();
    }
    let settings = forward::Settings::new(config.sources, config.codec, large, &config.metrics)
        .indexed(config.index)
        .behind(config.proxies.clone());
    let configuration = Arc::new(Configuration::new(args, &config.warnings));
    let journal = admin.as_ref().map(|_| Arc::new(Journal::new()));
    let mut forwarder = Forwarder::new(settings, client, &Sizes::default());
    if let Some(journal) = &journal {
        forwarder = forwarder.with_journal(Arc::clone(journal));
    }
    let exported = config.traces.then(Exported::start).transpose()?;
    if let Some(exported) = &exported {
        forwarder = forwarder.traced(Traces::new(exported.tracer(), config.trust_traceparent));
    }
    let forwarder = Arc::new(forwarder);
    let floods = tokio::spawn(floods(Arc::clone(&forwarder)));
    let queues = tokio::spawn(queues(Arc::clone(&forwarder), asked));
    let (certificates, expires) = watch::channel(certificates);
    let expiring = tokio::spawn(expiry::watch(expires.clone()));
    let keeping = keeper.map(|keeper| tokio::spawn(keeper.keep(certificates.clone())));
    let access = admin.as_ref().map(|admin| Arc::clone(&admin.access));
    let trusted = Arc::new(Trusted::new(config.proxies.clone()));
    let reload = Reload {
        trusted: Arc::clone(&trusted),
        args: args.clone(),
        environment,
        forwarder: Arc::clone(&forwarder),
        certificate: certificate.clone(),
        ordered,
        temporal: settings_sender,
        access,
        configuration: Arc::clone(&configuration),
        certificates,
        in_use: Mutex::new(inventory),
        asking: Mutex::default(),
    };
    let limits = origin.fixed.limits;
    let reloading = tokio::spawn(reload.watch(origin, hangup));
    let (stop_admin, stopped) = watch::channel(false);
    let admin = admin
        .zip(journal)
        .map(|(AdminSocket { socket, access }, journal)| {
            let admin = Admin {
                forwarder: Arc::clone(&forwarder),
                metrics,
                access,
                journal,
                configuration,
                certificates: expires,
                temporal: temporal_address,
                place,
                counted: admin::events::Cache::default(),
                turns: admin::events::turns(),
                stopped: stopped.clone(),
                streams: admin::streams(),
            };
            let mut stopped = stopped;
            let stopped = async move { drop(stopped.wait_for(|stopped| *stopped).await) };
            tokio::spawn(admin::listener(socket, admin).run(stopped))
        });
    if is_passed {
        // It would be refused what is there in a moment.
        waiting.first_connection(FIRST_CONNECTION).await;
    }
    let watchdog = tokio::spawn(systemd::watchdog());
    systemd::ready(&format!("webhooks on {}", public.local_addr()?));
    let public = Listener {
        name: "public",
        socket: public,
        certificate,
        limits,
        proxies: Some(Arc::clone(&trusted)),
        refusals: Some(Refusals::new()),
        service: webhooks(Arc::clone(&forwarder)),
    };
    let not_ready = async {
        shutdown.await;
        systemd::stopping();
        forwarder.pages.drain();
    };
    public.run(not_ready).await;
    connecting.abort();
    reloading.abort();
    expiring.abort();
    keeping.inspect(|keeping| keeping.abort());
    upkeep.abort();
    floods.abort();
    queues.abort();
    stop_admin.send_replace(true);
    if let Some(admin) = admin {
        let _ = admin.await;
    }
    if let Some(exported) = exported {
        exported.finish().await;
    }
    forwarder.say_what_was_left_out();
    watchdog.abort();
    tracing::info!("stopped");
    Ok(())
}

fn announce(ready: &Ready) -> Result<(), Failure> {
    let config = &ready.config;
    telemetry::announce_sources(config);
    let ordered = ready.keeper.as_ref().map(|keeper| &keeper.ordered);
    let dated = expiry::certificates(config, &ready.temporal, ordered);
    expiry::measure(&dated, &[]);
    if let Some(admin) = &ready.admin {
        let address = admin.socket.local_addr()?.to_string();
        let token = admin.access.has_token();
        match (admin.access.is_public(), token) {
            (true, false) => tracing::warn!(address, "{}", admin::access::WITHOUT_TOKEN),
            (true, true) => tracing::warn!(address, "{}", admin::access::IN_THE_CLEAR),
            (false, _) => {}
        }
        tracing::info!(listener = "admin", address, tls = false, token, "listening");
    }
    let (address, tls) = (ready.address()?.to_string(), ready.has_tls());
    tracing::info!(listener = "public", address, tls, "listening");
    Ok(())
}

/// SIGTERM and SIGINT.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn new() -> Result<Self, std::io::Error> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// For Temporal to be found, before webhooks are taken that have waited for a restart.
const FIRST_CONNECTION: Duration = Duration::from_secs(2);

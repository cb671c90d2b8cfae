//! `dev`: everything on one machine for a first try: a Temporal dev server, a self-signed
//! certificate, a secret, and what to type next.

mod instructions;

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep, timeout};
use webhook_core::secret::Secret;

use super::dev_data::{SECRET, folder as data_folder};
use super::serve;
use super::{Failure, block_on, say};
use crate::cli::log::LogFormat;
use crate::cli::{DevArgs, ServeArgs};
use crate::config::file::File;
use crate::config::source::SHOPIFY_KEY;
use crate::config::{Environment, Identity};
use crate::load::{self, SystemEnvironment};
use crate::systemd::Sockets;
use crate::temporal::connect::Settings;
use crate::temporal::link;

/// Serves until SIGTERM or SIGINT; then the Temporal server it started stops, too.
///
/// # Errors
/// See [`Failure`].
pub fn run(args: DevArgs) -> Result<(), Failure> {
    let folder = create_folder()?;
    let shopify_key = std::env::var(SHOPIFY_KEY).ok();
    let environment = Arc::new(DevEnvironment {
        made: shopify_key.is_none(),
        secret: shopify_key
            .map_or_else(|| read_or_create(&folder.join(SECRET), random_secret), Ok)?,
        token: read_or_create(&folder.join(TOKEN), random_secret)?,
    });
    let mut serve = args.serve;
    fill_in(&mut serve, &*environment, &folder)?;
    block_on(async {
        // Mistakes first: nothing is started for a configuration that cannot serve.
        let mut ready = serve::prepare(&serve, &*environment, Sockets::default()).await?;
        let mut hangup = signal(SignalKind::hangup())?;
        let temporal = tokio::select! {
            temporal = start_temporal(ready.temporal(), args.temporal_bin.as_deref(), &folder) => temporal?,
            // Dropped, a Temporal that is still starting is killed.
            result = interrupted(&mut hangup) => return result,
        };
        ready.found_ui(temporal.ui.as_deref());
        say(instructions::instructions(
            &ready,
            &environment,
            temporal.ui.as_deref(),
            &serve,
        )?)?;
        let result = tokio::select! {
            result = serve::until_signal(ready, &serve, environment) => result,
            // The terminal was closed. Temporal, in a process group of its own, is not told, and
            // files are read again without this signal, too.
            _ = hangup.recv() => Ok(()),
        };
        if let Some(mut own) = temporal.own {
            own.kill().await?;
        }
        result
    })
}

/// What neither the flags nor the file say.
fn fill_in(
    serve: &mut ServeArgs,
    environment: &dyn Environment,
    folder: &Path,
) -> Result<(), Failure> {
    // What is wrong with the file is reported when it is loaded.
    let file = load::file(serve.config.as_deref(), environment)
        .map_or_else(|_| File::default(), |(file, _)| file);
    let tls_files = [&serve.cert, &serve.key, &file.server.cert, &file.server.key];
    if !serve.no_tls && tls_files.into_iter().all(Option::is_none) {
        let (cert, key) = certificate(folder)?;
        (serve.cert, serve.key) = (Some(cert), Some(key));
    }
    if file.server.listen.is_none() {
        serve.host.get_or_insert_with(|| "127.0.0.1".to_owned());
    }
    if file.admin.is_none() {
        serve.admin.get_or_insert_with(|| ADMIN.to_owned());
    }
    // Whoever tries it reads it, beside what it prints.
    serve.log_format.get_or_insert(LogFormat::Text);
    Ok(())
}

/// The real world, with a secret for Shopify.
struct DevEnvironment {
    secret: String,
    /// For address handshakes whose source names no token.
    token: String,
    /// By us: `send` finds it by itself.
    made: bool,
}

impl Environment for DevEnvironment {
    fn var(&self, name: &str) -> Option<Vec<u8>> {
        if name == SHOPIFY_KEY {
            return Some(self.secret.clone().into_bytes());
        }
        SystemEnvironment.var(name)
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        SystemEnvironment.read(path)
    }

    fn verify_token(&self) -> Option<Secret> {
        Secret::new(self.token.clone().into_bytes())
    }

    fn check_identity(&self, identity: &Identity) -> Result<(), String> {
        SystemEnvironment.check_identity(identity)
    }

    fn check_authorities(&self, pem: &[u8]) -> Result<(), String> {
        SystemEnvironment.check_authorities(pem)
    }

    fn check_revocation(&self, authorities: &[u8], pem: &[u8]) -> Result<(), String> {
        SystemEnvironment.check_revocation(authorities, pem)
    }

    fn names(&self, identity: &Identity) -> Vec<String> {
        SystemEnvironment.names(identity)
    }
}

/// SIGINT, SIGTERM or SIGHUP.
async fn interrupted(hangup: &mut Signal) -> Result<(), Failure> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}

/// Where events go.
struct DevTemporal {
    /// The server, if it is ours.
    own: Option<Child>,
    /// Where its web interface listens, if it has one.
    ui: Option<String>,
}

/// A Temporal server of our own, unless one answers already.
async fn start_temporal(
    settings: &Settings,
    binary: Option<&Path>,
    folder: &Path,
) -> Result<DevTemporal, Failure> {
    let address = &settings.address;
    let options = &settings.options;
    // Somebody runs it already.
    if options.tls_options.is_some() || options.http_connect_proxy.is_some() {
        return Ok(DevTemporal {
            own: None,
            ui: None,
        });
    }
    if is_open(address).await {
        let ui = find_ui(address).await;
        return Ok(DevTemporal { own: None, ui });
    }
    let (host, port) = address
        .rsplit_once(':')
        .and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)))
        .filter(|(host, _)| ["localhost", "127.0.0.1"].contains(host))
        .ok_or_else(|| anyhow!("nothing answers at {address}, and `dev` starts Temporal only on this machine: --endpoint localhost:PORT"))?;
    let binary = find_temporal(binary).ok_or_else(|| anyhow!(NO_TEMPORAL))?;
    let log_path = folder.join("temporal.log");
    let log = private_file(&log_path)?;
    let ui_port = free_ui_port(port).await?.to_string();
    say(format_args!(
        "Starting a Temporal dev server on {host}:{port} (log: {}) …",
        log_path.display()
    ))?;
    let mut child = Command::new(&binary)
        .args([
            "server",
            "start-dev",
            "--ip",
            "127.0.0.1",
            "--log-level",
            "error",
        ])
        .args(["--port", &port.to_string(), "--ui-port", &ui_port])
        .args(["--namespace", &settings.namespace])
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        // Ctrl-C in a terminal is for us: Temporal stops after the last request is answered.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {}", binary.display()))?;
    let deadline = Instant::now() + TEMPORAL_START_TIMEOUT;
    loop {
        if let Some(status) = child.try_wait()? {
            let log = fs::read_to_string(&log_path).unwrap_or_default();
            return Err(anyhow!("the Temporal dev server ended ({status}): {}", log.trim()).into());
        }
        match link::connect(settings).await {
            Ok(_) => {
                return Ok(DevTemporal {
                    own: Some(child),
                    ui: Some(format!("localhost:{ui_port}")),
                });
            }
            Err(error) if Instant::now() > deadline => {
                return Err(anyhow!("the Temporal dev server does not answer: {error}").into());
            }
            Err(_) => sleep(Duration::from_millis(200)).await,
        }
    }
}

/// Its usual place, a thousand ports above the endpoint, or any other if that is taken.
async fn free_ui_port(port: u16) -> std::io::Result<u16> {
    let usual = TcpListener::bind(("127.0.0.1", port.saturating_add(UI_ABOVE))).await;
    let free = match usual {
        Ok(free) => free,
        Err(_) => TcpListener::bind(("127.0.0.1", 0)).await?,
    };
    Ok(free.local_addr()?.port())
}

/// Where somebody else's dev server has its web interface, if it has one.
async fn find_ui(address: &str) -> Option<String> {
    let (host, port) = address.rsplit_once(':')?;
    let port = port.parse::<u16>().ok()?.checked_add(UI_ABOVE)?;
    let ui = format!("{host}:{port}");
    is_open(&ui).await.then_some(ui)
}

async fn is_open(address: &str) -> bool {
    let connected = timeout(Duration::from_secs(2), TcpStream::connect(address)).await;
    connected.is_ok_and(|connected| connected.is_ok())
}

/// `--temporal-bin` or `$TEMPORAL_BIN`, then `PATH`, then the Go bin folder.
fn find_temporal(chosen: Option<&Path>) -> Option<PathBuf> {
    if let Some(path) = chosen {
        return Some(path.to_owned());
    }
    let go = std::env::var_os("GOBIN")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("GOPATH")?).join("bin")))
        .or_else(|| Some(dirs::home_dir()?.join("go/bin")));
    on_path("temporal").or_else(|| {
        go.map(|folder| folder.join("temporal"))
            .filter(|path| path.is_file())
    })
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut files = std::env::split_paths(&path).map(|folder| folder.join(program));
    files.find(|path| path.is_file())
}

/// Certificate and key for `localhost`, made once, so that a client may trust them for good.
fn certificate(folder: &Path) -> Result<(PathBuf, PathBuf), Failure> {
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    if !(cert.is_file() && key.is_file()) {
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let made = rcgen::generate_simple_self_signed(names)?;
        write_private(&key, &made.signing_key.serialize_pem())?;
        write_private(&cert, &made.cert.pem())?;
    }
    Ok((cert, key))
}

/// The text in the file, made and written if there is none.
fn read_or_create(path: &Path, make: impl FnOnce() -> String) -> Result<String, Failure> {
    if let Ok(text) = fs::read_to_string(path)
        && !text.is_empty()
    {
        return Ok(text);
    }
    let text = make();
    write_private(path, &text)?;
    Ok(text)
}

fn random_secret() -> String {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system gives random numbers");
    hex::encode(bytes)
}

fn write_private(path: &Path, text: &str) -> Result<(), anyhow::Error> {
    let written = private_file(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| path.display().to_string())
}

fn private_file(path: &Path) -> std::io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let file = options.open(path)?;
    // The mode is for a new one only.
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

/// Takes the rights of everybody else from the folder and from what is in it, whoever gave them.
fn restrict_permissions(folder: &Path) -> Result<(), anyhow::Error> {
    let own = |path: &Path, mode: u32| {
        let rights = fs::metadata(path)?.permissions().mode();
        if rights & 0o077 != 0 {
            fs::set_permissions(path, Permissions::from_mode(mode))?;
        }
        Ok::<_, std::io::Error>(())
    };
    let name = |path: &Path| format!("cannot keep {} from others", path.display());
    own(folder, 0o700).with_context(|| name(folder))?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() {
            own(&path, 0o600).with_context(|| name(&path))?;
        }
    }
    Ok(())
}

fn create_folder() -> Result<PathBuf, Failure> {
    let folder = data_folder().ok_or_else(|| {
        anyhow!("no home folder to keep a certificate in: set HOME or XDG_DATA_HOME")
    })?;
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder
        .create(&folder)
        .with_context(|| folder.display().to_string())?;
    restrict_permissions(&folder)?;
    Ok(folder)
}

const TOKEN: &str = "verify-token";
const ADMIN: &str = "127.0.0.1:9000";
/// A dev server's web interface listens so many ports above its endpoint.
const UI_ABOVE: u16 = 1000;
const TEMPORAL_START_TIMEOUT: Duration = Duration::from_secs(30);
const NO_TEMPORAL: &str = "\
no Temporal answers, and there is no `temporal` program to start one with. Get it from
https://docs.temporal.io/cli, or with Go: go install github.com/temporalio/cli/cmd/temporal@v1.5.1
then put it on PATH, or name it with --temporal-bin or TEMPORAL_BIN";

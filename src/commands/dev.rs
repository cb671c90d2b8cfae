//! `dev`: everything on one machine for a first try: a Temporal dev server, a self-signed
//! certificate, a secret, and what to type next.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, anyhow};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::load::World;
use super::serve::{self, Ready};
use super::{Failure, block_on, send, sign};
use crate::cli::{DevArgs, NAME};
use crate::core::config::secret::Secret;
use crate::core::config::source::SHOPIFY_KEY;
use crate::core::config::{Identity, Outside};
use crate::core::delivery::{About, Delivery};
use crate::core::provider::catalogue;
use crate::core::provider::scheme::Scheme;
use crate::temporal::client::Client;
use crate::temporal::connect::Settings;

/// Serves until SIGTERM or SIGINT; then the Temporal server it started stops, too.
///
/// # Errors
/// See [`Failure`].
pub fn run(args: DevArgs) -> Result<(), Failure> {
    let folder = folder()?;
    let outside = Arc::new(DevWorld {
        secret: std::env::var(SHOPIFY_KEY)
            .ok()
            .map_or_else(|| made_once(&folder.join(SECRET), random_secret), Ok)?,
    });
    let mut serve = args.serve;
    if !serve.no_tls && serve.cert.is_none() && serve.key.is_none() {
        let (cert, key) = certificate(&folder)?;
        (serve.cert, serve.key) = (Some(cert), Some(key));
    }
    serve.host.get_or_insert_with(|| "127.0.0.1".to_owned());
    serve.admin.get_or_insert_with(|| ADMIN.to_owned());
    block_on(async {
        // Mistakes first: nothing is started for a configuration that cannot serve.
        let ready = serve::prepare(&serve, &*outside).await?;
        let temporal = temporal(ready.temporal(), args.temporal_bin.as_deref(), &folder).await?;
        println!("{}", instructions(&ready, &outside.secret).await?);
        let result = serve::until_signal(ready, &serve, outside).await;
        if let Some(mut temporal) = temporal {
            temporal.kill().await?;
        }
        result
    })
}

/// The secret that `dev` made, if it has.
pub fn secret() -> Option<String> {
    fs::read_to_string(data_folder()?.join(SECRET)).ok()
}

/// The real world, with a secret for Shopify.
struct DevWorld {
    secret: String,
}

impl Outside for DevWorld {
    fn env(&self, name: &str) -> Option<Vec<u8>> {
        if name == SHOPIFY_KEY {
            return Some(self.secret.clone().into_bytes());
        }
        World.env(name)
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        World.read(path)
    }

    fn check_identity(&self, identity: &Identity) -> Result<(), String> {
        World.check_identity(identity)
    }
}

/// A Temporal server of our own, unless one answers already.
async fn temporal(
    settings: &Settings,
    binary: Option<&Path>,
    folder: &Path,
) -> Result<Option<Child>, Failure> {
    let address = &settings.address;
    if is_open(address).await {
        return Ok(None);
    }
    let (host, port) = address
        .rsplit_once(':')
        .and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)))
        .filter(|(host, _)| ["localhost", "127.0.0.1"].contains(host))
        .ok_or_else(|| anyhow!("nothing answers at {address}, and `dev` starts Temporal only on this machine: --endpoint localhost:PORT"))?;
    let binary = find_temporal(binary).ok_or_else(|| anyhow!(NO_TEMPORAL))?;
    let log_path = folder.join("temporal.log");
    let log = fs::File::create(&log_path)?;
    println!(
        "Starting a Temporal dev server on {host}:{port} (log: {}) …",
        log_path.display()
    );
    let mut child = Command::new(&binary)
        .args([
            "server",
            "start-dev",
            "--ip",
            "127.0.0.1",
            "--log-level",
            "error",
        ])
        .args([
            "--port",
            &port.to_string(),
            "--namespace",
            &settings.namespace,
        ])
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        // Ctrl-C in a terminal is for us: Temporal stops after the last request is answered.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {}", binary.display()))?;
    let client = Client::new(settings.clone());
    let patience = Instant::now() + TEMPORAL_PATIENCE;
    loop {
        if let Some(status) = child.try_wait()? {
            let log = fs::read_to_string(&log_path).unwrap_or_default();
            return Err(anyhow!("the Temporal dev server ended ({status}): {}", log.trim()).into());
        }
        match client.connect_once().await {
            Ok(_) => return Ok(Some(child)),
            Err(error) if Instant::now() > patience => {
                return Err(anyhow!("the Temporal dev server does not answer: {error}").into());
            }
            Err(_) => sleep(Duration::from_millis(200)).await,
        }
    }
}

async fn is_open(address: &str) -> bool {
    let connected = timeout(Duration::from_secs(2), TcpStream::connect(address)).await;
    connected.is_ok_and(|connected| connected.is_ok())
}

/// `--temporal-bin` or `$TEMPORAL_BIN`, then `PATH`, then the Go bin folder.
fn find_temporal(given: Option<&Path>) -> Option<PathBuf> {
    if let Some(path) = given {
        return Some(path.to_owned());
    }
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let go = std::env::var_os("GOBIN")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("GOPATH")?).join("bin")))
        .or_else(|| Some(dirs::home_dir()?.join("go/bin")));
    std::env::split_paths(&on_path)
        .chain(go)
        .map(|folder| folder.join("temporal"))
        .find(|path| path.is_file())
}

async fn instructions(ready: &Ready, secret: &str) -> Result<String, Failure> {
    let address = ready.address()?;
    let scheme = if ready.has_tls() { "https" } else { "http" };
    let url = format!("{scheme}://localhost:{}/temporal/shopify", address.port());
    let insecure = if ready.has_tls() { " --insecure" } else { "" };
    let shopify = catalogue::find("shopify").expect("shopify is in the catalogue");
    let about = About {
        id: "first-try",
        topic: None,
        tenant: None,
        body: None,
        now: SystemTime::now(),
        url: &url,
        params: &[],
    };
    let signing =
        Secret::new(secret.as_bytes().to_vec()).ok_or_else(|| anyhow!("the secret is empty"))?;
    let sign = |scheme: &Scheme, signed: &[u8]| sign::sign(scheme, &signing, signed);
    let delivery = Delivery::signed(shopify, &about, &sign).map_err(|problem| anyhow!(problem))?;
    let curl = send::curl(&url, ready.has_tls(), &delivery);
    let ui = temporal_ui(&ready.temporal().address).await;
    Ok(format!(
        "\nWebhooks:  {url}\n{ui}Secret:    {secret}\n\
         \nSend a signed Shopify webhook:\n\n{NAME} send shopify --url {url}{insecure}\n\
         \nThe same with curl (sent twice, the second is a duplicate):\n\n{curl}\n\
         \nCtrl-C stops everything.\n"
    ))
}

/// A dev server's web UI listens a thousand ports above its endpoint, if it has one.
async fn temporal_ui(address: &str) -> String {
    let parts = address.rsplit_once(':');
    let ui = parts.and_then(|(host, port)| {
        Some(format!(
            "{host}:{}",
            port.parse::<u16>().ok()?.checked_add(1000)?
        ))
    });
    match ui {
        Some(ui) if is_open(&ui).await => format!("Temporal:  http://{ui}\n"),
        _ => String::new(),
    }
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
fn made_once(path: &Path, make: impl FnOnce() -> String) -> Result<String, Failure> {
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
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let written = options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| path.display().to_string())
}

fn folder() -> Result<PathBuf, Failure> {
    let folder = data_folder().ok_or_else(|| {
        anyhow!("no home folder to keep a certificate in: set HOME or XDG_DATA_HOME")
    })?;
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder
        .create(&folder)
        .with_context(|| folder.display().to_string())?;
    Ok(folder)
}

fn data_folder() -> Option<PathBuf> {
    Some(dirs::data_local_dir()?.join(NAME).join("dev"))
}

const SECRET: &str = "shopify-secret";
const ADMIN: &str = "127.0.0.1:9000";
const TEMPORAL_PATIENCE: Duration = Duration::from_secs(30);
const NO_TEMPORAL: &str = "\
no Temporal answers, and there is no `temporal` program to start one with. Get it from
https://docs.temporal.io/cli, or with Go: go install github.com/temporalio/cli/cmd/temporal@v1.5.1
then put it on PATH, or name it with --temporal-bin or TEMPORAL_BIN";

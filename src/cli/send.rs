//! The flags of `send`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

/// Flags of `send`.
#[derive(Debug, Clone, Args)]
pub struct SendArgs {
    /// Whose webhook to send: a name from `providers`; with --config that of a source's provider
    #[arg(required_unless_present_any = ["config", "source"])]
    pub provider: Option<String>,
    /// Configuration file (TOML) of the forwarder: secret, tenant, URL, public URL, parameters and senders of your own come from there [default: none; with --source $TWF_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Which source of the file, by name, path or its last part [default: the only one, or the only one of PROVIDER]
    #[arg(long, value_name = "NAME|PATH")]
    pub source: Option<String>,
    /// Where to [default: where the file says, with TWF_HOST, TWF_PORT and TWF_NO_TLS as `serve` reads them; without a file https://localhost:5000/temporal/PROVIDER]
    #[arg(long)]
    pub url: Option<String>,
    /// The secret to sign with, `env:NAME`, `file:PATH` or itself; a private key (PKCS#8 PEM) if the provider has one [default: $PROVIDER_WEBHOOKS_KEY, for shopify else that of `dev`]
    #[arg(long)]
    pub secret: Option<String>,
    /// The URL to sign, for senders that do, if it is not --url
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// A parameter that the provider signs, as in the source's `params`
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parameter)]
    pub params: Vec<(String, String)>,
    /// Another of the provider's samples, such as `command` for slack: `providers show PROVIDER` has them
    #[arg(long, value_name = "NAME", conflicts_with = "data")]
    pub sample: Option<String>,
    /// File with the body to send instead of the sample; `-`: standard input
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// The event's topic [default: the sample's]
    #[arg(long)]
    pub topic: Option<String>,
    /// The event's tenant: for shopify the shop's domain [default: the sample's]
    #[arg(long)]
    pub tenant: Option<String>,
    /// The event's id: every request is the same event then [default: another one for each]
    #[arg(long)]
    pub id: Option<String>,
    /// Another header, or another value for one that is not signed
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    pub headers: Vec<(String, String)>,
    /// How many events to send
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub count: u32,
    /// How many at a time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub concurrency: u32,
    /// Repeat on 503, 429 and refused connections, as a sender would: so many times (`5`) or for so long (`2m`). Waits as long as Retry-After says [default: not at all]
    #[arg(long, value_name = "N|DURATION", value_parser = repeat)]
    pub repeat: Option<Repeat>,
    /// Accept any certificate, such as the self-signed one of `dev`
    #[arg(long)]
    pub insecure: bool,
    /// Print the request instead of sending it
    #[arg(long, value_name = "FORM")]
    pub print: Option<PrintForm>,
}

fn header(text: &str) -> Result<(String, String), String> {
    let expected = "expected one such as 'X-Shopify-Test: true'";
    let (name, value) = text.split_once(':').ok_or(expected)?;
    let name = http::HeaderName::try_from(name.trim()).map_err(|_| expected)?;
    let value = http::HeaderValue::try_from(value.trim()).map_err(|_| expected)?;
    let text = value.to_str().map_err(|_| expected)?;
    Ok((name.as_str().to_owned(), text.to_owned()))
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((pair.0.to_owned(), pair.1.to_owned()))
}

/// How often a request is made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// So many times, the first not counted.
    Times(u32),
    /// Until so much time is over.
    For(Duration),
}

fn repeat(text: &str) -> Result<Repeat, String> {
    let times = text.parse().map(Repeat::Times);
    times
        .or_else(|_| humantime::parse_duration(text).map(Repeat::For))
        .map_err(|_| "expected how often, such as 5, or for how long, such as 2m".to_owned())
}

/// How `send --print` writes a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PrintForm {
    /// A command line for curl
    Curl,
    /// HTTP/1.1, for `check --event`
    Http,
}

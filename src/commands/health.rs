//! `health`: asks a running forwarder, by the settings that it runs with.

use std::time::Duration;

use anyhow::anyhow;
use reqwest::{Client, Url};
use serde_json::Value;

use super::{Failure, block_on, say};
use crate::cli::ServeArgs;
use crate::cli::health::HealthArgs;
use crate::config::{Mistake, listen};
use crate::forward::pages::{LIVE, READY};
use crate::load::{self, SystemEnvironment};

/// Asks, and says in one line what came of it.
///
/// # Errors
/// Nobody answers, or another status than 200.
pub fn run(args: &HealthArgs) -> Result<(), Failure> {
    let page = if args.live { LIVE } else { READY };
    let (url, own) = match &args.url {
        Some(url) => of_flag(url, page)?,
        None => (of_settings(&args.serve, page)?, true),
    };
    block_on(async {
        let client = client(own, args.insecure)?;
        let answer = client.get(url.clone()).send().await;
        let answer = answer.map_err(|error| anyhow!("{url} does not answer: {}", cause(&error)))?;
        let status = answer.status();
        let body = answer.bytes().await.unwrap_or_default();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        match body["status"].as_str() {
            Some(said) if status.is_success() => Ok(say(format!("{said}: {url}"))?),
            said => {
                let said = said.unwrap_or("no forwarder");
                let why = body["reason"].as_str().map(|why| format!(": {why}"));
                let why = why.unwrap_or_default();
                Err(anyhow!("{said}{why} ({url} answers {})", status.as_u16()).into())
            }
        }
    })
}

/// Where the forwarder with these settings listens. What else is wrong in its file is not asked here: it runs
/// on with the one that it read before, and would not if its container were taken for ill.
fn of_settings(serve: &ServeArgs, page: &str) -> Result<Url, Failure> {
    let file = load::file(serve.config.as_deref(), &SystemEnvironment);
    let file = match file {
        Ok((file, _)) if !file.is_broken => file.server.listen,
        Ok((_, mistakes)) => not_read(&mistakes),
        Err(mistake) => not_read(&[mistake]),
    };
    let listen = listen::public(serve, file.as_deref())?;
    let host = listen.from_here().ok_or_else(|| {
        let problem = "the port is any free one: --url says where it listens";
        Failure::Usage(problem.to_owned())
    })?;
    let scheme = if serve.no_tls { "http" } else { "https" };
    let url = Url::parse(&format!("{scheme}://{host}{page}"));
    Ok(url.map_err(|error| anyhow!("cannot ask {host}: {error}"))?)
}

fn not_read(mistakes: &[Mistake]) -> Option<String> {
    for mistake in mistakes {
        eprintln!("warning: {mistake}: asking where flags and variables say");
    }
    None
}

/// What was typed, and whether it is on this machine.
fn of_flag(text: &str, page: &str) -> Result<(Url, bool), Failure> {
    let url = Url::parse(text).ok();
    let url = url.filter(|url| ["http", "https"].contains(&url.scheme()));
    let mut url = url.ok_or_else(|| {
        Failure::Usage(format!(
            "--url {text:?}: expected a URL such as https://HOST:PORT"
        ))
    })?;
    if url.path() == "/" {
        url.set_path(page);
    }
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    let own = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    Ok((url, own))
}

/// To this machine past every proxy: the certificate is for another name there.
fn client(own: bool, insecure: bool) -> Result<Client, reqwest::Error> {
    let client = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .tls_danger_accept_invalid_certs(own || insecure)
        .timeout(TIMEOUT);
    let client = if own { client.no_proxy() } else { client };
    client.build()
}

/// The innermost reason: those around it only repeat the URL.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("nothing came within {} s", TIMEOUT.as_secs());
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

const TIMEOUT: Duration = Duration::from_secs(5);

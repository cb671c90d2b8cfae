//! What `dev` prints: where it listens, and how to send a first webhook to each source.

use std::path::Path;
use std::time::SystemTime;

use anyhow::anyhow;
use webhook_core::delivery::{Delivery, DeliveryOptions};
use webhook_core::provider::scheme::Scheme;
use webhook_core::secret::Secret;
use webhook_core::source::{Source, Verification};

use super::{DevEnvironment, on_path};
use crate::cli::{NAME, ServeArgs};
use crate::commands::send::target::{absolute, can_sign};
use crate::commands::serve::Ready;
use crate::commands::{Failure, send, sign};
use crate::config::provider::catalogue;
use crate::config::source::SHOPIFY_KEY;
use crate::temporal::connect::{DEFAULT_ADDRESS, DEFAULT_NAMESPACE};

/// How to call this program: by its name if a shell finds it, else by its path.
fn program() -> String {
    let this = std::env::current_exe().and_then(|path| path.canonicalize());
    let found = on_path(NAME).and_then(|path| path.canonicalize().ok());
    match this {
        Ok(this) if found.as_ref() != Some(&this) => send::quote(&this.to_string_lossy()),
        _ => NAME.to_owned(),
    }
}

/// What to type next.
pub(super) fn instructions(
    ready: &Ready,
    environment: &DevEnvironment,
    ui: Option<&str>,
    serve: &ServeArgs,
) -> Result<String, Failure> {
    let scheme = if ready.has_tls() { "https" } else { "http" };
    let origin = format!("{scheme}://localhost:{}", ready.address()?.port());
    let mut text = "\n".to_owned();
    for source in ready.sources() {
        text.push_str(&format!("Webhooks:  {origin}{}\n", source.path));
        if let Verification::AddressHandshake { token, .. } = &source.verification
            && token.equals(environment.token.as_bytes())
        {
            let (path, token) = (&source.path, &environment.token);
            text.push_str(&format!("Handshake: {origin}{path}?verify_token={token}\n"));
        }
    }
    if let Some((address, token)) = ready.admin() {
        let how = if token { " (asks for the token)" } else { "" };
        text.push_str(&format!("Page:      http://{address}/{how}\n"));
    }
    if let Some(ui) = ui {
        text.push_str(&format!("Temporal:  http://{ui}\n"));
    }
    let shopify = ready.sources().iter().find(|source| has_own_secret(source));
    if let Some(source) = shopify {
        text.push_str(&try_shopify(
            &format!("{origin}{}", source.path),
            ready,
            environment,
        )?);
    }
    let is_another = |source: &&Source| shopify.is_none_or(|shopify| shopify.path != source.path);
    for source in ready.sources().iter().filter(is_another) {
        let from_flag = serve.generic_unverified && source.path == GENERIC;
        let config = serve.config.as_deref().filter(|_| !from_flag);
        text.push_str(&try_other(source, &origin, ready.has_tls(), config));
    }
    let events = events_command(ready, serve);
    text.push_str(&format!("\nSee what came of them:\n\n{events}\n"));
    text.push_str("\nCtrl-C stops everything.\n");
    Ok(text)
}

/// How to list what was received, from another terminal.
fn events_command(ready: &Ready, serve: &ServeArgs) -> String {
    let temporal = ready.temporal();
    let config =
        (serve.config.as_deref()).map(|path| absolute(path).to_string_lossy().into_owned());
    let given = |value: &str, default: &str| (value != default).then(|| value.to_owned());
    let flags = [
        ("config", config),
        ("endpoint", given(&temporal.address, DEFAULT_ADDRESS)),
        ("namespace", given(&temporal.namespace, DEFAULT_NAMESPACE)),
    ];
    let flags = flags.into_iter().filter_map(|(flag, value)| {
        let value = send::quote(&value?);
        Some(format!(" --{flag} {value}"))
    });
    format!("{} events{}", program(), flags.collect::<String>())
}

/// Whether it is Shopify's and takes what is signed with the secret that `dev` has, whoever sends.
fn has_own_secret(source: &Source) -> bool {
    let own = format!("env:{SHOPIFY_KEY}");
    let Verification::Signature { secrets, .. } = &source.verification else {
        return false;
    };
    let mut for_all = secrets.iter().filter(|named| named.tenant.is_none());
    source.provider.name == "shopify"
        && source.verify_context.public_url.is_none()
        && for_all.any(|named| named.name == own)
}

/// How to send a first webhook to a source of another sender, if `send` is able to.
fn try_other(source: &Source, origin: &str, has_tls: bool, config: Option<&Path>) -> String {
    let name = &source.provider.name;
    let is_able = match &source.verification {
        Verification::Signature { secrets, .. } => secrets
            .iter()
            .any(|named| can_sign(&source.provider, &named.secret)),
        Verification::DangerUnverified => true,
        Verification::AddressHandshake { .. } | Verification::ClientCertificate => false,
    };
    if !is_able {
        return String::new();
    }
    let mut line = format!("{} send", program());
    if catalogue::find(name).is_some() {
        line.push_str(&format!(" {name}"));
    }
    // Secret, tenant, parameters, a provider of one's own: all that stands there.
    if let Some(config) = config {
        line.push_str(&format!(
            " --config {} --source {}",
            send::quote(&absolute(config).to_string_lossy()),
            send::quote(&source.path)
        ));
    }
    line.push_str(&format!(" --url {origin}{}", source.path));
    if has_tls {
        line.push_str(" --insecure");
    }
    format!("\nSend one of {}:\n\n{line}\n", source.provider.title)
}

/// How to send a first webhook, with our own program and with curl.
fn try_shopify(url: &str, ready: &Ready, environment: &DevEnvironment) -> Result<String, Failure> {
    let secret = &environment.secret;
    let shopify = catalogue::find("shopify").expect("shopify is in the catalogue");
    let options = DeliveryOptions {
        id: "first-try",
        topic: None,
        tenant: None,
        body: None,
        now: SystemTime::now(),
        url,
        params: &[],
    };
    let signing =
        Secret::new(secret.as_bytes().to_vec()).ok_or_else(|| anyhow!("the secret is empty"))?;
    let sign = |scheme: &Scheme, signed: &[u8]| sign::sign(scheme, &signing, signed);
    let delivery =
        Delivery::signed(shopify, &options, &sign).map_err(|problem| anyhow!(problem))?;
    let curl = send::curl_command(url, ready.has_tls(), &delivery);
    let insecure = if ready.has_tls() { " --insecure" } else { "" };
    // A secret of the operator's is not for the screen.
    let (shown, flag) = if environment.made {
        (secret.clone(), String::new())
    } else {
        (
            format!("${SHOPIFY_KEY}"),
            format!(" --secret env:{SHOPIFY_KEY}"),
        )
    };
    let program = program();
    Ok(format!(
        "Secret:    {shown}\n\
         \nSend a signed Shopify webhook:\n\n{program} send shopify --url {url}{insecure}{flag}\n\
         \nThe same with curl (sent twice, the second is a duplicate):\n\n{curl}\n"
    ))
}

/// The path of `--generic-unverified`.
const GENERIC: &str = "/temporal/generic";

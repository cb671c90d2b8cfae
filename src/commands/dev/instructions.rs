//! What `dev` prints: where it listens, and how to send a first webhook to each source.

use std::time::SystemTime;

use anyhow::anyhow;

use super::{DevWorld, on_path};
use crate::cli::NAME;
use crate::commands::serve::Ready;
use crate::commands::{Failure, send, sign};
use crate::core::config::secret::Secret;
use crate::core::config::source::{SHOPIFY_KEY, Source, Verification};
use crate::core::delivery::{About, Delivery};
use crate::core::provider::catalogue;
use crate::core::provider::scheme::Scheme;

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
    outside: &DevWorld,
    ui: Option<&str>,
) -> Result<String, Failure> {
    let scheme = if ready.has_tls() { "https" } else { "http" };
    let origin = format!("{scheme}://localhost:{}", ready.address()?.port());
    let mut text = "\n".to_owned();
    for source in ready.sources() {
        text.push_str(&format!("Webhooks:  {origin}{}\n", source.path));
        if let Verification::AddressHandshake { token, .. } = &source.verification
            && token.equals(outside.token.as_bytes())
        {
            let (path, token) = (&source.path, &outside.token);
            text.push_str(&format!("Handshake: {origin}{path}?verify_token={token}\n"));
        }
    }
    if let Some(ui) = ui {
        text.push_str(&format!("Temporal:  http://{ui}\n"));
    }
    let shopify = ready.sources().iter().find(|source| {
        source.provider.name == "shopify" && source.circumstances.public_url.is_none()
    });
    if let Some(source) = shopify {
        text.push_str(&try_shopify(
            &format!("{origin}{}", source.path),
            ready,
            outside,
        )?);
    }
    for source in ready.sources() {
        text.push_str(&try_other(source, &origin, ready.has_tls()));
    }
    text.push_str("\nCtrl-C stops everything.\n");
    Ok(text)
}

/// How to send a first webhook to a source of another sender, if `send` is able to.
fn try_other(source: &Source, origin: &str, has_tls: bool) -> String {
    let name = &source.provider.name;
    let secret = match &source.verification {
        Verification::Signature { secrets, .. } => secrets
            .iter()
            .map(|named| named.name.as_str())
            .find(|name| name.starts_with("env:") || name.starts_with("file:")),
        Verification::DangerUnverified => Some(""),
        Verification::AddressHandshake { .. } => None,
    };
    let shared = source
        .provider
        .schemes
        .iter()
        .all(|s| !s.secret.is_public());
    let Some(secret) = secret.filter(|_| shared && name != "shopify") else {
        return String::new();
    };
    if catalogue::find(name).is_none() {
        return String::new();
    }
    let insecure = if has_tls { " --insecure" } else { "" };
    let flag = if secret.is_empty() {
        String::new()
    } else {
        format!(" --secret {}", send::quote(secret))
    };
    let program = program();
    let url = format!("{origin}{}", source.path);
    format!(
        "\nSend one of {}:\n\n{program} send {name} --url {url}{insecure}{flag}\n",
        source.provider.title
    )
}

/// How to send a first webhook, with our own program and with curl.
fn try_shopify(url: &str, ready: &Ready, outside: &DevWorld) -> Result<String, Failure> {
    let secret = &outside.secret;
    let shopify = catalogue::find("shopify").expect("shopify is in the catalogue");
    let about = About {
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
    let delivery = Delivery::signed(shopify, &about, &sign).map_err(|problem| anyhow!(problem))?;
    let curl = send::curl(url, ready.has_tls(), &delivery);
    let insecure = if ready.has_tls() { " --insecure" } else { "" };
    // A secret of the operator's is not for the screen.
    let (shown, flag) = if outside.made {
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

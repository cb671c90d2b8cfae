//! `[temporal]` as the person wrote it. What it leaves out, Temporal's own variables and
//! temporal.toml say.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use serde::Deserialize;

use super::super::reader::{Placed, Places, Reader, Section};
use crate::config::secret::SecretRef;

/// `[temporal]`
#[derive(Debug, Default)]
pub struct Temporal {
    /// Where its keys are, for mistakes.
    pub places: Places,
    /// `host:port` or a URL.
    pub address: Option<String>,
    /// The namespace.
    pub namespace: Option<String>,
    /// Which profile of temporal.toml.
    pub profile: Option<String>,
    /// Which temporal.toml.
    pub config_file: Option<PathBuf>,
    /// Goes along with every call.
    pub api_key: Option<SecretRef>,
    /// `http://USER:PASSWORD@HOST:PORT` of an HTTP CONNECT proxy.
    pub proxy: Option<SecretRef>,
    /// Whether calls are compressed.
    pub compression: Option<bool>,
    /// How many connections calls are spread over.
    pub connections: Option<usize>,
    /// Whether events are started with search attributes of our own.
    pub index: Option<bool>,
    /// Where people look at workflows: `http://…` or `https://…`.
    pub ui: Option<String>,
    /// `[temporal.tls]`
    pub tls: Option<Tls>,
    /// `[temporal.grpc_meta]`: goes along with every call.
    pub grpc_meta: Vec<(String, Placed)>,
}

/// `[temporal.tls]`
#[derive(Debug, Default)]
pub struct Tls {
    /// Where its keys are, for mistakes.
    pub places: Places,
    /// Whom to trust instead of the system's authorities, PEM.
    pub ca: Option<PathBuf>,
    /// The client certificate's chain, PEM.
    pub cert: Option<PathBuf>,
    /// Its private key, PEM.
    pub key: Option<PathBuf>,
    /// The name that the server's certificate has to have.
    pub server_name: Option<String>,
    /// Whether there is to be no TLS.
    pub disabled: Option<bool>,
}

/// A number of connections.
#[derive(Debug, Deserialize)]
#[serde(try_from = "i64")]
struct Connections(usize);

impl TryFrom<i64> for Connections {
    type Error = &'static str;

    fn try_from(number: i64) -> Result<Self, &'static str> {
        let number = usize::try_from(number).ok();
        let fits = number.filter(|number| CONNECTIONS.contains(number));
        fits.map(Self).ok_or("expected 1 to 16")
    }
}

/// The address of a web interface.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Ui(String);

impl TryFrom<String> for Ui {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let host = ["http://", "https://"]
            .into_iter()
            .find_map(|scheme| text.strip_prefix(scheme));
        let is_url = host.is_some_and(|host| {
            let is_plain = |c: char| c.is_ascii_graphic() && !"\"'<>?#@".contains(c);
            host.starts_with(|c: char| c != '/') && host.chars().all(is_plain)
        });
        if is_url {
            return Ok(Self(text));
        }
        Err("expected an address such as \"http://localhost:8233\"")
    }
}

impl Temporal {
    pub(super) fn read<'t>(r: &mut Reader<'t>, root: &mut Section<'t>) -> Self {
        let Some(mut section) = root.table(r, "temporal") else {
            return Self::default();
        };
        let mut temporal = Self {
            places: r.places(&section),
            address: section.take(r, "address"),
            namespace: section.take(r, "namespace"),
            profile: section.take(r, "profile"),
            config_file: section.take(r, "config_file"),
            api_key: section.take_secret(r, "api_key"),
            proxy: section.take_secret(r, "proxy"),
            compression: section.take(r, "compression"),
            connections: section.take(r, "connections").map(|Connections(n)| n),
            index: section.take(r, "index"),
            ui: section.take(r, "ui").map(|Ui(url)| url),
            ..Self::default()
        };
        if let Some(tls) = section.table(r, "tls") {
            temporal.tls = Some(Tls::read(r, tls));
        }
        if let Some(meta) = section.table(r, "grpc_meta") {
            temporal.grpc_meta = read_meta(r, meta);
        }
        section.finish(r);
        temporal
    }
}

impl Tls {
    fn read<'t>(r: &mut Reader<'t>, mut section: Section<'t>) -> Self {
        let tls = Self {
            places: r.places(&section),
            ca: section.take(r, "ca"),
            cert: section.take(r, "cert"),
            key: section.take(r, "key"),
            server_name: section.take(r, "server_name"),
            disabled: section.take(r, "disabled"),
        };
        section.finish(r);
        tls
    }
}

/// One text for each name. Names are those of temporal.toml: either case, `_` for `-`.
fn read_meta<'t>(r: &mut Reader<'t>, section: Section<'t>) -> Vec<(String, Placed)> {
    let places = r.places(&section);
    let at = section.start();
    let mut read = Vec::new();
    for (name, mut values) in section.take_secrets_by_key(r) {
        match (values.pop(), values.is_empty()) {
            (Some((_, value)), true) => {
                let place = places.of(&name);
                read.push((name.to_lowercase().replace('_', "-"), (place, value)));
            }
            (Some(_), false) => {
                let full = format!("temporal.grpc_meta.{name}");
                r.mistake(at, &full, "expected one text, found a list");
            }
            (None, _) => {}
        }
    }
    read
}

const CONNECTIONS: RangeInclusive<usize> = 1..=16;

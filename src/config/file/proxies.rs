//! `trusted_proxies` of `[server]`, and how they say whom they speak for.

use http::HeaderName;
use ipnet::IpNet;
use serde::Deserialize;
use webhook_core::client::Proxies;
use webhook_core::event::is_own;

use super::source::Network;
use crate::config::reader::{Reader, Section};

/// The three keys; `None`: nobody is believed.
pub(super) fn read<'t>(r: &mut Reader<'t>, s: &mut Section<'t>) -> Option<Proxies> {
    let trusted: Option<Vec<Trusted>> = s.take_list(r, "trusted_proxies");
    let at = ["client_header", "proxy_protocol"].map(|key| (s.at(key), s.full(key)));
    let header = s.take(r, "client_header").map(|Header(name)| name);
    let protocol = s.take(r, "proxy_protocol").unwrap_or_default();
    let Some(trusted) = trusted else {
        for ((at, key), _) in at
            .iter()
            .zip([header.is_some(), protocol])
            .filter(|it| it.1)
        {
            r.mistake(*at, key, ALONE);
        }
        return None;
    };
    Some(Proxies {
        trusted: trusted
            .into_iter()
            .map(|Trusted(network)| network)
            .collect(),
        // Who speaks the protocol may still have a proxy before it that writes a header: if it is named.
        header: header.or_else(|| (!protocol).then_some(X_FORWARDED_FOR)),
        protocol,
    })
}

/// A network that is not everybody's.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Network")]
struct Trusted(IpNet);

impl TryFrom<Network> for Trusted {
    type Error = String;

    fn try_from(Network(network): Network) -> Result<Self, String> {
        match network.prefix_len() {
            0 => Err(format!(
                "\"{network}\" is everybody, and whoever connects could say who they are: expected the networks of your proxies, such as \"10.0.0.0/8\""
            )),
            _ => Ok(Self(network.trunc())),
        }
    }
}

/// A header in which a proxy may say whom it speaks for.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Header(HeaderName);

impl TryFrom<String> for Header {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let name = HeaderName::try_from(&text).ok();
        name.filter(|name| !is_own(name.as_str()))
            .map(Self)
            .ok_or_else(|| {
                format!("{text:?}: expected a header's name, such as \"X-Forwarded-For\", \"Forwarded\" or \"CF-Connecting-IP\"")
            })
    }
}

const ALONE: &str = "nobody is believed without trusted_proxies: expected trusted_proxies = [\"10.0.0.0/8\"], the networks of your proxies, beside it";
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

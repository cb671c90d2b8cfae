//! What goes along with every call, and the proxy: checked while loading, since the client leaves
//! out an API key that no header can hold without a word.

use percent_encoding::percent_decode_str;
use temporalio_client::envconfig::ClientConfigProfile;
use temporalio_client::{HttpConnectProxyOptions, Url};
use tonic::metadata::{Ascii, MetadataKey, MetadataValue};

use super::{Loader, META_VARIABLE};
use crate::config::resolve;

pub(super) fn check_api_key(loader: &mut Loader<'_>, profile: &ClientConfigProfile) {
    if let Some(key) = &profile.api_key
        && !is_header_value(key)
    {
        let place = loader.place(&["TEMPORAL_API_KEY"], "api_key");
        loader.wrong(place, NO_HEADER_VALUE);
    }
}

pub(super) fn check_metadata(loader: &mut Loader<'_>, profile: &ClientConfigProfile) {
    let mut headers: Vec<_> = profile.grpc_meta.iter().collect();
    headers.sort();
    for (name, value) in headers {
        let key: Result<MetadataKey<Ascii>, _> = name.parse();
        let problem = match key {
            Ok(_) if is_header_value(value) => continue,
            Ok(_) => NO_HEADER_VALUE,
            Err(_) => {
                "no name of a header: expected letters, digits, - _ and ., and not -bin at its end"
            }
        };
        let ours = loader
            .section
            .grpc_meta
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, (place, _))| place.clone());
        let variable = META_VARIABLE.to_owned() + &name.to_uppercase().replace('-', "_");
        let place = loader.place_of(&[&variable], ours, &format!("grpc_meta.{name}"));
        loader.wrong(place, problem);
    }
}

/// `http://USER:PASSWORD@HOST:PORT`, user and password percent-encoded, as in curl's variables.
pub(super) fn proxy(loader: &mut Loader<'_>) -> Option<HttpConnectProxyOptions> {
    let reference = loader.section.proxy.as_ref()?;
    let parsed = resolve(reference, loader.environment).and_then(|secret| {
        let text = String::from_utf8_lossy(secret.reveal());
        parse_proxy(text.trim()).ok_or_else(|| NO_PROXY.to_owned())
    });
    parsed
        .map_err(|problem| loader.wrong(loader.section.places.of("proxy"), problem))
        .ok()
}

fn parse_proxy(text: &str) -> Option<HttpConnectProxyOptions> {
    let url = Url::parse(text).ok()?;
    let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    if url.scheme() != "http" || !bare {
        return None;
    }
    let (host, port) = (url.host_str()?, url.port_or_known_default()?);
    let decode = |text| {
        let text = percent_decode_str(text).decode_utf8().ok()?;
        Some(text.into_owned())
    };
    let user = decode(url.username())?;
    let password = decode(url.password().unwrap_or_default())?;
    let auth = (!user.is_empty() || !password.is_empty()).then_some((user, password));
    Some(
        HttpConnectProxyOptions::new(format!("{host}:{port}"))
            .maybe_basic_auth(auth)
            .build(),
    )
}

fn is_header_value(text: &str) -> bool {
    text.parse::<MetadataValue<Ascii>>().is_ok()
}

const NO_HEADER_VALUE: &str =
    "no header can hold it: expected printable ASCII characters, and no line break";
const NO_PROXY: &str = "expected \"http://HOST:PORT\" or \"http://USER:PASSWORD@HOST:PORT\"";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_read_as_curl_reads_them() {
        let read = |text| {
            let proxy = parse_proxy(text)?;
            Some((proxy.target_addr, proxy.basic_auth))
        };
        let auth = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        for (text, address, expected) in [
            ("http://proxy:3128", "proxy:3128", None),
            ("http://proxy:80/", "proxy:80", None),
            ("http://[::1]:3128", "[::1]:3128", None),
            ("http://u:p@proxy:1", "proxy:1", auth("u", "p")),
            ("http://u:p%40%3A+@proxy:1", "proxy:1", auth("u", "p@:+")),
            ("http://u@proxy:1", "proxy:1", auth("u", "")),
        ] {
            let read = read(text);
            assert_eq!(read, Some((address.to_owned(), expected)), "{text}");
        }
        for text in [
            "",
            "proxy:3128",
            "https://proxy:3128",
            "socks5://proxy:1080",
            "http://",
            "http://proxy:99999",
            "http://proxy:1/path",
            "http://proxy:1?q",
            "http://u%ff:p@proxy:1",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}

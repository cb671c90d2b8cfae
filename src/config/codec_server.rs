//! What `codec-server` needs, from its flags and from `[encryption]` of the file.

use std::path::{Path, PathBuf};

use webhook_core::codec::Codec;
use webhook_core::secret::Secret;

use super::file::File;
use super::listen::{Listen, parse_listen};
use super::secret::token_of_flag;
use super::{Environment, Identity, Mistake, codec, keep};
use crate::cli::codec_server::CodecServerArgs;

/// All settings of `codec-server`, checked.
#[derive(Debug)]
pub struct CodecServer {
    /// Where to listen. Whether that is loopback only is known once the name is looked up.
    pub listen: Listen,
    /// The keys of `serve`.
    pub codec: Codec,
    /// What a caller has to show; `None`: loopback only.
    pub token: Option<Secret>,
    /// The origins whose pages may ask, as a browser writes them.
    pub origins: Vec<String>,
    /// Certificate and key; `None`: plain HTTP.
    pub tls: Option<Identity>,
}

impl CodecServer {
    /// Makes the settings.
    ///
    /// # Errors
    /// Every mistake.
    pub fn new(
        args: &CodecServerArgs,
        file: &File,
        environment: &dyn Environment,
    ) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let listen = parse_listen(&args.listen, LISTEN)
            .map_err(|mistake| mistakes.push(mistake))
            .ok();
        let codec = codec(file, environment, &mut mistakes);
        let token = (args.token.as_deref())
            .and_then(|text| keep(&mut mistakes, TOKEN, token_of_flag(text, environment)));
        let origins = (args.origins.iter())
            .filter_map(|text| keep(&mut mistakes, ORIGIN, origin(text)))
            .collect();
        let tls = identity(args, environment, &mut mistakes);
        match listen {
            Some(listen) if mistakes.is_empty() => Ok(Self {
                listen,
                codec,
                token,
                origins,
                tls,
            }),
            _ => Err(mistakes),
        }
    }
}

/// As a browser writes it: `scheme://host`, and the port unless it is the scheme's own.
fn origin(text: &str) -> Result<String, String> {
    let lower = text.to_ascii_lowercase();
    let is_origin = |(scheme, host): &(&str, &str)| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b".-:[]_".contains(&b);
        matches!(*scheme, "http" | "https") && !host.is_empty() && host.bytes().all(plain)
    };
    let (scheme, host) = lower.split_once("://").filter(is_origin).ok_or_else(|| {
        format!("{text:?}: expected scheme, host and port as in the browser's address bar, and nothing after them, such as \"https://temporal.example.com\"")
    })?;
    let own_port = if scheme == "http" { ":80" } else { ":443" };
    let host = host.strip_suffix(own_port).unwrap_or(host);
    Ok(format!("{scheme}://{host}"))
}

fn identity(
    args: &CodecServerArgs,
    environment: &dyn Environment,
    mistakes: &mut Vec<Mistake>,
) -> Option<Identity> {
    let (cert, key) = match (&args.cert, &args.key) {
        (None, None) => return None,
        (Some(cert), Some(key)) => (cert, key),
        (Some(_), None) => {
            mistakes.push(Mistake::new(KEY, "missing: the certificate's private key"));
            return None;
        }
        (None, Some(_)) => {
            mistakes.push(Mistake::new(CERT, "missing: the private key's certificate"));
            return None;
        }
    };
    let mut read = |setting: &str, path: &PathBuf| {
        let bytes = environment.read(path);
        keep(mistakes, setting, bytes.map_err(|error| name(path, &error)))
    };
    let (cert_pem, key_pem) = (read(CERT, cert), read(KEY, key));
    let (cert_pem, key_pem) = (cert_pem?, key_pem?);
    let secret = Secret::new(key_pem).ok_or_else(|| name(key, "the file is empty"));
    let identity = Identity {
        cert: cert_pem,
        key: keep(mistakes, KEY, secret)?,
    };
    let place = format!("{CERT} {}, {KEY} {}", cert.display(), key.display());
    keep(mistakes, &place, environment.check_identity(&identity))?;
    Some(identity)
}

fn name(path: &Path, problem: &str) -> String {
    format!("{}: {problem}", path.display())
}

const LISTEN: &str = "--listen (TWF_CODEC_LISTEN)";
const TOKEN: &str = "--token (TWF_CODEC_TOKEN)";
const ORIGIN: &str = "--origin (TWF_CODEC_ORIGIN)";
const CERT: &str = "--cert (TWF_CODEC_CERT)";
const KEY: &str = "--key (TWF_CODEC_KEY)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_as_a_browser_writes_them() {
        for (said, meant) in [
            ("http://localhost:8233", "http://localhost:8233"),
            (
                "HTTPS://Temporal.Example.com",
                "https://temporal.example.com",
            ),
            ("https://a.example:443", "https://a.example"),
            ("http://a.example:80", "http://a.example"),
            ("https://a.example:80", "https://a.example:80"),
            ("http://[::1]:8233", "http://[::1]:8233"),
        ] {
            assert_eq!(origin(said).as_deref(), Ok(meant));
        }
        for wrong in [
            "",
            "*",
            "null",
            "localhost:8233",
            "ftp://a",
            "http://",
            "http://a/",
            "https://a.example/namespaces",
            "https://user@a.example",
            "https://a.example, https://b.example",
        ] {
            let problem = origin(wrong).expect_err(wrong);
            assert!(
                problem.contains("expected scheme, host and port"),
                "{problem}"
            );
        }
    }
}

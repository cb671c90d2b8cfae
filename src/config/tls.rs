//! `[server.tls]` and its flags -> certificate and key, and what session tickets are sealed with.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use webhook_core::secret::Secret;

use super::acme::Acme;
use super::clients::Clients;
use super::file::{CertificateFiles, File};
use super::{Environment, Identity, Mistake, keep, resolve};
use crate::cli::ServeArgs;

/// What senders connect with.
#[derive(Debug)]
pub struct Tls {
    /// Certificate and key for clients that name no host, or one that no certificate is for; `None`: the one
    /// that is ordered.
    pub identity: Option<Identity>,
    /// The one that an authority issues by itself, for its names.
    pub acme: Option<Acme>,
    /// For the names that they have and the first has not.
    pub others: Vec<Other>,
    /// Of 32 bytes each. The first seals session tickets, all open them; none: keys that nobody else has.
    pub ticket_keys: Vec<Secret>,
    /// Which certificates clients have to show, or may; `None`: they show none.
    pub clients: Option<Clients>,
}

/// One of `[[server.certificate]]`.
#[derive(Debug)]
pub struct Other {
    /// The certificate's file, as the settings name it.
    pub file: String,
    /// Certificate and key.
    pub identity: Identity,
}

impl Tls {
    /// Reads the files; `None` for plain HTTP, and with a mistake.
    pub(super) fn new(
        args: &ServeArgs,
        file: &File,
        environment: &dyn Environment,
        mistakes: &mut Vec<Mistake>,
        warnings: &mut Vec<Mistake>,
    ) -> Option<Self> {
        if args.no_tls {
            return None;
        }
        let ticket_keys = ticket_keys(file, environment, mistakes);
        let clients = Clients::new(file, environment, mistakes);
        let written = file.server.certificates.iter();
        let others: Vec<_> = written
            .filter_map(|files| Some((&files.place, other(files, environment, mistakes)?)))
            .collect();
        let acme = Acme::new(file, environment, mistakes);
        let identity = match file.server.has_acme && !is_named(args, file) {
            true => None,
            false => Some(identity(args, file, environment, mistakes)?),
        };
        let (place, path) = cert(args, file);
        let first = identity.iter();
        let first = first.map(|identity| (format!("{place} {}", path.display()), identity));
        let places = others.iter();
        let places = places.map(|(place, other)| ((*place).clone(), &other.identity));
        let all: Vec<_> = first.chain(places).collect();
        doubts(&all, environment, warnings);
        Some(Self {
            identity,
            acme,
            others: others.into_iter().map(|(_, other)| other).collect(),
            ticket_keys,
            clients,
        })
    }
}

fn other(
    files: &CertificateFiles,
    environment: &dyn Environment,
    mistakes: &mut Vec<Mistake>,
) -> Option<Other> {
    let CertificateFiles { place, cert, key } = files;
    let mut read = |path: &Path| {
        let bytes = environment.read(path);
        keep(
            mistakes,
            place,
            bytes.map_err(|error| format!("{}: {error}", path.display())),
        )
    };
    let (cert_pem, key_pem) = (read(cert), read(key));
    let names = format!("{}, {}", cert.display(), key.display());
    let identity = fitting(cert_pem?, key_pem?, environment);
    let identity = identity.map_err(|problem| format!("{names}: {problem}"));
    Some(Other {
        file: cert.display().to_string(),
        identity: keep(mistakes, place, identity)?,
    })
}

/// What serves, but not everybody, or nobody: each certificate with its place, the first one first.
fn doubts(
    certificates: &[(String, &Identity)],
    environment: &dyn Environment,
    warnings: &mut Vec<Mistake>,
) {
    let mut seen = HashMap::new();
    for (index, (place, identity)) in certificates.iter().enumerate() {
        let doubts = environment.doubts(identity).into_iter();
        warnings.extend(doubts.map(|doubt| Mistake::new(place, doubt)));
        let mut is_shown = index == 0;
        for name in environment.names(identity) {
            let name = name.to_ascii_lowercase();
            match seen.get(&name) {
                Some(before) => {
                    let text = format!(
                        "not shown for {name}: the certificate of {before} is for it, too, and comes first"
                    );
                    warnings.push(Mistake::new(place, text));
                }
                None => {
                    is_shown |= name.parse::<IpAddr>().is_err();
                    seen.insert(name, place);
                }
            }
        }
        if !is_shown {
            warnings.push(Mistake::new(place, NEVER_SHOWN));
        }
    }
}

/// The two, if they go together.
fn fitting(cert: Vec<u8>, key: Vec<u8>, environment: &dyn Environment) -> Result<Identity, String> {
    let key = Secret::new(key).ok_or_else(|| "the key file is empty".to_owned())?;
    let identity = Identity { cert, key };
    environment.check_identity(&identity)?;
    Ok(identity)
}

/// Those of the secret that the file names: one a line, every wrong line a mistake.
fn ticket_keys(
    file: &File,
    environment: &dyn Environment,
    mistakes: &mut Vec<Mistake>,
) -> Vec<Secret> {
    let Some((place, reference)) = &file.server.ticket_keys else {
        return Vec::new();
    };
    let Some(text) = keep(mistakes, place, resolve(reference, environment)) else {
        return Vec::new();
    };
    let keys = keys_of_lines(text.reveal());
    keys.unwrap_or_else(|problems| {
        let problems = problems.into_iter();
        mistakes
            .extend(problems.map(|problem| Mistake::new(place, format!("{reference}{problem}"))));
        Vec::new()
    })
}

/// The keys of a text with one a line; what is wrong with it, as it goes on after the text's name.
fn keys_of_lines(text: &[u8]) -> Result<Vec<Secret>, Vec<String>> {
    let mut keys: Vec<(usize, Secret)> = Vec::new();
    let mut problems = Vec::new();
    let lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    for (number, line) in (1..).zip(lines) {
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let key = hex::decode(line).ok().and_then(Secret::new);
        let Some(key) = key.filter(|key| key.reveal().len() == KEY_BYTES) else {
            problems.push(format!(", line {number}: {NO_TICKET_KEY}"));
            continue;
        };
        if key.reveal().windows(2).all(|pair| pair[0] == pair[1]) {
            problems.push(format!(
                ", line {number}: anybody guesses it: expected a random key ({MAKE_ONE})"
            ));
            continue;
        }
        match keys.iter().find(|(_, other)| other.equals(key.reveal())) {
            Some((first, _)) => problems.push(format!(
                ", line {number}: the key of line {first} once more: a rotation takes a new one ({MAKE_ONE})"
            )),
            None => keys.push((number, key)),
        }
    }
    if problems.is_empty() && keys.is_empty() {
        problems.push(format!(": no key in it: {NO_TICKET_KEY}"));
    }
    if keys.len() > MAX_TICKET_KEYS {
        problems.push(format!(
            ": {} keys, expected {MAX_TICKET_KEYS} at most: a ticket is good for 12 hours, so the last one or two will do",
            keys.len()
        ));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(keys.into_iter().map(|(_, key)| key).collect())
}

fn identity(
    args: &ServeArgs,
    file: &File,
    environment: &dyn Environment,
    mistakes: &mut Vec<Mistake>,
) -> Option<Identity> {
    let cert = cert(args, file);
    let key = pick(
        &args.key,
        "--key (TWF_KEY)",
        &file.server.key,
        "[server.tls] key",
        KEY,
    );
    let pems = (environment.read(cert.1), environment.read(key.1));
    let problems: Vec<_> = [(cert, pems.0.as_ref().err()), (key, pems.1.as_ref().err())]
        .into_iter()
        .filter_map(|((place, path), error)| {
            Some((place, format!("{}: {}", path.display(), error?)))
        })
        .collect();
    if let (Ok(cert_pem), Ok(key_pem)) = pems {
        let place = format!(
            "{} {}, {} {}",
            cert.0,
            cert.1.display(),
            key.0,
            key.1.display()
        );
        return keep(mistakes, &place, fitting(cert_pem, key_pem, environment));
    }
    let last = problems.len() - 1;
    mistakes.extend(
        problems
            .into_iter()
            .enumerate()
            .map(|(index, (place, problem))| {
                // the advice once, below the last of them
                let advice = if index == last { NO_CERTIFICATE } else { "" };
                Mistake::new(place, problem + advice)
            }),
    );
    None
}

/// Whether anybody says where a certificate is.
fn is_named(args: &ServeArgs, file: &File) -> bool {
    let named = [&args.cert, &args.key, &file.server.cert, &file.server.key];
    named.into_iter().any(Option::is_some)
}

fn cert<'a>(args: &'a ServeArgs, file: &'a File) -> (&'static str, &'a Path) {
    let (flag, in_file) = ("--cert (TWF_CERT)", "[server.tls] cert");
    pick(&args.cert, flag, &file.server.cert, in_file, CERT)
}

/// The path that counts, and the setting it came from.
fn pick<'a>(
    flag: &'a Option<PathBuf>,
    flag_name: &'static str,
    in_file: &'a Option<PathBuf>,
    file_name: &'static str,
    default: &'static str,
) -> (&'static str, &'a Path) {
    match (flag, in_file) {
        (Some(path), _) => (flag_name, path),
        (None, Some(path)) => (file_name, path),
        (None, None) => (flag_name, Path::new(default)),
    }
}

/// The default of `--cert`, as certbot names it.
pub const CERT: &str = "fullchain.pem";
/// The default of `--key`, as certbot names it.
pub const KEY: &str = "privkey.pem";
const NO_CERTIFICATE: &str = "
  for a first try, `temporal-webhook-forwarder dev` makes a self-signed certificate;
  behind a proxy that terminates TLS, --no-tls serves plain HTTP;
  certs/README.md says where certificates come from";
const NEVER_SHOWN: &str = "never shown: a client names the host that it wants, and this certificate is for none that another is not for";
/// Of AES-256.
const KEY_BYTES: usize = 32;
/// A ticket costs no more than a look at so many names.
const MAX_TICKET_KEYS: usize = 16;
const NO_TICKET_KEY: &str = "expected 64 hex digits (32 bytes) a line: openssl rand -hex 32";
const MAKE_ONE: &str = "openssl rand -hex 32";

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    const TWO: &str = "ffeeddccbbaa99887766554433221100FFEEDDCCBBAA99887766554433221100";

    #[test]
    fn keys_stand_one_a_line_in_their_order() {
        let text = format!("# since November\r\n{ONE}\r\n\n  {TWO}\n");
        let keys = keys_of_lines(text.as_bytes()).expect("two keys");
        let keys: Vec<_> = keys.iter().map(|key| hex::encode(key.reveal())).collect();
        assert_eq!(keys, [ONE.to_owned(), TWO.to_lowercase()]);
    }

    #[test]
    fn every_wrong_line_is_named_and_none_repeated() {
        let text = format!("{ONE}\n{}\nhunter2\n{ONE}\n", &ONE[2..]);
        let said = keys_of_lines(text.as_bytes()).expect_err("three are wrong");
        let wrong = |line| format!(", line {line}: {NO_TICKET_KEY}");
        assert_eq!(said[..2], [wrong(2), wrong(3)]);
        assert!(said[2].starts_with(", line 4: the key of line 1 once more"));
        assert_eq!(said.len(), 3);
        for nothing in ["", "\n\n", "# a comment\n"] {
            let said = keys_of_lines(nothing.as_bytes()).expect_err("no key");
            assert!(said[0].starts_with(": no key in it: expected 64 hex digits"));
        }
        let zeros = "0".repeat(64);
        let said = keys_of_lines(zeros.as_bytes()).expect_err("no key");
        assert!(said[0].starts_with(", line 1: anybody guesses it"));
        let many: String = (1..=MAX_TICKET_KEYS + 1)
            .map(|n| format!("{n:064x}\n"))
            .collect();
        let said = keys_of_lines(many.as_bytes()).expect_err("too many");
        assert!(
            said[0].starts_with(": 17 keys, expected 16 at most"),
            "{said:?}"
        );
    }
}

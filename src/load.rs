//! Flags, environment and file -> checked settings, every mistake of all of them in one run.

use std::ffi::OsString;
use std::fs::{File, metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use crate::cli::ServeArgs;
use crate::config::file::File as Written;
use crate::config::listen::{self, Listen};
use crate::config::{Config, Environment, Identity, Mistake};
use crate::temporal::connect::{self, Settings};
use crate::tls;

/// The parts of the settings, each checked on its own.
pub struct Loaded {
    /// Everything that is no address.
    pub config: Result<Config, Vec<Mistake>>,
    /// The public listener's address.
    pub public: Result<Listen, Mistake>,
    /// The admin listener's, if there is to be one.
    pub admin: Result<Option<Listen>, Mistake>,
    /// Temporal's.
    pub temporal: Result<Settings, Vec<Mistake>>,
}

impl Loaded {
    /// Loads and checks.
    ///
    /// # Errors
    /// A configuration file that cannot be read: nothing else can be said then.
    pub fn new(args: &ServeArgs, environment: &dyn Environment) -> Result<Self, Vec<Mistake>> {
        let (file, mut mistakes) = file(args.config.as_deref(), environment)?;
        if file.is_broken {
            return Err(mistakes);
        }
        let config = match Config::new(args, &file, environment) {
            Ok(config) if mistakes.is_empty() => Ok(config),
            Ok(_) => Err(mistakes),
            Err(more) => {
                mistakes.extend(more);
                Err(mistakes)
            }
        };
        Ok(Self {
            public: listen::public(args, file.server.listen.as_deref()),
            admin: listen::admin(
                args,
                (file.admin.as_ref()).and_then(|admin| admin.listen.as_deref()),
            ),
            temporal: connect::settings(args, &file.temporal, environment),
            config,
        })
    }
}

/// All parts, or the mistakes of all.
///
/// # Errors
/// Every mistake.
pub fn all<P, A>(
    config: Result<Config, Vec<Mistake>>,
    public: Result<P, Mistake>,
    admin: Result<A, Mistake>,
    temporal: Result<Settings, Vec<Mistake>>,
) -> Result<(Config, P, A, Settings), Vec<Mistake>> {
    match (config, public, admin, temporal) {
        (Ok(config), Ok(public), Ok(admin), Ok(temporal)) => Ok((config, public, admin, temporal)),
        (config, public, admin, temporal) => {
            let mut mistakes = config.err().unwrap_or_default();
            mistakes.extend([public.err(), admin.err()].into_iter().flatten());
            mistakes.extend(temporal.err().unwrap_or_default());
            Err(mistakes)
        }
    }
}

/// The real environment, files and TLS library.
pub struct SystemEnvironment;

impl Environment for SystemEnvironment {
    fn var(&self, name: &str) -> Option<Vec<u8>> {
        std::env::var_os(name).map(OsString::into_encoded_bytes)
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        let bytes = read_up_to(path, LARGEST + 1)?;
        match u64::try_from(bytes.len()) {
            Ok(length) if length <= LARGEST => Ok(bytes),
            _ => Err(TOO_LARGE.to_owned()),
        }
    }

    fn check_identity(&self, identity: &Identity) -> Result<(), String> {
        tls::acceptor(identity).map(drop)
    }

    fn check_authorities(&self, pem: &[u8]) -> Result<(), String> {
        tls::check_authorities(pem)
    }

    fn check_revocation(&self, authorities: &[u8], pem: &[u8]) -> Result<(), String> {
        tls::check_revocation(authorities, pem)
    }

    fn doubts(&self, identity: &Identity) -> Vec<String> {
        tls::doubts(identity)
    }

    fn names(&self, identity: &Identity) -> Vec<String> {
        tls::names(&identity.cert)
    }
}

/// The file's bytes.
///
/// # Errors
/// Why it cannot be read, and where it was looked for if its path does not say so.
pub fn read(path: &Path) -> Result<Vec<u8>, String> {
    read_up_to(path, u64::MAX)
}

/// No more of the file than so many bytes: `/dev/zero` has no end.
fn read_up_to(path: &Path, bytes: u64) -> Result<Vec<u8>, String> {
    let read = metadata(path).and_then(|it| {
        // Whoever opens one waits until somebody writes. A shell's `<(…)` has a writer.
        let is_given = path.starts_with("/dev") || path.starts_with("/proc");
        if it.file_type().is_fifo() && !is_given {
            return Err(io::Error::other("a named pipe: expected a file"));
        }
        let file = File::open(path)?;
        let mut content = Vec::new();
        file.take(bytes).read_to_end(&mut content)?;
        Ok(content)
    });
    read.map_err(|error| match std::env::current_dir() {
        Ok(folder) if error.kind() == ErrorKind::NotFound && path.is_relative() => {
            format!("{error}, looked for in {}", folder.display())
        }
        _ => error.to_string(),
    })
}

/// The configuration file, or an empty one if none was named; and what is wrong in it.
///
/// # Errors
/// A file that cannot be read.
pub fn file(
    path: Option<&Path>,
    environment: &dyn Environment,
) -> Result<(Written, Vec<Mistake>), Mistake> {
    let Some(path) = path else {
        return Ok((Written::default(), Vec::new()));
    };
    let name = path.display().to_string();
    let wrong = |problem: String| Mistake::new(format!("--config (TWF_CONFIG) {name}"), problem);
    let bytes = environment.read(path).map_err(wrong)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..good]
            .iter()
            .filter(|&&b| b == b'\n')
            .count()
            + 1;
        Mistake::new(
            format!("{name}:{line}"),
            "not UTF-8, which a TOML file has to be",
        )
    })?;
    if says_nothing(&text) {
        return Err(Mistake::new(name, EMPTY));
    }
    Ok(Written::read(&name, &text))
}

/// Whether there is no key in it: a file that was cut short, or is yet to be filled.
fn says_nothing(text: &str) -> bool {
    let mut lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    lines.all(|line| line.is_empty() || line.starts_with('#'))
}

/// Bytes of a file of settings or secrets.
const LARGEST: u64 = 16 * 1024 * 1024;
const TOO_LARGE: &str = "over 16 MiB: no secret, no certificate and no configuration file is";
const EMPTY: &str =
    "is empty: expected at least a [[source]], or no --config to run on flags and variables alone";

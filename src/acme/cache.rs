//! The folder with account, certificate and the answers to challenges: what a restart finds again, and what
//! replicas share.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use instant_acme::AccountCredentials;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use webhook_core::secret::Secret;

use crate::config::Identity;
use crate::config::acme::Acme;
use crate::tls;

/// A folder for each authority: what is of one is of no use to another.
#[derive(Debug, Clone)]
pub struct Cache(PathBuf);

/// Held while one replica orders; the system lets go of it if the process ends.
pub(super) struct Held(#[allow(dead_code, reason = "it is held")] File);

impl Cache {
    /// Makes the folder if it is not there.
    ///
    /// # Errors
    /// It cannot be made, or nothing be written to it.
    pub fn open(settings: &Acme) -> Result<Self, String> {
        let cache = Self::of(settings);
        let folder = &cache.0;
        let mut builder = fs::DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(folder);
        made.map_err(|error| cache.unusable(&error))?;
        cache.lock_file().map_err(|error| cache.unusable(&error))?;
        Ok(cache)
    }

    /// The folder, if it is there.
    ///
    /// # Errors
    /// There is something else in its place.
    pub(super) fn look(settings: &Acme) -> Result<Option<Self>, String> {
        let cache = Self::of(settings);
        match fs::metadata(&cache.0) {
            Ok(found) if found.is_dir() => Ok(Some(cache)),
            Ok(_) => Err(format!("{}: no folder", cache.0.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(cache.unusable(&error)),
        }
    }

    fn of(settings: &Acme) -> Self {
        let url = settings.directory.trim_start_matches("https://");
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || c == '.' {
                c
            } else {
                '-'
            }
        };
        let name: String = url.chars().map(plain).collect();
        Self(settings.cache.join(name))
    }

    fn unusable(&self, error: &io::Error) -> String {
        format!(
            "{}: {error}: expected a folder that this process may make and write to",
            self.0.display()
        )
    }

    /// Where the answers to challenges are.
    pub fn answers(&self) -> PathBuf {
        self.0.clone()
    }

    /// The certificate with its key, if it is for exactly these names.
    pub fn certificate(&self, domains: &[String]) -> Option<Identity> {
        let pem = fs::read(self.0.join(CERTIFICATE)).ok()?;
        let identity = Identity {
            key: Secret::new(pem.clone())?,
            cert: pem,
        };
        let mut names = tls::names(&identity.cert);
        names
            .iter_mut()
            .for_each(|name| name.make_ascii_lowercase());
        let is_for = names.len() == domains.len() && domains.iter().all(|it| names.contains(it));
        is_for.then_some(identity)
    }

    pub(super) fn keep(&self, identity: &Identity) -> Result<(), String> {
        let both = [identity.key.reveal(), b"\n", &identity.cert].concat();
        self.write(CERTIFICATE, &both)
    }

    pub(super) fn account(&self) -> Option<AccountCredentials> {
        let text = fs::read(self.0.join(ACCOUNT)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    pub(super) fn keep_account(&self, credentials: &AccountCredentials) -> Result<(), String> {
        let text = serde_json::to_vec(credentials).map_err(|error| error.to_string())?;
        self.write(ACCOUNT, &text)
    }

    pub(super) fn forget_account(&self) {
        fs::remove_file(self.0.join(ACCOUNT)).ok();
    }

    /// What the authority finds when it looks, at whichever replica.
    pub(super) fn answer(&self, domain: &str, digest: &[u8]) -> Result<(), String> {
        let name = tls::answer_name(domain);
        self.write(&name, hex::encode(digest).as_bytes())
    }

    pub(super) fn forget_answer(&self, domain: &str) {
        fs::remove_file(self.0.join(tls::answer_name(domain))).ok();
    }

    /// `None`: another replica has the turn.
    pub(super) fn turn(&self) -> Result<Option<Held>, String> {
        let file = self.lock_file().map_err(|error| self.unusable(&error))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Held(file))),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(self.unusable(&error.into())),
        }
    }

    fn lock_file(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        options.open(self.0.join(LOCK))
    }

    /// Whole or not at all, for this user alone.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        let (path, new) = (self.0.join(name), self.0.join(format!("{name}.new")));
        let write = || {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            let mut file = options.open(&new)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&new, &path)
        };
        write().map_err(|error: io::Error| at(&path, &error))
    }
}

fn at(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}

const CERTIFICATE: &str = "certificate.pem";
const ACCOUNT: &str = "account.json";
const LOCK: &str = "lock";

//! The TLS part of the settings: its files are read and checked here, so that a reload notices
//! when they change, and a wrong one is a mistake instead of a connection that never comes.

use std::collections::HashMap;
use std::ops::Range;

use temporalio_client::envconfig::{ClientConfigProfile, DataSource};
use temporalio_common::envconfig::ClientConfigTLS;
use webhook_core::secret::Secret;

use super::Loader;
use crate::config::Identity;
use crate::config::file::temporal::Tls;
use crate::tls::{check_authorities, validity};

/// Puts what our file says over the profile's. The section is enough to have TLS.
pub(super) fn overlay(section: &Tls, tls: &mut ClientConfigTLS) {
    tls.disabled = Some(section.disabled.unwrap_or(false));
    for (path, source) in [
        (&section.ca, &mut tls.server_ca_cert),
        (&section.cert, &mut tls.client_cert),
        (&section.key, &mut tls.client_key),
    ] {
        if let Some(path) = path {
            *source = Some(DataSource::Path(path.to_string_lossy().into_owned()));
        }
    }
    tls.server_name = section
        .server_name
        .clone()
        .or_else(|| tls.server_name.take());
}

/// Removes what variables replace: the loader refuses a path in the one and data in the other.
pub(super) fn make_way(tls: &mut ClientConfigTLS, variables: &HashMap<String, String>) {
    for (file, source) in FILES.iter().zip([
        &mut tls.server_ca_cert,
        &mut tls.client_cert,
        &mut tls.client_key,
    ]) {
        if file
            .variables
            .iter()
            .any(|name| variables.contains_key(*name))
        {
            *source = None;
        }
    }
}

/// Reads all files, puts their content in their place and checks it. Gives the validity of the
/// client certificate.
pub(super) fn read(
    loader: &mut Loader<'_>,
    profile: &mut ClientConfigProfile,
) -> Option<Range<i64>> {
    let tls = profile
        .tls
        .as_mut()
        .filter(|tls| tls.disabled != Some(true))?;
    if tls.disable_host_verification {
        let place = loader.place_of(
            &["TEMPORAL_TLS_DISABLE_HOST_VERIFICATION"],
            None,
            "tls.disable_host_verification",
        );
        loader.wrong(place, NO_BLIND_TRUST);
    }
    let [ca, cert, key] = [
        (&FILES[0], &mut tls.server_ca_cert),
        (&FILES[1], &mut tls.client_cert),
        (&FILES[2], &mut tls.client_key),
    ]
    .map(|(file, source)| source.as_mut().map(|source| file.read(loader, source)));
    if let Some(Some(Pem { place, bytes })) = ca
        && let Err(problem) = check_authorities(&bytes)
    {
        loader.wrong(place, problem);
    }
    let alone = match (cert, key) {
        (None, None) => return None,
        (Some(cert), Some(key)) => return check_identity(loader, cert?, key?),
        (Some(_), None) => &FILES[1],
        (None, Some(_)) => &FILES[2],
    };
    loader.wrong(alone.place(loader), BOTH);
    // Said once: the client's loader would say it, too.
    (tls.client_cert, tls.client_key) = (None, None);
    None
}

fn check_identity(loader: &mut Loader<'_>, cert: Pem, key: Pem) -> Option<Range<i64>> {
    let place = format!("{}, {}", cert.place, key.place);
    let secret = Secret::new(key.bytes).ok_or_else(|| "the key file is empty".to_owned());
    let checked = secret.and_then(|key| {
        let cert = cert.bytes;
        let identity = Identity { cert, key };
        let checked = loader.environment.check_identity(&identity);
        checked.map(|()| validity(&identity.cert))
    });
    checked
        .map_err(|problem| loader.wrong(place, problem))
        .ok()
        .flatten()
}

/// What was read, and how mistakes name where.
struct Pem {
    place: String,
    bytes: Vec<u8>,
}

/// One of the three files, in all the places where it can be named.
struct File {
    variables: [&'static str; 2],
    ours: &'static str,
    profile: &'static str,
}

impl File {
    /// The content, which stands in the source's place from now on.
    fn read(&self, loader: &mut Loader<'_>, source: &mut DataSource) -> Option<Pem> {
        let place = self.place(loader);
        let (place, read) = match source {
            DataSource::Data(bytes) => (place, Ok(bytes.clone())),
            DataSource::Path(path) => (
                format!("{place} {path}"),
                loader.environment.read(path.as_ref()),
            ),
            _ => (place, Err("expected a path or data".to_owned())),
        };
        *source = DataSource::Data(read.clone().unwrap_or_default());
        match read {
            Ok(bytes) => Some(Pem { place, bytes }),
            Err(problem) => {
                loader.wrong(place, problem);
                None
            }
        }
    }

    fn place(&self, loader: &Loader<'_>) -> String {
        let ours = loader
            .section
            .tls
            .as_ref()
            .map(|tls| &tls.places)
            .filter(|places| places.has(self.ours))
            .map(|places| places.of(self.ours));
        loader.place_of(&self.variables, ours, self.profile)
    }
}

/// Authority, certificate, key.
const FILES: [File; 3] = [
    File {
        variables: [
            "TEMPORAL_TLS_SERVER_CA_CERT_PATH",
            "TEMPORAL_TLS_SERVER_CA_CERT_DATA",
        ],
        ours: "ca",
        profile: "tls.server_ca_cert",
    },
    File {
        variables: [
            "TEMPORAL_TLS_CLIENT_CERT_PATH",
            "TEMPORAL_TLS_CLIENT_CERT_DATA",
        ],
        ours: "cert",
        profile: "tls.client_cert",
    },
    File {
        variables: [
            "TEMPORAL_TLS_CLIENT_KEY_PATH",
            "TEMPORAL_TLS_CLIENT_KEY_DATA",
        ],
        ours: "key",
        profile: "tls.client_key",
    },
];
const NO_BLIND_TRUST: &str = "the client does not support it, and who answers would be anybody's guess: \
     name the authority (ca) or the name that the certificate has (server_name) instead";
const BOTH: &str = "a client certificate and its key go together: give both or none";

//! Who may ask the admin listener: its token, and the names under which it is reached.

use webhook_core::secret::Secret;

use super::file::File;
use super::file::admin::Host;
use super::secret::{header_token, token_of_flag};
use super::{Environment, Mistake, keep, weak};
use crate::cli::ServeArgs;

/// The settings of the admin listener that are no address.
#[derive(Debug, Clone, Default)]
pub struct Admin {
    /// What a caller has to show; `None`: loopback alone may ask for everything.
    pub token: Option<Secret>,
    /// Names under which it is reached besides its own, in lower case and without a port.
    pub hosts: Vec<String>,
}

impl Admin {
    pub(super) fn new(
        args: &ServeArgs,
        file: &File,
        environment: &dyn Environment,
        mistakes: &mut Vec<Mistake>,
        warnings: &mut Vec<Mistake>,
    ) -> Self {
        let in_file = file.admin.as_ref();
        let token = match (&args.admin_token, in_file.and_then(|it| it.token.as_ref())) {
            (Some(text), _) => {
                let token = token_of_flag(text, environment);
                Some((TOKEN, keep(mistakes, TOKEN, token)))
            }
            (None, Some((place, reference))) => {
                let token = header_token(reference, environment);
                Some((place.as_str(), keep(mistakes, place, token)))
            }
            (None, None) => None,
        };
        if let Some((place, Some(token))) = &token {
            let doubt = weak::token(token).into_iter();
            warnings.extend(doubt.map(|problem| Mistake::new(*place, problem)));
        }
        if let Some((place, _)) = &token
            && args.admin.is_none()
            && in_file.is_none()
        {
            let problem = "there is no admin listener that would ask for it: --admin ADDRESS:PORT or [admin] listen";
            warnings.push(Mistake::new(*place, problem));
        }
        let hosts = in_file.map_or(&[][..], |admin| &admin.hosts);
        Self {
            token: token.and_then(|(_, token)| token),
            hosts: hosts.iter().map(|Host(name)| name.clone()).collect(),
        }
    }
}

const TOKEN: &str = "--admin-token (TWF_ADMIN_TOKEN)";

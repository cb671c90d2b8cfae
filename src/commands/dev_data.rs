//! What `dev` keeps from one run to the next, for itself and for `send`.

use std::fs;
use std::path::PathBuf;

use crate::cli::NAME;

/// The folder that it is in; it may not be there yet.
pub(super) fn folder() -> Option<PathBuf> {
    Some(dirs::data_local_dir()?.join(NAME).join("dev"))
}

/// The secret that `dev` made, if it has.
pub(super) fn secret() -> Option<String> {
    fs::read_to_string(folder()?.join(SECRET)).ok()
}

/// The secret's file in the folder.
pub(super) const SECRET: &str = "shopify-secret";

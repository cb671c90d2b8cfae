//! Where a table of the file is, and each of its keys.

use std::collections::BTreeMap;

/// Where a table and its keys are, for mistakes that are found after reading.
#[derive(Debug, Default, Clone)]
pub struct Places {
    pub(super) whole: String,
    pub(super) keys: BTreeMap<String, String>,
    pub(super) in_file: bool,
}

impl Places {
    /// Not in a file: this name, whatever the key.
    pub fn outside(name: &str) -> Self {
        Self {
            whole: name.to_owned(),
            ..Self::default()
        }
    }

    /// Whether the key is there.
    pub fn has(&self, key: &str) -> bool {
        self.keys.contains_key(key)
    }

    /// How a mistake names the key: by its own line, or the table's if it is not there.
    pub fn of(&self, key: &str) -> String {
        match self.keys.get(key) {
            Some(place) => place.clone(),
            None if self.in_file => format!("{}.{key}", self.whole),
            None => self.whole.clone(),
        }
    }
}

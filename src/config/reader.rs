//! Reads a TOML file key by key, so that every mistake in it is found in one run, each with its
//! line and key.

mod explain;
mod places;
mod secrets;
mod syntax;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};
use webhook_core::similar::did_you_mean;

pub use self::explain::explain;
use self::explain::kind;
pub use self::places::Places;
pub use self::secrets::Placed;
use self::secrets::{SECRET, secret, secrets};
use self::syntax::faults;
use super::Mistake;
use super::secret::SecretRef;

/// A file being read, and what is wrong with it so far.
#[derive(Debug)]
pub struct Reader<'t> {
    name: String,
    text: &'t str,
    mistakes: Vec<(usize, Mistake)>,
}

/// One table of the file; what is not taken from it is unknown.
#[derive(Debug)]
pub struct Section<'t> {
    place: String,
    entries: Vec<(Spanned<String>, Spanned<DeValue<'t>>)>,
    known: Vec<&'static str>,
    start: usize,
}

impl<'t> Reader<'t> {
    /// Parses the text; `name` stands before each mistake.
    pub fn new(name: impl Into<String>, text: &'t str) -> (Self, Section<'t>) {
        let mut reader = Self {
            name: name.into(),
            text,
            mistakes: Vec::new(),
        };
        let (table, errors) = DeTable::parse_recoverable(text);
        let errors: Vec<_> = errors
            .iter()
            .map(|error| (error.span().unwrap_or_default(), error.message()))
            .collect();
        for fault in faults(text, &errors) {
            reader.mistake(fault.at, &fault.key, &fault.problem);
        }
        let section = Section::new(String::new(), table.into_inner(), 0);
        (reader, section)
    }

    /// Notes a mistake at this byte of the file.
    pub fn mistake(&mut self, at: usize, key: &str, problem: &str) {
        let line = self.line(at);
        self.mistakes
            .push((line, Mistake::new(self.place(at, key), problem)));
    }

    /// How a mistake names this byte of the file: `FILE:LINE KEY`.
    pub fn place(&self, at: usize, key: &str) -> String {
        format!("{}:{} {key}", self.name, self.line(at))
            .trim_end()
            .to_owned()
    }

    /// The places of a table that was not taken from yet.
    pub fn places(&self, section: &Section<'t>) -> Places {
        let keys = section.entries.iter().map(|(key, _)| {
            let name = key.get_ref();
            let place = self.place(key.span().start, &section.full(name));
            (name.clone(), place)
        });
        Places {
            whole: self.place(section.start, &section.place),
            keys: keys.collect(),
            in_file: true,
        }
    }

    /// How many mistakes there are so far.
    pub const fn count(&self) -> usize {
        self.mistakes.len()
    }

    /// All mistakes, in the order of their lines.
    pub fn into_mistakes(mut self) -> Vec<Mistake> {
        self.mistakes.sort_by_key(|(line, _)| *line);
        self.mistakes
            .into_iter()
            .map(|(_, mistake)| mistake)
            .collect()
    }

    fn line(&self, at: usize) -> usize {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        before.iter().filter(|&&byte| byte == b'\n').count() + 1
    }
}

impl<'t> Section<'t> {
    fn new(place: String, table: DeTable<'t>, start: usize) -> Self {
        let entries = table
            .into_iter()
            .map(|(key, value)| {
                let span = key.span();
                (Spanned::new(span, key.into_inner().into_owned()), value)
            })
            .collect();
        Self {
            place,
            entries,
            known: Vec::new(),
            start,
        }
    }

    /// Where the table is in the file, for mistakes about the whole of it.
    pub const fn start(&self) -> usize {
        self.start
    }

    /// Where the key's value is, or else the table.
    pub fn at(&self, key: &str) -> usize {
        let mut found = self
            .entries
            .iter()
            .filter(|(name, _)| name.get_ref() == key);
        found
            .next()
            .map_or(self.start, |(_, value)| value.span().start)
    }

    /// The table's name, for mistakes about the whole of it.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The key's value, if it is there and of the right type.
    pub fn take<T: DeserializeOwned>(
        &mut self,
        reader: &mut Reader<'t>,
        key: &'static str,
    ) -> Option<T> {
        let value = self.remove(key)?;
        let at = value.span().start;
        T::deserialize(ValueDeserializer::from(value))
            .map_err(|error| reader.mistake(at, &self.full(key), &explain(error.message())))
            .ok()
    }

    /// The key's list, which may not be empty.
    pub fn take_list<T: DeserializeOwned>(
        &mut self,
        reader: &mut Reader<'t>,
        key: &'static str,
    ) -> Option<Vec<T>> {
        let at = self.at(key);
        let list = self.take::<Vec<T>>(reader, key)?;
        if list.is_empty() {
            reader.mistake(at, &self.full(key), EMPTY_LIST);
        }
        Some(list)
    }

    /// The key's value; its absence is a mistake.
    pub fn require<T: DeserializeOwned>(
        &mut self,
        reader: &mut Reader<'t>,
        key: &'static str,
        expected: &str,
    ) -> Option<T> {
        if !self.has(key) {
            self.known.push(key);
            let problem = format!("missing, expected {expected}");
            reader.mistake(self.start, &self.full(key), &problem);
            return None;
        }
        self.take(reader, key)
    }

    /// The key's list; its absence is a mistake, and so is an empty one.
    pub fn require_list<T: DeserializeOwned>(
        &mut self,
        reader: &mut Reader<'t>,
        key: &'static str,
        expected: &str,
    ) -> Option<Vec<T>> {
        if self.has(key) {
            return self.take_list(reader, key);
        }
        self.require(reader, key, expected)
    }

    /// The key's secret. Mistakes do not repeat what stands there.
    pub fn take_secret(&mut self, reader: &mut Reader<'t>, key: &'static str) -> Option<SecretRef> {
        let value = self.remove(key)?;
        let at = value.span().start;
        let secret = secret(value);
        if secret.is_none() {
            reader.mistake(at, &self.full(key), SECRET);
        }
        secret
    }

    /// The same, and its absence is a mistake.
    pub fn require_secret(
        &mut self,
        reader: &mut Reader<'t>,
        key: &'static str,
    ) -> Option<SecretRef> {
        if !self.has(key) {
            self.known.push(key);
            let problem = format!("missing, {SECRET}");
            reader.mistake(self.start, &self.full(key), &problem);
            return None;
        }
        self.take_secret(reader, key)
    }

    /// The key's list of secrets, or an empty one.
    pub fn take_secrets(&mut self, reader: &mut Reader<'t>, key: &'static str) -> Vec<Placed> {
        let value = self.remove(key);
        value.map_or_else(Vec::new, |value| secrets(reader, &self.full(key), value))
    }

    /// Every entry as a secret or a list of them.
    pub fn take_secrets_by_key(self, reader: &mut Reader<'t>) -> Vec<(String, Vec<Placed>)> {
        let place = self.place;
        let entries = self.entries.into_iter().map(|(key, value)| {
            let key = key.into_inner();
            let full = format!("{place}.{key}");
            (key, secrets(reader, &full, value))
        });
        entries.collect()
    }

    /// Every entry, whatever its key.
    pub fn take_by_key<T: DeserializeOwned>(self, reader: &mut Reader<'t>) -> Vec<(String, T)> {
        let place = self.place;
        let entries = self.entries.into_iter().filter_map(|(key, value)| {
            let at = value.span().start;
            let key = key.into_inner();
            let value = T::deserialize(ValueDeserializer::from(value))
                .map_err(|error| {
                    let full = format!("{place}.{key}");
                    reader.mistake(at, &full, &explain(error.message()));
                })
                .ok()?;
            Some((key, value))
        });
        entries.collect()
    }

    /// What `read` makes of the key's table, if there is one.
    pub fn table_of<T>(
        &mut self,
        reader: &mut Reader<'t>,
        key: &'static str,
        read: impl FnOnce(&mut Reader<'t>, Self) -> T,
    ) -> Option<T> {
        let table = self.table(reader, key)?;
        Some(read(reader, table))
    }

    /// The key's table, or an empty one.
    pub fn table(&mut self, reader: &mut Reader<'t>, key: &'static str) -> Option<Self> {
        let value = self.remove(key)?;
        self.section(reader, self.full(key), value)
    }

    /// The key's array of tables, or an empty one.
    pub fn tables(&mut self, reader: &mut Reader<'t>, key: &'static str) -> Vec<Self> {
        let Some(value) = self.remove(key) else {
            return Vec::new();
        };
        let at = value.span().start;
        match value.into_inner() {
            DeValue::Array(items) => items
                .into_iter()
                .enumerate()
                .filter_map(|(index, item)| {
                    let place = format!("{}[{}]", self.full(key), index + 1);
                    self.section(reader, place, item)
                })
                .collect(),
            _ => {
                let full = self.full(key);
                let parts = full
                    .split('.')
                    .map(|part| part.split('[').next().unwrap_or_default());
                let name = parts.collect::<Vec<_>>().join(".");
                let problem = format!("expected a list of tables: [[{name}]]");
                reader.mistake(at, &self.full(key), &problem);
                Vec::new()
            }
        }
    }

    /// Whether the key is there and not yet taken.
    pub fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(name, _)| name.get_ref() == key)
    }

    /// Whether the key's value is a table.
    pub fn has_table(&self, key: &str) -> bool {
        let mut found = self
            .entries
            .iter()
            .filter(|(name, _)| name.get_ref() == key);
        found.any(|(_, value)| value.get_ref().is_table())
    }

    /// Puts the entries of `base` in where this table has none of that name.
    pub fn extend(&mut self, base: Self) {
        for (key, value) in base.entries {
            if !self.has(key.get_ref()) {
                self.entries.push((key, value));
            }
        }
    }

    /// Whatever was not taken is a mistake.
    pub fn finish(self, reader: &mut Reader<'t>) {
        for (key, _) in &self.entries {
            let meant = did_you_mean(key.get_ref(), self.known.iter().copied());
            let known = self.known.join(", ");
            let problem = format!("unknown key{meant}, expected one of: {known}");
            reader.mistake(key.span().start, &self.full(key.get_ref()), &problem);
        }
    }

    /// The key with the table's name before it.
    pub fn full(&self, key: &str) -> String {
        if self.place.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.place)
        }
    }

    fn remove(&mut self, key: &'static str) -> Option<Spanned<DeValue<'t>>> {
        self.known.push(key);
        let index = self
            .entries
            .iter()
            .position(|(name, _)| name.get_ref() == key)?;
        Some(self.entries.remove(index).1)
    }

    fn section(
        &self,
        reader: &mut Reader<'t>,
        place: String,
        value: Spanned<DeValue<'t>>,
    ) -> Option<Self> {
        let at = value.span().start;
        match value.into_inner() {
            DeValue::Table(table) => Some(Self::new(place, table, at)),
            other => {
                let problem = format!("expected a table, found {}", kind(other.type_str()));
                reader.mistake(at, &place, &problem);
                None
            }
        }
    }
}

const EMPTY_LIST: &str = "empty: give one, or leave it out";

//! What a reload replaces: the sources, the keys, the place for large payloads.

use webhook_core::codec::Codec;
use webhook_core::similar::Paths;
use webhook_core::source::Source;

use crate::storage::Store;

/// Replaced whole, between two requests.
pub struct Settings {
    /// At least one.
    pub sources: Vec<Source>,
    /// Encrypts payloads; without keys they are stored as they are.
    pub codec: Codec,
    /// Where large payloads are stored; `None`: they are refused.
    pub large: Option<Store>,
    /// Those of the sources, for whoever asks for one that is nearly the same.
    pub(super) paths: Paths,
}

impl Settings {
    /// Of at least one source.
    pub fn new(sources: Vec<Source>, codec: Codec, large: Option<Store>) -> Self {
        let paths = sources.iter().map(|source| source.path.as_str());
        Self {
            paths: Paths::new(paths),
            sources,
            codec,
            large,
        }
    }
}

//! The one type for secrets: not printable, wiped on drop.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use zeroize::Zeroizing;

/// Bytes that must not reach a log, an answer or a serializer. Never empty.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over; `None` if there are none, since an empty secret protects nothing.
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        (!bytes.is_empty()).then(|| Self(Zeroizing::new(bytes)))
    }

    /// Whether these are the same bytes; takes as long wherever the first difference is.
    pub fn equals(&self, other: &[u8]) -> bool {
        verify_slices_are_equal(&self.0, other).is_ok()
    }

    /// The bytes, for the one call that needs them.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_and_empty_is_refused() {
        let secret = Secret::new(b"hunter2".to_vec()).expect("not empty");
        assert_eq!(format!("{secret:?}"), "[REDACTED]");
        assert!(Secret::new(Vec::new()).is_none());
    }
}

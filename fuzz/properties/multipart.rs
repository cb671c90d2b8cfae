//! A content type; the rest is the body.

use webhook_core::request::multipart;

use super::input::{lines, received};

/// Whether there was anything to hold.
pub(crate) fn holds(data: &[u8]) -> bool {
    let ([content_type], body) = lines(data);
    let received = received("", &content_type, body);
    let fields = multipart::text_fields(&received);
    let Some(parts) = multipart::parts(&received) else {
        assert!(fields.is_empty(), "fields of no form");
        return false;
    };
    let bytes: usize = parts.iter().map(|part| part.bytes.len()).sum();
    assert!(bytes <= body.len(), "more than there was");
    let texts = parts.iter().filter(|part| part.filename.is_none());
    assert_eq!(texts.count(), fields.len());
    for part in &parts {
        let found = body.windows(part.bytes.len().max(1));
        assert!(
            part.bytes.is_empty() || found.into_iter().any(|it| it == &part.bytes[..]),
            "bytes that were not there"
        );
    }
    true
}

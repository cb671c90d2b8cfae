//! Multipart forms (RFC 7578): text fields, and files with their name and type.

use std::borrow::Cow;
use std::convert::Infallible;

use bytes::Bytes;
use futures_util::{FutureExt, stream};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use multer::Multipart;

use super::{Received, text};
use crate::form::Field;

/// One part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The field's name; read as Latin-1 if it is no UTF-8.
    pub name: String,
    /// Whether its names are UTF-8.
    pub is_utf8: bool,
    /// The file's name, if it is a file; likewise.
    pub filename: Option<String>,
    /// The part's type, if it says.
    pub content_type: Option<String>,
    /// Its bytes.
    pub bytes: Bytes,
}

/// All parts in their order; `None` if the body is no well-formed multipart form.
pub fn parts(received: &Received) -> Option<Vec<Part>> {
    let content_type = received.single_header(&CONTENT_TYPE)?;
    let boundary = multer::parse_boundary(content_type).ok()?;
    let body = stream::iter([Ok::<_, Infallible>(received.body.clone())]);
    let mut multipart = Multipart::new(body, boundary);
    let reading = async {
        let mut parts = Vec::new();
        while let Some(field) = multipart.next_field().await.ok()? {
            let disposition = field.headers().get(CONTENT_DISPOSITION)?.as_bytes();
            let (name, filename) = match std::str::from_utf8(disposition) {
                Ok(_) => (
                    field.name()?.to_owned(),
                    field.file_name().map(str::to_owned),
                ),
                Err(_) => (
                    parameter(disposition, "name")?,
                    parameter(disposition, "filename"),
                ),
            };
            parts.push(Part {
                name,
                filename,
                is_utf8: std::str::from_utf8(disposition).is_ok(),
                content_type: field.content_type().map(ToString::to_string),
                bytes: field.bytes().await.ok()?,
            });
        }
        Some(parts)
    };
    // The whole body is there: nothing is waited for.
    reading.now_or_never().flatten()
}

/// A parameter of a header that is no UTF-8, and that the library therefore reads as not there.
fn parameter(header: &[u8], name: &str) -> Option<String> {
    let header = text(header);
    header.split(';').find_map(|part| {
        let (own, value) = part.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (own.trim() == name).then(|| value.to_owned())
    })
}

/// The fields that are no files.
pub fn text_fields(received: &Received) -> Vec<Field<'static>> {
    let parts = parts(received).unwrap_or_default().into_iter();
    let fields = parts.filter(|part| part.filename.is_none()).map(|part| {
        let name = part.name.into_bytes();
        (Cow::Owned(name), Cow::Owned(part.bytes.to_vec()))
    });
    fields.collect()
}

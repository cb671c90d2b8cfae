//! Payloads over a threshold, in the form of Temporal's external storage: where such a payload
//! lies, and the small payload that stands in its place. As `S3StorageDriver` of Temporal's Python
//! SDK 1.35 writes and reads it.

use std::fmt::Write;

use aws_lc_rs::digest::{Context, SHA256, digest};
use bytes::Bytes;
use prost::{Message, encode_length_delimiter};
use serde::Deserialize;
use serde_json::json;

use crate::proto::{ExternalPayloadDetails, MESSAGE_TYPE, Payload};

/// Whose payload it is.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// Temporal's namespace.
    pub namespace: &'a str,
    /// The workflow's type.
    pub workflow_type: &'a str,
    /// The workflow's id.
    pub workflow_id: &'a str,
}

/// A payload as it is stored.
#[derive(Debug)]
pub struct Object {
    /// Its name in the bucket: at most 1,024 bytes of ASCII.
    pub key: String,
    /// Its content: one after the other they are the serialized payload.
    pub content: [Bytes; 2],
    /// SHA-256 of the content, hex.
    digest: String,
}

impl Object {
    /// The payload, named after its own content and the place it belongs to.
    pub fn new(payload: Payload, owner: &Owner<'_>) -> Self {
        let content = serialize(payload);
        let mut context = Context::new(&SHA256);
        content.iter().for_each(|part| context.update(part));
        let digest = hex::encode(context.finish());
        Self {
            key: key(owner, &digest),
            content,
            digest,
        }
    }

    /// Bytes.
    pub fn size(&self) -> usize {
        self.content.iter().map(Bytes::len).sum()
    }

    /// The payload that says where the object is: what the workflow gets in its place.
    pub fn reference(&self, driver_name: &str, bucket: &str) -> Payload {
        let reference = json!({
            "claimData": {
                "bucket": bucket,
                "hash_algorithm": "sha256",
                "hash_value": self.digest,
                "key": self.key,
            },
            "driverName": driver_name,
        });
        Payload {
            external_payloads: vec![ExternalPayloadDetails {
                size_bytes: i64::try_from(self.size()).unwrap_or(i64::MAX),
            }],
            ..Payload::new(b"json/protobuf", reference.to_string()).with(MESSAGE_TYPE, REFERENCE)
        }
    }
}

/// What a reference says.
#[derive(Debug)]
pub struct Claim {
    /// The name of the driver that stored the payload.
    pub driver_name: String,
    /// Where.
    pub bucket: String,
    /// Under which name.
    pub key: String,
    /// Bytes, as the reference has it.
    pub size: usize,
    digest: String,
}

impl Claim {
    /// What the payload says if it is a reference.
    ///
    /// # Errors
    /// A reference that is not of the form that S3's driver gives it.
    pub fn of(payload: &Payload) -> Result<Option<Self>, String> {
        if !is_reference(payload) || payload.encoding() != b"json/protobuf" {
            return Ok(None);
        }
        let reference: Reference = serde_json::from_slice(&payload.data)
            .map_err(|_| "a reference to external storage that is none of S3".to_owned())?;
        let claim = reference.claim_data;
        let size = payload
            .external_payloads
            .first()
            .and_then(|external| usize::try_from(external.size_bytes).ok());
        Ok(Some(Self {
            driver_name: reference.driver_name,
            bucket: claim.bucket,
            key: claim.key,
            size: size.unwrap_or_default(),
            digest: claim.hash_value,
        }))
    }

    /// The payload itself, from what lies there.
    ///
    /// # Errors
    /// Something else lies there.
    pub fn open(&self, content: Bytes) -> Result<Payload, String> {
        if !hex::encode(digest(&SHA256, &content)).eq_ignore_ascii_case(&self.digest) {
            return Err("what lies there is not what was stored".to_owned());
        }
        Payload::decode(content).map_err(|_| "what lies there is no payload".to_owned())
    }
}

/// Whether the payload stands for one that is in some external storage.
pub fn is_reference(payload: &Payload) -> bool {
    payload.message_type() == REFERENCE
}

/// `temporal.api.sdk.v1.ExternalStorageReference` as proto3 JSON.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    driver_name: String,
    claim_data: ClaimData,
}

#[derive(Deserialize)]
struct ClaimData {
    bucket: String,
    key: String,
    hash_value: String,
}

/// The payload's protobuf form, its data not copied.
fn serialize(mut payload: Payload) -> [Bytes; 2] {
    let data = std::mem::take(&mut payload.data);
    debug_assert!(
        payload.external_payloads.is_empty(),
        "a payload is stored once"
    );
    let mut head = payload.encode_to_vec();
    if !data.is_empty() {
        head.push(DATA);
        encode_length_delimiter(data.len(), &mut head).expect("a vector grows");
    }
    [head.into(), data]
}

fn key(owner: &Owner<'_>, digest: &str) -> String {
    let Owner {
        namespace,
        workflow_type,
        workflow_id,
    } = owner;
    let namespace = segment(namespace);
    let short = format!("v0/ns/{namespace}/d/sha256/{digest}");
    // In a URL they would name another folder, and clients disagree on which.
    if [*workflow_type, *workflow_id]
        .iter()
        .any(|name| matches!(*name, "." | ".."))
    {
        return short;
    }
    let (workflow_type, workflow_id) = (segment(workflow_type), segment(workflow_id));
    let key =
        format!("v0/ns/{namespace}/wt/{workflow_type}/wi/{workflow_id}/ri/null/d/sha256/{digest}");
    if key.len() > MAX_KEY { short } else { key }
}

/// Percent-encoded, upper-case hex; `null` for nothing.
fn segment(name: &str) -> String {
    if name.is_empty() {
        return "null".to_owned();
    }
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"!-_.*'()".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("a string takes all");
        }
    }
    out
}

/// S3's limit.
const MAX_KEY: usize = 1024;
/// The tag of `bytes data = 2` in the message `Payload`.
const DATA: u8 = 2 << 3 | 2;
const REFERENCE: &[u8] = b"temporal.api.sdk.v1.ExternalStorageReference";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload;

    /// The keys that the driver of `temporalio[aioboto3]` 1.35.0 gave the payload
    /// `{encoding: json/plain}` `{"a":1}`.
    #[test]
    fn keys_are_those_of_the_python_driver() {
        let long = "x".repeat(927);
        for (namespace, workflow_type, workflow_id, expected) in [
            (
                "default",
                "GithubWebhook",
                "github:72d3162e-cc78-11e3-81ab-4c9367dc0958",
                "v0/ns/default/wt/GithubWebhook/wi/github%3A72d3162e-cc78-11e3-81ab-4c9367dc0958/ri/null",
            ),
            (
                "default",
                "Shopify Webhook/ü",
                "a b/c%d?e#f~g+h&i=j$k,l@m;n[o]{p}|\\^`\"<>é日🦀!-_.*'()",
                "v0/ns/default/wt/Shopify%20Webhook%2F%C3%BC/wi/a%20b%2Fc%25d%3Fe%23f%7Eg%2Bh%26i%3Dj%24k%2Cl%40m%3Bn%5Bo%5D%7Bp%7D%7C%5C%5E%60%22%3C%3E%C3%A9%E6%97%A5%F0%9F%A6%80!-_.*'()/ri/null",
            ),
            ("", "", "", "v0/ns/null/wt/null/wi/null/ri/null"),
            ("n", "t", &long, "v0/ns/n"),
            ("n", "t", &"é".repeat(200), "v0/ns/n"),
        ] {
            let owner = Owner {
                namespace,
                workflow_type,
                workflow_id,
            };
            let object = Object::new(small(), &owner);
            assert_eq!(object.key, format!("{expected}/d/sha256/{SHA}"));
        }
        let owner = |workflow_id| Owner {
            namespace: "n",
            workflow_type: "t",
            workflow_id,
        };
        assert_eq!(Object::new(small(), &owner(&long[1..])).key.len(), 1024);
        for dots in [".", ".."] {
            let key = Object::new(small(), &owner(dots)).key;
            assert_eq!(key, format!("v0/ns/n/d/sha256/{SHA}"));
        }
    }

    #[test]
    fn the_reference_is_that_of_the_python_driver() {
        let object = Object::new(small(), &OWNER);
        let reference = object.reference("aws.s3driver", "events");
        assert_eq!(
            *reference.get("encoding").expect("it says so"),
            "json/protobuf"
        );
        assert_eq!(
            *reference.get("messageType").expect("it says so"),
            "temporal.api.sdk.v1.ExternalStorageReference"
        );
        assert_eq!(reference.metadata.len(), 2);
        assert_eq!(
            String::from_utf8_lossy(&reference.data),
            format!(
                r#"{{"claimData":{{"bucket":"events","hash_algorithm":"sha256","hash_value":"{SHA}","key":"{}"}},"driverName":"aws.s3driver"}}"#,
                object.key
            )
        );
        assert_eq!(reference.external_payloads[0].size_bytes, 33);
    }

    #[test]
    fn a_reference_leads_back_to_the_payload_and_to_no_other() {
        let object = Object::new(small(), &OWNER);
        let reference = object.reference("aws.s3driver", "events");
        let claim = Claim::of(&reference).expect("fine").expect("a reference");
        assert_eq!((claim.bucket.as_str(), &claim.key), ("events", &object.key));
        assert_eq!(
            (claim.driver_name.as_str(), claim.size),
            ("aws.s3driver", 33)
        );
        let mut content = object.content.concat();
        assert_eq!(claim.open(content.clone().into()), Ok(small()));
        content[32] ^= 1;
        assert!(claim.open(content.into()).is_err());

        assert!(Claim::of(&small()).expect("fine").is_none());
        let other = Payload {
            data: r#"{"driverName":"gcs","claimData":{}}"#.into(),
            ..reference
        };
        assert!(Claim::of(&other).is_err());
    }

    #[test]
    fn the_parts_are_the_serialized_payload() {
        let long = payload::text(&"x".repeat(100_000));
        for payload in [small(), long, Payload::default()] {
            let whole = payload.encode_to_vec();
            let object = Object::new(payload, &OWNER);
            assert_eq!(object.content.concat(), whole);
            assert_eq!(object.size(), whole.len());
        }
    }

    fn small() -> Payload {
        Payload::new(b"json/plain", r#"{"a":1}"#)
    }

    const OWNER: Owner<'_> = Owner {
        namespace: "default",
        workflow_type: "t",
        workflow_id: "w",
    };
    const SHA: &str = "7800336994855fc9ace2b4e35add2293d3fff0404de9e7a967778d12cb0290c0";
}

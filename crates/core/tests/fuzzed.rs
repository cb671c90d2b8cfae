//! What the fuzz targets hold the core to, on stable.

#![allow(
    clippy::disallowed_methods,
    reason = "the core reads no files and no clock; this reads seeds, and asks how long it took"
)]

#[path = "../../../fuzz/properties/mod.rs"]
mod properties;
#[path = "../../../fuzz/properties/stable.rs"]
mod stable;

use std::path::Path;

use properties::{expression, json, locator, multipart, payload, signed};

fn hold(target: &str, cases: u32, property: impl Fn(&[u8]) -> bool) {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    stable::hold(&fuzz, target, cases, property);
}

#[test]
fn a_place_is_read_as_it_is_shown_and_no_label_is_empty() {
    hold("locator", 3000, locator::holds);
}

#[test]
fn parts_are_parts_of_the_body() {
    hold("multipart", 3000, multipart::holds);
}

#[test]
fn what_covers_the_body_covers_each_bit_of_it() {
    hold("signed", 3000, signed::holds);
}

#[test]
fn every_expression_ends_soon() {
    hold("expression", 500, expression::holds);
}

#[test]
fn a_payload_is_the_same_after_each_way_there_and_back() {
    hold("payload", 3000, payload::holds);
}

#[test]
fn what_is_found_in_json_is_there() {
    hold("json", 3000, json::holds);
}

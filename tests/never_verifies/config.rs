//! A configuration that somebody has mistyped: each mistake has its place and its words.

#[path = "../../fuzz/properties/config.rs"]
mod property;
#[path = "../../fuzz/properties/stable.rs"]
mod stable;

use std::path::Path;

#[test]
fn every_mistake_has_its_place_and_its_words() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    stable::hold(&fuzz, "config", 200, property::holds);
}

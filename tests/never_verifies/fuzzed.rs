//! What the fuzz targets hold the program to, on stable.

#[path = "../../fuzz/properties/config.rs"]
mod config;
#[path = "../../fuzz/properties/proxy.rs"]
mod proxy;
#[path = "../../fuzz/properties/stable.rs"]
mod stable;

use std::path::Path;

fn hold(target: &str, cases: u32, property: impl Fn(&[u8]) -> bool) {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    stable::hold(&fuzz, target, cases, property);
}

#[test]
fn every_mistake_has_its_place_and_its_words() {
    hold("config", 200, config::holds);
}

#[test]
fn a_proxy_header_ends_where_it_ends_in_whatever_pieces_it_comes() {
    hold("proxy", 3000, proxy::holds);
}

#![no_main]

#[path = "../properties/proxy.rs"]
mod proxy;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    proxy::holds(data);
});

//! Arbitrary bytes, and bytes in the shape of what each sender sends, never panic and never
//! verify.

mod never_verifies {
    mod attack;
    mod fuzzed;
    mod properties;
    mod targets;
}

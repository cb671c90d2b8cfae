//! The same properties without a fuzzer: every seed and every case that one has found, and changes of them.

use std::cell::Cell;
use std::fs;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};

/// Holds so many changes of the target's seeds to its property, and the seeds themselves.
pub(crate) fn hold(fuzz: &Path, target: &str, cases: u32, property: impl Fn(&[u8]) -> bool) {
    let folder = fuzz.join("seeds").join(target);
    let files = fs::read_dir(&folder).expect("a folder of seeds");
    let seeds: Vec<Vec<u8>> = files
        .map(|file| fs::read(file.expect("a file").path()).expect("a seed"))
        .collect();
    assert!(seeds.len() > 1, "{folder:?}");
    let held = seeds.iter().filter(|seed| property(seed)).count();
    assert!(
        held * 2 > seeds.len(),
        "{target}: of {held} seeds only is anything held"
    );
    let held = Cell::new(0);
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let ran = TestRunner::new(config).run(&changed(seeds), |data| {
        held.set(held.get() + u32::from(property(&data)));
        Ok(())
    });
    ran.unwrap_or_else(|error| panic!("{target}: {error}"));
    assert!(
        held.get() > cases / 20,
        "{target}: {} of {cases} were about something",
        held.get()
    );
}

/// A few places of a seed are replaced: by what stands elsewhere in the seeds, or by anything.
fn changed(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let all = seeds.concat();
    let elsewhere = (any::<Index>(), 0..12_usize).prop_map(move |(at, length)| {
        let at = at.index(all.len());
        all[at..(at + length).min(all.len())].to_vec()
    });
    let odd = select(vec![
        "", "\0", "\"", "\\", "{", "}", "[", "]", "\n", "\r\n", ".", "\u{e9}", "%", "--", "0",
    ]);
    let odd = odd.prop_map(|odd| odd.as_bytes().to_vec());
    let piece = prop_oneof![4 => elsewhere, 3 => odd, 1 => vec(any::<u8>(), 0..6)];
    let changes = vec((any::<Index>(), 0..4_usize, piece), 0..6);
    (select(seeds), changes).prop_map(|(mut data, changes)| {
        for (at, cut, piece) in changes {
            let at = at.index(data.len() + 1);
            let end = (at + cut).min(data.len());
            data.splice(at..end, piece);
        }
        data
    })
}

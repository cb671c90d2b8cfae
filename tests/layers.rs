//! The rooms of the house, measured from the sources: imports go down only, and no files know each other
//! in a circle, but a module and its own children.

mod layers {
    mod dependencies;
    mod imports;
    mod source;

    use std::collections::{BTreeMap, BTreeSet};

    use imports::Import;

    /// From the bottom to the top; what is side by side is listed from the bottom to the top, too.
    const LAYERS: [&str; 18] = [
        "webhook_core",
        "cli",
        "config",
        "telemetry",
        "systemd",
        "tls",
        "temporal",
        "load",
        "storage",
        "expiry",
        "acme",
        "events",
        "forward",
        "server",
        "admin",
        "codec_server",
        "reload",
        "commands",
    ];

    #[test]
    fn imports_go_down_only() {
        let mut up = Vec::new();
        for import in imports::all() {
            let rank = |module: &str| {
                let room = module
                    .split("::")
                    .nth(usize::from(!module.starts_with("webhook_core")));
                LAYERS.iter().position(|layer| Some(*layer) == room)
            };
            match (rank(&import.from), rank(&import.to)) {
                (Some(from), Some(to)) if from >= to => {}
                // The program and the library's list of rooms stand above all.
                _ if ["crate", "main"].contains(&import.from.as_str()) => {}
                _ => up.push(import.to_string()),
            }
        }
        assert!(
            up.is_empty(),
            "imports go up, or a room is not in the list above:\n{}",
            up.join("\n")
        );
    }

    #[test]
    fn no_files_know_each_other_in_a_circle() {
        let imports = imports::all();
        // What a child takes from its module closes no circle by itself: there is none without it; and
        // with it, whoever is in one is of the same room.
        let across = imports.iter().filter(|import| !import.is_to_parent());
        let mut circles = in_circles(across);
        let between = |import: &&Import| family(&import.from) != family(&import.to);
        circles.extend(in_circles(imports.iter()).into_iter().filter(between));
        let shown: BTreeSet<_> = circles.iter().map(ToString::to_string).collect();
        let shown: Vec<_> = shown.into_iter().collect();
        assert!(shown.is_empty(), "in circles:\n{}", shown.join("\n"));
    }

    /// `crate::forward` of `crate::forward::fetch::table`.
    fn family(module: &str) -> &str {
        let second = module.match_indices("::").nth(1);
        second.map_or(module, |(end, _)| &module[..end])
    }

    fn in_circles<'i>(imports: impl Iterator<Item = &'i Import>) -> Vec<&'i Import> {
        let imports: Vec<_> = imports.collect();
        let mut known: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for import in &imports {
            known.entry(&import.from).or_default().insert(&import.to);
        }
        let is_in = |import: &&Import| reaches(&known, &import.to, &import.from);
        imports.into_iter().filter(is_in).collect()
    }

    fn reaches(known: &BTreeMap<&str, BTreeSet<&str>>, from: &str, to: &str) -> bool {
        let (mut seen, mut next) = (BTreeSet::from([from]), vec![from]);
        while let Some(module) = next.pop() {
            if module == to {
                return true;
            }
            for other in known.get(module).into_iter().flatten() {
                if seen.insert(other) {
                    next.push(other);
                }
            }
        }
        false
    }
}

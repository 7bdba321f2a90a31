//! The wings of the library use each other in one direction.

use crate::repository;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Each wing, and those that it may use beside itself and `error`.
const WINGS: [(&str, &[&str]); 6] = [
    ("domain", &[]),
    ("contract", &["domain"]),
    ("aws", &["domain"]),
    ("quota", &["domain", "contract", "aws"]),
    ("function", &["domain", "contract"]),
    ("change", &["domain", "contract", "aws", "quota", "function"]),
];

/// The sources at `path`, a file or a folder, but for those of tests.
fn sources(path: &Path) -> Vec<PathBuf> {
    if path.is_dir() {
        let entries = std::fs::read_dir(path).unwrap();
        return entries.flat_map(|entry| sources(&entry.unwrap().path())).collect();
    }
    if path.ends_with("tests.rs") {
        Vec::new()
    } else {
        vec![path.to_owned()]
    }
}

/// The modules of the library that the code of a source names, not its comments and its tests.
fn uses(source: &str) -> BTreeSet<&str> {
    let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let names = lines.flat_map(|line| line.split("crate::").skip(1));
    names
        .filter_map(|name| {
            name.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
                .next()
        })
        .collect()
}

#[test]
fn every_module_is_in_a_wing_and_a_wing_uses_only_those_above_it() {
    let root = repository("functions/ecr-deploy/src");
    let mut found = BTreeSet::new();
    for file in sources(&root) {
        let below = file.strip_prefix(&root).unwrap();
        let wing = below
            .iter()
            .next()
            .unwrap()
            .to_str()
            .unwrap()
            .trim_end_matches(".rs")
            .to_owned();
        let source = std::fs::read_to_string(&file).unwrap();
        let may_use = match WINGS.iter().find(|(name, _)| *name == wing) {
            Some((_, wings)) => [&[&*wing, "error"], *wings].concat(),
            None if wing == "error" => Vec::new(),
            None => {
                assert!(
                    ["lib", "testing"].contains(&&*wing),
                    "{} is in no wing",
                    below.display()
                );
                continue;
            }
        };
        for used in uses(&source) {
            assert!(may_use.contains(&used), "{} uses {used}", below.display());
            found.insert((wing.clone(), used.to_owned()));
        }
    }
    for (wing, used) in [("contract", "domain"), ("quota", "contract"), ("change", "aws")] {
        assert!(
            found.contains(&(wing.to_owned(), used.to_owned())),
            "{wing} uses {used} no more"
        );
    }
}

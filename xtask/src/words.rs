//! The words of docs/words.md: no file of the repository has one that is to be kept out.

use local_aws::tools::workspace;
use regex_lite::Regex;
use std::path::{Path, PathBuf};

/// The page with the table.
const PAGE: &str = "docs/words.md";

/// Where our own words stand.
const FOLDERS: [&str; 11] = [
    "cdk/lib",
    "cdk/test",
    "docs",
    "examples",
    "functions",
    "fuzz/src",
    "statemachine",
    "testing",
    "tests",
    "xtask",
    "cli",
];
const FILES: [&str; 3] = ["README.md", "CONTRIBUTING.md", "SECURITY.md"];

/// Names of folders with words of others: what AWS answers, what is built or installed.
const OTHERS: [&str; 4] = ["conformance", "fixtures", "node_modules", "target"];

/// The patterns of the table, from its last column.
fn patterns(page: &str) -> Vec<Regex> {
    let rows = page.lines().filter(|line| line.starts_with('|') && line.contains('`'));
    let last = rows.filter_map(|row| row.split('`').nth(1));
    last.map(|pattern| Regex::new(&pattern.replace(r"\|", "|")).unwrap())
        .collect()
}

/// The files of ours below a folder.
pub(crate) fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_ours = ["rs", "ts", "yaml", "json", "md", "py", "toml"]
            .iter()
            .any(|kind| path.extension().is_some_and(|extension| extension == *kind));
        if path.is_dir() && !OTHERS.contains(&name) {
            collect(&path, files);
        } else if is_ours && !path.ends_with(PAGE) && !path.ends_with("words.rs") {
            files.push(path);
        }
    }
}

#[test]
fn no_file_has_a_word_that_is_kept_out() {
    let root = workspace();
    let patterns = patterns(&std::fs::read_to_string(root.join(PAGE)).unwrap());
    assert!(patterns.len() > 10, "{patterns:?}");
    let mut files: Vec<PathBuf> = FILES.map(|file| root.join(file)).to_vec();
    for folder in FOLDERS {
        collect(&root.join(folder), &mut files);
    }
    assert!(files.len() > 300, "{}", files.len());
    let mut found = Vec::new();
    for file in files {
        let Ok(text) = std::fs::read_to_string(&file) else {
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            if let Some(word) = patterns.iter().find_map(|pattern| pattern.find(line)) {
                let file = file.strip_prefix(root).unwrap_or(&file).display();
                found.push(format!("{file}:{}: {}", number + 1, word.as_str()));
            }
        }
    }
    assert!(
        found.is_empty(),
        "{PAGE} tells what to say instead:\n{}",
        found.join("\n")
    );
}

/// Where comments say their subject. The product's code is still to follow.
const WITHOUT_WHAT: [&str; 3] = ["testing", "tests", "xtask"];

#[test]
fn no_comment_begins_with_what() {
    let root = workspace();
    let mut files = Vec::new();
    for folder in WITHOUT_WHAT {
        collect(&root.join(folder), &mut files);
    }
    files.retain(|file| file.extension().is_some_and(|extension| extension == "rs"));
    assert!(files.len() > 100, "{}", files.len());
    let pattern = Regex::new(r"^\s*//[/!]? What ").unwrap();
    assert!(pattern.is_match("    /// What it is.") && !pattern.is_match("// Says what it is."));
    let mut found = Vec::new();
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap();
        let lines = text.lines().enumerate().filter(|(_, line)| pattern.is_match(line));
        found.extend(lines.map(|(number, line)| format!("{}:{}: {}", file.display(), number + 1, line.trim())));
    }
    assert!(
        found.is_empty(),
        "begin with the subject instead:\n{}",
        found.join("\n")
    );
}

#[test]
fn every_pattern_finds_what_it_is_for() {
    let page = std::fs::read_to_string(workspace().join(PAGE)).unwrap();
    let patterns = patterns(&page);
    for old in [
        "the last look",
        "is looked at",
        "overrun",
        "took its place",
        "turned away",
        "died",
        "left out",
        "puts out",
    ] {
        assert!(patterns.iter().any(|pattern| pattern.is_match(old)), "{old}");
    }
    for fine in [
        "Look at the service now",
        "it looks like an index",
        "64 bits",
        "busybox",
        "skipped",
    ] {
        assert!(!patterns.iter().any(|pattern| pattern.is_match(fine)), "{fine}");
    }
}

//! The words of docs/words.md: no file of the repository has one that is to be kept out.

use local_aws::tools::workspace;
use regex_lite::Regex;
use std::path::{Path, PathBuf};

/// The page with the table.
const PAGE: &str = "docs/words.md";

/// Where our own words stand.
const FOLDERS: [&str; 13] = [
    "cdk/app",
    "cdk/lib",
    "cdk/package",
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

/// The patterns of the table, from its last column. They ignore case.
fn patterns(page: &str) -> Vec<Regex> {
    let rows = page.lines().filter(|line| line.starts_with('|') && line.contains('`'));
    let last = rows.filter_map(|row| row.split('`').nth(1));
    last.map(|pattern| Regex::new(&format!("(?i){}", pattern.replace(r"\|", "|"))).unwrap())
        .collect()
}

/// The files of ours below a folder.
pub(crate) fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_ours = ["rs", "ts", "yaml", "json", "md", "py", "toml", "txt"]
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
        // Line 0 is the name of the file.
        let file = file.strip_prefix(root).unwrap().to_str().unwrap();
        for (number, line) in std::iter::once(file).chain(text.lines()).enumerate() {
            if let Some(word) = patterns.iter().find_map(|pattern| pattern.find(line)) {
                found.push(format!("{file}:{number}: {}", word.as_str()));
            }
        }
    }
    assert!(
        found.is_empty(),
        "{PAGE} tells what to say instead:\n{}",
        found.join("\n")
    );
}

/// Where a sentence of a comment begins with its subject, and not with "What" or "Whether".
const COMMENTED: [&str; 11] = [
    "cdk/app",
    "cdk/lib",
    "cdk/package",
    "cdk/test",
    "cli",
    "functions",
    "fuzz",
    "statemachine",
    "testing",
    "tests",
    "xtask",
];

/// The beginning of a comment in Rust, in TypeScript and in YAML.
const COMMENT: &str = r"^\s*(//[/!]?|/?\*\*?|#|Comment:)";

/// Returns the lines that match, each with its place, of the files below `folders` whose ending is one of `kinds`.
fn matching(folders: &[&str], kinds: &[&str], pattern: &Regex) -> Vec<String> {
    let root = workspace();
    let mut files = Vec::new();
    for folder in folders {
        collect(&root.join(folder), &mut files);
    }
    files.retain(|file| kinds.iter().any(|kind| file.extension().is_some_and(|it| it == *kind)));
    assert!(files.len() > 10, "{}", files.len());
    let mut found = Vec::new();
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap();
        let lines = text.lines().enumerate().filter(|(_, line)| pattern.is_match(line));
        found.extend(lines.map(|(number, line)| format!("{}:{}: {}", file.display(), number + 1, line.trim())));
    }
    found
}

#[test]
fn no_comment_begins_with_what_or_whether() {
    let any = Regex::new(&format!(r"{COMMENT} (.*[.:] )?(What|Whether) ")).unwrap();
    for begin in [
        "/** Whether it is. */",
        "   * It is. What is not",
        "# Whether",
        "    /// What it is.",
        "Comment: What",
    ] {
        assert!(any.is_match(&format!("{begin} so")), "{begin}");
    }
    assert!(!any.is_match("/// True if it is; whether it was") && !any.is_match(r#"let what = ["What is it?"];"#));
    let found = matching(&COMMENTED, &["rs", "ts", "yaml", "py", "txt", "toml"], &any);
    assert!(
        found.is_empty(),
        "begin with the subject instead:\n{}",
        found.join("\n")
    );
}

/// A heading or a question may begin with "What". The text of the page of the performance is the benchmark's.
#[test]
fn no_sentence_of_a_page_begins_with_what_or_whether() {
    let sentence = Regex::new(r"^([^#].*[.:|] |\s*([-*|] |\d+\. )?)(\*\*)?(What|Whether) [^?]*$").unwrap();
    for begin in [
        "What is",
        "1. What is",
        "- **What is**",
        "It is. Whether it is",
        "| `a` | Whether it",
    ] {
        assert!(sentence.is_match(begin), "{begin}");
    }
    for fine in [
        "## What it costs",
        "- **What does it cost?** Little.",
        "It says what it is.",
    ] {
        assert!(!sentence.is_match(fine), "{fine}");
    }
    let mut found = matching(&["docs"], &["md"], &sentence);
    found.retain(|line| !line.contains("docs/performance.md"));
    for page in FILES {
        let text = std::fs::read_to_string(workspace().join(page)).unwrap();
        let lines = text.lines().filter(|line| sentence.is_match(line));
        found.extend(lines.map(|line| format!("{page}: {line}")));
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
        "EVENTS_A_LOOK",
        "is looked at",
        "TRIES",
        "its way back",
        "plan.paced.json",
        "a_plan_is_paced",
        "one_task_that_dies_once",
        "A dry run",
        "overrun",
        "took its place",
        "turned away",
        "died",
        "left out",
        "Puts out",
    ] {
        assert!(patterns.iter().any(|pattern| pattern.is_match(old)), "{old}");
    }
    for fine in [
        "Look at the service now",
        "in which log to look",
        "AWS tries again",
        "a busy machine",
        "TAGS_LEFT_OUT",
        "it looks like an index",
        "64 bits",
        "busybox",
        "skipped",
    ] {
        assert!(!patterns.iter().any(|pattern| pattern.is_match(fine)), "{fine}");
    }
}

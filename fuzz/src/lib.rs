//! The rules that must hold for any input whatever, of everything that ecr-deploy reads from outside.
//!
//! A check reads one input and panics when it is taken wrongly: accepted against the grammar, which is written down here
//! a second time, changed on its way through, or refused without a clear error. libFuzzer looks for such an input
//! (`cargo xtask fuzz`); the tests of this package replay the inputs of `corpus/`, the seeds and what was found since.

mod answer;
mod arn;
mod event;
mod image;
mod settings;
mod task_definition;

use ecr_deploy::error::{EXCERPT_LENGTH, Error};
use regex_lite::Regex;

/// Reads an input and panics when it is taken wrongly.
pub type Check = fn(&[u8]);

/// Every target: its name, which is also its folder in `corpus/`, and its check.
pub const TARGETS: [(&str, Check); 7] = [
    ("answer", answer::check),
    ("arn", arn::check),
    ("event", event::check),
    ("image", image::check),
    ("payload", event::check_payload),
    ("settings", settings::check),
    ("task-definition", task_definition::check),
];

/// A region, an account's id, and a name of ECS, in the patterns of several targets.
const REGION: &str = "[a-z0-9]+(?:-[a-z0-9]+){2,}";
const ACCOUNT: &str = "[0-9]{12}";
const ECS_NAME: &str = "[A-Za-z0-9_-]{1,255}";

/// How long a text may be that quotes an input: an excerpt, and the words that say so.
const LONGEST: usize = EXCERPT_LENGTH + 50;

/// A pattern for a whole text.
fn pattern(text: &str) -> Regex {
    Regex::new(&format!("^(?:{text})$")).expect("a pattern of ours")
}

/// A refusal has the right name, and few words, however many were given.
fn assert_clear(error: &Error) {
    let message = error.to_string();
    assert_eq!(error.name(), "Deploy.InvalidInput", "{message}");
    assert!(
        (10..=LONGEST).contains(&message.len()),
        "{} bytes: {message}",
        message.len()
    );
}

#[cfg(test)]
mod tests {
    use super::TARGETS;
    use std::path::{Path, PathBuf};

    fn files(folder: &Path) -> impl Iterator<Item = PathBuf> {
        folder.read_dir().unwrap().map(|entry| entry.unwrap().path())
    }

    #[test]
    fn every_input_of_the_corpus_is_taken_rightly() {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut folders: Vec<_> = files(&package.join("corpus")).collect();
        folders.sort();
        let expected = TARGETS.map(|(name, _)| package.join("corpus").join(name));
        assert_eq!(folders, expected, "one folder per target");
        for ((_, check), folder) in TARGETS.into_iter().zip(folders) {
            // The examples of the contract are seeds of every target, as they are of `cargo xtask fuzz`.
            for path in files(&folder).chain(files(&package.join("../statemachine/examples"))) {
                eprintln!("{}", path.display());
                check(&std::fs::read(path).unwrap());
            }
        }
    }
}

//! The patterns of a stage: which names it selects, and which tags it takes. `cdk/lib/tag-filter.ts` and `cdk/lib/stages.ts` read
//! them by the same rules.

use regex_lite::Regex;
use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};

/// Names or globs. Without any it selects everything.
#[derive(Debug, Clone)]
pub struct Selector(Vec<Regex>);

/// The rules of a stage's `tags`: the last one that matches a tag decides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TagRules(pub Vec<TagRule>);

/// One rule of a stage's `tags`, such as `main-*` or `!semver:<1.0.0`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TagRule {
    text: String,
    is_exclusion: bool,
    pattern: Pattern,
}

impl PartialEq for TagRule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for TagRule {}

impl From<TagRule> for String {
    fn from(rule: TagRule) -> Self {
        rule.text
    }
}

impl TryFrom<String> for TagRule {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::read(&text)
    }
}

impl TagRules {
    /// Which rule decides on a tag: the last one that matches it.
    #[must_use]
    pub fn decide(&self, tag: &str) -> Decision<'_> {
        Decision {
            rule: self.0.iter().rev().find(|rule| rule.matches(tag)),
        }
    }
}

#[derive(Debug, Clone)]
enum Pattern {
    /// Of a name, a glob, or a regex.
    Text(Regex),
    /// Of a range of versions.
    Range(VersionReq),
}

/// The decision of a stage on a tag.
#[derive(Debug, Clone, Copy)]
pub struct Decision<'a> {
    /// The rule that decided; `None` where no rule matches the tag.
    pub rule: Option<&'a TagRule>,
}

impl Decision<'_> {
    /// True if the stage takes the tag.
    #[must_use]
    pub fn takes(&self) -> bool {
        self.rule.is_some_and(|rule| !rule.is_exclusion)
    }

    /// True if a range of versions decided, so that versions are compared.
    #[must_use]
    pub fn is_by_version(&self) -> bool {
        self.rule.is_some_and(|rule| matches!(rule.pattern, Pattern::Range(_)))
    }
}

impl Selector {
    /// Reads names or globs.
    ///
    /// # Errors
    ///
    /// The first one that is neither, and why.
    pub fn read(patterns: &[String]) -> Result<Self, String> {
        let globs = patterns.iter().map(|pattern| {
            let read = glob(pattern);
            read.map_err(|problem| format!("{pattern:?} {problem}"))
        });
        globs.collect::<Result<_, _>>().map(Self)
    }

    /// True if it selects everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True if it selects a thing of this name.
    #[must_use]
    pub fn selects(&self, name: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|glob| glob.is_match(name))
    }
}

impl TagRule {
    /// Reads a rule.
    ///
    /// # Errors
    ///
    /// Why it is none.
    pub fn read(text: &str) -> Result<Self, String> {
        let (is_exclusion, rest) = match text.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let pattern = match rest.split_once(':') {
            Some(("semver", range)) => Pattern::Range(self::range(range)?),
            Some(("regex", expression)) => Pattern::Text(whole(expression)?),
            Some((kind, _)) => {
                return Err(format!(
                    "there is no kind {kind:?} of rule; there are semver: and regex:"
                ));
            }
            None => Pattern::Text(glob(rest)?),
        };
        Ok(Self {
            text: text.to_owned(),
            is_exclusion,
            pattern,
        })
    }

    /// True if it keeps the tags out that it matches.
    #[must_use]
    pub fn is_exclusion(&self) -> bool {
        self.is_exclusion
    }

    fn matches(&self, tag: &str) -> bool {
        match &self.pattern {
            Pattern::Text(text) => text.is_match(tag),
            Pattern::Range(range) => version(tag).is_some_and(|version| range.matches(&version)),
        }
    }

    /// The rule as the settings have it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// A name, or a glob: `*` stands for any characters, `/` too, and `?` for one. No other character is special, so that the
/// construct can check it without a library; `GLOB` in `cdk/lib/stages.ts` is the same rule.
fn glob(text: &str) -> Result<Regex, String> {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "._-/*?".contains(character);
    if text.is_empty() || !text.chars().all(is_plain) {
        return Err("is no name or glob: give letters, digits, . _ - / and * or ?".to_owned());
    }
    whole(&regex_lite::escape(text).replace(r"\*", ".*").replace(r"\?", "."))
}

/// A regex for a whole text. The crate matches in linear time, whatever the expression.
fn whole(expression: &str) -> Result<Regex, String> {
    // By itself, too: `a)|(b` is none, though it would be one between parentheses.
    let read = Regex::new(expression).and_then(|_| Regex::new(&format!("^(?:{expression})$")));
    read.map_err(|error| format!("it is no regex: {error}"))
}

/// A range of versions: `*`, or comparators with a space between two, each with its operator, such as `>=1.2.0 <2.0.0`. It is
/// what the crate `semver` and the npm package of that name read alike: npm takes no comma, and reads a version without an
/// operator as that very version, where the crate reads it as `^`. `RANGE` in `cdk/lib/tag-rules.ts` is the same rule.
fn range(text: &str) -> Result<VersionReq, String> {
    let comparators: Vec<&str> = text.split(' ').collect();
    if text != "*" && !comparators.iter().all(|comparator| is_comparator(comparator)) {
        return Err(
            "it is no range: give * or comparators with their operators, such as semver:>=1.2.0 <2.0.0".to_owned(),
        );
    }
    VersionReq::parse(&comparators.join(", ")).map_err(|error| format!("it is no range: {error}"))
}

/// True if a text is an operator and a version, without a wildcard or build metadata. The crate checks the version.
fn is_comparator(text: &str) -> bool {
    let version = text.trim_start_matches(['=', '<', '>', '~', '^']);
    let (numbers, pre_release) = version.split_once('-').unwrap_or((version, "0"));
    let is_identifier = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    version.len() < text.len()
        && numbers.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && pre_release.bytes().all(is_identifier)
}

/// The version that a tag names: `v1.2.3` and `1.2.3` are one, `v1.2` is none.
fn version(tag: &str) -> Option<Version> {
    Version::parse(tag.strip_prefix('v').unwrap_or(tag)).ok()
}

/// True if `tag` names a lower version than `running` does. False where one of them names none.
#[must_use]
pub fn lower(tag: &str, running: &str) -> bool {
    matches!((version(tag), version(running)), (Some(tag), Some(running)) if tag.cmp_precedence(&running).is_lt())
}

//! The words of the arguments are understood before any call: each parser takes a text that the command can use later, as it is.

use crate::arguments::Form;
use crate::commands::Named as NamedService;
use crate::error::Error;
use crate::exit::Exit;
use crate::output;
use crate::verify::begin::Tags;
use clap::error::ErrorKind;
use ecr_deploy::domain::arn::{ClusterName, RevisionName};
use ecr_deploy::domain::image::Region;
use jiff::Timestamp;
use std::ffi::OsString;

/// Says how the words cannot be understood: as a document where the words ask for documents. Help and the version end here, too.
#[must_use]
pub fn not_understood(error: &clap::Error, words: &[OsString]) -> Exit {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return output::written(error.print()).map_or_else(|error| ended(output_form(words), &error), |_| Exit::Done);
    }
    if output_form(words) == Form::Json {
        let text = error.to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
        return ended(Form::Json, &Error::Usage(text.to_owned()));
    }
    let _ = error.print();
    Exit::Usage
}

fn ended(form: Form, error: &Error) -> Exit {
    output::print_error(form, error);
    error.exit()
}

/// The form that the words ask for, as far as they can be understood.
fn output_form(words: &[OsString]) -> Form {
    let before_rest = words.iter().take_while(|it| *it != "--");
    let words: Vec<&OsString> = before_rest.collect();
    let in_two = words.windows(2).any(|it| it[0] == "--output" && it[1] == "json");
    if in_two || words.iter().any(|it| *it == "--output=json") {
        Form::Json
    } else {
        Form::Table
    }
}

/// `production/web`.
pub(crate) fn service(text: &str) -> Result<String, Error> {
    text.parse::<NamedService>()?.parsed()?;
    Ok(text.to_owned())
}

/// The name of a cluster.
pub(crate) fn cluster(text: &str) -> Result<String, Error> {
    match text.parse::<ClusterName>() {
        Ok(_) if !text.contains([':', '/']) => Ok(text.to_owned()),
        _ => Err(Error::Usage(format!("{text:?} is no name of a cluster"))),
    }
}

/// `production`, or `production/web`.
pub(crate) fn cluster_or_service(text: &str) -> Result<String, Error> {
    if text.contains('/') {
        service(text)
    } else {
        cluster(text)
    }
}

/// An image, as `shop/web:v2`.
pub(crate) fn image(text: &str) -> Result<String, Error> {
    text.parse::<crate::image::Named>().map(|_| text.to_owned())
}

/// A push, a repository or a service by a name: an empty one would be a part of every name.
pub(crate) fn name(text: &str) -> Result<String, Error> {
    if text.trim().is_empty() {
        return Err(Error::Usage(
            "there is no name: it is empty. Is a variable not set?".to_owned(),
        ));
    }
    Ok(text.to_owned())
}

/// The reason of a hold. One of spaces alone tells nobody anything.
pub(crate) fn reason(text: &str) -> Result<String, Error> {
    if text.trim().is_empty() {
        return Err(Error::Usage(
            "there is no reason. Write one for everybody who meets the hold".to_owned(),
        ));
    }
    Ok(text.to_owned())
}

/// The time at which a hold lifts itself.
pub(crate) fn time(text: &str) -> Result<String, Error> {
    let unreadable = |_| Error::Usage(format!("{text:?} is no time. Write it as 2026-12-24T06:00:00Z"));
    text.parse::<Timestamp>().map(|_| text.to_owned()).map_err(unreadable)
}

/// How many at most, and one at least: of nothing, there is nothing to show.
pub(crate) fn limit(text: &str) -> Result<usize, Error> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| Error::Usage(format!("{text:?} is no number that is at least 1")))
}

/// `39`, `web:39`, or the ARN of a revision.
pub(crate) fn revision(text: &str) -> Result<String, Error> {
    let is_number = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    if is_number || text.parse::<RevisionName>().is_ok() {
        return Ok(text.to_owned());
    }
    Err(Error::Usage(format!(
        "{text:?} is no revision. Name it as web:39, or 39"
    )))
}

/// The ARN of a role, with stars in it.
pub(crate) fn role(text: &str) -> Result<String, Error> {
    if text.starts_with("arn:") && text.contains(":iam::") && text.contains(":role/") {
        return Ok(text.to_owned());
    }
    Err(Error::Usage(format!(
        "{text:?} is no ARN of a role. Write it as arn:aws:iam::123456789012:role/app-*"
    )))
}

/// A region.
pub(crate) fn region(text: &str) -> Result<String, Error> {
    let unreadable = |_| Error::Usage(format!("{text:?} is no region. Name it as eu-west-1"));
    text.parse::<Region>().map(|_| text.to_owned()).map_err(unreadable)
}

/// The name of a stack, as `CloudFormation` has them.
pub(crate) fn stack(text: &str) -> Result<String, Error> {
    const LONGEST: usize = 128;
    let begins = text.starts_with(|first: char| first.is_ascii_alphabetic());
    let is_of_name = |it: u8| it.is_ascii_alphanumeric() || it == b'-';
    if begins && text.len() <= LONGEST && text.bytes().all(is_of_name) {
        return Ok(text.to_owned());
    }
    Err(Error::Usage(format!(
        "{text:?} is no name of a stack. One begins with a letter, and has letters, digits and hyphens, at most {LONGEST} in all"
    )))
}

/// The tags of the pushes of `verify`.
pub(crate) fn tags(text: &str) -> Result<String, Error> {
    Tags::of(text).map(|_| text.to_owned())
}

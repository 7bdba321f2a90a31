//! The parts of README.md and docs/ that this program writes. Each stands between two comments with its name:
//! `<!-- bench -->` and `<!-- /bench -->`.

use crate::Failure;
use local_aws::tools::workspace;

/// The text of a page, by its path in the repository.
///
/// # Errors
///
/// When it cannot be read.
pub(crate) fn read(page: &str) -> Result<String, Failure> {
    std::fs::read_to_string(workspace().join(page)).map_err(|error| format!("{page}: {error}"))
}

/// Writes a whole file, by its path in the repository.
///
/// # Errors
///
/// When it cannot be written.
pub(crate) fn write_whole(file: &str, text: &str) -> Result<(), Failure> {
    std::fs::write(workspace().join(file), text).map_err(|error| format!("{file}: {error}"))
}

/// Writes parts of a page anew, each by its name.
///
/// # Errors
///
/// When the page cannot be read or written, or has no such part.
pub(crate) fn write(page: &str, parts: &[(&str, String)]) -> Result<(), Failure> {
    let text = with_parts(page, &read(page)?, parts)?;
    write_whole(page, &text)
}

/// The text of a page with these parts instead of those that it has.
///
/// # Errors
///
/// When it has no such part.
pub(crate) fn with_parts(page: &str, text: &str, parts: &[(&str, String)]) -> Result<String, Failure> {
    parts.iter().try_fold(text.to_owned(), |text, (name, part)| {
        let (before, _, after) = split(page, &text, name)?;
        Ok([before, part, after].concat())
    })
}

/// The text before a part of a page, the part, and the text after it.
///
/// # Errors
///
/// When the page has no such part.
pub(crate) fn split<'a>(page: &str, text: &'a str, name: &str) -> Result<(&'a str, &'a str, &'a str), Failure> {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let from = text.find(&begin).map(|at| at + begin.len());
    let from = from.ok_or_else(|| format!("{page} has no line {begin:?}"))?;
    let to = text[from..].find(&end).map(|length| from + length);
    let to = to.ok_or_else(|| format!("{page} has no {end:?} behind {begin:?}"))?;
    Ok((&text[..from], &text[from..to], &text[to..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_replaced_and_nothing_else() {
        let text = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n<!-- y -->\n<!-- /y -->\n";
        let parts = [("y", "2\n".to_owned()), ("x", "1\n".to_owned())];
        assert_eq!(
            with_parts("page", text, &parts).unwrap(),
            "a\n<!-- x -->\n1\n<!-- /x -->\nb\n<!-- y -->\n2\n<!-- /y -->\n"
        );
        assert_eq!(
            with_parts("page", text, &[("z", String::new())]).unwrap_err(),
            "page has no line \"<!-- z -->\\n\""
        );
    }
}

//! `ecr-deploy completions SHELL`.

use crate::arguments::{Arguments, CompletionsArguments};
use crate::error::Error;
use crate::exit::Exit;
use crate::output;
use clap::CommandFactory;

/// Prints the script.
pub(crate) fn run(arguments: &CompletionsArguments) -> Result<Exit, Error> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "ecr-deploy", &mut script);
    let script = String::from_utf8(script).map_err(|problem| Error::other_version("the script", problem))?;
    output::line(script.trim_end())?;
    Ok(Exit::Done)
}

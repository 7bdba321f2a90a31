//! `ecr-deploy retry PUSH`: redrives a push, which deploys the same image again where it failed.

use crate::arguments::{RetryArguments, Shared};
use crate::aws::{Account, now};
use crate::error::Error;
use crate::execution::{Executions, Status};
use crate::exit::Exit;
use crate::named;
use crate::output::{self, note};
use crate::progress::{follow, goes_on};
use crate::push::Reader;

/// Redrives it, and follows it to its end.
pub(crate) async fn run(shared: &Shared, arguments: &RetryArguments) -> Result<Exit, Error> {
    let account = Account::open(shared).await?;
    let executions = Executions(account.sfn());
    let arn = named::push(&account, &executions, &arguments.push).await?;
    let push = executions.read(&arn).await?;
    let mut redrives = push.redrives;
    match push.status {
        Status::Failed | Status::Stopped => {
            executions.redrive(&arn).await?;
            redrives += 1;
            let begun = executions.begun(&arn, redrives).await;
            begun.map_err(|error| goes_on(error, &arn))?;
        }
        Status::Running => note(&format!("push {} is running already", push.name)),
        Status::Succeeded => {
            return Err(Error::NotFound(format!(
                "the push {} has not failed, so there is nothing to retry. To deploy its image once more: ecr-deploy deploy IMAGE",
                push.name
            )));
        }
    }
    note(&format!("push {}", push.name));
    let push = if arguments.no_wait {
        Reader::new(&account, &arn)
            .read()
            .await
            .map_err(|error| goes_on(error, &arn))?
    } else {
        follow(&account, &arn, redrives).await?
    };
    output::print(shared.output, &push, now())?;
    Ok(push.outcome.exit())
}

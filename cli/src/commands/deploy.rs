//! `ecr-deploy deploy IMAGE`: a push of an image that is in ECR already, by the entry that EventBridge has, too.

use crate::arguments::{DeployArguments, Shared};
use crate::aws::{Account, now};
use crate::commands::plan::ended;
use crate::error::Error;
use crate::event;
use crate::execution::{Executions, Status};
use crate::exit::Exit;
use crate::image::Named;
use crate::output::{self, note};
use crate::progress::{follow, goes_on};
use crate::push::Reader;

/// Starts it, and follows it to its end.
pub(crate) async fn run(shared: &Shared, arguments: &DeployArguments) -> Result<Exit, Error> {
    let named: Named = arguments.image.image.parse()?;
    let account = Account::open(shared).await?;
    let image = named.find(&account.ecr(), &account.region).await?;
    let event = event::push(
        &image,
        &account.region,
        &account.caller().await?,
        account.time(now()),
        &event::new_id(),
    );
    let executions = Executions(account.sfn());
    let launched = executions.start(&account.installation.push, None, &event).await?;
    let launched = ended(&executions, &launched).await;
    let launched = launched.map_err(|error| {
        error.after(
            "The push has begun in AWS, and goes on. To find it, and to see what comes of it:\n  ecr-deploy history",
        )
    })?;
    let arn = launched.output.as_ref().and_then(|output| output["execution"].as_str());
    let (Some(arn), Status::Succeeded) = (arn, launched.status) else {
        return Err(Error::Rejected(format!(
            "the push could not be started: {}. Once the cause is gone, deploy it once more: ecr-deploy deploy {named}",
            launched.why_not()
        )));
    };
    note(&format!("push {}", arn.rsplit(':').next().unwrap_or(arn)));
    let begun = executions.begun(arn, 0).await;
    begun.map_err(|error| goes_on(error, arn))?;
    let push = if arguments.no_wait {
        let read = Reader::new(&account, arn).read().await;
        read.map_err(|error| goes_on(error, arn))?
    } else {
        follow(&account, arn, 0).await?
    };
    output::print(shared.output, &push, now())?;
    Ok(push.outcome.exit())
}

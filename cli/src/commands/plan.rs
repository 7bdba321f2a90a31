//! `ecr-deploy plan IMAGE`: the installed state machine says what a push would change.

use crate::arguments::{ImageArguments, Shared};
use crate::aws::{Account, now, pause};
use crate::error::Error;
use crate::event;
use crate::execution::{Execution, Executions, Status};
use crate::exit::Exit;
use crate::image::Named;
use crate::output::{self, Document, Tone, cell, count, duration, paragraphs, short, table};
use crate::progress::Progress;
use crate::push::skipped;
use crate::report::{self, Image, NotDeployed, PlannedService};
use ecr_deploy::contract::Plan;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The changes that deploying an image would make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanDocument {
    /// The image; `null` where it is none that can be deployed.
    pub image: Option<Image>,
    /// The services that would get it, wave by wave.
    pub services: Vec<PlannedService>,
    /// The families without a service that would get a new revision, each by the revision that it is made of.
    pub families: Vec<String>,
    /// The services and families that would be skipped.
    pub skipped: Vec<NotDeployed>,
}

impl From<&Plan> for PlanDocument {
    fn from(plan: &Plan) -> Self {
        Self {
            image: plan.image.as_ref().map(Image::from),
            services: report::planned(plan),
            families: report::families(plan),
            skipped: plan.skipped.iter().map(NotDeployed::from).collect(),
        }
    }
}

/// Asks for the plan.
pub(crate) async fn run(shared: &Shared, arguments: &ImageArguments) -> Result<Exit, Error> {
    let named: Named = arguments.image.parse()?;
    let account = Account::open(shared).await?;
    let image = named.find(&account.ecr(), &account.region).await?;
    let mut asked = event::push(
        &image,
        &account.region,
        &account.caller().await?,
        account.time(now()),
        &event::new_id(),
    );
    asked["plan"] = true.into();
    let executions = Executions(account.sfn());
    let arn = executions
        .start(&account.installation.deploy_image, None, &asked)
        .await?;
    let progress = Progress::new("the plan is made");
    let ended = ended(&executions, &arn).await?;
    drop(progress);
    let (Some(output), Status::Succeeded) = (&ended.output, ended.status) else {
        return Err(Error::Rejected(format!(
            "there is no plan: {}. Once the cause is gone, ask once more: ecr-deploy plan {named}",
            ended.why_not()
        )));
    };
    let plan: Plan = report::read("the plan", output)?;
    let document = PlanDocument::from(&plan);
    output::print(shared.output, &document, now())?;
    Ok(if document.services.is_empty() && document.families.is_empty() {
        Exit::NothingToDeploy
    } else {
        Exit::Done
    })
}

/// Waits for the end of an execution that lasts seconds.
pub(crate) async fn ended(executions: &Executions, arn: &str) -> Result<Execution, Error> {
    let mut execution = executions.begun(arn, 0).await?;
    while execution.status == Status::Running {
        pause(Duration::from_millis(500)).await;
        execution = executions.read(arn).await?;
    }
    Ok(execution)
}

impl Document for PlanDocument {
    fn text(&self, now: Timestamp) -> String {
        let head = match &self.image {
            Some(image) => format!(
                "{}  {}\nEach service gets the next revision of its family.",
                image.name(),
                short(&image.digest)
            ),
            None => String::new(),
        };
        let waves = self.services.iter().map(|it| it.wave).max().unwrap_or_default();
        let tag = self.image.as_ref().map(|image| image.tag.as_str()).unwrap_or_default();
        let row = |it: &PlannedService| {
            let mut row = vec![
                cell(it.name(), Tone::Plain),
                cell(it.stage.as_deref().unwrap_or("-"), Tone::Plain),
                cell(&it.from, Tone::Plain),
                cell(tag, Tone::Good),
            ];
            if waves > 1 {
                row.push(cell(when(it, now), Tone::Plain));
            }
            row
        };
        let mut columns = vec!["service", "stage", "from", "to"];
        columns.extend((waves > 1).then_some("when"));
        let services = if self.services.is_empty() {
            String::new()
        } else {
            table(&columns, self.services.iter().map(row).collect())
        };
        let families = if self.families.is_empty() {
            String::new()
        } else {
            format!(
                "Families without a service that get a new revision: {}",
                self.families.join(", ")
            )
        };
        let skips: u32 = self.skipped.iter().map(|it| it.count).sum();
        let sum = format!(
            "{} would be deployed, {skips} skipped. Nothing was changed.",
            count(self.services.len(), "service")
        );
        paragraphs([head, services, families, skipped(&self.skipped), sum])
    }
}

/// When a service gets the image: at once, or after a wave and its soak.
fn when(service: &PlannedService, now: Timestamp) -> String {
    match (service.wave, service.soak_seconds) {
        (1, _) => "at once".to_owned(),
        (wave, 0) => format!("after wave {}", wave - 1),
        (wave, soak) => {
            let soak = duration(now, now + SignedDuration::from_secs(soak.into()));
            format!("after wave {} and {soak}", wave - 1)
        }
    }
}

//! The arguments. The help of each command is made of these comments, and so is `docs/cli.md`.

#![allow(clippy::doc_markdown, reason = "a terminal shows the comments as they are")]

use crate::typed;
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Deploys pushed images to ECS services, and tells what came of it
#[derive(Debug, Parser)]
// The released file has the name of its machine, too.
#[command(name = "ecr-deploy", bin_name = "ecr-deploy", version, max_term_width = 80)]
pub struct Arguments {
    /// The arguments of every command.
    #[command(flatten)]
    pub shared: Shared,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The arguments of every command.
#[derive(Debug, Clone, Args)]
pub struct Shared {
    /// Profile of the AWS configuration to sign in with; else AWS_PROFILE
    #[arg(long, global = true, value_name = "NAME", help_heading = "Options of every command")]
    pub profile: Option<String>,
    /// Region of the installation; else AWS_REGION, else that of the profile
    #[arg(
        long,
        global = true,
        value_name = "REGION",
        value_parser = typed::region,
        help_heading = "Options of every command"
    )]
    pub region: Option<String>,
    /// CloudFormation stack of the installation; else ECR_DEPLOY_STACK
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        env = "ECR_DEPLOY_STACK",
        hide_env = true,
        default_value = "ecr-deploy",
        value_parser = typed::stack,
        help_heading = "Options of every command"
    )]
    pub stack: String,
    /// Print for people, or as JSON by docs/cli.schema.json
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "table|json",
        default_value = "table",
        hide_possible_values = true,
        help_heading = "Options of every command"
    )]
    pub output: Form,
}

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For people.
    Table,
    /// For programs: one document, whose schema is in docs/cli.schema.json.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what deploying an image would change; change nothing
    Plan(ImageArguments),
    /// Deploy an image that is in ECR, as if it had just been pushed
    Deploy(DeployArguments),
    /// List pushes, or the deployments of one service, with what came of them
    History(HistoryArguments),
    /// Tell the story of a push: each step of each service that failed
    Why(WhyArguments),
    /// Redrive a push: deploy the same image again where it failed
    Retry(RetryArguments),
    /// Show what each service runs, since which push, and what waits for it
    Status(StatusArguments),
    /// Find the pushes that services have missed, and deploy them where the settings say so
    Sweep(SweepArguments),
    /// Keep a service, or everything, as it is: pushes skip it
    Hold(HoldArguments),
    /// Lift a hold
    Unhold(UnholdArguments),
    /// Take a service back to its last good revision and image, and hold it there
    Rollback(RollbackArguments),
    /// Continue a rollout that waits at a lifecycle hook for a person
    Continue(ServiceArguments),
    /// Take a rollout back that waits at a lifecycle hook for a person
    Cancel(ServiceArguments),
    /// Find what would keep a push from being deployed, before and after installing
    Doctor(DoctorArguments),
    /// See in a sandbox of this account what AWS does: four pushes to a service that it makes and removes
    Verify(VerifyArguments),
    /// Print a script that completes this command in a shell
    Completions(CompletionsArguments),
}

/// The arguments of `history`.
#[derive(Debug, Args)]
pub struct HistoryArguments {
    /// Repository (shop/web) or service (production/web, or web in any cluster); a repository comes first
    #[arg(value_name = "NAME", value_parser = typed::name)]
    pub name: Option<String>,
    /// Take the name for a service's, or a repository's, and nothing else
    #[arg(
        long,
        value_enum,
        value_name = "service|repository",
        hide_possible_values = true,
        requires = "name"
    )]
    pub name_is: Option<NameIs>,
    /// Show so many at most
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = typed::limit)]
    pub limit: usize,
}

/// The kind of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum NameIs {
    /// Of a service.
    Service,
    /// Of a repository.
    Repository,
}

/// The arguments of `why`.
#[derive(Debug, Args)]
pub struct WhyArguments {
    /// Push: shop/web:v2 (its newest push), a name or a part of it from `history`, or the ARN of an execution
    #[arg(value_name = "PUSH", value_parser = typed::name)]
    pub push: String,
    /// Service whose story to tell, also where it did not fail: web or production/web
    #[arg(value_name = "SERVICE", value_parser = typed::name)]
    pub service: Option<String>,
}

/// The arguments of `retry`.
#[derive(Debug, Args)]
pub struct RetryArguments {
    /// Push that failed or was stopped: as for `why`
    #[arg(value_name = "PUSH", value_parser = typed::name)]
    pub push: String,
    /// Return as soon as it goes on
    #[arg(long)]
    pub no_wait: bool,
}

/// The arguments of `status`.
#[derive(Debug, Args)]
pub struct StatusArguments {
    /// Service (production/web) or cluster (production); else all
    #[arg(value_name = "CLUSTER[/SERVICE]", value_parser = typed::cluster_or_service)]
    pub of: Option<String>,
    /// Show it anew every few seconds, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
}

/// The arguments of `sweep`.
#[derive(Debug, Args)]
pub struct SweepArguments {
    /// Deploy nothing, and report what is missed
    #[arg(long)]
    pub report: bool,
}

/// The service to hold, or everything.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct HoldOf {
    /// Service, with its cluster: production/web
    #[arg(value_name = "SERVICE", value_parser = typed::service)]
    pub service: Option<String>,
    /// Everything, instead of one service
    #[arg(long)]
    pub all: bool,
}

/// The arguments of `hold`.
#[derive(Debug, Args)]
pub struct HoldArguments {
    /// The service to hold, or everything.
    #[command(flatten)]
    pub what: HoldOf,
    /// Reason, for everybody who meets the hold
    #[arg(long, value_name = "REASON", value_parser = typed::reason)]
    pub why: String,
    /// Time at which the hold lifts itself: 2026-12-24T06:00:00Z
    #[arg(long, value_name = "TIME", value_parser = typed::time)]
    pub until: Option<String>,
}

/// The arguments of `unhold`.
#[derive(Debug, Args)]
pub struct UnholdArguments {
    /// The service to hold no longer, or everything.
    #[command(flatten)]
    pub what: HoldOf,
}

/// The arguments of `rollback`.
#[derive(Debug, Args)]
pub struct RollbackArguments {
    /// Service, with its cluster: production/web
    #[arg(value_name = "SERVICE", value_parser = typed::service)]
    pub service: String,
    /// Revision to go back to, instead of the last good one: web:39, or 39
    #[arg(long, value_name = "REVISION", value_parser = typed::revision)]
    pub to: Option<String>,
    /// Reason, for everybody who meets the hold
    #[arg(long, value_name = "REASON", value_parser = typed::reason)]
    pub why: String,
    /// Return as soon as it goes back
    #[arg(long)]
    pub no_wait: bool,
}

/// The arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArguments {
    /// Compare the roles of the services with this pattern instead of the installed passRoles; may be given several times
    #[arg(long, value_name = "ARN", value_parser = typed::role)]
    pub pass_role: Vec<String>,
}

/// The arguments of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// Cluster of a sandbox, for the service ecr-deploy-verify that it makes and removes
    #[arg(long, value_name = "CLUSTER", value_parser = typed::cluster)]
    pub cluster: String,
    /// Tags of its pushes, with a star for their number
    #[arg(long, value_name = "TAG", default_value = "v1.0.*", value_parser = typed::tags)]
    pub tag: String,
    /// Stage of the service; else the first one that selects it
    #[arg(long, value_name = "STAGE")]
    pub stage: Option<String>,
    /// Subnets for a task on Fargate, with commas between them; without, the cluster has to have room for one
    #[arg(long, value_name = "SUBNETS", value_delimiter = ',')]
    pub subnets: Vec<String>,
    /// Security groups of that task, with commas between them
    #[arg(long, value_name = "GROUPS", value_delimiter = ',')]
    pub security_groups: Vec<String>,
    /// Give that task a public address, where its subnets have no other way to ECR
    #[arg(long)]
    pub public_ip: bool,
    /// Role with which Fargate pulls the image of that task
    #[arg(long, value_name = "ARN")]
    pub execution_role: Option<String>,
    /// Wait so many seconds for the event of a push
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub wait: u64,
    /// Print the IAM policy that it needs, and change nothing; it signs in, and reads the installation for that
    #[arg(long)]
    pub policy: bool,
}

/// A service.
#[derive(Debug, Args)]
pub struct ServiceArguments {
    /// Service, with its cluster: production/web
    #[arg(value_name = "SERVICE", value_parser = typed::service)]
    pub service: String,
}

/// The arguments of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArguments {
    /// Shell: bash, elvish, fish, powershell or zsh
    #[arg(value_enum, value_name = "SHELL", hide_possible_values = true)]
    pub shell: clap_complete::Shell,
}

/// An image.
#[derive(Debug, Args)]
pub struct ImageArguments {
    /// Image in ECR: shop/web:v2, shop/web@sha256:…, or both a tag and a digest
    #[arg(value_name = "IMAGE", value_parser = typed::image)]
    pub image: String,
}

/// The arguments of `deploy`.
#[derive(Debug, Args)]
pub struct DeployArguments {
    /// The image.
    #[command(flatten)]
    pub image: ImageArguments,
    /// Return as soon as the push has begun
    #[arg(long)]
    pub no_wait: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_fit_together() {
        Arguments::command().debug_assert();
    }
}

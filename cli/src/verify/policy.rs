//! The IAM policy that a run needs: no more than its own service, family and repository, and the executions of the
//! installation. Pure.

use super::{NAME, begin};
use crate::installation::Installation;
use serde_json::{Value, json};

/// Where a run makes what it makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The partition: `aws`.
    pub partition: String,
    /// The region.
    pub region: String,
    /// The account.
    pub account: String,
    /// The cluster.
    pub cluster: String,
}

impl Place {
    /// The place of a cluster beside an installation.
    #[must_use]
    pub fn beside(installation: &Installation, region: &str, cluster: &str) -> Self {
        let part = |place: usize| installation.push.split(':').nth(place).unwrap_or_default().to_owned();
        Self {
            partition: part(1),
            region: region.to_owned(),
            account: part(4),
            cluster: cluster.to_owned(),
        }
    }

    fn arn(&self, service: &str, resource: &str) -> String {
        let Self {
            partition,
            region,
            account,
            ..
        } = self;
        format!("arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

/// The policy. `parameter` is the name of the parameter that tells of the installation, `role` the execution role of a
/// task on Fargate.
#[must_use]
pub fn policy(place: &Place, installation: &Installation, parameter: &str, role: Option<&str>) -> Value {
    let mut statements = of_installation(place, installation, parameter);
    statements.extend(of_service(place));
    statements.extend(of_repository(place));
    if installation.settings.writes_parameters {
        let parameters = begin::parameters(&place.cluster);
        let names: Vec<String> = parameters.iter().map(|name| of_parameter(place, name)).collect();
        statements.push(allow("RemoveParameters", &["ssm:DeleteParameters"], json!(names)));
    }
    if let Some(role) = role {
        let mut pass = allow("PassExecutionRole", &["iam:PassRole"], json!(role));
        pass["Condition"] = json!({"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}});
        statements.push(pass);
    }
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn allow(sid: &str, actions: &[&str], resource: impl Into<Value>) -> Value {
    json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource.into()})
}

fn of_parameter(place: &Place, name: &str) -> String {
    place.arn("ssm", &format!("parameter{name}"))
}

/// To find the installation, and to start, read and redrive its executions.
fn of_installation(place: &Place, installation: &Installation, parameter: &str) -> Vec<Value> {
    let executions = |machine: &str| Installation::execution(machine, "*");
    let (push, image, service) = (
        &installation.push,
        &installation.deploy_image,
        &installation.deploy_service,
    );
    let read = [parameter, &installation.hold_parameter].map(|name| of_parameter(place, name));
    vec![
        allow("ReadInstallation", &["ssm:GetParameters"], json!(read)),
        allow("ListExecutions", &["states:ListExecutions"], json!([image, service])),
        allow(
            "ReadExecutions",
            &["states:DescribeExecution", "states:GetExecutionHistory"],
            json!([executions(push), executions(image), executions(service)]),
        ),
        allow("SendDuplicate", &["states:StartExecution"], json!(push)),
        allow("Redrive", &["states:RedriveExecution"], json!(executions(image))),
    ]
}

/// To make, read and remove the one service and its family.
fn of_service(place: &Place) -> Vec<Value> {
    let cluster = &place.cluster;
    let of = |kind: &str, path: &str| place.arn("ecs", &format!("{kind}/{path}"));
    let service = of("service", &format!("{cluster}/{NAME}"));
    let revisions = of("task-definition", &format!("{NAME}:*"));
    let mut tag = allow("TagWhatItMakes", &["ecs:TagResource"], json!([service, revisions]));
    tag["Condition"] = json!({"StringEquals": {"ecs:CreateAction": ["CreateService", "RegisterTaskDefinition"]}});
    let mut tasks = allow("ListTasks", &["ecs:ListTasks"], json!("*"));
    tasks["Condition"] = json!({"ArnEquals": {"ecs:cluster": of("cluster", cluster)}});
    vec![
        allow("ReadCluster", &["ecs:DescribeClusters"], json!(of("cluster", cluster))),
        allow(
            "Service",
            &[
                "ecs:CreateService",
                "ecs:DescribeServices",
                "ecs:ListServiceDeployments",
                "ecs:DeleteService",
            ],
            json!(service),
        ),
        allow(
            "ReadRecords",
            &["ecs:DescribeServiceRevisions"],
            json!([service, of("service-revision", &format!("{cluster}/{NAME}/*"))]),
        ),
        tasks,
        allow(
            "ReadTasks",
            &["ecs:DescribeTasks"],
            json!(of("task", &format!("{cluster}/*"))),
        ),
        allow(
            "Family",
            &["ecs:RegisterTaskDefinition", "ecs:DeleteTaskDefinitions"],
            json!(revisions),
        ),
        tag,
        // These two have no resource: AWS takes no narrower one.
        allow(
            "RemoveRevisions",
            &["ecs:ListTaskDefinitions", "ecs:DeregisterTaskDefinition"],
            json!("*"),
        ),
    ]
}

/// To make the one repository, to push into it, and to remove it.
fn of_repository(place: &Place) -> Vec<Value> {
    let repository = place.arn("ecr", &format!("repository/{NAME}"));
    let actions = [
        "ecr:DescribeRepositories",
        "ecr:CreateRepository",
        "ecr:TagResource",
        "ecr:InitiateLayerUpload",
        "ecr:UploadLayerPart",
        "ecr:CompleteLayerUpload",
        "ecr:PutImage",
        "ecr:DeleteRepository",
    ];
    vec![allow("Repository", &actions, json!(repository))]
}

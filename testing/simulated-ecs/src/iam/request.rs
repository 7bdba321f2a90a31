//! The checks of AWS for a call, and for what the call implies: actions, resources and condition keys.
//!
//! After AWS's service authorization reference; what that does not tell and is not known otherwise is marked \[open\] and
//! judged strictly. An operation that is not in the table is refused.
//!
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerservice.html>

use std::collections::BTreeMap;

use serde_json::Value;

use super::policy::{Need, several};
use crate::names::{Names, resource_path};
use crate::operations::{text, texts};

/// The facts about a call that only the account knows.
pub(crate) struct Known<'a> {
    /// The task role and the execution role, as registered, of the task definition that the request names.
    pub(crate) roles: &'a [String],
    /// The tags of the service that the request changes. A part of a service, as a deployment, is taken to have none.
    pub(crate) tags: &'a BTreeMap<String, String>,
}

impl Known<'_> {
    /// With a key `aws:ResourceTag/…` for each tag of the service.
    fn tagged(&self, need: Need) -> Need {
        let key = |key: &str| format!("aws:ResourceTag/{key}");
        self.tags
            .iter()
            .fold(need, |need, (tag, value)| need.with(&key(tag), value))
    }
}

/// Everything a call needs, in the order in which AWS refuses; None for an operation that the table does not know.
///
/// `service` is the prefix of its actions, as `ecs`; `known` is what only the account knows.
pub(crate) fn needs(
    names: &Names,
    service: &str,
    operation: &str,
    request: &Value,
    known: &Known<'_>,
) -> Option<Vec<Need>> {
    match service {
        "ecs" => of_ecs(names, operation, request, known),
        "ecr" => of_ecr(names, operation, request),
        "states" => of_step_functions(names, operation, request),
        "lambda" => of_lambda(operation, request),
        "ssm" => of_ssm(names, operation, request),
        "events" => of_eventbridge(names, operation, request),
        "sns" => of_sns(operation, request),
        "logs" => of_logs(names, operation, request),
        "scheduler" => of_scheduler(names, operation, request),
        "cloudtrail" => of_cloudtrail(operation, request),
        "servicequotas" => of_service_quotas(operation),
        _ => None,
    }
}

fn of_ecs(names: &Names, operation: &str, request: &Value, known: &Known<'_>) -> Option<Vec<Need>> {
    let action = format!("ecs:{operation}");
    let cluster = resource_path(
        request.get("cluster").and_then(Value::as_str).unwrap_or("default"),
        "cluster",
    );
    let cluster_arn = names.arn("cluster", cluster);
    let on = |resource: String| Need::new(&action, resource);
    let in_cluster = |resource: String| on(resource).with("ecs:cluster", &cluster_arn);
    let service = |name_or_arn: &str| {
        if name_or_arn.starts_with("arn:") {
            name_or_arn.to_owned()
        } else {
            names.arn("service", &format!("{cluster}/{name_or_arn}"))
        }
    };
    let each = |member: &str, need: &dyn Fn(&str) -> Need| -> Vec<Need> {
        let given = texts(request, member);
        if given.is_empty() {
            return vec![on("*".to_owned())];
        }
        given.into_iter().map(need).collect()
    };
    Some(match operation {
        "ListClusters"
        | "ListTaskDefinitions"
        | "ListTaskDefinitionFamilies"
        | "DescribeTaskDefinition"
        | "DeregisterTaskDefinition" => vec![on("*".to_owned())],
        "ListServices" => vec![in_cluster("*".to_owned())],
        // The resource is a container instance, for tasks of one.
        "ListTasks" => vec![in_cluster(match text(request, "containerInstance") {
            "" => "*".to_owned(),
            instance if instance.starts_with("arn:") => instance.to_owned(),
            instance => names.arn("container-instance", &format!("{cluster}/{instance}")),
        })],
        "DescribeClusters" => each("clusters", &|name| {
            on(names.arn("cluster", resource_path(name, "cluster")))
        }),
        "DeleteTaskDefinitions" => each("taskDefinitions", &|revision| {
            on(names.arn("task-definition", resource_path(revision, "task-definition")))
        }),
        "CreateService" => {
            let made = in_cluster(service(text(request, "serviceName")));
            let tagging = request
                .get("tags")
                .and_then(Value::as_array)
                .filter(|tags| !tags.is_empty());
            let tagging = tagging.map(|_| {
                let need = Need::new("ecs:TagResource", service(text(request, "serviceName")));
                tagged(need.with("ecs:CreateAction", "CreateService"), request)
            });
            let passed = known.roles.iter().map(|role| pass_role(names, role));
            std::iter::once(tagged(made, request))
                .chain(tagging)
                .chain(passed)
                .collect()
        }
        "DeleteService" => vec![known.tagged(in_cluster(service(text(request, "service"))))],
        "DescribeServices" => each("services", &|name| in_cluster(service(name))),
        "ListServiceDeployments" => vec![in_cluster(service(text(request, "service")))],
        "DescribeTasks" => each("tasks", &|task| {
            in_cluster(if task.starts_with("arn:") {
                task.to_owned()
            } else {
                names.arn("task", &format!("{cluster}/{task}"))
            })
        }),
        // [open] Whether AWS asks for both resources of these four, or for one: both.
        "DescribeServiceDeployments" => with_service(names, &action, &texts(request, "serviceDeploymentArns"), known),
        "DescribeServiceRevisions" => with_service(names, &action, &texts(request, "serviceRevisionArns"), known),
        "StopServiceDeployment" | "ContinueServiceDeployment" => {
            with_service(names, &action, &[text(request, "serviceDeploymentArn")], known)
        }
        "UpdateService" => {
            let mut need = known.tagged(in_cluster(service(text(request, "service"))));
            let task_definition = text(request, "taskDefinition");
            if task_definition.is_empty() {
                return Some(vec![need]);
            }
            if task_definition.starts_with("arn:") {
                need = need.with("ecs:task-definition", task_definition);
            }
            let passed = known.roles.iter().map(|role| pass_role(names, role));
            std::iter::once(need).chain(passed).collect()
        }
        "RegisterTaskDefinition" => register(names, &action, request),
        "TagResource" => {
            let keys = request.get("tags").and_then(Value::as_array).into_iter().flatten();
            let keys = several(keys.map(|tag| text(tag, "key")));
            let need = on(text(request, "resourceArn").to_owned()).with("aws:TagKeys", keys);
            vec![tagged(need, request)]
        }
        "UntagResource" => {
            let keys = several(texts(request, "tagKeys"));
            vec![on(text(request, "resourceArn").to_owned()).with("aws:TagKeys", keys)]
        }
        _ => return None,
    })
}

/// A registration; the tags that come with it; the roles that the revision will hand to its tasks.
fn register(names: &Names, action: &str, request: &Value) -> Vec<Need> {
    // The revision has no number yet.
    let revision = names.arn("task-definition", &format!("{}:*", text(request, "family")));
    let mut needs = vec![tagged(Need::new(action, &revision), request)];
    if request
        .get("tags")
        .and_then(Value::as_array)
        .is_some_and(|tags| !tags.is_empty())
    {
        let tagging = Need::new("ecs:TagResource", revision).with("ecs:CreateAction", "RegisterTaskDefinition");
        needs.push(tagged(tagging, request));
    }
    let roles = ["taskRoleArn", "executionRoleArn"].map(|member| text(request, member));
    needs.extend(
        roles
            .iter()
            .filter(|role| !role.is_empty())
            .map(|role| pass_role(names, role)),
    );
    needs
}

/// `iam:PassRole` for a role of a task definition, which says its ARN or its name.
fn pass_role(names: &Names, role: &str) -> Need {
    let arn = if role.starts_with("arn:") {
        role.to_owned()
    } else {
        format!("arn:{}:iam::{}:role/{role}", names.partition, names.account)
    };
    Need::new("iam:PassRole", arn).with("iam:PassedToService", "ecs-tasks.amazonaws.com")
}

/// With a key `aws:RequestTag/…` for each tag of the request.
fn tagged(need: Need, request: &Value) -> Need {
    let tags = request.get("tags").and_then(Value::as_array).into_iter().flatten();
    tags.fold(need, |need, tag| {
        need.with(&format!("aws:RequestTag/{}", text(tag, "key")), text(tag, "value"))
    })
}

/// For what belongs to a service and has an ARN such as `service-revision/production/web/1`: it, and its service.
fn with_service(names: &Names, action: &str, arns: &[&str], known: &Known<'_>) -> Vec<Need> {
    let both = |arn: &&str| {
        let path = arn.splitn(6, ':').nth(5).unwrap_or_default();
        let mut parts = path.split('/').skip(1);
        let (cluster, service) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let in_cluster =
            |resource: String| Need::new(action, resource).with("ecs:cluster", names.arn("cluster", cluster));
        [
            in_cluster((*arn).to_owned()),
            known.tagged(in_cluster(names.arn("service", &format!("{cluster}/{service}")))),
        ]
    };
    if arns.is_empty() {
        return vec![Need::new(action, "*")];
    }
    arns.iter().flat_map(both).collect()
}

/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html>
fn of_ecr(names: &Names, operation: &str, request: &Value) -> Option<Vec<Need>> {
    let known = [
        "BatchGetImage",
        "CompleteLayerUpload",
        "DeleteRepository",
        "DescribeImages",
        "InitiateLayerUpload",
        "ListImages",
        "PutImage",
        "UploadLayerPart",
    ];
    let registry = request
        .get("registryId")
        .and_then(Value::as_str)
        .unwrap_or(&names.account);
    let on = |repository: &str| {
        let (partition, region) = (&names.partition, &names.region);
        let arn = format!("arn:{partition}:ecr:{region}:{registry}:repository/{repository}");
        Need::new(format!("ecr:{operation}"), arn)
    };
    match operation {
        // Without names it asks for all of them.
        "DescribeRepositories" if texts(request, "repositoryNames").is_empty() => Some(vec![on("*")]),
        "DescribeRepositories" => Some(texts(request, "repositoryNames").into_iter().map(on).collect()),
        "CreateRepository" => {
            let made = on(text(request, "repositoryName"));
            let tagging = Need::new("ecr:TagResource", &made.resource);
            let tags = request.get("tags").and_then(Value::as_array);
            let tagging = tags.filter(|tags| !tags.is_empty()).map(|_| tagging);
            Some(std::iter::once(made).chain(tagging).collect())
        }
        operation if known.contains(&operation) => Some(vec![on(text(request, "repositoryName"))]),
        _ => None,
    }
}

/// `StartExecution.sync` is what a state machine does that starts another one and waits for it. Step Functions itself reads
/// and stops that execution, and has EventBridge tell it of its end.
///
/// <https://docs.aws.amazon.com/step-functions/latest/dg/connect-stepfunctions.html>
fn of_step_functions(names: &Names, operation: &str, request: &Value) -> Option<Vec<Need>> {
    let machine = without_version(text(request, "stateMachineArn"));
    match operation {
        "DescribeExecution" | "GetExecutionHistory" | "RedriveExecution" => {
            let execution = text(request, "executionArn");
            Some(vec![Need::new(format!("states:{operation}"), execution)])
        }
        "ListExecutions" | "StartExecution" => Some(vec![Need::new(format!("states:{operation}"), machine)]),
        "StartExecution.sync" => {
            let name = machine.split(':').nth(6).unwrap_or_default();
            let (partition, region, account) = (&names.partition, &names.region, &names.account);
            let execution = format!(
                "arn:{partition}:states:{region}:{account}:execution:{name}:{}",
                text(request, "name")
            );
            let rule = "StepFunctionsGetEventsForStepFunctionsExecutionRule";
            let rule = format!("arn:{partition}:events:{region}:{account}:rule/{rule}");
            let reads = ["DescribeExecution", "StopExecution"].map(|it| Need::new(format!("states:{it}"), &execution));
            let events = ["PutTargets", "PutRule", "DescribeRule"].map(|it| Need::new(format!("events:{it}"), &rule));
            let started = Need::new("states:StartExecution", machine);
            Some(std::iter::once(started).chain(reads).chain(events).collect())
        }
        _ => None,
    }
}

/// The ARN of a state machine, for that of one of its versions, too: a version or an alias comes behind the name. By this ARN alone
/// Step Functions says who may do what.
///
/// <https://docs.aws.amazon.com/step-functions/latest/dg/auth-version-alias.html>
fn without_version(machine: &str) -> &str {
    let end = machine.match_indices(':').nth(6).map(|(place, _)| place);
    &machine[..end.unwrap_or(machine.len())]
}

/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html>
fn of_lambda(operation: &str, request: &Value) -> Option<Vec<Need>> {
    (operation == "InvokeFunction").then(|| vec![Need::new("lambda:InvokeFunction", text(request, "functionName"))])
}

/// The name of a parameter begins with a slash where it has several parts, and that is the one in the ARN, too.
///
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html>
fn of_ssm(names: &Names, operation: &str, request: &Value) -> Option<Vec<Need>> {
    let (partition, region, account) = (&names.partition, &names.region, &names.account);
    let parameter = |name: &str| {
        let arn = format!(
            "arn:{partition}:ssm:{region}:{account}:parameter/{}",
            name.trim_start_matches('/')
        );
        Need::new(format!("ssm:{operation}"), arn)
    };
    match operation {
        "GetParameters" | "DeleteParameters" => Some(texts(request, "names").into_iter().map(parameter).collect()),
        "PutParameter" | "DeleteParameter" => Some(vec![parameter(text(request, "name"))]),
        _ => None,
    }
}

/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html>
fn of_sns(operation: &str, request: &Value) -> Option<Vec<Need>> {
    (operation == "Publish").then(|| vec![Need::new("sns:Publish", text(request, "topicArn"))])
}

/// One need for each entry. <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html>
fn of_eventbridge(names: &Names, operation: &str, request: &Value) -> Option<Vec<Need>> {
    let (partition, region, account) = (&names.partition, &names.region, &names.account);
    let entry = |entry: &Value| {
        let member = |name: &str| entry.get(name).and_then(Value::as_str);
        let bus = member("EventBusName").unwrap_or("default");
        let arn = format!("arn:{partition}:events:{region}:{account}:event-bus/{bus}");
        Need::new("events:PutEvents", arn)
            .with("events:source", member("Source").unwrap_or_default())
            .with("events:detail-type", member("DetailType").unwrap_or_default())
    };
    match operation {
        "PutEvents" => Some(request.get("entries")?.as_array()?.iter().map(entry).collect()),
        "ListRuleNamesByTarget" => Some(vec![Need::new("events:ListRuleNamesByTarget", "*")]),
        "ListTargetsByRule" => {
            let arn = format!(
                "arn:{partition}:events:{region}:{account}:rule/{}",
                text(request, "rule")
            );
            Some(vec![Need::new("events:ListTargetsByRule", arn)])
        }
        _ => None,
    }
}

/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatchlogs.html>
fn of_logs(names: &Names, operation: &str, request: &Value) -> Option<Vec<Need>> {
    let (partition, region, account) = (&names.partition, &names.region, &names.account);
    let (group, stream) = (text(request, "logGroupName"), text(request, "logStreamName"));
    let arn = format!("arn:{partition}:logs:{region}:{account}:log-group:{group}:log-stream:{stream}");
    (operation == "GetLogEvents").then(|| vec![Need::new("logs:GetLogEvents", arn)])
}

/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridgescheduler.html>
fn of_scheduler(names: &Names, operation: &str, request: &Value) -> Option<Vec<Need>> {
    let (partition, region, account) = (&names.partition, &names.region, &names.account);
    match operation {
        "ListSchedules" => Some(vec![Need::new("scheduler:ListSchedules", "*")]),
        "GetSchedule" => {
            let (group, name) = (text(request, "groupName"), text(request, "name"));
            let arn = format!("arn:{partition}:scheduler:{region}:{account}:schedule/{group}/{name}");
            Some(vec![Need::new("scheduler:GetSchedule", arn)])
        }
        _ => None,
    }
}

/// A trail is named by its ARN here, which tells its account and its region. `DescribeTrails` names none here.
///
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudtrail.html>
fn of_cloudtrail(operation: &str, request: &Value) -> Option<Vec<Need>> {
    let resource = match operation {
        "DescribeTrails" => "*",
        "GetTrailStatus" => text(request, "name"),
        "GetEventSelectors" => text(request, "trailName"),
        _ => return None,
    };
    Some(vec![Need::new(format!("cloudtrail:{operation}"), resource)])
}

/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_servicequotas.html>
fn of_service_quotas(operation: &str) -> Option<Vec<Need>> {
    (operation == "ListServiceQuotas").then(|| vec![Need::new("servicequotas:ListServiceQuotas", "*")])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The needs of a call, one to a line: `<action> <resource>`, and each condition key as ` <key>=<value>`. The
    /// beginnings of ARNs of the account are cut off.
    fn needed(service: &str, operation: &str, request: &Value, roles: &[&str]) -> Vec<String> {
        let names = Names {
            partition: "aws".to_owned(),
            region: "eu-west-1".to_owned(),
            account: "123456789012".to_owned(),
        };
        let roles: Vec<String> = roles.iter().map(|role| (*role).to_owned()).collect();
        let short = |text: &str| text.replace("arn:aws:ecs:eu-west-1:123456789012:", "");
        let tags = BTreeMap::from([("ecr-deploy:stage".to_owned(), "staging".to_owned())]);
        let known = Known {
            roles: &roles,
            tags: &tags,
        };
        let needs = needs(&names, service, operation, request, &known).unwrap_or_default();
        let line = |need: &Need| {
            let keys = need
                .context
                .iter()
                .map(|(key, value)| format!(" {key}={}", short(value)));
            format!("{} {}{}", need.action, short(&need.resource), keys.collect::<String>())
        };
        needs.iter().map(line).collect()
    }

    const ROLE: &str = "arn:aws:iam::123456789012:role/app";

    #[test]
    fn a_call_needs_its_action_on_the_resource_as_aws_forms_it() {
        let arn = |resource: &str| format!("arn:aws:ecs:eu-west-1:123456789012:{resource}");
        for (operation, request, expected) in [
            ("ListClusters", json!({}), vec!["ecs:ListClusters *"]),
            (
                "ListTaskDefinitionFamilies",
                json!({}),
                vec!["ecs:ListTaskDefinitionFamilies *"],
            ),
            (
                "DescribeTaskDefinition",
                json!({"taskDefinition": "web:1"}),
                vec!["ecs:DescribeTaskDefinition *"],
            ),
            (
                "ListServices",
                json!({"cluster": arn("cluster/prod")}),
                vec!["ecs:ListServices * ecs:cluster=cluster/prod"],
            ),
            (
                "ListServices",
                json!({}),
                vec!["ecs:ListServices * ecs:cluster=cluster/default"],
            ),
            (
                "ListTasks",
                json!({"cluster": "prod", "serviceName": "web"}),
                vec!["ecs:ListTasks * ecs:cluster=cluster/prod"],
            ),
            (
                "DescribeServices",
                json!({"cluster": "prod", "services": ["web", arn("service/prod/worker"), arn("service/short")]}),
                vec![
                    "ecs:DescribeServices service/prod/web ecs:cluster=cluster/prod",
                    "ecs:DescribeServices service/prod/worker ecs:cluster=cluster/prod",
                    "ecs:DescribeServices service/short ecs:cluster=cluster/prod",
                ],
            ),
            (
                "DescribeServices",
                json!({"cluster": "prod", "services": []}),
                vec!["ecs:DescribeServices *"],
            ),
            (
                "DescribeTasks",
                json!({"cluster": "prod", "tasks": ["7", arn("task/prod/8")]}),
                vec![
                    "ecs:DescribeTasks task/prod/7 ecs:cluster=cluster/prod",
                    "ecs:DescribeTasks task/prod/8 ecs:cluster=cluster/prod",
                ],
            ),
            (
                "ListServiceDeployments",
                json!({"cluster": "prod", "service": "web"}),
                vec!["ecs:ListServiceDeployments service/prod/web ecs:cluster=cluster/prod"],
            ),
            (
                "DescribeServiceRevisions",
                json!({"serviceRevisionArns": [arn("service-revision/prod/web/7")]}),
                vec![
                    "ecs:DescribeServiceRevisions service-revision/prod/web/7 ecs:cluster=cluster/prod",
                    "ecs:DescribeServiceRevisions service/prod/web aws:resourcetag/ecr-deploy:stage=staging ecs:cluster=cluster/prod",
                ],
            ),
            (
                "ContinueServiceDeployment",
                json!({"serviceDeploymentArn": arn("service-deployment/prod/web/7"), "hookId": "ecs-pause-1"}),
                vec![
                    "ecs:ContinueServiceDeployment service-deployment/prod/web/7 ecs:cluster=cluster/prod",
                    "ecs:ContinueServiceDeployment service/prod/web aws:resourcetag/ecr-deploy:stage=staging ecs:cluster=cluster/prod",
                ],
            ),
            (
                "StopServiceDeployment",
                json!({"serviceDeploymentArn": arn("service-deployment/prod/web/7")}),
                vec![
                    "ecs:StopServiceDeployment service-deployment/prod/web/7 ecs:cluster=cluster/prod",
                    "ecs:StopServiceDeployment service/prod/web aws:resourcetag/ecr-deploy:stage=staging ecs:cluster=cluster/prod",
                ],
            ),
        ] {
            assert_eq!(needed("ecs", operation, &request, &[]), expected, "{operation}");
        }
    }

    #[test]
    fn moving_a_service_to_a_revision_passes_the_roles_of_that_revision() {
        let moved = json!({"cluster": "prod", "service": "web", "taskDefinition": "web:2"});
        assert_eq!(
            needed("ecs", "UpdateService", &moved, &[ROLE, "by-name"]),
            [
                "ecs:UpdateService service/prod/web aws:resourcetag/ecr-deploy:stage=staging ecs:cluster=cluster/prod",
                "iam:PassRole arn:aws:iam::123456789012:role/app iam:passedtoservice=ecs-tasks.amazonaws.com",
                "iam:PassRole arn:aws:iam::123456789012:role/by-name iam:passedtoservice=ecs-tasks.amazonaws.com",
            ]
        );
        let scaled = json!({"cluster": "prod", "service": "web", "desiredCount": 3});
        assert_eq!(
            needed("ecs", "UpdateService", &scaled, &[]),
            ["ecs:UpdateService service/prod/web aws:resourcetag/ecr-deploy:stage=staging ecs:cluster=cluster/prod"]
        );
    }

    #[test]
    fn a_registration_tags_the_revision_and_passes_its_roles() {
        let plain = json!({"family": "web", "containerDefinitions": []});
        assert_eq!(
            needed("ecs", "RegisterTaskDefinition", &plain, &[]),
            ["ecs:RegisterTaskDefinition task-definition/web:*"]
        );
        let full = json!({
            "family": "web", "taskRoleArn": ROLE, "executionRoleArn": ROLE,
            "tags": [{"key": "ecr-deploy:source", "value": "web:1"}],
        });
        assert_eq!(
            needed("ecs", "RegisterTaskDefinition", &full, &[]),
            [
                "ecs:RegisterTaskDefinition task-definition/web:* aws:requesttag/ecr-deploy:source=web:1",
                "ecs:TagResource task-definition/web:* aws:requesttag/ecr-deploy:source=web:1 \
                 ecs:createaction=RegisterTaskDefinition",
                "iam:PassRole arn:aws:iam::123456789012:role/app iam:passedtoservice=ecs-tasks.amazonaws.com",
                "iam:PassRole arn:aws:iam::123456789012:role/app iam:passedtoservice=ecs-tasks.amazonaws.com",
            ]
        );
    }

    #[test]
    fn a_call_to_ecr_needs_the_repository() {
        for operation in [
            "DescribeImages",
            "BatchGetImage",
            "PutImage",
            "DeleteRepository",
            "InitiateLayerUpload",
            "UploadLayerPart",
            "CompleteLayerUpload",
        ] {
            assert_eq!(
                needed("ecr", operation, &json!({"repositoryName": "shop/web"}), &[]),
                [format!(
                    "ecr:{operation} arn:aws:ecr:eu-west-1:123456789012:repository/shop/web"
                )]
            );
        }
        assert_eq!(
            needed(
                "ecr",
                "ListImages",
                &json!({"repositoryName": "web", "registryId": "210987654321"}),
                &[]
            ),
            ["ecr:ListImages arn:aws:ecr:eu-west-1:210987654321:repository/web"]
        );
    }

    #[test]
    fn what_is_made_with_tags_is_tagged_and_a_service_is_given_the_roles_of_its_revision() {
        let tags = json!([{"key": "made-by", "value": "verify"}]);
        let made = json!({"cluster": "prod", "serviceName": "web", "taskDefinition": "web:1"});
        assert_eq!(
            needed("ecs", "CreateService", &made, &[]),
            ["ecs:CreateService service/prod/web ecs:cluster=cluster/prod"]
        );
        let mut with_tags = made;
        with_tags["tags"] = tags.clone();
        assert_eq!(
            needed("ecs", "CreateService", &with_tags, &[ROLE]),
            [
                "ecs:CreateService service/prod/web aws:requesttag/made-by=verify ecs:cluster=cluster/prod",
                "ecs:TagResource service/prod/web aws:requesttag/made-by=verify ecs:createaction=CreateService",
                "iam:PassRole arn:aws:iam::123456789012:role/app iam:passedtoservice=ecs-tasks.amazonaws.com",
            ]
        );
        let repository = "arn:aws:ecr:eu-west-1:123456789012:repository/shop/web";
        for (request, expected) in [
            (
                json!({"repositoryName": "shop/web"}),
                vec![format!("ecr:CreateRepository {repository}")],
            ),
            (
                json!({"repositoryName": "shop/web", "tags": tags}),
                vec![
                    format!("ecr:CreateRepository {repository}"),
                    format!("ecr:TagResource {repository}"),
                ],
            ),
        ] {
            assert_eq!(needed("ecr", "CreateRepository", &request, &[]), expected);
        }
    }

    #[test]
    fn a_service_and_revisions_are_deleted_by_their_names() {
        for (operation, request, expected) in [
            (
                "DeleteService",
                json!({"cluster": "prod", "service": "web", "force": true}),
                vec![
                    "ecs:DeleteService service/prod/web aws:resourcetag/ecr-deploy:stage=staging ecs:cluster=cluster/prod",
                ],
            ),
            (
                "DeleteTaskDefinitions",
                json!({"taskDefinitions": ["web:1", "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:2"]}),
                vec![
                    "ecs:DeleteTaskDefinitions task-definition/web:1",
                    "ecs:DeleteTaskDefinitions task-definition/web:2",
                ],
            ),
            (
                "DescribeClusters",
                json!({"clusters": ["prod"]}),
                vec!["ecs:DescribeClusters cluster/prod"],
            ),
        ] {
            assert_eq!(needed("ecs", operation, &request, &[]), expected);
        }
    }

    #[test]
    fn a_read_of_parameters_needs_each() {
        assert_eq!(
            needed("ssm", "GetParameters", &json!({"names": ["/shop/hold", "plain"]}), &[]),
            [
                "ssm:GetParameters arn:aws:ssm:eu-west-1:123456789012:parameter/shop/hold",
                "ssm:GetParameters arn:aws:ssm:eu-west-1:123456789012:parameter/plain",
            ]
        );
    }

    #[test]
    fn a_message_needs_the_topic() {
        let topic = "arn:aws:sns:eu-west-1:123456789012:deployments";
        assert_eq!(
            needed("sns", "Publish", &json!({"topicArn": topic}), &[]),
            [format!("sns:Publish {topic}")]
        );
    }

    #[test]
    fn what_people_ask_of_parameters_executions_and_tags_needs_the_one_thing() {
        let execution = "arn:aws:states:eu-west-1:123456789012:execution:deploy-image:web";
        for operation in ["DescribeExecution", "GetExecutionHistory", "RedriveExecution"] {
            assert_eq!(
                needed("states", operation, &json!({"executionArn": execution}), &[]),
                [format!("states:{operation} {execution}")]
            );
        }
        for operation in ["PutParameter", "DeleteParameter"] {
            assert_eq!(
                needed("ssm", operation, &json!({"name": "/shop/hold"}), &[]),
                [format!(
                    "ssm:{operation} arn:aws:ssm:eu-west-1:123456789012:parameter/shop/hold"
                )]
            );
        }
        let service = "arn:aws:ecs:eu-west-1:123456789012:service/prod/web";
        let tags = json!({"resourceArn": service, "tags": [{"key": "hold", "value": "x"}, {"key": "b", "value": "y"}]});
        assert_eq!(
            needed("ecs", "TagResource", &tags, &[]),
            ["ecs:TagResource service/prod/web aws:requesttag/b=y aws:requesttag/hold=x aws:tagkeys=hold\nb"]
        );
        assert_eq!(
            needed(
                "ecs",
                "UntagResource",
                &json!({"resourceArn": service, "tagKeys": ["hold"]}),
                &[]
            ),
            ["ecs:UntagResource service/prod/web aws:tagkeys=hold"]
        );
    }

    #[test]
    fn what_people_ask_of_logs_schedules_trails_and_quotas_needs_the_one_thing() {
        let trail = "arn:aws:cloudtrail:us-east-1:210987654321:trail/all";
        for (service, operation, request, expected) in [
            (
                "logs",
                "GetLogEvents",
                json!({"logGroupName": "/ecs/web", "logStreamName": "app/web/3f2a"}),
                "logs:GetLogEvents arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/web:log-stream:app/web/3f2a",
            ),
            ("scheduler", "ListSchedules", json!({}), "scheduler:ListSchedules *"),
            (
                "scheduler",
                "GetSchedule",
                json!({"groupName": "default", "name": "nightly"}),
                "scheduler:GetSchedule arn:aws:scheduler:eu-west-1:123456789012:schedule/default/nightly",
            ),
            (
                "events",
                "ListRuleNamesByTarget",
                json!({"targetArn": "arn:aws:ecs:eu-west-1:123456789012:cluster/prod"}),
                "events:ListRuleNamesByTarget *",
            ),
            (
                "events",
                "ListTargetsByRule",
                json!({"rule": "nightly"}),
                "events:ListTargetsByRule arn:aws:events:eu-west-1:123456789012:rule/nightly",
            ),
            ("cloudtrail", "DescribeTrails", json!({}), "cloudtrail:DescribeTrails *"),
            (
                "cloudtrail",
                "GetTrailStatus",
                json!({"name": trail}),
                "cloudtrail:GetTrailStatus arn:aws:cloudtrail:us-east-1:210987654321:trail/all",
            ),
            (
                "cloudtrail",
                "GetEventSelectors",
                json!({"trailName": trail}),
                "cloudtrail:GetEventSelectors arn:aws:cloudtrail:us-east-1:210987654321:trail/all",
            ),
            (
                "servicequotas",
                "ListServiceQuotas",
                json!({"serviceCode": "lambda"}),
                "servicequotas:ListServiceQuotas *",
            ),
        ] {
            assert_eq!(needed(service, operation, &request, &[]), [expected], "{operation}");
        }
    }

    #[test]
    fn a_state_machine_that_waits_for_another_one_has_step_functions_follow_it() {
        let machine = "arn:aws:states:eu-west-1:123456789012:stateMachine:deploy-service";
        let execution = "arn:aws:states:eu-west-1:123456789012:execution:deploy-service:web";
        let rule = "arn:aws:events:eu-west-1:123456789012:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule";
        assert_eq!(
            needed(
                "states",
                "StartExecution.sync",
                &json!({"stateMachineArn": format!("{machine}:7"), "name": "web"}),
                &[]
            ),
            [
                format!("states:StartExecution {machine}"),
                format!("states:DescribeExecution {execution}"),
                format!("states:StopExecution {execution}"),
                format!("events:PutTargets {rule}"),
                format!("events:PutRule {rule}"),
                format!("events:DescribeRule {rule}"),
            ]
        );
        for operation in ["ListExecutions", "StartExecution"] {
            for asked in [machine.to_owned(), format!("{machine}:7"), format!("{machine}:live")] {
                let needs = needed("states", operation, &json!({"stateMachineArn": asked}), &[]);
                assert_eq!(needs, [format!("states:{operation} {machine}")], "{asked}");
            }
        }
    }

    #[test]
    fn an_operation_that_is_not_in_the_table_is_unknown() {
        for (service, operation) in [
            ("ecs", "DeleteCluster"),
            ("ecr", "BatchDeleteImage"),
            ("states", "StopExecution"),
            ("lambda", "UpdateFunctionCode"),
            ("logs", "PutLogEvents"),
            ("events", "PutRule"),
            ("scheduler", "DeleteSchedule"),
            ("cloudtrail", "StopLogging"),
            ("servicequotas", "RequestServiceQuotaIncrease"),
            ("s3", "GetObject"),
        ] {
            assert_eq!(needed(service, operation, &json!({}), &[]), Vec::<String>::new());
        }
    }
}

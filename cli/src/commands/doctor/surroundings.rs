//! The rest of an account that a push depends on: trails of CloudTrail, schedules that run tasks, and quotas.

use super::AT_ONCE;
use crate::aws::SignedIn;
use crate::calls::{Calls, EVENTS, QUOTAS, SCHEDULER, TRAILS, encoded};
use crate::health::account::{Quota, Quotas, Schedule, Trail};
use ecr_deploy::aws::ecs::Ecs;
use ecr_deploy::domain::arn::ClusterName;
use ecr_deploy::domain::image::EcrRegistry;
use ecr_deploy::error::Error;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Value, json};

/// How many pages of schedules are read, of a hundred each.
const PAGES: usize = 50;
/// The quota of functions that run at once.
const FUNCTIONS: &str = "L-B99A9384";

/// The account around an installation.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    /// The trails, where the trigger needs one.
    pub(super) trails: Option<Vec<Trail>>,
    /// The schedules that run a certain revision with an image of this account's ECR.
    pub(super) schedules: Vec<Schedule>,
    /// The quotas.
    pub(super) quotas: Quotas,
    /// Everything that could not be read, with the reason.
    pub(super) unread: Vec<String>,
}

/// The account to read.
pub(super) struct Place<'a> {
    /// An ARN of it.
    pub(super) known: &'a str,
    /// Its registry.
    pub(super) here: &'a EcrRegistry,
    /// The clusters whose schedules are read.
    pub(super) clusters: &'a [ClusterName],
    /// The event that starts a push, where it is known.
    pub(super) trigger: Option<&'a str>,
}

/// A schedule or a rule, and the task definition that it names.
struct Named {
    name: String,
    task_definition: String,
}

impl Surroundings {
    /// Reads all of it. A call that AWS refuses is told, and keeps nothing else from being read.
    pub(super) async fn read(signed_in: &SignedIn, place: &Place<'_>) -> Self {
        let (calls, ecs) = (&signed_in.calls(&signed_in.region), &signed_in.reader());
        let mut it = Self::default();
        if place.trigger == Some("putImage") {
            let trails = trails(calls).await;
            it.trails = it.told("trails", trails);
        }
        let quotas = quotas(calls).await;
        if let Some(quotas) = it.told("quotas", quotas) {
            it.quotas = quotas;
            if !it.quotas.are_known() {
                let why = "quotas: Service Quotas does not tell all of them here";
                it.unread.push(why.to_owned());
            }
        }
        let schedules = it.schedules(calls).await;
        let mut named = it.told("schedules", schedules).unwrap_or_default();
        let rules = rules(calls, place).await;
        named.extend(it.told("rules", rules).unwrap_or_default());
        let revisions = revisions(ecs, place.here, named).await;
        it.schedules = it.told("schedules", revisions).unwrap_or_default();
        it
    }

    fn told<T>(&mut self, of: &str, read: Result<T, Error>) -> Option<T> {
        read.map_err(|error| self.unread.push(format!("{of}: {error}"))).ok()
    }

    /// The schedules of EventBridge Scheduler that run tasks.
    async fn schedules(&mut self, calls: &Calls) -> Result<Vec<Named>, Error> {
        let mut running = Vec::new();
        let mut page = Value::Null;
        for number in 0.. {
            let token = page["NextToken"].as_str();
            if number > 0 && token.is_none() {
                break;
            }
            if number == PAGES {
                let read = PAGES * 100;
                self.unread.push(format!("schedules: all after the first {read}"));
                break;
            }
            let next = token
                .map(|it| format!("&NextToken={}", encoded(it)))
                .unwrap_or_default();
            let path = format!("/schedules?MaxResults=100{next}");
            page = calls.get(SCHEDULER, "ListSchedules", "", &path).await?;
            running.extend(items(&page, "Schedules").filter(|it| runs_a_task(it)).cloned());
        }
        let described = stream::iter(running).map(async |it| {
            let (group, name) = (text(&it, "GroupName"), text(&it, "Name"));
            let path = format!("/schedules/{}?groupName={}", encoded(name), encoded(group));
            let subject = format!("{group}/{name}");
            let schedule = calls.get(SCHEDULER, "GetSchedule", &subject, &path).await?;
            Ok::<_, Error>(task_definition(&schedule["Target"]).map(|task_definition| Named {
                name: format!("the schedule {subject}"),
                task_definition,
            }))
        });
        let described: Vec<_> = described.buffered(AT_ONCE).try_collect().await?;
        Ok(described.into_iter().flatten().collect())
    }
}

fn items<'a>(page: &'a Value, member: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    page[member].as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}

/// All items of a call that answers in pages.
async fn all(
    calls: &Calls,
    of: (crate::calls::Service, &str, &str),
    input: Value,
    member: &str,
) -> Result<Vec<Value>, Error> {
    let (service, operation, subject) = of;
    let (mut input, mut found) = (input, Vec::new());
    loop {
        let page = calls.post(service, operation, subject, &input).await?;
        found.extend(items(&page, member).cloned());
        match &page["NextToken"] {
            Value::String(token) => input["NextToken"] = token.as_str().into(),
            _ => return Ok(found),
        }
    }
}

async fn trails(calls: &Calls) -> Result<Vec<Trail>, Error> {
    let listed = calls.post(TRAILS, "DescribeTrails", "", &json!({})).await?;
    let mut trails = Vec::new();
    for trail in items(&listed, "trailList") {
        let (name, arn) = (text(trail, "Name"), text(trail, "TrailARN"));
        let status = calls
            .post(TRAILS, "GetTrailStatus", name, &json!({"Name": arn}))
            .await?;
        let selectors = json!({"TrailName": arn});
        let selectors = calls.post(TRAILS, "GetEventSelectors", name, &selectors).await?;
        trails.push(Trail {
            name: name.to_owned(),
            is_logging: status["IsLogging"] == true,
            has_pushes: has_pushes(&selectors),
        });
    }
    Ok(trails)
}

/// The source of the events of pushes.
const ECR: &str = "ecr.amazonaws.com";

/// True if a trail records what writes to ECR:
/// <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_GetEventSelectors.html>.
fn has_pushes(selectors: &Value) -> bool {
    let basic = items(selectors, "EventSelectors").any(|it| {
        it["IncludeManagementEvents"] == true
            && it["ReadWriteType"] != "ReadOnly"
            && !holds(&it["ExcludeManagementEventSources"], ECR)
    });
    let advanced = items(selectors, "AdvancedEventSelectors").any(|it| {
        let is_management = |field: &Value| field["Field"] == "eventCategory" && holds(&field["Equals"], "Management");
        items(it, "FieldSelectors").any(is_management) && !items(it, "FieldSelectors").any(excludes)
    });
    basic || advanced
}

/// True if a field of an advanced selector keeps pushes out.
fn excludes(field: &Value) -> bool {
    let only = &field["Equals"];
    match text(field, "Field") {
        "readOnly" => !holds(only, "false"),
        "eventSource" => holds(&field["NotEquals"], ECR) || (only.is_array() && !holds(only, ECR)),
        _ => false,
    }
}

fn holds(values: &Value, value: &str) -> bool {
    values.as_array().is_some_and(|it| it.iter().any(|it| it == value))
}

async fn quotas(calls: &Calls) -> Result<Quotas, Error> {
    let of = async |service: &str| {
        let call = (QUOTAS, "ListServiceQuotas", service);
        all(
            calls,
            call,
            json!({"ServiceCode": service, "MaxResults": 100}),
            "Quotas",
        )
        .await
    };
    let quota = |listed: &[Value], is_it: &dyn Fn(&Value) -> bool| {
        let found = listed.iter().find(|it| is_it(it))?;
        Some(Quota {
            code: text(found, "QuotaCode").to_owned(),
            value: found["Value"].as_f64()?,
        })
    };
    // Their codes differ from region to region, and their names do not.
    let transitions = |part: &'static str| {
        move |it: &Value| {
            let name = text(it, "QuotaName").to_ascii_lowercase().replace(' ', "");
            name.contains("statetransition") && name.contains(part)
        }
    };
    let (lambda, states) = (of("lambda").await?, of("states").await?);
    Ok(Quotas {
        functions: quota(&lambda, &|it| it["QuotaCode"] == FUNCTIONS),
        transitions_at_once: quota(&states, &transitions("bucket")),
        transitions_a_second: quota(&states, &transitions("refill")),
    })
}

/// True if a schedule runs a task, and is not switched off: by a target for it, or by any call of AWS's.
fn runs_a_task(schedule: &Value) -> bool {
    let target = text(&schedule["Target"], "Arn");
    let is_cluster = target.contains(":ecs:") && target.contains(":cluster/");
    schedule["State"] != "DISABLED" && (is_cluster || target.ends_with(":aws-sdk:ecs:runTask"))
}

/// The task definition that a target runs.
fn task_definition(target: &Value) -> Option<String> {
    let named = target["EcsParameters"]["TaskDefinitionArn"].as_str().map(str::to_owned);
    named.or_else(|| {
        let input: Value = serde_json::from_str(text(target, "Input")).ok()?;
        Some(input["TaskDefinition"].as_str()?.to_owned())
    })
}

/// The rules of EventBridge that run tasks in the clusters.
async fn rules(calls: &Calls, place: &Place<'_>) -> Result<Vec<Named>, Error> {
    let EcrRegistry { account, region } = place.here;
    let partition = place.known.split(':').nth(1).unwrap_or("aws");
    let mut named = Vec::new();
    for cluster in place.clusters {
        let arn = format!("arn:{partition}:ecs:{region}:{account}:cluster/{cluster}");
        let call = (EVENTS, "ListRuleNamesByTarget", arn.as_str());
        for rule in all(calls, call, json!({"TargetArn": arn}), "RuleNames").await? {
            let rule = rule.as_str().unwrap_or_default();
            let call = (EVENTS, "ListTargetsByRule", rule);
            let targets = all(calls, call, json!({"Rule": rule}), "Targets").await?;
            let of_cluster = targets.iter().filter(|target| target["Arn"] == arn.as_str());
            named.extend(of_cluster.filter_map(task_definition).map(|task_definition| Named {
                name: format!("the rule {rule}"),
                task_definition,
            }));
        }
    }
    Ok(named)
}

/// Those that name a certain revision with images of this account's ECR.
async fn revisions(ecs: &Ecs, here: &EcrRegistry, named: Vec<Named>) -> Result<Vec<Schedule>, Error> {
    let numbered = named.into_iter().filter_map(|it| {
        let short = it.task_definition.rsplit('/').next()?.to_owned();
        let (family, number) = short.split_once(':')?;
        let family = family.to_owned();
        number.parse::<u64>().is_ok().then_some((it, family, short))
    });
    let read = stream::iter(numbered).map(async |(it, family, revision)| {
        let Some(definition) = ecs.find_task_definition(&it.task_definition).await? else {
            return Ok(None);
        };
        let of_here = definition.images().filter(|(_, image)| image.registry() == Some(here));
        let repositories = of_here.map(|(_, image)| image.repository().to_string()).collect();
        let schedule = Schedule {
            name: it.name,
            family,
            revision,
            repositories,
        };
        Ok(Some(schedule).filter(|it| !it.repositories.is_empty()))
    });
    let read: Vec<_> = read.buffered(AT_ONCE).try_collect().await?;
    Ok(read.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trail_has_pushes_where_it_records_management_events_that_write_to_ecr() {
        let basic = |selector: Value| json!({"EventSelectors": [selector]});
        let advanced = |fields: Value| json!({"AdvancedEventSelectors": [{"FieldSelectors": fields}]});
        let management = json!({"Field": "eventCategory", "Equals": ["Management"]});
        for (selectors, expected) in [
            (
                basic(json!({"IncludeManagementEvents": true, "ReadWriteType": "All"})),
                true,
            ),
            (
                basic(json!({"IncludeManagementEvents": true, "ReadWriteType": "WriteOnly"})),
                true,
            ),
            (
                basic(json!({"IncludeManagementEvents": true, "ReadWriteType": "ReadOnly"})),
                false,
            ),
            (
                basic(json!({"IncludeManagementEvents": false, "ReadWriteType": "All"})),
                false,
            ),
            (
                basic(json!({"IncludeManagementEvents": true, "ReadWriteType": "All",
                    "ExcludeManagementEventSources": ["ecr.amazonaws.com"]})),
                false,
            ),
            (advanced(json!([management])), true),
            (
                advanced(json!([management, {"Field": "readOnly", "Equals": ["false"]}])),
                true,
            ),
            (
                advanced(json!([management, {"Field": "readOnly", "Equals": ["true"]}])),
                false,
            ),
            (
                advanced(json!([management, {"Field": "eventSource", "NotEquals": ["kms.amazonaws.com"]}])),
                true,
            ),
            (
                advanced(json!([management, {"Field": "eventSource", "NotEquals": ["ecr.amazonaws.com"]}])),
                false,
            ),
            (
                advanced(json!([management, {"Field": "eventSource", "Equals": ["kms.amazonaws.com"]}])),
                false,
            ),
            (advanced(json!([{"Field": "eventCategory", "Equals": ["Data"]}])), false),
            (json!({}), false),
        ] {
            assert_eq!(has_pushes(&selectors), expected, "{selectors}");
        }
    }

    #[test]
    fn a_schedule_runs_a_task_by_its_target_or_by_a_call() {
        let cluster = "arn:aws:ecs:eu-west-1:123456789012:cluster/jobs";
        let call = "arn:aws:scheduler:::aws-sdk:ecs:runTask";
        let input = r#"{"Cluster": "jobs", "TaskDefinition": "report:3"}"#;
        let by_target = json!({"Arn": cluster, "EcsParameters": {"TaskDefinitionArn": "report:3"}});
        for (state, target, expected) in [
            ("ENABLED", by_target.clone(), Some("report:3")),
            ("ENABLED", json!({"Arn": call, "Input": input}), Some("report:3")),
            ("ENABLED", json!({"Arn": call, "Input": "no JSON"}), None),
            ("DISABLED", by_target, None),
            (
                "ENABLED",
                json!({"Arn": "arn:aws:lambda:eu-west-1:123456789012:function:f", "Input": input}),
                None,
            ),
        ] {
            let schedule = json!({"State": state, "Target": target});
            let found = runs_a_task(&schedule).then(|| task_definition(&target)).flatten();
            assert_eq!(found.as_deref(), expected, "{schedule}");
        }
    }
}

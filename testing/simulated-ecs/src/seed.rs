//! Many services at once, running and stable from the start: what an account looks like before a push.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::error::ApiError;
use crate::names::Milliseconds;
use crate::shapes::MODELS;
use crate::simulation::{Api, Simulation};

/// Services that are alike, and their task definitions. Every member has a default: `{}` is one service.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Seed {
    /// The cluster; created if it is not there.
    pub cluster: String,
    /// How many services.
    pub services: usize,
    /// Name of the service, or with several the beginning of their names: `web-1`, `web-2` …
    pub service_name: String,
    /// How many families the services share in turn; one for each service unless said.
    pub families: Option<usize>,
    /// How many more families no service runs (scheduled and one-off tasks). They are numbered on.
    pub standalone_families: usize,
    /// Name of the family, or with several the beginning of their names; that of the services unless said.
    pub family: Option<String>,
    /// How many of the families, from the first, run `image`; all unless said. The others run `otherImage`.
    pub matching: Option<usize>,
    /// Image of the container `app`; `app:v1` in the account's own registry unless said.
    pub image: Option<String>,
    /// Image of the container `app` in the families that do not match; `other:v1` in the account's registry unless said.
    pub other_image: Option<String>,
    /// Image of a second container, `sidecar`, in every family; none unless said.
    pub sidecar_image: Option<String>,
    /// How many tasks each service runs.
    pub desired_count: u32,
    /// More members of `RegisterTaskDefinition`, for every family.
    pub task_definition: Map<String, Value>,
    /// More members of every container definition.
    pub container: Map<String, Value>,
    /// More members of `CreateService`, for every service.
    pub service: Map<String, Value>,
    /// True if the services are in Express Mode.
    pub express: bool,
}

impl Default for Seed {
    fn default() -> Self {
        Self {
            cluster: "default".to_owned(),
            services: 1,
            service_name: "web".to_owned(),
            families: None,
            standalone_families: 0,
            family: None,
            matching: None,
            image: None,
            other_image: None,
            sidecar_image: None,
            desired_count: 1,
            task_definition: Map::new(),
            container: Map::new(),
            service: Map::new(),
            express: false,
        }
    }
}

/// The ARNs of what was made, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seeded {
    /// One for each service.
    pub services: Vec<String>,
    /// One for each family: its new revision.
    pub task_definitions: Vec<String>,
}

fn numbered(name: &str, place: usize, of: usize) -> String {
    if of == 1 {
        name.to_owned()
    } else {
        format!("{name}-{}", place + 1)
    }
}

fn with(mut body: Value, more: &Map<String, Value>) -> Value {
    if let Some(members) = body.as_object_mut() {
        members.extend(more.clone());
    }
    body
}

impl Simulation {
    /// Makes services that have been running for long: stable, their deployment COMPLETED, in no time.
    ///
    /// # Errors
    /// Those of `RegisterTaskDefinition` and `CreateService`. Everything made before the error stays.
    pub fn seed(&mut self, now: Milliseconds, seed: &Seed) -> Result<Seeded, ApiError> {
        self.advance(now);
        self.ensure_cluster(&seed.cluster, &json!({}));
        let settings = self.settings();
        let suffix = if settings.partition == "aws-cn" { ".cn" } else { "" };
        let registry = format!("{}.dkr.ecr.{}.amazonaws.com{suffix}", settings.account, settings.region);
        let role = |name: &str| format!("arn:{}:iam::{}:role/{name}", settings.partition, settings.account);
        let roles: Map<String, Value> = [("taskRoleArn", "app-task"), ("executionRoleArn", "app-execution")]
            .into_iter()
            .map(|(member, name)| (member.to_owned(), role(name).into()))
            .collect();
        let image = seed.image.clone().unwrap_or_else(|| format!("{registry}/app:v1"));
        let other_image = seed
            .other_image
            .clone()
            .unwrap_or_else(|| format!("{registry}/other:v1"));
        let used = seed.families.unwrap_or(seed.services);
        let total = used + seed.standalone_families;
        let family = seed.family.as_deref().unwrap_or(&seed.service_name);
        let mut seeded = Seeded::default();
        for place in 0..total {
            let matches = seed.matching.is_none_or(|matching| place < matching);
            let app = if matches { &image } else { &other_image };
            let mut containers = vec![with(
                json!({"name": "app", "image": app, "essential": true}),
                &seed.container,
            )];
            if let Some(sidecar) = &seed.sidecar_image {
                containers.push(with(
                    json!({"name": "sidecar", "image": sidecar, "essential": true}),
                    &seed.container,
                ));
            }
            let name = numbered(family, place, total);
            let document = with(
                with(json!({"family": name, "containerDefinitions": containers}), &roles),
                &seed.task_definition,
            );
            let answer = self.call(now, Api::Ecs, "RegisterTaskDefinition", &document)?;
            let arn = answer
                .pointer("/taskDefinition/taskDefinitionArn")
                .and_then(Value::as_str)
                .unwrap_or_default();
            seeded.task_definitions.push(arn.to_owned());
        }
        for place in 0..seed.services {
            let Some(task_definition) = seeded.task_definitions.get(place % used.max(1)) else {
                return Err(ApiError::invalid("families: services need at least one family"));
            };
            let request = json!({
                "cluster": seed.cluster,
                "serviceName": numbered(&seed.service_name, place, seed.services),
                "taskDefinition": task_definition,
                "desiredCount": seed.desired_count,
            });
            let request = with(request, &seed.service);
            let (index, arn) = self.settled(now, &request)?;
            self.services[index as usize].is_express = seed.express;
            seeded.services.push(arn);
        }
        Ok(seeded)
    }

    /// Lets every revision that is there have been registered so much earlier.
    pub fn date_revisions_back(&mut self, by: Milliseconds) {
        for revision in self.families.values_mut().flatten() {
            revision.registered_at -= by;
        }
    }

    /// Makes one service that has been running for long, from a request of `CreateService`; returns its ARN.
    ///
    /// # Errors
    /// Those of `CreateService`.
    pub fn settled_service(&mut self, now: Milliseconds, request: &Value) -> Result<String, ApiError> {
        self.settled(now, request).map(|(_, arn)| arn)
    }

    /// The same, in Express Mode.
    ///
    /// # Errors
    /// Those of `CreateService`.
    pub fn settled_in_express_mode(&mut self, now: Milliseconds, request: &Value) -> Result<String, ApiError> {
        let (index, arn) = self.settled(now, request)?;
        self.services[index as usize].is_express = true;
        Ok(arn)
    }

    fn settled(&mut self, now: Milliseconds, request: &Value) -> Result<(u32, String), ApiError> {
        self.advance(now);
        MODELS.ecs.check("CreateService", request)?;
        let index = self.create_service(request, now, true)?;
        Ok((index, self.services[index as usize].arn.clone()))
    }
}

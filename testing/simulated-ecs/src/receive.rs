//! A call as a client sees it: through the weather, and counted.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::error::ApiError;
use crate::iam;
use crate::names::{Milliseconds, resource_path};
use crate::operations;
use crate::service_deployments;
use crate::simulation::{Api, Simulation};
use crate::task_definitions::TaskDefinition;
use crate::weather::{Kind, Met, subject};

/// The answer to a client, and how many real milliseconds later it comes.
#[derive(Debug)]
pub struct Reply {
    /// None: the connection ends without an answer.
    pub answer: Option<Result<Value, ApiError>>,
    /// How long the answer is held back.
    pub delay_milliseconds: u64,
    /// True if the call took effect, which an answer that is cut off does not tell.
    pub applied: bool,
    /// For how long reads stay behind it.
    pub stale_milliseconds: u64,
}

impl Reply {
    /// A refusal that no weather delays.
    fn at_once(error: ApiError) -> Self {
        Self {
            answer: Some(Err(error)),
            delay_milliseconds: 0,
            applied: false,
            stale_milliseconds: 0,
        }
    }
}

/// How often an operation was called, and how it went.
#[derive(Debug, Clone, Default)]
struct Count {
    calls: u64,
    succeeded: u64,
    cut: u64,
    errors: BTreeMap<String, u64>,
}

/// Every call since the start or the last reset.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls {
    counts: BTreeMap<String, Count>,
    log: Vec<Value>,
}

impl Calls {
    fn note(&mut self, operation: &str, reply: &Reply) {
        if !self.counts.contains_key(operation) {
            self.counts.insert(operation.to_owned(), Count::default());
        }
        let Some(count) = self.counts.get_mut(operation) else {
            return;
        };
        count.calls += 1;
        match &reply.answer {
            None => count.cut += 1,
            Some(Ok(_)) => count.succeeded += 1,
            Some(Err(error)) => *count.errors.entry(error.code.clone()).or_default() += 1,
        }
    }

    /// Counts by operation.
    pub(crate) fn report(&self) -> Value {
        let line = |(operation, count): (&String, &Count)| {
            let Count {
                calls,
                succeeded,
                cut,
                errors,
            } = count;
            (
                operation.clone(),
                json!({"calls": calls, "succeeded": succeeded, "cut": cut, "errors": errors}),
            )
        };
        Value::Object(self.counts.iter().map(line).collect())
    }

    pub(crate) fn log(&self) -> &[Value] {
        &self.log
    }
}

/// The texts, numbers and truth values of a request: whom it is about and what it asks for, without documents and lists.
fn plain_members(request: &Value) -> Map<String, Value> {
    let members = request.as_object().into_iter().flatten();
    let plain = members.filter(|(_, value)| !value.is_object() && !value.is_array() && !value.is_null());
    plain.map(|(name, value)| (name.clone(), value.clone())).collect()
}

impl Simulation {
    /// Holds back the answers to the calls of an operation whose request contains `subject`, which take effect at once,
    /// until [`Simulation::release`]: so that a test decides what happens in between, and not how quick the machine is. A
    /// client may give up waiting and call again.
    pub fn hold(&mut self, operation: &str, subject: &str) {
        self.sky.hold(operation, subject, false);
    }

    /// Throttles the calls of an operation whose request contains `subject` until [`Simulation::release`].
    pub fn refuse(&mut self, operation: &str, subject: &str) {
        self.sky.hold(operation, subject, true);
    }

    /// Gives the answers that are held back for this `subject`, holds back no more, and refuses no more.
    pub fn release(&mut self, subject: &str) {
        self.sky.release(subject);
    }

    /// Lets the tasks of services that run an image, named as container definitions name it, go no further than PENDING until
    /// [`Simulation::release_tasks`]: so that a rollout lasts as long as a test wants.
    pub fn hold_tasks(&mut self, image: &str) {
        self.world.held_images.insert(image.to_owned());
    }

    /// Lets the tasks go on that were held for this image.
    pub fn release_tasks(&mut self, now: Milliseconds, image: &str) {
        self.advance(now);
        let released = BTreeSet::from([image.to_owned()]);
        self.world.held_images.remove(image);
        for index in 0..self.next_index() {
            let mut is_released = false;
            for task in &mut self.services[index as usize].tasks {
                if task.runs_one_of(&released) && task.is_due_to_start(now) {
                    task.next_at = Some(now);
                    is_released = true;
                }
            }
            if is_released {
                self.touch(index, now);
            }
        }
    }

    /// True if the answer to this call is held back now.
    #[must_use]
    pub fn is_held(&self, operation: &str, request: &Value) -> bool {
        self.sky.is_held(operation, request, false)
    }

    /// One call of the account's administrator, through token buckets and weather; counted.
    pub fn receive(&mut self, now: Milliseconds, api: Api, operation: &str, request: &Value) -> Reply {
        self.receive_from(now, None, api, operation, request)
    }

    /// One call of a function, which is named as `<stack>/<logical id>`: judged by its role, then as any other.
    pub fn receive_from(
        &mut self,
        now: Milliseconds,
        caller: Option<&str>,
        api: Api,
        operation: &str,
        request: &Value,
    ) -> Reply {
        self.advance(now);
        let judged = caller.map_or(Ok(()), |caller| self.judge_own(caller, api, operation, request));
        let reply = match judged {
            Ok(()) => self.carry_out(now, api, operation, request),
            Err(refused) => Reply::at_once(refused),
        };
        self.calls.note(operation, &reply);
        if self.settings().call_log {
            let outcome = match &reply.answer {
                None => "cut",
                Some(Ok(_)) => "ok",
                Some(Err(error)) => error.code.as_str(),
            };
            self.calls.log.push(json!({
                "at": now,
                "operation": operation,
                "subject": subject(request),
                "outcome": outcome,
                "message": reply.answer.as_ref().and_then(|answer| Some(&answer.as_ref().err()?.message)),
                "applied": reply.applied,
                "staleMilliseconds": reply.stale_milliseconds,
                "parameters": plain_members(request),
                "members": request.as_object().map(|members| members.keys().cloned().collect::<Vec<_>>()),
            }));
        }
        reply
    }

    fn judge_own(&mut self, caller: &str, api: Api, operation: &str, request: &Value) -> Result<(), ApiError> {
        let revision = request.get("taskDefinition").and_then(Value::as_str);
        let revision = revision.and_then(|given| self.find_task_definition(given));
        let roles = revision.map(TaskDefinition::roles).unwrap_or_default();
        let tags = self.tags_of_changed(request);
        self.judge(&iam::Call {
            caller: caller.to_owned(),
            service: match api {
                Api::Ecs => "ecs",
                Api::Ecr => "ecr",
            }
            .to_owned(),
            operation: operation.to_owned(),
            request: request.clone(),
            roles,
            tags,
        })
    }

    /// The tags of the service that a request changes: that it names, or of which it names a deployment.
    fn tags_of_changed(&self, request: &Value) -> BTreeMap<String, String> {
        let text = |member: &str| request.get(member).and_then(Value::as_str);
        let of_deployment = text("serviceDeploymentArn").map(|arn| {
            let mut path = resource_path(arn, "service-deployment").split('/');
            json!({"cluster": path.next(), "service": path.next()})
        });
        let place = self.service(of_deployment.as_ref().unwrap_or(request)).ok();
        let tags = place
            .map(|place| self.services[place as usize].tags.as_slice())
            .unwrap_or_default();
        let text = |tag: &Value, member: &str| tag[member].as_str().unwrap_or_default().to_owned();
        tags.iter().map(|tag| (text(tag, "key"), text(tag, "value"))).collect()
    }

    fn carry_out(&mut self, now: Milliseconds, api: Api, operation: &str, request: &Value) -> Reply {
        if operation.starts_with('_') {
            return Reply::at_once(operations::unknown(operation));
        }
        let has_token = self.sky.buckets.take(operations::category(api, operation), now);
        let is_throttled = !has_token && self.settings().throttling;
        if is_throttled || self.sky.is_held(operation, request, true) {
            return Reply::at_once(ApiError::throttled());
        }
        let Met {
            refusal,
            empty,
            cut,
            slow,
            stale,
        } = self.sky.meet(now, false, operation, request);
        let delay_milliseconds = u64::try_from(slow).unwrap_or(0);
        if let Some(error) = refusal {
            return Reply {
                answer: Some(Err(error)),
                delay_milliseconds,
                applied: false,
                stale_milliseconds: 0,
            };
        }
        if let Some(nothing) = service_deployments::nothing(operation).filter(|_| empty) {
            return Reply {
                answer: Some(Ok(nothing)),
                delay_milliseconds,
                applied: false,
                stale_milliseconds: 0,
            };
        }
        if cut == Some(Kind::CutBefore) {
            return Reply {
                answer: None,
                delay_milliseconds,
                applied: false,
                stale_milliseconds: 0,
            };
        }
        self.sky.stale = stale;
        let answer = self.call(now, api, operation, request);
        self.sky.stale = 0;
        Reply {
            applied: answer.is_ok(),
            stale_milliseconds: u64::try_from(stale).unwrap_or(0),
            answer: Some(answer).filter(|_| cut.is_none()),
            delay_milliseconds,
        }
    }

    /// Keeps what reads are to show for a while, before a service is changed by a call that the weather makes stale.
    pub(crate) fn keep_for_stale_reads(&mut self, index: u32, now: Milliseconds) {
        if self.sky.stale == 0 {
            return;
        }
        let service = &self.services[index as usize];
        let stale = crate::service::Stale {
            until: now + self.sky.stale,
            service: self.describe_service(service),
            service_deployments: service
                .history
                .iter()
                .rev()
                .map(|entry| self.describe_deployment(service, entry))
                .collect(),
        };
        self.services[index as usize].stale = Some(stale);
    }

    /// Forgets which calls there were and how low the buckets went. The buckets stay as full as they are.
    pub fn reset_calls(&mut self) {
        self.calls = Calls::default();
        self.sky.buckets.reset();
        self.sky.done.clear();
    }
}

//! An ECS (and the little of ECR) that tests can start: AWS's protocol and rules, rollouts on a clock of its own, in any
//! weather.
//!
//! [`Simulation`] is plain data that moves when it is told what time it is; [`SimulatedEcs`] is a server around it. What
//! an image does is said by the beginning of its tag, see [`Behaviour`]; what goes wrong on the way by [`Weather`].
//!
//! ```no_run
//! use simulated_ecs::{Seed, Settings, SimulatedEcs};
//!
//! let ecs = SimulatedEcs::start(Settings { speed: 50.0, ..Settings::default() })?;
//! ecs.with(|simulation, now| simulation.seed(now, &Seed { services: 8, ..Seed::default() }))?;
//! // AWS_ENDPOINT_URL_ECS=ecs.url()
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Over HTTP, beside AWS's own protocol (request and answer in JSON):
//!
//! | | |
//! |---|---|
//! | `GET /_simulation/calls` | calls by operation and outcome, token buckets; with `?log=true` each call |
//! | `DELETE /_simulation/calls` | starts counting again |
//! | `GET /_simulation/state` | everything as it is |
//! | `GET`, `POST /_simulation/faults` | the [`Weather`] |
//! | `POST /_simulation/services` | makes stable services: a [`Seed`] |
//! | `POST /_simulation/images` | pushes an image: `{"repository", "tag"?, "behaviour"?}`, answers `{"imageDigest"}` |
//! | `POST /_simulation/alarms` | `{"name", "inAlarm"}` |
//! | `POST /_simulation/speed` | `{"speed"}` |
//! | `POST /_simulation/stacks` | the roles of a stack: `{"name", "template", "physical"}`, see [`iam`] |
//! | `POST /_simulation/judge` | judges an [`iam::Call`] of another service: `{"refusal": null}`, or AWS's words |
//!
//! A request with a session token, `x-amz-security-token: <stack>/<logical id>`, is one of that function and judged by its
//! role; a request without is one of the account's administrator.
//!
//! Not simulated: capacity and placement (but for `noplace`), container instances, capacity providers, load balancers
//! (kept, without effect), lifecycle hooks of rolling deployments and of rollbacks, traffic weights, task sets and the
//! tasks of the controllers `CODE_DEPLOY` and `EXTERNAL`, auto scaling, the replacement of old tasks that crash during
//! a blue/green deployment. Where AWS documents no text, the reason of an alarm, of a rollback on request and of a
//! replaced rollback is made up.

mod admin;
mod behaviour;
mod blue_green;
mod buckets;
mod clusters;
mod ecr;
mod error;
mod failure;
mod hooks;
pub mod iam;
mod layers;
mod names;
mod operations;
mod receive;
mod registry;
mod rollout;
mod seed;
mod server;
mod service;
mod service_deployments;
mod services;
mod settings;
mod shapes;
mod simulation;
mod tags;
mod task;
mod task_definitions;
mod tasks;
mod weather;

pub use behaviour::Behaviour;
pub use error::ApiError;
pub use names::Milliseconds;
pub use receive::Reply;
pub use registry::Put;
pub use seed::{Seed, Seeded};
pub use server::SimulatedEcs;
pub use settings::Settings;
pub use simulation::{Api, Simulation};
pub use weather::{Fault, Kind, Scheduled, Trigger, Weather};

//! How a task of an image behaves. The image says it by the beginning of its tag.

use serde::{Deserialize, Serialize};

/// The way of a task that runs this image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Behaviour {
    /// Starts and keeps running.
    #[default]
    Good,
    /// Exits with code 1 before the task is RUNNING.
    ExitEarly,
    /// Exits with code 1 some seconds after the task is RUNNING.
    Crash,
    /// Exits with code 1 some minutes after the task is RUNNING.
    CrashLater,
    /// Runs, but its health check never passes (the simulation gives it one), so that the scheduler stops it.
    Unhealthy,
    /// Cannot be pulled.
    Nopull,
    /// Asks for more than any container instance has: no task comes to be, only a service event.
    Noplace,
    /// Starts, after minutes.
    Slow,
    /// Is killed for its memory some seconds after the task is RUNNING: exit code 137.
    Oom,
    /// The first task of each deployment crashes once, every later one is good.
    Once,
    /// Runs, and raises every alarm of its service's deployments while it is rolled out.
    Alarm,
    /// Runs, and protects itself from being replaced for twenty minutes.
    Protected,
    /// Ends with code 0 a minute after the task is RUNNING, and is started again: ECS stops its other containers.
    Job,
    /// No task of it can be launched: ECS may not assume its role.
    Nolaunch,
}

/// The beginnings of a tag, longest first where one begins with another.
const BY_TAG: [(&str, Behaviour); 13] = [
    ("crash-later", Behaviour::CrashLater),
    ("crash", Behaviour::Crash),
    ("exit-early", Behaviour::ExitEarly),
    ("unhealthy", Behaviour::Unhealthy),
    ("nopull", Behaviour::Nopull),
    ("noplace", Behaviour::Noplace),
    ("slow", Behaviour::Slow),
    ("oom", Behaviour::Oom),
    ("once", Behaviour::Once),
    ("alarm", Behaviour::Alarm),
    ("protected", Behaviour::Protected),
    ("job", Behaviour::Job),
    ("nolaunch", Behaviour::Nolaunch),
];

impl Behaviour {
    /// The behaviour that a tag stands for: the first of the table that the tag begins with, good otherwise.
    #[must_use]
    pub fn of_tag(tag: &str) -> Self {
        BY_TAG
            .iter()
            .find(|(prefix, _)| tag.starts_with(prefix))
            .map_or(Self::Good, |(_, behaviour)| *behaviour)
    }

    /// ECS's words where no task of it comes to be.
    pub(crate) fn refusal(self) -> Option<&'static str> {
        match self {
            Self::Noplace => Some(
                "was unable to place a task because no container instance met all of its requirements. The closest matching \
                 (container-instance 5c1d5cf8b4e94d1f8a0d6f5c1a2b3c4d) has insufficient memory available. For more \
                 information, see the Troubleshooting section of the Amazon ECS Developer Guide.",
            ),
            Self::Nolaunch => Some(
                "failed to launch a task with (error ECS was unable to assume the role 'app-task' that was provided for this \
                 task. Please verify that the role being passed has the proper trust relationship and permissions and that \
                 your IAM user has permissions to pass this role.).",
            ),
            _ => None,
        }
    }

    /// When a task with this behaviour is RUNNING and what ends it.
    pub(crate) fn plan(self, first_of_deployment: bool) -> Plan {
        let good = Plan {
            pending_seconds: 10.0,
            protected_seconds: 0.0,
            fate: Fate::KeepsRunning,
        };
        let ends = |fate| Plan { fate, ..good };
        match self {
            Self::Slow => Plan {
                pending_seconds: 240.0,
                ..good
            },
            Self::Nopull => ends(Fate::NeverPulled),
            Self::ExitEarly => ends(Fate::ExitsBeforeRunning),
            Self::Crash => ends(Fate::Exits {
                seconds: 10.0,
                code: 1,
                reason: None,
            }),
            Self::CrashLater => ends(Fate::Exits {
                seconds: 180.0,
                code: 1,
                reason: None,
            }),
            Self::Oom => ends(Fate::Exits {
                seconds: 10.0,
                code: 137,
                reason: Some(OUT_OF_MEMORY),
            }),
            Self::Unhealthy => ends(Fate::NeverHealthy { seconds: 40.0 }),
            Self::Once if first_of_deployment => ends(Fate::Exits {
                seconds: 8.0,
                code: 1,
                reason: None,
            }),
            Self::Protected => Plan {
                protected_seconds: 1200.0,
                ..good
            },
            Self::Job => ends(Fate::Exits {
                seconds: 60.0,
                code: 0,
                reason: None,
            }),
            Self::Good | Self::Noplace | Self::Nolaunch | Self::Alarm | Self::Once => good,
        }
    }
}

const OUT_OF_MEMORY: &str = "OutOfMemoryError: Container killed due to memory usage";

/// The life of a task, in seconds of the simulated clock.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Plan {
    /// From PENDING to RUNNING: pulling the image and starting the containers.
    pub(crate) pending_seconds: f64,
    /// For how long from RUNNING on the scheduler may not replace it.
    pub(crate) protected_seconds: f64,
    pub(crate) fate: Fate,
}

impl Plan {
    /// The life of a task with one more container: it runs once both can, is protected as long as either is, and ends as the first
    /// of them ends.
    pub(crate) fn beside(self, other: Self) -> Self {
        Self {
            pending_seconds: self.pending_seconds.max(other.pending_seconds),
            protected_seconds: self.protected_seconds.max(other.protected_seconds),
            fate: if other.fate.ends_at() < self.fate.ends_at() {
                other.fate
            } else {
                self.fate
            },
        }
    }
}

/// How a task ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) enum Fate {
    #[default]
    KeepsRunning,
    NeverPulled,
    ExitsBeforeRunning,
    Exits {
        seconds: f64,
        code: i32,
        reason: Option<&'static str>,
    },
    NeverHealthy {
        seconds: f64,
    },
}

impl Fate {
    /// In seconds since the task is RUNNING; below 0 for what never runs.
    fn ends_at(self) -> f64 {
        match self {
            Self::NeverPulled => -2.0,
            Self::ExitsBeforeRunning => -1.0,
            Self::Exits { seconds, .. } | Self::NeverHealthy { seconds } => seconds,
            Self::KeepsRunning => f64::INFINITY,
        }
    }
}

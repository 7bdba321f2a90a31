//! The events of a service, in ECS's words.

use jiff::Timestamp;

/// Something that ECS says happened to a service.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceEvent {
    /// When.
    pub at: Timestamp,
    /// The event in ECS's words: "(service web) was unable to place a task because …".
    pub message: String,
}

impl ServiceEvent {
    /// ECS's words when there is no room for a task: of memory, of processors, or of ports.
    const NO_ROOM: &str = "unable to place a task";

    /// ECS's words when it cannot bring a task to run
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html>).
    const FAILURES: [&str; 5] = [
        Self::NO_ROOM,
        "failed to launch a task",
        "unable to stop or start tasks during a deployment",
        "failed to register targets",
        "unable to consistently start tasks",
    ];

    /// By these ECS says that it could launch tasks.
    const LAUNCHES: [&str; 2] = ["has started", "has reached a steady state"];

    /// True if ECS says that it cannot bring a task to run.
    #[must_use]
    pub fn is_launch_failure(&self) -> bool {
        self.says_any(&Self::FAILURES)
    }

    /// True if ECS says that there is no room for a task.
    #[must_use]
    pub fn says_no_room(&self) -> bool {
        self.says_any(&[Self::NO_ROOM])
    }

    /// True if ECS says that it could launch tasks.
    #[must_use]
    pub fn is_launch(&self) -> bool {
        self.says_any(&Self::LAUNCHES)
    }

    fn says_any(&self, words: &[&str]) -> bool {
        words.iter().any(|words| self.message.contains(words))
    }
}

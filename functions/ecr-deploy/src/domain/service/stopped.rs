//! The tasks of a service that stopped, and how they ended.

use crate::domain::arn::TaskDefinitionArn;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// The names of the containers that AWS adds to tasks, whatever their task definition names, each followed by a hyphen and letters
/// of the task: the agent of `GuardDuty`
/// (<https://docs.aws.amazon.com/guardduty/latest/ug/how-runtime-monitoring-works-ecs-fargate.html>) and the proxy of Service
/// Connect (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-connect-concepts-deploy.html>).
const INJECTED: [&str; 2] = ["aws-guardduty-agent", "ecs-service-connect"];

/// A task of a service that has stopped or is stopping, by `DescribeTasks`.
#[derive(Debug, Clone, PartialEq)]
pub struct StoppedTask {
    /// Its id, the end of its ARN; empty where AWS does not say.
    pub id: String,
    /// The deployment that started it.
    pub started_by: String,
    /// The revision it ran, as far as AWS says.
    pub task_definition: Option<TaskDefinitionArn>,
    /// AWS's code for why it stopped: `EssentialContainerExited`, `TaskFailedToStart`, ….
    pub stop_code: String,
    /// AWS's words for why it stopped.
    pub reason: String,
    /// True while its containers are still being stopped. One without an exit code and a reason may get them then.
    pub is_stopping: bool,
    /// When it stopped, or began to, as far as AWS says.
    pub stopped_at: Option<Timestamp>,
    /// Its containers.
    pub containers: Vec<StoppedContainer>,
}

/// A container of a task that has stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoppedContainer {
    /// Its name.
    pub name: String,
    /// The code it exited with, if it ran.
    pub exit_code: Option<i32>,
    /// AWS's words: "`OutOfMemoryError`: Container killed due to memory usage".
    pub reason: Option<String>,
}

impl StoppedTask {
    /// The containers that exited with code 0, where the task ended by itself and ECS stopped every other one. `None` where
    /// there is no such container, or where another one failed.
    ///
    /// ECS stops the rest of a task when an essential container exits: a sidecar then ends by a signal, and the task has ended
    /// well all the same. Which container exited first is not told. One that takes its time to stop is counted among those that
    /// ECS stopped; if it fails at that, a later read tells it.
    #[must_use]
    pub fn succeeded(&self) -> Option<BTreeSet<&str>> {
        let is_success = |container: &&StoppedContainer| container.exit_code == Some(0);
        let may_be_well = self.stop_code == "EssentialContainerExited"
            && self.own().all(|container| {
                is_success(&container) || container.was_stopped() || self.is_still_stopping(container)
            });
        let succeeded: BTreeSet<&str> = self
            .own()
            .filter(is_success)
            .map(|container| container.name.as_str())
            .collect();
        Some(succeeded).filter(|succeeded| may_be_well && !succeeded.is_empty())
    }

    /// True if some containers exited with code 0 and ECS stopped the others: then the task definition tells if it
    /// ended well.
    #[must_use]
    pub fn was_partly_stopped(&self) -> bool {
        self.succeeded()
            .is_some_and(|succeeded| succeeded.len() < self.own().count())
    }

    /// The containers that the task definition names.
    pub fn own(&self) -> impl Iterator<Item = &StoppedContainer> {
        let is_own = |container: &&StoppedContainer| !INJECTED.contains(&container.name.as_str());
        self.containers.iter().filter(is_own)
    }

    /// True for a container that runs still, while ECS stops the task.
    fn is_still_stopping(&self, container: &StoppedContainer) -> bool {
        self.is_stopping && container.exit_code.is_none() && container.reason.is_none()
    }

    /// True if a task crashed by itself: not when ECS, a person or the hardware stopped it.
    #[must_use]
    pub fn crashed(&self) -> bool {
        match self.stop_code.as_str() {
            "TaskFailedToStart" => true,
            // The next read tells how the first of them ended.
            "EssentialContainerExited" => {
                !(self.is_stopping && self.own().all(|container| self.is_still_stopping(container)))
            }
            "ServiceSchedulerInitiated" => {
                let reason = self.reason.to_ascii_lowercase();
                reason.contains("health check") || reason.contains("unhealthy")
            }
            "UserInitiated" | "SpotInterruption" | "TerminationNotice" | "InfrastructureHealth" => false,
            // A code that is not known: what was stopped with all its containers did not crash by itself.
            _ => self
                .containers
                .iter()
                .any(|container| container.exit_code.is_some_and(|code| code != 0) && !container.was_stopped()),
        }
    }
}

impl StoppedContainer {
    /// The name of a container as it is told: AWS ends those of its own with other letters in each task.
    pub(crate) fn told_name(name: String) -> String {
        let known = INJECTED.into_iter().find(|known| {
            let rest = name.strip_prefix(known);
            rest.is_some_and(|rest| rest.starts_with('-'))
        });
        known.map_or(name, str::to_owned)
    }

    /// True if it seems to have ended by the signal by which ECS stops the rest of a task, TERM and then KILL
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/essential-container-exit.html>). Want of memory
    /// kills too, but ECS says so.
    #[must_use]
    pub fn was_stopped(&self) -> bool {
        matches!(self.exit_code, Some(137 | 143)) && self.reason.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::crash;

    /// A task of these containers: `runner 0`, `router 1 OutOfMemoryError`, `agent - CannotPullContainerError`, `router -`.
    fn task(is_stopping: bool, containers: &[&str]) -> StoppedTask {
        let container = |text: &&str| {
            let mut words = text.split(' ');
            StoppedContainer {
                name: StoppedContainer::told_name(words.next().unwrap().to_owned()),
                exit_code: words.next().unwrap().parse().ok(),
                reason: words.next().map(str::to_owned),
            }
        };
        StoppedTask {
            is_stopping,
            containers: containers.iter().map(container).collect(),
            ..crash("web:2", 200)
        }
    }

    #[test]
    fn a_container_that_has_not_stopped_yet_is_neither_a_crash_nor_a_bad_end() {
        for (is_stopping, containers, crashed, succeeded) in [
            (true, &["runner 0", "router -"][..], true, Some("runner")),
            (true, &["runner 1", "router -"], true, None),
            (true, &["runner 0", "router 1"], true, None),
            (true, &["runner 137 OutOfMemoryError", "router -"], true, None),
            (true, &["runner - CannotPullContainerError", "router -"], true, None),
            // ECS tells of no end yet.
            (true, &["runner -", "router -"], false, None),
            (
                true,
                &["runner -", "aws-guardduty-agent-mfjGLB - CannotPullContainerError"],
                false,
                None,
            ),
            (false, &["runner 0", "router 137"], true, Some("runner")),
            // It never ran.
            (false, &["runner 0", "router -"], true, None),
            (false, &["runner -", "router -"], true, None),
            (false, &[], true, None),
        ] {
            let task = task(is_stopping, containers);
            let ended_well = task
                .succeeded()
                .map(|names| names.into_iter().collect::<Vec<_>>().join(" "));
            assert_eq!(
                (task.crashed(), ended_well.as_deref()),
                (crashed, succeeded),
                "{task:?}"
            );
            assert_eq!(task.was_partly_stopped(), succeeded.is_some(), "{task:?}");
        }
    }

    #[test]
    fn a_container_that_aws_adds_to_a_task_says_nothing_of_how_it_ended() {
        let agent = "aws-guardduty-agent-mfjGLB";
        for (containers, succeeded, partly) in [
            (
                vec!["runner 0".to_owned(), format!("{agent} - CannotPullContainerError")],
                true,
                false,
            ),
            (
                vec!["runner 0".to_owned(), format!("{agent} 0"), "router 137".to_owned()],
                true,
                true,
            ),
            (
                vec!["runner 0".to_owned(), "ecs-service-connect-Ab1 1".to_owned()],
                true,
                false,
            ),
            (vec!["runner 1".to_owned(), format!("{agent} 0")], false, false),
            // Of the app nobody says that it ended well.
            (vec!["runner 137".to_owned(), format!("{agent} 0")], false, false),
            // A name of the user's.
            (
                vec!["runner 0".to_owned(), "aws-guardduty-agents 1".to_owned()],
                false,
                false,
            ),
        ] {
            let texts: Vec<&str> = containers.iter().map(String::as_str).collect();
            let task = task(false, &texts);
            let ended = (task.succeeded().is_some(), task.was_partly_stopped());
            assert_eq!(ended, (succeeded, partly), "{task:?}");
        }
    }

    #[test]
    fn the_name_of_a_container_that_aws_adds_is_the_same_in_each_task() {
        for (name, told) in [
            ("aws-guardduty-agent-mfjGLB", "aws-guardduty-agent"),
            ("ecs-service-connect-x7Yz", "ecs-service-connect"),
            ("aws-guardduty-agents", "aws-guardduty-agents"),
            ("web", "web"),
        ] {
            assert_eq!(StoppedContainer::told_name(name.to_owned()), told);
        }
    }
}

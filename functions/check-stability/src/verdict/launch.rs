//! Tasks that ECS cannot launch: none of them ever exists, and only the service's events tell why.

use super::{CLOCK_SKEW, Snapshot, earlier, later, ours_of};
use ecr_deploy::contract::{CheckStability, Rollout};
use ecr_deploy::domain::service::{Deployment, ServiceEvent};
use jiff::Timestamp;

/// For what part of its time a rollout may go without any task that ECS can launch. ECS tells it once in six hours, however often it fails
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages.html>), and tries again after some five minutes
/// (observed, not documented): of half an hour, this is seven and a half.
const UNPLACED: i32 = 4;

/// True if ECS cannot launch any task of ours: none runs or starts, and as many failed as make a crash loop, or ECS has
/// told of it a while ago and of no launch since. While old tasks leave, ECS makes room, and tries again some minutes after the
/// last one has gone. Until then, lack of room is no failure.
pub(super) fn fails(snapshot: &Snapshot, asked: &CheckStability, primary: &Deployment) -> bool {
    if primary.desired_count == 0 || primary.running_count > 0 || primary.pending_count > 0 {
        return false;
    }
    let is_ours = |id: &str| primary.id == id;
    let mut others = snapshot.service.deployments.iter().filter(|other| !is_ours(&other.id));
    let makes_room = others.any(|other| other.running_count > other.desired_count);
    // Not by the deadline, which moves while a lifecycle hook holds the rollout.
    let patience = asked.settings.rollout_timeout / UNPLACED;
    let gone = snapshot.stopped.iter().filter(|task| !is_ours(&task.started_by));
    let room_since = gone.filter_map(|task| task.stopped_at).max();
    let is_over = |since: Timestamp| snapshot.now >= later(since, patience);
    if primary.failed_tasks as usize >= snapshot.service.crash_threshold.tasks(primary.desired_count) {
        // ECS counts also the tasks for which there is no room yet.
        let lacks_room = failure(snapshot, &asked.rollout).is_some_and(ServiceEvent::says_no_room);
        return !lacks_room || (!makes_room && room_since.is_none_or(is_over));
    }
    let since_launch = of_rollout(snapshot, &asked.rollout).take_while(|event| !event.is_launch());
    !makes_room
        && since_launch
            .filter(|event| event.is_launch_failure())
            .any(|failure| is_over(room_since.map_or(failure.at, |gone| gone.max(failure.at))))
}

/// Why ECS cannot launch tasks of ours: its newest words.
pub(super) fn failure<'a>(snapshot: &'a Snapshot, rollout: &Rollout) -> Option<&'a ServiceEvent> {
    of_rollout(snapshot, rollout)
        .find(|event| event.is_launch_failure())
        .or_else(|| told_before(snapshot, rollout))
}

/// True if ECS has launched a task since it told why it could not.
pub(super) fn is_past(snapshot: &Snapshot, failure: &ServiceEvent) -> bool {
    let mut since = snapshot.service.events.iter().filter(|event| event.at >= failure.at);
    since.any(ServiceEvent::is_launch)
}

/// The service's events since the rollout began to be watched, newest first.
fn of_rollout<'a>(snapshot: &'a Snapshot, rollout: &Rollout) -> impl Iterator<Item = &'a ServiceEvent> {
    let since = rollout.started_at.max(earlier(rollout.watched_since, CLOCK_SKEW));
    snapshot.service.events.iter().filter(move |event| event.at >= since)
}

/// The same, where ECS said so of the rollout before and has launched no task since: it does not say the same again before its cause
/// is gone. It counts those of ours that failed all the same.
fn told_before<'a>(snapshot: &'a Snapshot, rollout: &Rollout) -> Option<&'a ServiceEvent> {
    ours_of(&snapshot.service, rollout).filter(|ours| ours.failed_tasks > 0 && ours.running_count == 0)?;
    let newest_first = snapshot.service.events.iter();
    let mut since_launch = newest_first.take_while(|event| !event.is_launch());
    since_launch.find(|event| event.is_launch_failure())
}

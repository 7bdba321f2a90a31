//! Progress, on standard error: a line for each thing that happens, and on a terminal a line at the end that moves.

use crate::aws::{Account, pause};
use crate::error::Error;
use crate::named;
use crate::output::{count, note};
use crate::push::{Push, Reader};
use crate::report::{Deployed, Outcome};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeMap;
use std::time::Duration;

/// Time between two polls of a push: at first, and at most.
const POLL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));
/// Of so many services at a time each poll says how far they are; beyond, only what has begun or ended is told.
const TOLD: usize = 5;

/// The line that moves. It is only there where standard error is a terminal.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// Begins with what the command waits for.
    #[must_use]
    pub fn new(what: &str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        bar.set_message(what.to_owned());
        Self(bar)
    }

    /// Changes the line.
    pub fn say(&self, what: String) {
        self.0.set_message(what);
    }

    /// Prints a line above it, which stays.
    pub fn line(&self, text: &str) {
        self.0.suspend(|| note(text));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Follows a push to its end, and says what happens. It reads at first every second, later every five. Of a push that was redriven the
/// failures before the `redrives`th redrive are no news.
///
/// # Errors
///
/// Whatever AWS refuses.
pub async fn follow(account: &Account, arn: &str, redrives: u32) -> Result<Push, Error> {
    read_on(account, arn, redrives)
        .await
        .map_err(|error| goes_on(error, arn))
}

/// The error of a command that has begun a push: the push goes on without it.
#[must_use]
pub fn goes_on(error: Error, arn: &str) -> Error {
    let push = arn.rsplit(':').next().unwrap_or(arn);
    error.after(format!(
        "The push {push} goes on in AWS. To see what comes of it:\n  ecr-deploy why {}",
        named::short(push)
    ))
}

async fn read_on(account: &Account, arn: &str, redrives: u32) -> Result<Push, Error> {
    let progress = Progress::new("the plan is made");
    let mut reader = Reader::new(account, arn);
    let mut told: BTreeMap<String, String> = BTreeMap::new();
    let mut wait = POLL.0;
    loop {
        let push = reader.read().await?;
        for line in news(&push, &mut told, redrives) {
            progress.line(&line);
        }
        if push.outcome != Outcome::Running {
            return Ok(push);
        }
        let running: Vec<_> = push.services.iter().filter(|it| it.outcome == "RUNNING").collect();
        for service in running.iter().filter(|_| running.len() <= TOLD) {
            if let Some(execution) = &service.execution
                && let Some(message) = reader.newest_message(execution).await?
            {
                let title = service.title();
                if told.get(&title) != Some(&message) {
                    progress.line(&format!("{title}: {message}"));
                    told.insert(title, message);
                }
            }
        }
        progress.say(summary(&push));
        pause(wait).await;
        wait = (wait * 5 / 4).min(POLL.1);
    }
}

/// Lines for what has changed since it was told.
fn news(push: &Push, told: &mut BTreeMap<String, String>, redrives: u32) -> Vec<String> {
    let mut lines = Vec::new();
    let is_old = |it: &&Deployed| it.has_failed() && it.execution.as_deref().is_some_and(|it| attempt(it) < redrives);
    for service in push.services.iter().filter(|it| !is_old(it)) {
        let title = service.title();
        let key = format!("{title} outcome");
        if service.outcome != "NOT_STARTED" && told.get(&key) != Some(&service.outcome) {
            told.insert(key, service.outcome.clone());
            let message = service
                .message
                .as_deref()
                .map(|message| format!(": {message}"))
                .unwrap_or_default();
            lines.push(format!("{title}: {}{message}", service.outcome));
        }
    }
    lines
}

/// After which redrive of its push an execution of a service began: its name ends in that.
fn attempt(execution: &str) -> u32 {
    let count = execution.rsplit('-').next();
    count.and_then(|count| count.parse().ok()).unwrap_or_default()
}

fn summary(push: &Push) -> String {
    let done = push
        .services
        .iter()
        .filter(|it| !["RUNNING", "NOT_STARTED"].contains(&it.outcome.as_str()))
        .count();
    match push.services.len() {
        0 => "the plan is made".to_owned(),
        all => format!("{done} of {} done", count(all, "service")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(outcomes: &[&str]) -> Push {
        let service = |(number, outcome): (usize, &&str)| Deployed {
            outcome: (*outcome).to_owned(),
            message: (*outcome == "DEPLOYED").then(|| "3 of 3 tasks running".to_owned()),
            ..Deployed::not_started("production", &format!("web-{number}"))
        };
        Push {
            push: "shop-web-v2-1".to_owned(),
            execution: String::new(),
            image: None,
            outcome: Outcome::Running,
            started: "2026-11-29T10:00:00Z".parse().unwrap(),
            ended: None,
            message: None,
            error: None,
            services: outcomes.iter().enumerate().map(service).collect(),
            skipped: Vec::new(),
        }
    }

    #[test]
    fn what_happens_is_told_once() {
        let mut told = BTreeMap::new();
        for (outcomes, expected) in [
            (["NOT_STARTED", "NOT_STARTED"], vec![]),
            (["RUNNING", "NOT_STARTED"], vec!["production/web-0: RUNNING"]),
            (["RUNNING", "RUNNING"], vec!["production/web-1: RUNNING"]),
            (["RUNNING", "RUNNING"], vec![]),
            (
                ["RUNNING", "DEPLOYED"],
                vec!["production/web-1: DEPLOYED: 3 of 3 tasks running"],
            ),
        ] {
            assert_eq!(news(&push(&outcomes), &mut told, 0), expected);
        }
    }

    #[test]
    fn a_failure_before_a_redrive_is_no_news() {
        let mut push = push(&["Deploy.RolledBack"]);
        for (execution, redrives, lines) in [
            ("execution:Service-1:web-v2-0123456789-0", 0, 1),
            ("execution:Service-1:web-v2-0123456789-0", 1, 0),
            ("execution:Service-1:web-v2-0123456789-1", 1, 1),
            ("execution:Service-1:web-v2-0123456789-9", 10, 0),
        ] {
            push.services[0].execution = Some(execution.to_owned());
            assert_eq!(news(&push, &mut BTreeMap::new(), redrives).len(), lines, "{execution}");
        }
    }

    #[test]
    fn the_summary_counts_what_is_done() {
        assert_eq!(summary(&push(&[])), "the plan is made");
        assert_eq!(summary(&push(&["RUNNING"])), "0 of 1 service done");
        assert_eq!(summary(&push(&["DEPLOYED", "NOT_STARTED"])), "1 of 2 services done");
    }
}

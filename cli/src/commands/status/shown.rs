//! How the services are shown to a person.

use super::Status;
use crate::output::{self, Document, Tone, cell, count, paragraphs, short, table, who, wrapped};
use crate::push::tone;
use crate::service::{Last, ServiceStatus};
use jiff::Timestamp;

impl Document for Status {
    fn text(&self, now: Timestamp) -> String {
        let hold = self
            .all_on_hold
            .as_ref()
            .map(|text| wrapped(&format!("Everything is on hold: {text}")));
        let others = match self.others {
            0 => String::new(),
            others => format!(
                "{} more run no image of this account's ECR.",
                count(others as usize, "service")
            ),
        };
        let older = if self.older_not_read {
            wrapped("A service without a last deployment may have one: older executions were not read.")
        } else {
            String::new()
        };
        let missing = self.missing_clusters.iter().map(|it| {
            wrapped(&format!(
                "The cluster {it} is not there, and nothing is deployed to it. Correct the setting clusters."
            ))
        });
        let missing = missing.collect::<Vec<_>>().join("\n");
        let unread = self.unread.iter().map(|it| wrapped(&format!("Not read: {it}")));
        let unread = unread.collect::<Vec<_>>().join("\n");
        if let [only] = self.services.as_slice() {
            return paragraphs([hold.unwrap_or_default(), one(only), others, missing, older, unread]);
        }
        let rows = self.services.iter().flat_map(|it| rows(it, now)).collect();
        let services = if self.services.is_empty() {
            "No service runs an image of this account's ECR.".to_owned()
        } else {
            table(&["service", "stage", "runs", "pushed (UTC)", "last", "notes"], rows)
        };
        paragraphs([hold.unwrap_or_default(), services, others, missing, older, unread])
    }
}

/// A row for each image of a service.
fn rows(service: &ServiceStatus, now: Timestamp) -> Vec<Vec<comfy_table::Cell>> {
    let row = |(place, image): (usize, &crate::service::Running)| {
        let title = if place == 0 {
            format!("{}/{}", service.cluster, service.service)
        } else {
            String::new()
        };
        let last = service.last.as_ref().map_or("-", |last| last.outcome.as_str());
        let (notes, notes_tone) = notes(service, image);
        vec![
            cell(title, Tone::Plain),
            cell(&image.stage, Tone::Plain),
            cell(
                image
                    .tag
                    .as_deref()
                    .or(image.digest.as_deref().map(short))
                    .unwrap_or("-"),
                Tone::Plain,
            ),
            cell(
                image.pushed_at.map_or("-".to_owned(), |at| output::short_time(at, now)),
                Tone::Plain,
            ),
            cell(last, tone(last)),
            cell(notes, notes_tone),
        ]
    };
    service.images.iter().enumerate().map(row).collect()
}

fn notes(service: &ServiceStatus, image: &crate::service::Running) -> (String, Tone) {
    let mut notes = Vec::new();
    if service.hold.is_some() {
        notes.push("on hold".to_owned());
    }
    if !service.waits.is_empty() {
        notes.push("waits for a person".to_owned());
    }
    if let Some(waiting) = &image.waiting {
        notes.push(format!("newer: {}", waiting.tag));
    }
    if !service.steady {
        notes.push(format!("{} of {} tasks", service.running, service.desired));
    }
    let tone = if notes.is_empty() { Tone::Plain } else { Tone::Notable };
    (notes.join(", "), tone)
}

/// A line about a service: its name, and what it says.
type Line = (&'static str, String, Tone);

/// Everything of one service.
fn one(service: &ServiceStatus) -> String {
    let (steady, rollout) = if service.steady {
        (Tone::Good, "")
    } else {
        (Tone::Notable, ", its rollout is not complete")
    };
    let tasks = format!("{} of {} running{rollout}", service.running, service.desired);
    let title = format!("{}/{}", service.cluster, service.service);
    let mut lines: Vec<Line> = vec![
        ("service", title, Tone::Plain),
        ("tasks", tasks, steady),
        ("runs", service.revision.clone(), Tone::Plain),
    ];
    lines.extend(service.images.iter().flat_map(of_image));
    lines.extend(service.hold.clone().map(|hold| ("on hold", hold, Tone::Notable)));
    let waits = service.waits.iter().map(|it| ("waits", it.text(), Tone::Notable));
    lines.extend(waits);
    lines.extend(service.last.iter().flat_map(of_last));
    let rows = lines
        .into_iter()
        .map(|(name, said, tone)| vec![cell(name, Tone::Plain), cell(said, tone)]);
    let answer = if service.waits.is_empty() {
        String::new()
    } else {
        let of = format!("{}/{}", service.cluster, service.service);
        format!("To continue it, or to take it back:\n  ecr-deploy continue {of}\n  ecr-deploy cancel {of}")
    };
    paragraphs([table(&["", ""], rows.collect()), answer])
}

/// Returns the lines that tell a container's image.
fn of_image(image: &crate::service::Running) -> Vec<Line> {
    let tag = image.tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
    let name = format!("{}{tag}", image.repository);
    let pushed = image.pushed_at.map_or("not recorded".to_owned(), output::time);
    let mut lines = vec![
        ("image", name, Tone::Plain),
        (
            "digest",
            image.digest.clone().unwrap_or("not recorded".to_owned()),
            Tone::Plain,
        ),
        ("pushed", pushed, Tone::Plain),
        (
            "by",
            image.by.as_deref().map_or("not told", who).to_owned(),
            Tone::Plain,
        ),
        ("stage", image.stage.clone(), Tone::Plain),
    ];
    let newer = image.waiting.as_ref();
    lines.extend(newer.map(|it| {
        (
            "newer",
            format!("{} of {}", it.tag, output::time(it.pushed_at)),
            Tone::Notable,
        )
    }));
    lines
}

/// The last deployment. One that goes on has no message yet.
fn of_last(last: &Last) -> Vec<Line> {
    let ended = format!("{} of {}, {}", last.outcome, last.image, output::time(last.started));
    let mut lines = vec![("last", ended, tone(&last.outcome))];
    lines.extend(last.message.clone().map(|message| ("", message, Tone::Plain)));
    lines.push(("push", last.push.clone(), Tone::Plain));
    lines
}

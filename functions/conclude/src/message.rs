//! A message tells people how a push ended: in words by mail, and as a card in a chat.
//!
//! The card has the schema that Amazon Q Developer in chat applications reads:
//! <https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html>.

use ecr_deploy::contract::{
    Card, CardContent, CardMetadata, ImageSummary, Message, PushServices, PushState, PushStateChange, ServiceResult,
};
use ecr_deploy::domain::push::PushedImage;
use ecr_deploy::domain::service::title;
use jiff::SignedDuration;

/// How many services are named.
const NAMED: usize = 10;

/// How long the subject of a mail may be: <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>.
const LONGEST_SUBJECT: usize = 100;

/// The end of a push, as far as a message tells it.
struct End<'a> {
    state: PushState,
    image: &'a PushedImage,
    services: PushServices,
    /// Those that are done.
    done: &'a [ServiceResult],
    seconds: Option<u64>,
    execution: &'a str,
    attempt: u32,
}

/// The message of a push that ends in an execution; `None` while it goes on, and where nothing was to be deployed: that is
/// no news.
#[must_use]
pub fn of_summary(summary: &ImageSummary, execution: &str, attempt: u32) -> Option<Message> {
    let state = summary.state.filter(|state| *state != PushState::Skipped)?;
    Some(message(&End {
        state,
        image: summary.conclusion.image.as_ref()?,
        services: summary.services,
        done: &summary.conclusion.services,
        seconds: Some(summary.seconds),
        execution,
        attempt,
    }))
}

/// The message of a push that could not tell its own end; `None` where nobody knows the image.
#[must_use]
pub fn of_event(detail: &PushStateChange) -> Option<Message> {
    let mut message = message(&End {
        state: detail.state,
        image: detail.image.as_ref()?,
        services: detail.services,
        done: &[],
        seconds: detail.seconds,
        execution: &detail.execution,
        attempt: detail.attempt,
    });
    message.details = format!("{}\n\n{}", detail.message, message.details);
    message.card.content.description = Some(message.details.clone());
    Some(message)
}

fn message(end: &End<'_>) -> Message {
    let subject = subject(end.state, end.image);
    let details: Vec<String> = facts(end)
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    Message {
        details: details.join("\n"),
        card: Card {
            version: "1.0".to_owned(),
            source: "custom".to_owned(),
            id: format!("{}/{}", end.execution, end.attempt),
            content: CardContent {
                text_type: "client-markdown".to_owned(),
                title: format!("{} {subject}", sign(end.state)),
                description: None,
                next_steps: again(end.state, end.execution).into_iter().collect(),
                keywords: vec![end.image.repository.to_string(), end.image.tag.to_string()],
            },
            metadata: CardMetadata {
                thread_id: end.image.push.to_string(),
                summary: subject.clone(),
                event_type: format!("ecr-deploy push {}", ended(end.state)),
                related_resources: vec![end.execution.to_owned()],
            },
        },
        subject,
    }
}

/// Returns the state as a predicate.
fn ended(state: PushState) -> &'static str {
    match state {
        PushState::Started => "has started",
        PushState::Deployed => "is deployed",
        PushState::Superseded => "is superseded",
        PushState::Held => "is on hold",
        PushState::Skipped => "is skipped",
        PushState::Failed => "failed",
        PushState::Stopped => "was stopped",
    }
}

/// "ecr-deploy: shop/web:v42 failed". The name of an image is ASCII; of a long one the end tells more than the begin.
fn subject(state: PushState, image: &PushedImage) -> String {
    let ended = ended(state);
    let room = LONGEST_SUBJECT - "ecr-deploy:  ".len() - ended.len();
    let image = image.to_string();
    let image = image.get(image.len().saturating_sub(room)..).unwrap_or(&image);
    format!("ecr-deploy: {image} {ended}")
}

fn sign(state: PushState) -> &'static str {
    match state {
        PushState::Deployed => ":white_check_mark:",
        PushState::Failed => ":x:",
        PushState::Stopped => ":octagonal_sign:",
        _ => ":information_source:",
    }
}

/// Who, what, where, how long, and where to read on.
fn facts(end: &End<'_>) -> Vec<(&'static str, String)> {
    let mut facts = vec![("Image", format!("{}, {}", end.image, end.image.digest))];
    let counted: Vec<String> = [
        (end.services.deployed, "deployed"),
        (end.services.superseded, "superseded"),
        (end.services.failed, "failed"),
        (end.services.planned, "not reached"),
    ]
    .iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, how)| format!("{count} {how}"))
    .collect();
    if !counted.is_empty() {
        facts.push(("Services", counted.join(", ")));
    }
    let named = end.done.iter().take(NAMED);
    let mut done: Vec<String> = named.map(|it| title(&it.cluster, &it.service)).collect();
    let more = end.done.len().saturating_sub(NAMED);
    done.extend((more > 0).then(|| format!("{more} more")));
    if !done.is_empty() {
        facts.push(("Done", done.join(", ")));
    }
    let by = end.image.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    facts.push(("Pushed", format!("{}{by}", end.image.push.at())));
    facts.extend(end.seconds.map(|seconds| ("Took", duration(seconds))));
    facts.extend(link(end.execution).map(|link| ("Execution", link)));
    facts
}

/// "1h 2m 3s".
fn duration(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    format!("{:#}", SignedDuration::from_secs(seconds))
}

/// The execution in the console, by its ARN: `arn:aws:states:eu-west-1:123456789012:execution:…`.
fn link(execution: &str) -> Option<String> {
    let mut parts = execution.split(':').skip(1);
    let partition = parts.next()?;
    let region = parts.nth(1)?;
    let domain = match partition {
        "aws-cn" => "console.amazonaws.cn".to_owned(),
        "aws-us-gov" => "console.amazonaws-us-gov.com".to_owned(),
        _ => format!("{region}.console.aws.amazon.com"),
    };
    Some(format!(
        "https://{domain}/states/home?region={region}#/v2/executions/details/{execution}"
    ))
}

/// Returns the command that deploys again what failed, or what was not reached.
fn again(state: PushState, execution: &str) -> Option<String> {
    let command = format!("aws stepfunctions redrive-execution --execution-arn {execution}");
    match state {
        PushState::Failed => Some(format!("Deploy again what failed: {command}")),
        PushState::Stopped => Some(format!("Go on where it was stopped: {command}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXECUTION: &str =
        "arn:aws:states:eu-west-1:123456789012:execution:ecr-deploy-DeployImage:busybox-v1-04caef66";

    fn summary(name: &str) -> ImageSummary {
        let path = format!("{}/../../statemachine/examples/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn written(summary: &ImageSummary) -> Message {
        of_summary(summary, EXECUTION, 0).unwrap()
    }

    #[test]
    fn a_good_push_tells_what_where_who_and_how_long() {
        let message = written(&summary("image-summary"));
        assert_eq!(message.subject, "ecr-deploy: busybox:v1 is deployed");
        let details = "Image: busybox:v1, sha256:eaa261b73dcc87f1a1880a6320a06867fcb6db77b4bb6139cf9b9059c9af95eb\n\
                       Services: 2 deployed\n\
                       Done: web in production, api in production\n\
                       Pushed: 2018-03-18T00:00:00Z by arn:aws:sts::123456789012:assumed-role/ci-push/run-42\n\
                       Took: 1m 44s\n\
                       Execution: https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/\
                       details/arn:aws:states:eu-west-1:123456789012:execution:ecr-deploy-DeployImage:busybox-v1-04caef66";
        assert_eq!(message.details, details);
        assert_eq!(message.card.content.next_steps, [""; 0]);
    }

    #[test]
    fn a_bad_push_tells_how_to_deploy_it_again() {
        let message = written(&summary("image-summary.failed"));
        assert_eq!(message.subject, "ecr-deploy: busybox:v1 failed");
        let command = format!("aws stepfunctions redrive-execution --execution-arn {EXECUTION}");
        let [next] = &message.card.content.next_steps[..] else {
            panic!("{message:?}")
        };
        assert!(next.ends_with(&command), "{next}");
    }

    /// <https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html#event-schema-format>
    #[test]
    fn the_card_has_the_members_that_a_chat_reads() {
        for name in ["image-summary", "image-summary.failed"] {
            let Message { subject, card, .. } = written(&summary(name));
            assert_eq!((card.version.as_str(), card.source.as_str()), ("1.0", "custom"));
            assert_eq!(card.content.text_type, "client-markdown");
            assert!(card.content.title.ends_with(&subject) && card.content.title.len() <= 250);
            let push = "2018-03-18T00:00:00Z 04caef66-e52b-4c4d-bbb5-547b85fec1f8";
            assert_eq!(
                (card.metadata.thread_id.as_str(), card.metadata.summary),
                (push, subject)
            );
        }
    }

    #[test]
    fn a_push_that_goes_on_or_had_nothing_to_deploy_is_no_news() {
        assert_eq!(of_summary(&summary("image-summary.wave"), EXECUTION, 0), None);
        let mut skipped = summary("image-summary");
        skipped.state = Some(PushState::Skipped);
        assert_eq!(of_summary(&skipped, EXECUTION, 0), None);
    }

    #[test]
    fn each_attempt_has_a_message_of_its_own_in_the_thread_of_the_push() {
        let of = |attempt| {
            of_summary(&summary("image-summary.failed"), EXECUTION, attempt)
                .unwrap()
                .card
        };
        assert_ne!(of(0).id, of(1).id);
        assert_eq!(of(0).metadata.thread_id, of(1).metadata.thread_id);
    }

    /// It stands in the input and the output of states, beside the rest of them.
    #[test]
    fn the_longest_message_has_the_room_that_a_plan_leaves_for_it() {
        let mut long = summary("image-summary.failed");
        let service = |number: usize| ServiceResult {
            cluster: "c".repeat(255).parse().unwrap(),
            service: format!("{number}{}", "s".repeat(250)).parse().unwrap(),
            outcome: ecr_deploy::contract::ServiceOutcome::Deployed,
        };
        long.conclusion.services = (0..1000).map(service).collect();
        let image = long.conclusion.image.as_mut().unwrap();
        image.repository = "r".repeat(256).parse().unwrap();
        image.tag = "v".repeat(128).parse().unwrap();
        image.by = Some(format!("arn:{}", "b".repeat(300)).parse().unwrap());
        let execution = format!("{EXECUTION}{}", "e".repeat(60));
        let message = of_summary(&long, &execution, 9).unwrap();
        assert!(
            message.subject.len() <= LONGEST_SUBJECT && message.subject.ends_with("vvv failed"),
            "{}",
            message.subject
        );
        assert!(message.details.contains(", 990 more\n"), "{}", message.details);
        let bytes = serde_json::to_vec(&message).unwrap().len();
        assert!(bytes <= Message::MOST_BYTES, "{bytes}");
    }

    #[test]
    fn a_console_is_where_its_partition_has_it() {
        for (partition, region, domain) in [
            ("aws", "eu-west-1", "https://eu-west-1.console.aws.amazon.com/"),
            ("aws-cn", "cn-north-1", "https://console.amazonaws.cn/"),
            ("aws-us-gov", "us-gov-west-1", "https://console.amazonaws-us-gov.com/"),
        ] {
            let link = link(&format!("arn:{partition}:states:{region}:123456789012:execution:m:e")).unwrap();
            assert!(
                link.starts_with(domain) && link.contains(&format!("region={region}#")),
                "{link}"
            );
        }
        assert_eq!(link("nonsense"), None);
    }

    #[test]
    fn a_duration_is_told_in_its_largest_units() {
        assert_eq!(
            [0, 5, 104, 3723, 90061].map(duration),
            ["0s", "5s", "1m 44s", "1h 2m 3s", "25h 1m 1s"]
        );
    }
}

//! The message about the end of a push, for people: in words, and as the card that chats of AWS read.
//!
//! See <https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html>.

use serde::{Deserialize, Serialize};

/// A message to the topic of the setting `notificationTopic`. Its text is the message of the conclusion, then the
/// details: a state joins them, since a tag that cannot be put on the image is told by the conclusion alone. The message of a
/// push that could not tell its own end has its whole text, also in the card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Message {
    /// The subject of a mail: at most 100 printable ASCII characters.
    pub subject: String,
    /// Who, what, where, how long, where to read on, and what to do, one fact a line.
    pub details: String,
    /// The card, but for its text.
    pub card: Card,
}

impl Message {
    /// How many bytes of JSON a message takes at most.
    pub const MOST_BYTES: usize = 10 * 1024;
}

/// A custom notification of Amazon Q Developer in chat applications.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Card {
    /// The version of the schema: `1.0`.
    pub version: String,
    /// `custom`, as the schema wants it.
    pub source: String,
    /// Another one for each message. A chat shows a message with the same id once.
    pub id: String,
    /// The visible part.
    pub content: CardContent,
    /// The part for the chat itself.
    pub metadata: CardMetadata,
}

/// The visible part of a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CardContent {
    /// `client-markdown`: the chat reads the text as its own markdown.
    pub text_type: String,
    /// At most 250 characters.
    pub title: String,
    /// The text, where no state adds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The command that deploys again what failed, if there is one.
    pub next_steps: Vec<String>,
    /// The repository and the tag, to search for.
    pub keywords: Vec<String>,
}

/// The part of a card for the chat itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CardMetadata {
    /// The push: all that is told of it stands in one thread.
    pub thread_id: String,
    /// The subject.
    pub summary: String,
    /// The state of the push.
    pub event_type: String,
    /// The ARN of the execution.
    pub related_resources: Vec<String>,
}

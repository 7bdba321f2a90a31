//! The push that is made of an image which is in ECR already: an event as EventBridge delivers it, so that it goes the way of
//! every push.

use crate::image::Stored;
use ecr_deploy::domain::push::PushId;
use jiff::Timestamp;
use serde_json::{Value, json};

/// Who sent the event. `CloudTrail` tells the same of every call.
pub const USER_AGENT: &str = concat!("ecr-deploy/", env!("CARGO_PKG_VERSION"));

/// The event of a push at `at` by `caller`, an ARN, in the form of `CloudTrail`, which says who pushed. It leaves the manifest
/// out, so that what the image is, ECR is asked.
#[must_use]
pub fn push(image: &Stored, region: &str, caller: &str, at: Timestamp, id: &str) -> Value {
    json!({
        "version": "0",
        "id": id,
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.ecr",
        "account": image.registry.as_str(),
        "time": at.to_string(),
        "region": region,
        "resources": [],
        "detail": {
            "eventVersion": "1.11",
            "userIdentity": {"arn": caller},
            "eventTime": at.to_string(),
            "eventSource": "ecr.amazonaws.com",
            "eventName": "PutImage",
            "awsRegion": region,
            "userAgent": USER_AGENT,
            "requestParameters": {
                "registryId": image.registry.as_str(),
                "repositoryName": image.repository.as_str(),
                "imageTag": image.tag.as_str(),
            },
            "responseElements": {"image": {
                "registryId": image.registry.as_str(),
                "repositoryName": image.repository.as_str(),
                "imageId": {"imageDigest": image.digest.as_str(), "imageTag": image.tag.as_str()},
            }},
            "eventID": id,
            "eventType": "AwsApiCall",
        },
    })
}

/// A new id of an event, as random as those of AWS: a UUID of version 4.
#[must_use]
pub fn new_id() -> String {
    let number = (fastrand::u128(..) & !(0xf << 76 | 0b11 << 62)) | 0x4 << 76 | 0b10 << 62;
    let hex = format!("{number:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// The event's id in a push, which a revision's tags record.
#[must_use]
pub fn id_of(push: &PushId) -> String {
    push.to_string()
        .split_once(' ')
        .map(|(_, id)| id.to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ecr_deploy::domain::push::{Push, parse_push};

    #[test]
    fn the_event_is_read_as_the_push_of_this_image_at_this_time_by_this_person() {
        let digest = "sha256:eaa261b73dcc87f1a1880a6320a06867fcb6db77b4bb6139cf9b9059c9af95eb";
        let image = Stored {
            registry: "123456789012".parse().unwrap(),
            repository: "shop/web".parse().unwrap(),
            tag: "v2".parse().unwrap(),
            digest: digest.parse().unwrap(),
        };
        let caller = "arn:aws:sts::123456789012:assumed-role/operator/ann";
        let at = "2026-11-29T10:00:00.123Z".parse().unwrap();
        let id = new_id();
        let Push::Untold(read) = parse_push(&push(&image, "eu-west-1", caller, at, &id)).unwrap() else {
            panic!("what the image is, ECR is to be asked");
        };
        assert_eq!(read.to_string(), "shop/web:v2");
        assert_eq!(read.digest, image.digest);
        assert_eq!(read.push.to_string(), format!("2026-11-29T10:00:00.123Z {id}"));
        assert_eq!(read.by.unwrap().as_str(), caller);
        assert_eq!(id_of(&read.push), id);
    }

    #[test]
    fn an_id_is_a_random_uuid() {
        let (one, other) = (new_id(), new_id());
        assert_ne!(one, other);
        assert_eq!(one.len(), 36);
        assert_eq!(&one[14..15], "4");
        assert!("89ab".contains(&one[19..20]), "{one}");
    }
}

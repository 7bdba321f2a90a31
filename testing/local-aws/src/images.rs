//! Images, and their way into the ECR of the local AWS.
//!
//! With a Docker engine they are real: built from scratch around the busybox of this machine, and pushed by
//! `docker push`. Without one there is a manifest, put by the API.

use crate::process::read;
use crate::{ACCOUNT, Error, LocalAws, REGION, containers, tools};
use aws_sdk_ecr::types::ImageIdentifier;
use jiff::Timestamp;
use serde_json::{Value, json};
use simulated_ecs::{SimulatedEcs, Simulation};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The behaviour of an image's container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// It runs until it is told to stop.
    Healthy,
    /// It exits with code 1 as soon as it has started.
    Broken,
    /// It runs until it is told to stop, and takes 40 seconds to do so. In a simulated ECS the target group of the service does.
    Draining,
}

impl Behaviour {
    fn dockerfile(self) -> &'static str {
        match self {
            Self::Healthy => "healthy.Dockerfile",
            Self::Broken => "broken.Dockerfile",
            Self::Draining => "draining.Dockerfile",
        }
    }
}

/// A push to the simulated ECR.
#[derive(Debug, Clone)]
pub struct Push {
    /// The image's digest.
    pub digest: String,
    /// The event that EventBridge would deliver, once or more, now or later: for [`LocalAws::dispatch`].
    pub event: Value,
    /// ECR's own event of the same push, for the trigger `imageAction`.
    pub image_action: Value,
}

/// Tells the images of one process from each other, so that every push has a digest of its own.
static NEXT: AtomicU32 = AtomicU32::new(1);

static BUILD_CONTEXT: Mutex<()> = Mutex::new(());

impl LocalAws {
    /// Makes a repository for images.
    ///
    /// # Errors
    ///
    /// When ECR refuses, as it does when it is there already.
    pub async fn create_repository(&self, repository: &str) -> Result<(), Error> {
        let made = self.ecr().create_repository().repository_name(repository).send().await;
        made.map(drop).map_err(Error::call)
    }

    /// Pushes a new image, which no other push has, under a tag of a repository that is there. Returns its digest.
    ///
    /// # Errors
    ///
    /// When the image cannot be built or pushed. Building needs Debian's package `busybox-static`.
    pub async fn push(&self, repository: &str, tag: &str, behaviour: Behaviour) -> Result<String, Error> {
        if self.simulated_ecs().is_some() {
            let behaviour = match behaviour {
                Behaviour::Healthy | Behaviour::Draining => simulated_ecs::Behaviour::Good,
                Behaviour::Broken => simulated_ecs::Behaviour::Crash,
            };
            let push = self.push_simulated(repository, tag, Some(behaviour))?;
            // AWS tells of a push twice; the rules of a stack take one of the two.
            self.dispatch(&push.event)?;
            self.dispatch(&push.image_action)?;
            return Ok(push.digest);
        }
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        if containers::available().is_err() {
            return self.put_manifest(repository, tag, number).await;
        }
        let name = format!("{}/{repository}:{tag}", self.registry());
        self.build(&name, number, behaviour)?;
        read(Command::new("docker").args(["push", "--quiet", &name]))?;

        let id = ImageIdentifier::builder().image_tag(tag).build();
        let described = self
            .ecr()
            .describe_images()
            .repository_name(repository)
            .image_ids(id)
            .send()
            .await;
        let details = described.map_err(Error::call)?.image_details.unwrap_or_default();
        let digest = details.into_iter().find_map(|image| image.image_digest);
        digest.ok_or_else(|| Error::Call(format!("{name} was pushed, but ECR does not have it")))
    }

    /// Pushes an image to the simulated ECR, and tells nobody. The tag says how its tasks behave, unless a behaviour is
    /// given. The repository is made if it is not there.
    ///
    /// # Errors
    ///
    /// When the ECS of this local AWS is not the simulated one.
    pub fn push_simulated(
        &self,
        repository: &str,
        tag: &str,
        behaviour: Option<simulated_ecs::Behaviour>,
    ) -> Result<Push, Error> {
        told(self.simulated()?, repository, tag, |simulation, now| {
            simulation.push(now, repository, Some(tag), behaviour)
        })
    }

    /// The same of an image that was pushed so long ago.
    ///
    /// # Errors
    ///
    /// When the ECS of this local AWS is not the simulated one.
    pub fn push_before(&self, repository: &str, tag: &str, ago: Duration) -> Result<Push, Error> {
        told_before(self.simulated()?, repository, tag, ago, |simulation, at| {
            simulation.push(at, repository, Some(tag), None)
        })
    }

    /// Tells of every image that somebody has put into the simulated ECR by its API since it was told last, as AWS
    /// does: by the event of CloudTrail and by that of ECR, with the account's administrator as who pushed. Returns how
    /// many there were.
    ///
    /// # Errors
    ///
    /// When the ECS of this local AWS is not the simulated one, or the server is gone.
    pub fn tell_of_put_images(&self) -> Result<usize, Error> {
        let put = self.simulated()?.with(|simulation, _| simulation.take_put());
        for image in &put {
            let at = Timestamp::from_millisecond(image.at).map_err(Error::call)?;
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let (repository, tag, digest) = (&image.repository, &image.tag, &image.digest);
            let mut event = put_image_event(repository, tag, digest, &image.manifest, at, number);
            event["detail"]["userIdentity"]["arn"] = format!("arn:aws:iam::{ACCOUNT}:root").into();
            self.dispatch(&event)?;
            self.dispatch(&image_action_event(repository, tag, digest, at, number))?;
        }
        Ok(put.len())
    }

    /// Pushes whatever this manifest is of to the simulated ECR, and tells nobody.
    ///
    /// # Errors
    ///
    /// When the ECS of this local AWS is not the simulated one.
    pub fn push_manifest(&self, repository: &str, tag: &str, manifest: &Value) -> Result<Push, Error> {
        told(self.simulated()?, repository, tag, |simulation, now| {
            simulation.push_manifest(now, repository, tag, manifest)
        })
    }

    /// Pushes a multi-architecture image to the simulated ECR, and tells nobody. The digest is that of its index.
    ///
    /// # Errors
    ///
    /// When the ECS of this local AWS is not the simulated one.
    pub fn push_index(
        &self,
        repository: &str,
        tag: &str,
        behaviour: Option<simulated_ecs::Behaviour>,
    ) -> Result<Push, Error> {
        told(self.simulated()?, repository, tag, |simulation, now| {
            simulation.push_index(now, repository, tag, behaviour)
        })
    }

    /// Pushes an image of the simulated ECR once more, under another tag, and tells nobody.
    ///
    /// # Errors
    ///
    /// When the ECS of this local AWS is not the simulated one.
    pub fn push_again(&self, repository: &str, tag: &str, digest: &str) -> Result<Push, Error> {
        told(self.simulated()?, repository, tag, |simulation, _| {
            simulation.tag(repository, digest, tag);
            digest.to_owned()
        })
    }

    fn simulated(&self) -> Result<&SimulatedEcs, Error> {
        self.simulated_ecs()
            .ok_or_else(|| Error::Call("the ECS of this local AWS is not the simulated one".to_owned()))
    }

    fn build(&self, name: &str, number: u32, behaviour: Behaviour) -> Result<(), Error> {
        let context = self.build_context()?;
        let dockerfile = tools::workspace()
            .join("testing/local-aws/images")
            .join(behaviour.dockerfile());
        let mut build = Command::new("docker");
        // The builder that needs no plugin.
        build
            .env("DOCKER_BUILDKIT", "0")
            .args(["build", "--quiet", "--label", &format!("number={number}")]);
        read(build.args(["--tag", name, "--file"]).arg(dockerfile).arg(context)).map(drop)
    }

    /// The folder that every image is built from.
    fn build_context(&self) -> Result<PathBuf, Error> {
        // Tests push at the same moment: none may build from what another one is still copying.
        let _one = BUILD_CONTEXT.lock().unwrap_or_else(PoisonError::into_inner);
        let context = self.directory().join("image");
        let busybox = context.join("busybox");
        if !busybox.exists() {
            std::fs::create_dir_all(&context).map_err(Error::file("making a folder for an image"))?;
            std::fs::copy("/bin/busybox", &busybox).map_err(Error::file(
                "copying /bin/busybox into an image; install the package busybox-static",
            ))?;
        }
        Ok(context)
    }

    async fn put_manifest(&self, repository: &str, tag: &str, number: u32) -> Result<String, Error> {
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let config = json!({
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "size": 2,
            "digest": format!("sha256:{:064x}", number),
        });
        let manifest = json!({"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": []});
        let put = self.ecr().put_image().repository_name(repository).image_tag(tag);
        let put = put
            .image_manifest(manifest.to_string())
            .image_manifest_media_type(media_type);
        let image = put.send().await.map_err(Error::call)?.image;
        let digest = image.and_then(|image| image.image_id).and_then(|id| id.image_digest);
        digest.ok_or_else(|| Error::Call(format!("ECR put {repository}:{tag} and did not say under which digest")))
    }
}

/// Pushes by `push`, which returns the digest, and makes the event of it.
fn told(
    simulated: &SimulatedEcs,
    repository: &str,
    tag: &str,
    push: impl FnOnce(&mut Simulation, i64) -> String,
) -> Result<Push, Error> {
    told_before(simulated, repository, tag, Duration::ZERO, push)
}

/// The same of a push so long ago.
fn told_before(
    simulated: &SimulatedEcs,
    repository: &str,
    tag: &str,
    ago: Duration,
    push: impl FnOnce(&mut Simulation, i64) -> String,
) -> Result<Push, Error> {
    let ago = i64::try_from(ago.as_millis()).map_err(Error::call)?;
    let (digest, manifest, now) = simulated.with(|simulation, now| {
        let now = now - ago;
        let digest = push(simulation, now);
        let manifest = simulation.manifest(repository, &digest).map(str::to_owned);
        (digest, manifest, now)
    });
    let manifest = manifest.ok_or_else(|| Error::Call(format!("{repository} has no image {digest}")))?;
    let at = Timestamp::from_millisecond(now).map_err(Error::call)?;
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let event = put_image_event(repository, tag, &digest, &manifest, at, number);
    let image_action = image_action_event(repository, tag, &digest, at, number);
    Ok(Push {
        digest,
        event,
        image_action,
    })
}

/// The event of a push by CloudTrail, as EventBridge delivers it. CloudTrail tells whole seconds, so of two pushes in one
/// second the `number` decides, which the ids begin with.
fn put_image_event(repository: &str, tag: &str, digest: &str, manifest: &str, at: Timestamp, number: u32) -> Value {
    let time = at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    json!({
        "version": "0",
        "id": format!("{number:08x}-628b-6117-af20-0e5566167482"),
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.ecr",
        "account": ACCOUNT,
        "time": time,
        "region": REGION,
        "resources": [],
        "detail": {
            "eventVersion": "1.11",
            "userIdentity": {
                "type": "AssumedRole",
                "principalId": "AROAEXAMPLE:run-42",
                "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/ci-push/run-42"),
                "accountId": ACCOUNT,
                "accessKeyId": "ASIAEXAMPLE",
            },
            "eventTime": time,
            "eventSource": "ecr.amazonaws.com",
            "eventName": "PutImage",
            "awsRegion": REGION,
            "requestParameters": {
                "registryId": ACCOUNT,
                "repositoryName": repository,
                "imageTag": tag,
                "imageManifest": manifest,
            },
            "responseElements": {"image": {
                "registryId": ACCOUNT,
                "repositoryName": repository,
                "imageId": {"imageDigest": digest, "imageTag": tag},
            }},
            "eventID": format!("{number:08x}-e52b-4c4d-bbb5-547b85fec1f8"),
            "eventType": "AwsApiCall",
            "recipientAccountId": ACCOUNT,
        },
    })
}

/// The event of a push by ECR itself, as EventBridge delivers it.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html>
fn image_action_event(repository: &str, tag: &str, digest: &str, at: Timestamp, number: u32) -> Value {
    json!({
        "version": "0",
        "id": format!("{number:08x}-13cd-4260-53ae-be53647f0002"),
        "detail-type": "ECR Image Action",
        "source": "aws.ecr",
        "account": ACCOUNT,
        "time": at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "region": REGION,
        "resources": [],
        "detail": {
            "result": "SUCCESS",
            "repository-name": repository,
            "image-digest": digest,
            "action-type": "PUSH",
            "image-tag": tag,
        },
    })
}

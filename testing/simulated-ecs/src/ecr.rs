//! The operations of ECR that a deployment and its tests need.

use serde_json::{Value, json};

use crate::behaviour::Behaviour;
use crate::error::ApiError;
use crate::names::{Milliseconds, timestamp};
use crate::operations::{page, page_up_to, text};
use crate::registry::{INDEX, Image, MEDIA_TYPE, Put, Repository, digest_of, made_up_manifest};
use crate::simulation::Simulation;

fn no_repository(name: &str) -> ApiError {
    let message = format!("The repository with name '{name}' does not exist in the registry");
    ApiError::new("RepositoryNotFoundException", message)
}

fn no_image(repository: &str, id: &Value) -> ApiError {
    let message = format!(
        "The image with imageId {{imageDigest:'{}', imageTag:'{}'}} does not exist within the repository with name '{repository}'",
        id["imageDigest"].as_str().unwrap_or("null"),
        id["imageTag"].as_str().unwrap_or("null"),
    );
    ApiError::new("ImageNotFoundException", message)
}

impl Repository {
    /// The digest of the image that an `imageId` names, by digest, by tag or by both; or the code of what is wrong.
    fn find(&self, id: &Value) -> Result<String, &'static str> {
        let (digest, tag) = (id["imageDigest"].as_str(), id["imageTag"].as_str());
        let of_tag = tag.map(|tag| self.tags.get(tag).map(String::as_str));
        let digest = match (digest, of_tag) {
            (None, None) => return Err("MissingDigestAndTag"),
            (Some(digest), Some(Some(tagged))) if digest != tagged => return Err("ImageTagDoesNotMatchDigest"),
            (Some(digest), None) | (_, Some(Some(digest))) => digest,
            (_, Some(None)) => return Err("ImageNotFound"),
        };
        if self.images.contains_key(digest) {
            Ok(digest.to_owned())
        } else {
            Err("ImageNotFound")
        }
    }
}

impl Simulation {
    /// The images that were put by the API under a tag since this was asked last, the oldest first. Whoever asks tells
    /// of them, as AWS does by events.
    pub fn take_put(&mut self) -> Vec<Put> {
        std::mem::take(&mut self.world.registry.put)
    }

    pub(crate) fn repository(&mut self, request: &Value) -> Result<&mut Repository, ApiError> {
        let name = text(request, "repositoryName");
        self.world
            .registry
            .repositories
            .get_mut(name)
            .ok_or_else(|| no_repository(name))
    }

    fn describe_repository(&self, name: &str, repository: &Repository) -> Value {
        let settings = self.settings();
        let suffix = if settings.partition == "aws-cn" { ".cn" } else { "" };
        let (account, region) = (&settings.account, &settings.region);
        json!({
            "repositoryArn": format!("arn:{}:ecr:{region}:{account}:repository/{name}", settings.partition),
            "registryId": account,
            "repositoryName": name,
            "repositoryUri": format!("{account}.dkr.ecr.{region}.amazonaws.com{suffix}/{name}"),
            "createdAt": timestamp(repository.created_at),
            "imageTagMutability": if repository.immutable_tags { "IMMUTABLE" } else { "MUTABLE" },
        })
    }

    /// Pushes an image as `docker push` would: the tag moves to it. Without a behaviour, the tag says it. Two pushes of one
    /// tag are two images. Returns the digest.
    pub fn push(
        &mut self,
        now: Milliseconds,
        repository: &str,
        tag: Option<&str>,
        behaviour: Option<Behaviour>,
    ) -> String {
        let held = self
            .world
            .registry
            .repositories
            .entry(repository.to_owned())
            .or_default();
        let salt = format!("#{}", held.images.len() + 1);
        let manifest = made_up_manifest(repository, tag.unwrap_or_default(), &salt);
        let behaviour = behaviour.unwrap_or_else(|| Behaviour::of_tag(tag.unwrap_or_default()));
        held.push(
            tag,
            Image {
                behaviour,
                manifest,
                media_type: MEDIA_TYPE.to_owned(),
                pushed_at: now,
                archived: false,
            },
        )
    }
}

impl Simulation {
    /// Pushes a multi-architecture image as `docker push` would: first the image of each of two platforms, without a tag, then the
    /// index that lists them, to which the tag moves. Returns the digest of the index.
    pub fn push_index(
        &mut self,
        now: Milliseconds,
        repository: &str,
        tag: &str,
        behaviour: Option<Behaviour>,
    ) -> String {
        let behaviour = behaviour.unwrap_or_else(|| Behaviour::of_tag(tag));
        let listed = ["amd64", "arm64"].map(|architecture| {
            let digest = self.push(now, repository, None, Some(behaviour));
            let platform = json!({"os": "linux", "architecture": architecture});
            json!({"mediaType": MEDIA_TYPE, "digest": digest, "platform": platform})
        });
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed});
        self.push_manifest(now, repository, tag, &index)
    }

    /// Pushes whatever this manifest is of, under a tag. Returns its digest.
    pub fn push_manifest(&mut self, now: Milliseconds, repository: &str, tag: &str, manifest: &Value) -> String {
        let repositories = &mut self.world.registry.repositories;
        let held = repositories.entry(repository.to_owned()).or_default();
        let image = Image {
            behaviour: Behaviour::of_tag(tag),
            manifest: manifest.to_string(),
            media_type: manifest["mediaType"].as_str().unwrap_or(MEDIA_TYPE).to_owned(),
            pushed_at: now,
            archived: false,
        };
        held.push(Some(tag), image)
    }

    /// Puts one more tag on an image that is there, as `docker push` of the same image under another tag does. Nothing
    /// changes where the image is not there.
    pub fn tag(&mut self, repository: &str, digest: &str, tag: &str) {
        let held = self.world.registry.repositories.get_mut(repository);
        if let Some(held) = held.filter(|held| held.images.contains_key(digest)) {
            held.tags.insert(tag.to_owned(), digest.to_owned());
        }
    }

    /// Puts an image into the archive, as `UpdateImageStorageClass` or a lifecycle policy does, or takes it out of there; that takes
    /// no time here. Nothing changes where the image is not there.
    pub fn archive(&mut self, repository: &str, digest: &str, archived: bool) {
        let held = self.world.registry.repositories.get_mut(repository);
        if let Some(image) = held.and_then(|held| held.images.get_mut(digest)) {
            image.archived = archived;
        }
    }

    /// The manifest of an image, as it was pushed.
    #[must_use]
    pub fn manifest(&self, repository: &str, digest: &str) -> Option<&str> {
        let image = self.world.registry.repositories.get(repository)?.images.get(digest)?;
        Some(&image.manifest)
    }
}

pub(crate) fn create_repository(
    simulation: &mut Simulation,
    request: &Value,
    now: Milliseconds,
) -> Result<Value, ApiError> {
    let name = text(request, "repositoryName").to_owned();
    let held = simulation.world.registry.repositories.entry(name.clone()).or_default();
    if held.created {
        let message = format!("The repository with name '{name}' already exists in the registry");
        return Err(ApiError::new("RepositoryAlreadyExistsException", message));
    }
    held.created = true;
    held.created_at = now;
    held.immutable_tags = text(request, "imageTagMutability") == "IMMUTABLE";
    let held = held.clone();
    Ok(json!({"repository": simulation.describe_repository(&name, &held)}))
}

pub(crate) fn delete_repository(
    simulation: &mut Simulation,
    request: &Value,
    _: Milliseconds,
) -> Result<Value, ApiError> {
    let name = text(request, "repositoryName").to_owned();
    let held = simulation.repository(request)?.clone();
    if !held.images.is_empty() && request.get("force") != Some(&true.into()) {
        let message = format!(
            "The repository with name '{name}' in registry with id '{}' cannot be deleted because it still contains images",
            simulation.settings().account
        );
        return Err(ApiError::new("RepositoryNotEmptyException", message));
    }
    simulation.world.registry.repositories.remove(&name);
    Ok(json!({"repository": simulation.describe_repository(&name, &held)}))
}

pub(crate) fn describe_repositories(
    simulation: &mut Simulation,
    request: &Value,
    _: Milliseconds,
) -> Result<Value, ApiError> {
    let all = &simulation.world.registry.repositories;
    let wanted = crate::operations::texts(request, "repositoryNames");
    if let Some(name) = wanted.iter().find(|name| !all.contains_key(**name)) {
        return Err(no_repository(name));
    }
    let found = all
        .iter()
        .filter(|(name, _)| wanted.is_empty() || wanted.contains(&name.as_str()));
    let described = found.map(|(name, held)| simulation.describe_repository(name, held));
    let (repositories, token) = page(request, 100, described)?;
    Ok(json!({"repositories": repositories, "nextToken": token}))
}

pub(crate) fn describe_images(
    simulation: &mut Simulation,
    request: &Value,
    _: Milliseconds,
) -> Result<Value, ApiError> {
    let (account, name) = (simulation.settings().account.clone(), text(request, "repositoryName"));
    let held = simulation.repository(request)?;
    let digests: Vec<String> = match request.get("imageIds").and_then(Value::as_array) {
        Some(ids) => ids
            .iter()
            .map(|id| held.find(id).map_err(|_| no_image(name, id)))
            .collect::<Result<_, _>>()?,
        None => held.images.keys().cloned().collect(),
    };
    let details = digests.iter().filter_map(|digest| {
        let image = held.images.get(digest)?;
        let mut body = json!({
            "registryId": account,
            "repositoryName": name,
            "imageDigest": digest,
            "imageSizeInBytes": image.manifest.len(),
            "imagePushedAt": timestamp(image.pushed_at),
            "imageManifestMediaType": image.media_type,
            "imageStatus": if image.archived { "ARCHIVED" } else { "ACTIVE" },
        });
        if let Some(artifact) = image.artifact_media_type() {
            body["artifactMediaType"] = artifact.into();
        }
        let tags = held.tags_of(digest);
        if !tags.is_empty() {
            body["imageTags"] = tags.into();
        }
        Some(body)
    });
    let (details, token) = page_up_to(request, 100, 1000, details)?;
    Ok(json!({"imageDetails": details, "nextToken": token}))
}

pub(crate) fn list_images(simulation: &mut Simulation, request: &Value, _: Milliseconds) -> Result<Value, ApiError> {
    let status = request
        .pointer("/filter/tagStatus")
        .and_then(Value::as_str)
        .unwrap_or("ANY")
        .to_owned();
    let held = simulation.repository(request)?;
    let tagged = held
        .tags
        .iter()
        .map(|(tag, digest)| json!({"imageTag": tag, "imageDigest": digest}));
    let bare = held.images.keys().filter(|digest| held.tags_of(digest).is_empty());
    let bare = bare.map(|digest| json!({"imageDigest": digest}));
    let ids = tagged
        .filter(|_| status != "UNTAGGED")
        .chain(bare.filter(|_| status != "TAGGED"));
    let (ids, token) = page(request, 100, ids)?;
    Ok(json!({"imageIds": ids, "nextToken": token}))
}

fn failure(id: &Value, code: &str) -> Value {
    let reason = match code {
        "ImageInaccessible" => "Requested image is archived",
        _ => "Requested image not found",
    };
    json!({"imageId": id, "failureCode": code, "failureReason": reason})
}

pub(crate) fn batch_get_image(
    simulation: &mut Simulation,
    request: &Value,
    _: Milliseconds,
) -> Result<Value, ApiError> {
    let (account, name) = (simulation.settings().account.clone(), text(request, "repositoryName"));
    let held = simulation.repository(request)?;
    let (mut images, mut failures) = (Vec::new(), Vec::new());
    for id in request.get("imageIds").and_then(Value::as_array).into_iter().flatten() {
        let found = held
            .find(id)
            .and_then(|digest| held.images.get(&digest).map(|i| (digest, i)).ok_or("ImageNotFound"));
        match found {
            Ok((_, image)) if image.archived => failures.push(failure(id, "ImageInaccessible")),
            Ok((digest, image)) => {
                let mut image_id = json!({"imageDigest": digest});
                if let Some(tag) = id.get("imageTag") {
                    image_id["imageTag"] = tag.clone();
                }
                images.push(json!({
                    "registryId": account,
                    "repositoryName": name,
                    "imageId": image_id,
                    "imageManifest": image.manifest,
                    "imageManifestMediaType": image.media_type,
                }));
            }
            Err(code) => failures.push(failure(id, code)),
        }
    }
    Ok(json!({"images": images, "failures": failures}))
}

pub(crate) fn batch_delete_image(
    simulation: &mut Simulation,
    request: &Value,
    _: Milliseconds,
) -> Result<Value, ApiError> {
    let held = simulation.repository(request)?;
    // An image that was deleted on purpose is gone: an open repository makes up no image any more.
    held.created = true;
    let (mut deleted, mut failures) = (Vec::new(), Vec::new());
    for id in request.get("imageIds").and_then(Value::as_array).into_iter().flatten() {
        match held.find(id) {
            Ok(digest) => {
                let tag = id["imageTag"].as_str();
                held.tags
                    .retain(|name, of| *of != digest || tag.is_some_and(|tag| tag != name));
                if held.tags_of(&digest).is_empty() {
                    held.images.remove(&digest);
                }
                deleted.push(id.clone());
            }
            Err(code) => failures.push(failure(id, code)),
        }
    }
    Ok(json!({"imageIds": deleted, "failures": failures}))
}

pub(crate) fn put_image(simulation: &mut Simulation, request: &Value, now: Milliseconds) -> Result<Value, ApiError> {
    let (account, name) = (simulation.settings().account.clone(), text(request, "repositoryName"));
    let (manifest, tag) = (
        text(request, "imageManifest"),
        request.get("imageTag").and_then(Value::as_str),
    );
    let digest = digest_of(manifest);
    let held = simulation.repository(request)?;
    if request
        .get("imageDigest")
        .and_then(Value::as_str)
        .is_some_and(|given| given != digest)
    {
        let message = "The provided digest does not match the digest calculated by Amazon ECR";
        return Err(ApiError::new("ImageDigestDoesNotMatchException", message));
    }
    let tagged = tag.and_then(|tag| held.tags.get(tag));
    if held.images.contains_key(&digest) && (tag.is_none() || tagged == Some(&digest)) {
        let message = format!(
            "Image with digest '{digest}' and tag '{}' already exists in the repository with name '{name}'",
            tag.unwrap_or("null")
        );
        return Err(ApiError::new("ImageAlreadyExistsException", message));
    }
    if held.immutable_tags && tagged.is_some() {
        let message = format!(
            "The image tag '{}' already exists in the '{name}' repository and cannot be overwritten because the tag is immutable.",
            tag.unwrap_or_default()
        );
        return Err(ApiError::new("ImageTagAlreadyExistsException", message));
    }
    let said = serde_json::from_str::<Value>(manifest).ok();
    let said = said.and_then(|body| body["mediaType"].as_str().map(str::to_owned));
    let media_type = request
        .get("imageManifestMediaType")
        .and_then(Value::as_str)
        .map(str::to_owned)
        .or(said);
    let media_type = media_type.unwrap_or_else(|| MEDIA_TYPE.to_owned());
    held.check_references(name, manifest)?;
    let behaviour = held
        .behaviour_of(manifest)
        .unwrap_or_else(|| Behaviour::of_tag(tag.unwrap_or_default()));
    let manifest = manifest.to_owned();
    held.push(
        tag,
        Image {
            behaviour,
            manifest: manifest.clone(),
            media_type: media_type.clone(),
            pushed_at: now,
            archived: false,
        },
    );
    let mut image_id = json!({"imageDigest": digest});
    if let Some(tag) = tag {
        image_id["imageTag"] = tag.into();
        simulation.world.registry.put.push(Put {
            repository: name.to_owned(),
            tag: tag.to_owned(),
            digest: digest.clone(),
            manifest: manifest.clone(),
            at: now,
        });
    }
    Ok(json!({"image": {
        "registryId": account,
        "repositoryName": name,
        "imageId": image_id,
        "imageManifest": manifest,
        "imageManifestMediaType": media_type,
    }}))
}

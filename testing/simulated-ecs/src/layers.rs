//! The layers and the configs of images, uploaded part by part; and the check that an image has all of its own.

use serde_json::{Value, json};

use crate::behaviour::Behaviour;
use crate::error::ApiError;
use crate::names::Milliseconds;
use crate::operations::{text, texts};
use crate::registry::{Repository, digest_of_bytes};
use crate::simulation::Simulation;

impl Repository {
    /// Refuses a manifest whose layers or config were not uploaded, or an index whose images are not there. A
    /// repository into which nobody ever uploaded a layer holds manifests alone, and takes any.
    ///
    /// # Errors
    /// `LayersNotFoundException` and `ReferencedImagesNotFoundException`, in AWS's words.
    pub(crate) fn check_references(&self, name: &str, manifest: &str) -> Result<(), ApiError> {
        if self.blobs.is_empty() {
            return Ok(());
        }
        let manifest: Value = serde_json::from_str(manifest).unwrap_or_default();
        let digests = |member: &str| {
            let entries = manifest[member].as_array().into_iter().flatten();
            entries.filter_map(|entry| entry["digest"].as_str()).collect::<Vec<_>>()
        };
        let blobs = digests("layers")
            .into_iter()
            .chain(manifest["config"]["digest"].as_str());
        let missing: Vec<&str> = blobs.filter(|digest| !self.blobs.contains_key(*digest)).collect();
        if !missing.is_empty() {
            let message = format!(
                "Layers with digests '[{}]' required for pushing image into repository with name '{name}' do not exist",
                missing.join(", ")
            );
            return Err(ApiError::new("LayersNotFoundException", message));
        }
        let listed = digests("manifests");
        let missing: Vec<&str> = listed
            .into_iter()
            .filter(|digest| !self.images.contains_key(*digest))
            .collect();
        if !missing.is_empty() {
            let message = format!(
                "Images with digests '[{}]' required for pushing image into repository with name '{name}' do not exist",
                missing.join(", ")
            );
            return Err(ApiError::new("ReferencedImagesNotFoundException", message));
        }
        Ok(())
    }

    /// The behaviour of an image whose config was uploaded; of an index, that of the first image it lists. Nobody runs
    /// a program here: one that gets an argument by its config is the program of the command `verify`, which then exits
    /// with code 1. `None` where no config tells.
    pub(crate) fn behaviour_of(&self, manifest: &str) -> Option<Behaviour> {
        let manifest: Value = serde_json::from_str(manifest).ok()?;
        if let Some(listed) = manifest["manifests"][0]["digest"].as_str() {
            return self.images.get(listed).map(|image| image.behaviour);
        }
        let config = self.blobs.get(manifest["config"]["digest"].as_str()?)?;
        let config: Value = serde_json::from_slice(config).ok()?;
        let arguments = config["config"]["Cmd"].as_array().map_or(0, Vec::len);
        Some(if arguments == 0 {
            Behaviour::Good
        } else {
            Behaviour::Crash
        })
    }
}

pub(crate) fn initiate(simulation: &mut Simulation, request: &Value, now: Milliseconds) -> Result<Value, ApiError> {
    let held = simulation.repository(request)?;
    let id = format!("upload-{now}-{}", held.uploads.len() + held.blobs.len());
    held.uploads.insert(id.clone(), Vec::new());
    Ok(json!({"uploadId": id, "partSize": 10_485_760}))
}

fn no_upload(id: &str) -> ApiError {
    let message = format!("The upload with id '{id}' could not be found");
    ApiError::new("UploadNotFoundException", message)
}

pub(crate) fn upload_part(simulation: &mut Simulation, request: &Value, _: Milliseconds) -> Result<Value, ApiError> {
    let (repository, id) = (text(request, "repositoryName").to_owned(), text(request, "uploadId"));
    let part = decoded(text(request, "layerPartBlob"))
        .ok_or_else(|| ApiError::new("SerializationException", "layerPartBlob is not base64".to_owned()))?;
    let account = simulation.settings().account.clone();
    let held = simulation.repository(request)?;
    let upload = held.uploads.get_mut(id).ok_or_else(|| no_upload(id))?;
    let number = |member: &str| request.get(member).and_then(Value::as_u64).unwrap_or_default();
    let (first, last) = (number("partFirstByte"), number("partLastByte"));
    let (begun, whole) = (upload.len() as u64, part.len() as u64);
    if first != begun || last + 1 != begun + whole {
        let message = format!("Layer part with range {first}-{last} does not follow the {begun} bytes that are there");
        return Err(ApiError::new("InvalidLayerPartException", message));
    }
    upload.extend(part);
    Ok(json!({
        "registryId": account,
        "repositoryName": repository,
        "uploadId": id,
        "lastByteReceived": last,
    }))
}

pub(crate) fn complete(simulation: &mut Simulation, request: &Value, _: Milliseconds) -> Result<Value, ApiError> {
    let (repository, id) = (text(request, "repositoryName").to_owned(), text(request, "uploadId"));
    let account = simulation.settings().account.clone();
    let held = simulation.repository(request)?;
    let upload = held.uploads.get(id).ok_or_else(|| no_upload(id))?;
    if upload.is_empty() {
        let message = format!("The upload with id '{id}' has no layer parts");
        return Err(ApiError::new("EmptyUploadException", message));
    }
    let digest = digest_of_bytes(upload);
    if !texts(request, "layerDigests").contains(&digest.as_str()) {
        let message = format!("The digest of the layer is {digest}, and none that was given");
        return Err(ApiError::new("InvalidLayerException", message));
    }
    if held.blobs.contains_key(&digest) {
        let message = format!("Layer with digest '{digest}' already exists in the repository with name '{repository}'");
        return Err(ApiError::new("LayerAlreadyExistsException", message));
    }
    let layer = held.uploads.remove(id).unwrap_or_default();
    held.blobs.insert(digest.clone(), layer);
    Ok(json!({
        "registryId": account,
        "repositoryName": repository,
        "uploadId": id,
        "layerDigest": digest,
    }))
}

/// The bytes of a text in base64; `None` where it is none.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let value = |letter: u8| {
        Some(u32::from(match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        }))
    };
    let letters = text.trim_end_matches('=').as_bytes();
    let mut bytes = Vec::with_capacity(letters.len() * 3 / 4);
    for four in letters.chunks(4) {
        let mut number = 0;
        for letter in four {
            number = number << 6 | value(*letter)?;
        }
        number <<= 6 * (4 - four.len());
        bytes.extend(&number.to_be_bytes()[1..four.len()]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_and_nothing_else() {
        for (text, expected) in [
            ("", Some("")),
            ("YQ==", Some("a")),
            ("YWI=", Some("ab")),
            ("YWJj", Some("abc")),
            ("YWJjZA==", Some("abcd")),
            ("Y!==", None),
        ] {
            assert_eq!(decoded(text), expected.map(|it| it.as_bytes().to_vec()), "{text}");
        }
    }
}

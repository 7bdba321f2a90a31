//! Artifacts that people push besides images, as their tools write them.

use super::*;
use serde_json::json;

const DOCKER: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn other(media_type: &str) -> Kind {
    Kind::Artifact(Artifact::Other(media_type.to_owned()))
}

#[test]
fn a_tag_that_names_another_image_by_its_digest_is_of_no_image() {
    let digest = "e".repeat(64);
    for (tag, artifact) in [
        (format!("sha256-{digest}.sig"), Some(Artifact::Signature)),
        (format!("sha256-{digest}.att"), Some(Artifact::Attestation)),
        (format!("sha256-{digest}.sbom"), Some(Artifact::Sbom)),
        (format!("sha256-{digest}.sboms"), Some(Artifact::Sbom)),
        (format!("sha256-{digest}"), Some(Artifact::Referrers)),
        (format!("sha256-{digest}.vuln"), Some(Artifact::Referrers)),
        (format!("sha256-{digest}-soci"), Some(Artifact::Referrers)),
        (format!("sha512-{digest}"), Some(Artifact::Referrers)),
        (format!("sha256-{}", "e".repeat(63)), None),
        (format!("sha256-{}", "g".repeat(64)), None),
        (format!("sha-{digest}"), None),
        (format!("v-sha256-{digest}.sig"), None),
        (digest, None),
        ("sha256-0a1b2c3".to_owned(), None),
        ("v1.2.sig".to_owned(), None),
        ("buildcache".to_owned(), None),
        ("latest".to_owned(), None),
    ] {
        assert_eq!(of_tag(&tag.parse().unwrap()), artifact, "{tag}");
    }
}

#[test]
fn an_index_lists_its_images_by_their_digests() {
    let digest = |letter: &str| format!("sha256:{}", letter.repeat(64));
    let index = json!({"mediaType": INDEX, "manifests": [
        {"mediaType": OCI, "digest": digest("a"), "platform": {"os": "linux", "architecture": "arm64"}},
        {"mediaType": OCI, "digest": digest("b"), "platform": {"os": "linux", "architecture": "amd64"}},
        {"mediaType": OCI, "digest": "b"},
        {"mediaType": OCI},
    ]});
    let listed: Vec<String> = listed_in(&index).into_iter().map(String::from).collect();
    assert_eq!(listed, [digest("a"), digest("b")]);
    let image = json!({"mediaType": OCI, "config": {"digest": digest("c")}, "layers": [{"digest": digest("d")}]});
    assert!(listed_in(&image).is_empty() && listed_in(&json!({"manifests": 1})).is_empty());
}

#[test]
fn media_types_tell_an_image_by_a_list_of_what_can_run() {
    let list = "application/vnd.docker.distribution.manifest.list.v2+json";
    for (manifest, artifact, kind) in [
        (Some(DOCKER), Some(DOCKER_CONFIG), Kind::Image),
        (Some(OCI), Some(OCI_CONFIG), Kind::Image),
        (None, Some(OCI_CONFIG), Kind::Image),
        (Some(list), None, Kind::Image),
        (Some(INDEX), None, Kind::Image),
        (Some(INDEX), Some(INDEX), Kind::Image),
        (
            Some("application/vnd.docker.distribution.manifest.v1+prettyjws"),
            None,
            Kind::Image,
        ),
        (
            Some(OCI),
            Some("application/vnd.buildkit.cacheconfig.v0"),
            Kind::Artifact(Artifact::BuildCache),
        ),
        (
            Some(OCI),
            Some("application/vnd.cncf.helm.config.v1+json"),
            Kind::Artifact(Artifact::HelmChart),
        ),
        (
            Some(OCI),
            Some("application/vnd.cncf.notary.signature"),
            Kind::Artifact(Artifact::Signature),
        ),
        (
            Some(OCI),
            Some("application/vnd.amazon.soci.index.v1+json"),
            other("application/vnd.amazon.soci.index.v1+json"),
        ),
        (
            Some(OCI),
            Some("application/vnd.wasm.config.v0+json"),
            other("application/vnd.wasm.config.v0+json"),
        ),
        (
            Some("application/vnd.oci.artifact.manifest.v1+json"),
            None,
            other("application/vnd.oci.artifact.manifest.v1+json"),
        ),
        (
            Some(INDEX),
            Some("application/vnd.example.bundle"),
            other("application/vnd.example.bundle"),
        ),
        (Some(DOCKER), None, Kind::Unknown),
        (Some(OCI), None, Kind::Unknown),
        (Some(OCI), Some(OCI), Kind::Unknown),
        (Some(OCI), Some(""), Kind::Unknown),
        (
            Some(OCI),
            Some("application/vnd.oci.empty.v1+json"),
            other("application/vnd.oci.empty.v1+json"),
        ),
        (None, None, Kind::Unknown),
        (Some(""), Some(""), Kind::Unknown),
    ] {
        assert_eq!(of_media_types(manifest, artifact), kind, "{manifest:?} {artifact:?}");
    }
}

fn manifest(config: &str, layers: &[&str]) -> Value {
    let layers: Vec<Value> = layers.iter().map(|layer| json!({"mediaType": layer})).collect();
    json!({"schemaVersion": 2, "mediaType": OCI, "config": {"mediaType": config}, "layers": layers})
}

/// An index of children with these media types, artifact types and annotated types.
fn index(children: &[(&str, Option<&str>, Option<&str>)]) -> Value {
    let children = children.iter().map(|(media_type, artifact, reference)| {
        let mut child = json!({"mediaType": media_type, "digest": "sha256:00", "size": 1});
        if let Some(artifact) = artifact {
            child["artifactType"] = json!(artifact);
        }
        if let Some(reference) = reference {
            child["annotations"] = json!({"vnd.docker.reference.type": reference});
            child["platform"] = json!({"os": "unknown", "architecture": "unknown"});
        }
        child
    });
    json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": children.collect::<Vec<_>>()})
}

#[test]
fn what_runs_is_an_image_however_it_was_built() {
    let gzip = "application/vnd.oci.image.layer.v1.tar+gzip";
    let subject = {
        let mut manifest = manifest(OCI_CONFIG, &[gzip]);
        manifest["subject"] = json!({"digest": "sha256:00"});
        manifest
    };
    for (what, image) in [
        (
            "docker",
            manifest(DOCKER_CONFIG, &["application/vnd.docker.image.rootfs.diff.tar.gzip"]),
        ),
        (
            "zstd:chunked",
            manifest(OCI_CONFIG, &["application/vnd.oci.image.layer.v1.tar+zstd"]),
        ),
        (
            "encrypted",
            manifest(OCI_CONFIG, &["application/vnd.oci.image.layer.v1.tar+gzip+encrypted"]),
        ),
        (
            "nydus",
            manifest(OCI_CONFIG, &["application/vnd.oci.image.layer.nydus.blob.v1", gzip]),
        ),
        (
            "windows",
            manifest(
                DOCKER_CONFIG,
                &["application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"],
            ),
        ),
        ("without a layer", manifest(OCI_CONFIG, &[])),
        ("with a subject", subject),
        (
            "schema 1",
            json!({"schemaVersion": 1, "name": "app", "tag": "v1", "fsLayers": []}),
        ),
        ("two platforms", index(&[(OCI, None, None), (OCI, None, None)])),
        (
            "buildx with attestations",
            index(&[(OCI, None, None), (OCI, None, Some("attestation-manifest"))]),
        ),
        (
            "SOCI index v2 beside its image",
            index(&[
                (OCI, None, None),
                (OCI, Some("application/vnd.amazon.soci.index.v2+json"), None),
            ]),
        ),
        ("an index of indexes", index(&[(INDEX, None, None)])),
    ] {
        assert_eq!(of_manifest(&image, None), Kind::Image, "{what}");
    }
}

#[test]
fn what_does_not_run_is_called_by_its_name() {
    let empty = "application/vnd.oci.empty.v1+json";
    let artifact = |artifact_type: &str| {
        let mut manifest = manifest(empty, &[empty]);
        manifest["artifactType"] = json!(artifact_type);
        manifest
    };
    let cache = "application/vnd.buildkit.cacheconfig.v0";
    let gzip = "application/vnd.oci.image.layer.v1.tar+gzip";
    let simple = "application/vnd.dev.cosign.simplesigning.v1+json";
    for (manifest, says) in [
        (manifest(OCI_CONFIG, &[simple]), "a signature"),
        (
            artifact("application/vnd.dev.cosign.artifact.sig.v1+json"),
            "a signature",
        ),
        (artifact("application/vnd.dev.sigstore.bundle.v0.3+json"), "a signature"),
        (
            manifest("application/vnd.cncf.notary.signature", &["application/jose+json"]),
            "a signature",
        ),
        (
            manifest(OCI_CONFIG, &["application/vnd.dsse.envelope.v1+json"]),
            "an attestation",
        ),
        (
            manifest(OCI_CONFIG, &["application/vnd.in-toto+json"; 2]),
            "an attestation",
        ),
        (
            artifact("application/vnd.docker.attestation.manifest.v1+json"),
            "an attestation",
        ),
        (
            manifest(OCI_CONFIG, &["text/spdx+json"]),
            "a software bill of materials",
        ),
        (
            artifact("application/vnd.cyclonedx+json"),
            "a software bill of materials",
        ),
        (manifest(cache, &[gzip]), "a build cache"),
        (index(&[(gzip, None, None), (cache, None, None)]), "a build cache"),
        (index(&[(cache, None, None), (gzip, None, None)]), "a build cache"),
        (
            manifest(
                "application/vnd.cncf.helm.config.v1+json",
                &["application/vnd.cncf.helm.chart.content.v1.tar+gzip"],
            ),
            "a Helm chart",
        ),
        (
            manifest("application/vnd.wasm.config.v0+json", &["application/wasm"]),
            "an artifact of the type application/vnd.wasm.config.v0+json",
        ),
        (
            artifact("application/vnd.amazon.soci.index.v1+json"),
            "an artifact of the type application/vnd.amazon.soci.index.v1+json",
        ),
        (
            manifest(
                "application/vnd.unknown.config.v1+json",
                &["application/vnd.oci.image.layer.v1.tar"],
            ),
            "an artifact of the type application/vnd.unknown.config.v1+json",
        ),
        (
            json!({"mediaType": "application/vnd.oci.artifact.manifest.v1+json", "blobs": []}),
            "an artifact of the type application/vnd.oci.artifact.manifest.v1+json",
        ),
        (
            index(&[(OCI, Some("application/vnd.cncf.notary.signature"), None)]),
            "the list of what refers to an image",
        ),
        (index(&[(OCI, None, Some("attestation-manifest"))]), "an attestation"),
        (index(&[]), "an index without an image"),
    ] {
        match of_manifest(&manifest, None) {
            Kind::Artifact(artifact) => assert_eq!(artifact.to_string(), says, "{manifest}"),
            kind => panic!("{manifest} is {kind:?}"),
        }
    }
}

#[test]
fn what_a_manifest_leaves_out_the_push_may_tell_and_nothing_is_guessed() {
    assert_eq!(of_manifest(&json!({}), None), Kind::Unknown);
    assert_eq!(of_manifest(&json!({}), Some(OCI)), Kind::Unknown);
    assert_eq!(of_manifest(&json!({}), Some(INDEX)), Kind::Image);
    assert_eq!(of_manifest(&json!([1]), None), Kind::Unknown);
    assert_eq!(
        of_manifest(&json!({"config": {"mediaType": 7}}), Some(DOCKER)),
        Kind::Unknown
    );
    assert_eq!(
        of_manifest(&json!({"config": {"mediaType": DOCKER_CONFIG}}), None),
        Kind::Image
    );
}

#[test]
fn a_media_type_of_any_length_is_told_in_short() {
    let Kind::Artifact(artifact) = of_media_types(Some(OCI), Some(&"ü".repeat(100_000))) else {
        panic!("it is no image")
    };
    assert!(artifact.to_string().chars().count() < 200);
}

//! The part of an account that an installation deploys: the repositories and clusters that its settings let through, and the tags of
//! an image that a push may have. Pure. The sweep goes by the same rules.

use aws_sdk_ecr::types::ImageDetail;
use ecr_deploy::domain::image::{EcrRegistry, RepositoryName};
use ecr_deploy::function::config::Config;
use find_missed_pushes::images::image;
use find_task_definitions::policy::is_of_cdk;
use find_task_definitions::stage::Stages;

/// The scope of an installation.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The registry of its account and region.
    pub here: &'a EcrRegistry,
    /// Its settings.
    pub settings: &'a Config,
    /// Its stages.
    pub stages: &'a Stages,
}

impl Scope<'_> {
    /// True if it deploys images of a repository: one that the settings name, or any but that of the assets of CDK apps.
    #[must_use]
    pub fn has_repository(&self, repository: &RepositoryName) -> bool {
        let named = &self.settings.repositories;
        if named.is_empty() {
            return !is_of_cdk(self.here, repository);
        }
        named.contains(repository)
    }

    /// True if it deploys to services of a cluster.
    #[must_use]
    pub fn has_cluster(&self, cluster: &str) -> bool {
        let named = &self.settings.clusters;
        named.is_empty() || named.iter().any(|it| it.as_str() == cluster)
    }
}

/// The tags of an image by which it may be deployed. A signature, a cache, a chart and an archived image have none: no task can run
/// them.
#[must_use]
pub fn deployable_tags(detail: &ImageDetail) -> Vec<String> {
    let tags = image(detail).map(|image| image.tags).unwrap_or_default();
    tags.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ecr::types::ImageStatus;
    use aws_smithy_types::DateTime;

    #[test]
    fn a_repository_is_deployed_that_the_settings_name_or_any_but_that_of_the_cdk() {
        let here = EcrRegistry {
            account: "123456789012".parse().unwrap(),
            region: "eu-west-1".parse().unwrap(),
        };
        let assets = "cdk-hnb659fds-container-assets-123456789012-eu-west-1";
        for (named, repository, expected) in [
            (vec![], "shop/web", true),
            (vec![], assets, false),
            (vec![assets], assets, true),
            (vec!["shop/web"], "shop/web", true),
            (vec!["shop/web"], "shop/api", false),
        ] {
            let settings = Config {
                repositories: named.iter().map(|it| it.parse().unwrap()).collect(),
                ..Config::default()
            };
            let stages = Stages::read(&settings).unwrap();
            let scope = Scope {
                here: &here,
                settings: &settings,
                stages: &stages,
            };
            let judged = scope.has_repository(&repository.parse().unwrap());
            assert_eq!(judged, expected, "{named:?} {repository}");
        }
    }

    #[test]
    fn what_no_task_can_run_has_no_tag_by_which_it_is_deployed() {
        const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
        let signature = format!("sha256-{}.sig", "0a".repeat(32));
        let chart = "application/vnd.cncf.helm.config.v1+json";
        let config = "application/vnd.oci.image.config.v1+json";
        for (tag, artifact, status, expected) in [
            ("v2", config, ImageStatus::Active, true),
            ("v2", chart, ImageStatus::Active, false),
            (signature.as_str(), config, ImageStatus::Active, false),
            ("v2", config, ImageStatus::Archived, false),
            ("v2", config, ImageStatus::Activating, false),
        ] {
            let detail = ImageDetail::builder()
                .image_digest(format!("sha256:{}", "0a".repeat(32)))
                .image_tags(tag)
                .image_pushed_at(DateTime::from_secs(1_796_000_000))
                .image_manifest_media_type(MANIFEST)
                .artifact_media_type(artifact)
                .image_status(status)
                .build();
            assert_eq!(!deployable_tags(&detail).is_empty(), expected, "{detail:?}");
        }
    }
}

//! The image that somebody names, and what ECR has under that name.

use crate::error::Error;
use aws_sdk_ecr::types::{ImageDetail, ImageIdentifier};
use ecr_deploy::domain::image::{AccountId, EcrRegistry, ImageDigest, ImageTag, RepositoryName};
use ecr_deploy::error::Error as OfAws;
use std::str::FromStr;

/// An image as it is named: `shop/web:v2`, `shop/web@sha256:…`, or with both. The name of a registry of ECR may stand before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The registry; `None` for one's own.
    pub registry: Option<EcrRegistry>,
    /// The repository.
    pub repository: RepositoryName,
    /// The tag.
    pub tag: Option<ImageTag>,
    /// The digest.
    pub digest: Option<ImageDigest>,
}

/// An image that is in ECR, with the tag by which stages decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The account of the registry.
    pub registry: AccountId,
    /// The repository.
    pub repository: RepositoryName,
    /// The tag.
    pub tag: ImageTag,
    /// The digest.
    pub digest: ImageDigest,
}

impl FromStr for Named {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refused = |problem: &str| {
            Error::Usage(format!(
                "{text:?} names no image: {problem}. Name it as shop/web:v2 or shop/web@sha256:…"
            ))
        };
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (
                name,
                Some(digest.parse().map_err(|_| refused("the digest cannot be read"))?),
            ),
            None => (text, None),
        };
        let (registry, path) = match name.split_once('/') {
            Some((host, path)) if is_of_ecr(host) => match EcrRegistry::of_host(host) {
                Some(registry) => (Some(registry), path),
                None => return Err(refused("its registry is none of ECR's")),
            },
            _ => (None, name),
        };
        let (repository, tag) = match path.rsplit_once(':') {
            Some((repository, tag)) => (
                repository,
                Some(tag.parse().map_err(|_| refused("the tag cannot be read"))?),
            ),
            None => (path, None),
        };
        if tag.is_none() && digest.is_none() {
            return Err(refused("it has neither a tag nor a digest"));
        }
        Ok(Self {
            registry,
            repository: repository
                .parse()
                .map_err(|_| refused("the repository cannot be read"))?,
            tag,
            digest,
        })
    }
}

/// True if a host is one of ECR's: the name of a repository has no such part.
fn is_of_ecr(host: &str) -> bool {
    let labels: Vec<&str> = host.split('.').collect();
    let is_ecr = |label: &str| label.starts_with("ecr");
    labels.get(1).is_some_and(|label| label.starts_with("dkr-ecr"))
        || (labels.get(1) == Some(&"dkr") && labels.get(2).is_some_and(|label| is_ecr(label)))
}

impl Named {
    /// Judges whether its registry is one of this region: an installation deploys images of its own region.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] where it is in another one.
    pub fn assert_in(&self, region: &str) -> Result<(), Error> {
        match &self.registry {
            Some(registry) if registry.region.as_str() != region => Err(Error::Usage(format!(
                "{self} is named in {}, and the installation is in {region}, whose images it deploys. Name the region of the \
                 installation by --region, or the image without a registry",
                registry.region
            ))),
            _ => Ok(()),
        }
    }

    /// Reads it from ECR of the region.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] where it is named in another region; [`Error::NotFound`] where ECR has no such image; those of the choice
    /// between several.
    pub async fn find(&self, ecr: &aws_sdk_ecr::Client, region: &str) -> Result<Stored, Error> {
        self.assert_in(region)?;
        let id = ImageIdentifier::builder()
            .set_image_tag(self.tag.as_ref().map(ToString::to_string))
            .set_image_digest(self.digest.as_ref().map(ToString::to_string));
        let request = ecr
            .describe_images()
            .set_registry_id(self.registry.as_ref().map(|it| it.account.to_string()))
            .repository_name(self.repository.as_str())
            .image_ids(id.build());
        let call = format!("DescribeImages of {self}");
        let described = request.send().await.map_err(|error| OfAws::from_aws(&call, &error));
        let details = match described {
            Ok(described) => described.image_details.unwrap_or_default(),
            Err(OfAws::NotFound(answer)) => return Err(self.missing(&answer)),
            Err(error) => return Err(error.into()),
        };
        // ECR answers with an error. Should it ever answer with nothing, that says the same.
        let detail = details.into_iter().next().ok_or_else(|| self.missing(""))?;
        self.chosen(&detail)
    }

    fn missing(&self, answer: &str) -> Error {
        let what = if answer.contains("RepositoryNotFoundException") {
            format!(
                "there is no repository {} in ECR, in this account and region",
                self.repository
            )
        } else {
            format!("{self} is not in ECR")
        };
        Error::NotFound(format!("{what}. Push it first, or correct the name"))
    }

    /// The image, with the tag by which stages decide: the one that was named, or the only one that it has.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] where it has no tag, or several.
    fn chosen(&self, detail: &ImageDetail) -> Result<Stored, Error> {
        let unreadable = |member: &str| {
            Error::other_version(
                format_args!("ECR's answer for {self}"),
                format_args!("it has no {member}"),
            )
        };
        let tag = match (&self.tag, detail.image_tags()) {
            (Some(tag), _) => tag.clone(),
            (None, [only]) => only.parse().map_err(|_| unreadable("tag that can be read"))?,
            (None, []) => {
                return Err(Error::Usage(format!(
                    "{self} has no tag, and stages decide by tags: give it one first (docker push, or aws ecr put-image)"
                )));
            }
            (None, several) => {
                return Err(Error::Usage(format!(
                    "{self} has several tags, and stages decide by one: name it as well, as in {}:{}@{}. It has {}",
                    self.repository,
                    several[0],
                    self.digest.as_ref().map(ToString::to_string).unwrap_or_default(),
                    several.join(", ")
                )));
            }
        };
        let read = |text: Option<&str>| text.unwrap_or_default().to_owned();
        Ok(Stored {
            registry: read(detail.registry_id()).parse().map_err(|_| unreadable("registry"))?,
            repository: self.repository.clone(),
            tag,
            digest: read(detail.image_digest()).parse().map_err(|_| unreadable("digest"))?,
        })
    }
}

impl std::fmt::Display for Named {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.repository)?;
        self.tag.iter().try_for_each(|tag| write!(formatter, ":{tag}"))?;
        self.digest.iter().try_for_each(|digest| write!(formatter, "@{digest}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:eaa261b73dcc87f1a1880a6320a06867fcb6db77b4bb6139cf9b9059c9af95eb";

    #[test]
    fn an_image_is_named_by_repository_and_tag_or_digest() {
        let full = format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/web:v2@{DIGEST}");
        for (text, expected) in [
            ("shop/web:v2", "None shop/web:v2".to_owned()),
            ("web:v2", "None web:v2".to_owned()),
            (&format!("shop/web@{DIGEST}"), format!("None shop/web@{DIGEST}")),
            (&format!("shop/web:v2@{DIGEST}"), format!("None shop/web:v2@{DIGEST}")),
            (&full, format!("123456789012 eu-west-1 shop/web:v2@{DIGEST}")),
            (
                "123456789012.dkr-ecr.us-east-1.on.aws/shop/web:v2",
                "123456789012 us-east-1 shop/web:v2".to_owned(),
            ),
            (
                "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com/web:v2",
                "123456789012 us-gov-west-1 web:v2".to_owned(),
            ),
            ("my.dkr/web:v2", "None my.dkr/web:v2".to_owned()),
        ] {
            let named: Named = text.parse().unwrap();
            let registry = named.registry.as_ref();
            let registry = registry.map_or("None".to_owned(), |it| format!("{} {}", it.account, it.region));
            assert_eq!(format!("{registry} {named}"), expected);
        }
    }

    #[test]
    fn a_text_that_names_no_image_is_refused_with_the_reason() {
        for (text, reason) in [
            ("shop/web", "neither a tag nor a digest"),
            ("shop/web@v2", "the digest cannot be read"),
            ("shop/web:", "the tag cannot be read"),
            (":v2", "the repository cannot be read"),
            ("Shop/Web:v2", "the repository cannot be read"),
            (
                "me.dkr.ecr.eu-west-1.amazonaws.com/web:v2",
                "its registry is none of ECR's",
            ),
            ("me.dkr-ecr.eu-west-1.on.aws/web:v2", "its registry is none of ECR's"),
        ] {
            let error = text.parse::<Named>().unwrap_err();
            assert_eq!(error.name(), "Command.Usage");
            assert!(error.to_string().contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn an_image_of_another_region_is_refused() {
        let host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/web:v2";
        for (text, region, is_refused) in [
            (host, "eu-west-1", false),
            (host, "us-east-1", true),
            ("web:v2", "us-east-1", false),
        ] {
            let judged = text.parse::<Named>().unwrap().assert_in(region);
            assert_eq!(judged.is_err(), is_refused, "{text} {region}");
            if let Err(error) = judged {
                assert_eq!(error.exit().code(), 2);
                assert!(error.to_string().contains("is named in eu-west-1"), "{error}");
            }
        }
    }

    #[test]
    fn the_tag_is_the_one_that_was_named_or_the_only_one() {
        let detail = |tags: &[&str]| {
            let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
            let detail = ImageDetail::builder().registry_id("123456789012").image_digest(DIGEST);
            detail.set_image_tags(Some(tags)).build()
        };
        for (named, tags, expected) in [
            ("web:v2".to_owned(), vec!["v1", "v2"], "v2"),
            (format!("web:v2@{DIGEST}"), vec!["v1", "v2"], "v2"),
            (format!("web@{DIGEST}"), vec!["v1"], "v1"),
            (format!("web@{DIGEST}"), vec!["v1", "v2"], "several tags"),
            (format!("web@{DIGEST}"), vec![], "no tag"),
        ] {
            let named: Named = named.parse().unwrap();
            match named.chosen(&detail(&tags)) {
                Ok(stored) => assert_eq!(stored.tag.as_str(), expected),
                Err(error) => assert!(error.to_string().contains(expected), "{error}"),
            }
        }
    }
}

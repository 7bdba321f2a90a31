use super::*;
use proptest::prelude::*;

const DIGEST: &str = "sha256:eaa261b73dcc87f1a1880a6320a06867fcb6db77b4bb6139cf9b9059c9af95eb";

fn reference(text: &str) -> ImageReference {
    text.parse().unwrap()
}

fn registry(account: &str, region: &str) -> EcrRegistry {
    EcrRegistry {
        account: account.parse().unwrap(),
        region: region.parse().unwrap(),
    }
}

#[test]
fn every_host_name_of_an_ecr_registry_is_that_registry() {
    for (host, region) in [
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "eu-west-1"),
        ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("123456789012.dkr-ecr.eu-west-1.on.aws", "eu-west-1"),
        ("123456789012.dkr-ecr-fips.us-east-1.on.aws", "us-east-1"),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        (
            "123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn",
            "cn-north-1",
        ),
        ("123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
        ("123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1"),
        (
            "123456789012.dkr.ecr-fips.us-isof-south-1.csp.hci.ic.gov",
            "us-isof-south-1",
        ),
        ("123456789012.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk", "eu-isoe-west-1"),
    ] {
        let image = reference(&format!("{host}/team/app:v1"));
        assert_eq!(image.registry(), Some(&registry("123456789012", region)), "{host}");
        assert_eq!(image.repository().as_str(), "team/app");
    }
}

#[test]
fn what_only_reads_like_an_ecr_host_is_another_registry() {
    for host in [
        "12345678901.dkr.ecr.eu-west-1.amazonaws.com",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example",
        "123456789012.dkr.ecr.eu-west-1.example.com",
        "123456789012.dkr.ecr..amazonaws.com",
        "123456789012.ecr.eu-west-1.amazonaws.com",
        "123456789012.dkr.ecr.us-iso-east-1.ic.gov",
        "public.ecr.aws",
        "localhost:5000",
    ] {
        if let Ok(image) = format!("{host}/app:v1").parse::<ImageReference>() {
            assert_eq!(image.registry(), None, "{host}");
        }
    }
}

#[test]
fn tag_digest_port_and_nested_names_are_told_apart() {
    let table: [(&str, &str, Option<&str>, bool); 9] = [
        ("app", "app", None, false),
        ("app:v1", "app", Some("v1"), false),
        ("library/app:v1", "library/app", Some("v1"), false),
        ("localhost/app", "app", None, false),
        ("registry.example.com:5000/a/b/c", "a/b/c", None, false),
        ("registry.example.com:5000/a/b/c:v1", "a/b/c", Some("v1"), false),
        ("quay.io/a/b@DIGEST", "a/b", None, true),
        ("quay.io/a/b:v1@DIGEST", "a/b", Some("v1"), true),
        (
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app:v1@DIGEST",
            "team/app",
            Some("v1"),
            true,
        ),
    ];
    for (text, repository, tag, pinned) in table {
        let image = reference(&text.replace("DIGEST", DIGEST));
        assert_eq!(image.repository().as_str(), repository, "{text}");
        assert_eq!(image.tag().map(ImageTag::as_str), tag, "{text}");
        assert_eq!(image.digest().is_some(), pinned, "{text}");
    }
}

#[test]
fn what_is_no_reference_is_refused() {
    for text in [
        "",
        ":v1",
        "app:",
        "app@",
        "app@sha256:12",
        "APP",
        "<IMAGE1_NAME>",
        "a//b",
        "a..b",
        "a_-b",
        "a___b",
        "/app",
        "app/",
        "app:v1:v2",
        "host.example.com:port/app",
        "host.example.com:99999/app",
        "host.example.com:+80/app",
        "-host..com/app",
        "-host.com/app",
        "host-.com/app",
        "app:-v1",
        "app v1",
    ] {
        assert!(text.parse::<ImageReference>().is_err(), "{text:?}");
    }
}

#[test]
fn matches_registry_and_repository_exactly() {
    let ours = registry("123456789012", "eu-west-1");
    let app: RepositoryName = "app".parse().unwrap();
    for (text, matches) in [
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:v1", true),
        ("123456789012.dkr-ecr.eu-west-1.on.aws/app@DIGEST", true),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/app-worker:v1", false),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app:v1", false),
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com/app:v1", false),
        ("210987654321.dkr.ecr.eu-west-1.amazonaws.com/app:v1", false),
        ("app:v1", false),
    ] {
        assert_eq!(
            reference(&text.replace("DIGEST", DIGEST)).is_of(&ours, &app),
            matches,
            "{text}"
        );
    }
}

#[test]
fn a_new_tag_or_digest_replaces_both_and_keeps_the_host() {
    let image = reference(&format!(
        "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com/app:v1@{DIGEST}"
    ));
    assert_eq!(
        image.at_tag("v2".parse().unwrap()).to_string(),
        "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com/app:v2"
    );
    assert_eq!(
        image.at_digest(DIGEST.parse().unwrap()).to_string(),
        format!("123456789012.dkr.ecr-fips.us-east-1.amazonaws.com/app@{DIGEST}")
    );
}

proptest! {
    #[test]
    fn any_text_is_refused_or_written_back_to_the_letter(text in "[ -~]{0,80}|([a-z0-9.-]{1,12}(:[0-9]{1,5})?/)?[a-z0-9/._-]{1,20}(:[A-Za-z0-9_.-]{1,12})?") {
        if let Ok(image) = text.parse::<ImageReference>() {
            prop_assert_eq!(image.to_string(), text);
        }
    }
}

"""ECR's events: every PutImage, whoever made it, becomes what AWS would put on the event bus.

AWS tells of a push twice: by CloudTrail (where a trail logs management events; also of a PutImage that failed) and by ECR
itself (only of one that succeeded). MiniStack's ECR tells of none.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html
https://docs.aws.amazon.com/AmazonECR/latest/userguide/logging-using-cloudtrail.html

Where nobody can push what a scenario needs (an event twice, a malformed one), `dispatch` takes a whole event and gives it to
MiniStack's rules as it is: PutEvents refuses the sources of AWS's own services, as on AWS.
"""

import datetime
import functools
import json
import uuid

from ministack.core.responses import error_response_json, get_account_id, get_region, request_scope
from ministack.services import ecr, eventbridge


# The API's names of the registry's refusals.
_REFUSALS = {
    "NAME_UNKNOWN": "RepositoryNotFoundException",
    "TAG_INVALID": "ImageTagAlreadyExistsException",
}


def add() -> None:
    """Wraps the two ways into MiniStack's ECR, the API's PutImage and the registry's manifest upload, and what it tells of an
    image."""
    ecr._put_image = _telling_of_put_image(ecr._put_image)
    ecr._v2_put_manifest = _telling_of_manifest_upload(ecr._v2_put_manifest)
    ecr._describe_images = _telling_of_artifacts(ecr._describe_images)


def _telling_of_put_image(put_image):
    """PutImage as the SDK, the CLI and Step Functions' own integration call it."""

    @functools.wraps(put_image)
    def wrapped(request):
        status, headers, body = _refusal_of_no_change(request) or put_image(request)
        answer = json.loads(body)
        if status == 200:
            _tell(request, answer["image"])
        else:
            _tell(request, None, answer["__type"].rsplit("#", 1)[-1], answer.get("message", ""))
        return status, headers, body

    return wrapped


def _refusal_of_no_change(request):
    """AWS refuses to put a tag where it already is; MiniStack puts it once more."""
    digest = request.get("imageDigest") or ecr._image_digest(request.get("imageManifest", ""))
    for image in ecr._images.get(request.get("repositoryName", ""), []):
        if image["imageDigest"] == digest and request.get("imageTag") in image.get("imageTags", []):
            return error_response_json(
                "ImageAlreadyExistsException",
                f"Image with digest '{digest}' and tag '{request['imageTag']}' already exists",
                400,
            )
    return None


def _telling_of_manifest_upload(put_manifest):
    """`docker push` ends in a manifest upload, which AWS records as a PutImage too."""

    @functools.wraps(put_manifest)
    def wrapped(repository, reference, headers, body):
        answer = put_manifest(repository, reference, headers, body)
        manifest = body.decode() if isinstance(body, bytes) else body
        request = {"repositoryName": repository, "imageManifest": manifest}
        if headers.get("content-type"):
            request["imageManifestMediaType"] = headers["content-type"]
        if not reference.startswith("sha256:"):
            request["imageTag"] = reference
        if answer[0] == 201:
            image_id = {"imageDigest": answer[1]["Docker-Content-Digest"]}
            if "imageTag" in request:
                image_id["imageTag"] = request["imageTag"]
            _tell(request, {"imageId": image_id})
        else:
            refused = json.loads(answer[2])["errors"][0]
            _tell(request, None, _REFUSALS.get(refused["code"], "InvalidParameterException"), refused["message"])
        return answer

    return wrapped


def _tell(request, image, error_code=None, error_message=None):
    """Puts both events of one PutImage on the default bus, through MiniStack's own rules.

    `image` is the image of a successful answer, and None for a failed one.
    """
    account, region = get_account_id(), get_region()
    repository, tag = request.get("repositoryName", ""), request.get("imageTag")
    resources = [{"accountId": account, "ARN": f"arn:aws:ecr:{region}:{account}:repository/{repository}"}]
    call = {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": account,
            "arn": f"arn:aws:iam::{account}:root",
            "accountId": account,
        },
        "eventTime": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": "ecr.amazonaws.com",
        "eventName": "PutImage",
        "awsRegion": region,
        "sourceIPAddress": "127.0.0.1",
        "userAgent": "local-aws",
        "requestParameters": {"registryId": account, **request},
        "responseElements": None,
        "requestID": str(uuid.uuid4()),
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "resources": resources,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
    }
    if image is None:
        call |= {"errorCode": error_code, "errorMessage": error_message}
        _put("AWS API Call via CloudTrail", call)
        return

    call["responseElements"] = {
        "image": {
            "repositoryName": repository,
            "imageManifest": request.get("imageManifest", ""),
            "registryId": account,
            "imageId": {"imageDigest": image["imageId"]["imageDigest"], **({"imageTag": tag} if tag else {})},
        }
    }
    _put("AWS API Call via CloudTrail", call)

    action = {
        "result": "SUCCESS",
        "repository-name": repository,
        "image-digest": image["imageId"]["imageDigest"],
        "action-type": "PUSH",
        "image-tag": tag or "",
    }
    manifest = _manifest(request.get("imageManifest", ""))
    media_type = request.get("imageManifestMediaType") or manifest.get("mediaType")
    if media_type:
        action["manifest-media-type"] = media_type
    if _artifact_media_type(manifest):
        action["artifact-media-type"] = _artifact_media_type(manifest)
    _put("ECR Image Action", action)


def _manifest(text) -> dict:
    try:
        manifest = json.loads(text)
    except ValueError:
        return {}
    return manifest if isinstance(manifest, dict) else {}


def _artifact_media_type(manifest):
    """What ECR calls the media type of the artifact: `artifactType`, else that of the config. An index has neither."""
    return manifest.get("artifactType") or (manifest.get("config") or {}).get("mediaType")


def _telling_of_artifacts(describe_images):
    """MiniStack repeats the media type of the manifest where AWS tells that of the artifact."""

    @functools.wraps(describe_images)
    def wrapped(request):
        status, headers, body = describe_images(request)
        if status != 200:
            return status, headers, body
        answer = json.loads(body)
        held = {image["imageDigest"]: image for image in ecr._images.get(request.get("repositoryName", ""), [])}
        for detail in answer["imageDetails"]:
            detail.pop("artifactMediaType", None)
            artifact = _artifact_media_type(_manifest(held[detail["imageDigest"]].get("imageManifest", "")))
            if artifact:
                detail["artifactMediaType"] = artifact
        return status, headers, json.dumps(answer)

    return wrapped


def _put(detail_type, detail):
    entry = {"Source": "aws.ecr", "DetailType": detail_type, "Detail": json.dumps(detail), "Resources": []}
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


def dispatch(event) -> None:
    """Gives the rules of the default bus one event, in the form in which EventBridge delivers it."""
    record = {
        "EventId": event["id"],
        "Source": event["source"],
        "DetailType": event["detail-type"],
        "Detail": json.dumps(event["detail"]),
        "EventBusName": "default",
        "Time": int(datetime.datetime.fromisoformat(event["time"]).timestamp()),
        "Resources": event["resources"],
        "Account": event["account"],
        "Region": event["region"],
    }
    with request_scope(event["account"], event["region"]):
        eventbridge._dispatch_event(record)

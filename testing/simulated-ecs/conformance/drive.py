"""Drives every operation of the simulated ECS with boto3, and holds every answer to botocore's model.

python drive.py URL

An answer is checked before botocore parses it (parsing drops what the model does not know): members, types, enums,
required members; for an error, that the operation can answer it. The end: every operation of shapes.json was answered at
least once with success, the paginators saw everything once, the waiter saw the service stable; and whatever the model has
of these operations is known to the simulation, or listed with a reason (members.py).
"""

import hashlib
import json
import pathlib
import sys
import time
import urllib.request

import boto3
import botocore
import botocore.exceptions
from botocore.config import Config

import extract_shapes
import members

URL = sys.argv[1]
SHAPES = json.loads((pathlib.Path(__file__).parent.parent / "src" / "shapes.json").read_text())
# Errors that every operation of AWS can answer, which the model of an operation does not list.
COMMON = {"ThrottlingException", "AccessDeniedException", "SerializationException", "UnknownOperationException"}
SCALARS = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float),
}

faults = []
succeeded = {"ecs": set(), "ecr": set()}
# The members, as Structure.member, that an answer had.
answered = set()
# A deployment is at this stage while a hook of it waits there: the model lists it for hooks alone.
UNLISTED = {"ServiceDeploymentLifecycleStage": ["PRE_PRODUCTION_TRAFFIC_SHIFT"]}


def check(value, shape, path):
    """Appends to faults whatever in an answer does not fit the shape."""
    match shape.type_name:
        case "structure":
            if not isinstance(value, dict):
                faults.append(f"{path} is not a structure")
                return
            for key, item in value.items():
                if key not in shape.members:
                    faults.append(f"{path}.{key} is not in the model")
                else:
                    answered.add(f"{shape.name}.{key}")
                    check(item, shape.members[key], f"{path}.{key}")
            faults.extend(f"{path}.{key} is missing" for key in shape.required_members if key not in value)
        case "list":
            if not isinstance(value, list):
                faults.append(f"{path} is not a list")
                return
            for index, item in enumerate(value):
                check(item, shape.member, f"{path}[{index}]")
        case "map":
            for key, item in value.items():
                check(item, shape.value, f"{path}.{key}")
        case scalar:
            if not isinstance(value, SCALARS[scalar]) or (scalar != "boolean" and isinstance(value, bool)):
                faults.append(f"{path} is {value!r}, not a {scalar}")
            elif getattr(shape, "enum", None) and value not in [*shape.enum, *UNLISTED.get(shape.name, [])]:
                faults.append(f"{path} is {value!r}, not one of {shape.enum}")


def before_parse(operation_model, response_dict, **_):
    body, name = json.loads(response_dict["body"]), operation_model.name
    if response_dict["status_code"] == 200:
        check(body, operation_model.output_shape, name)
        succeeded[operation_model.service_model.endpoint_prefix.removeprefix("api.")].add(name)
        return
    code = body["__type"]
    if code not in COMMON and code not in {error.name for error in operation_model.error_shapes}:
        faults.append(f"{name} answered {code}, which is not modelled for it")


def client(service, **config):
    made = boto3.client(
        service,
        endpoint_url=URL,
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, **config),
    )
    made.meta.events.register("before-parse.*.*", before_parse)
    return made


ecs, ecr = client("ecs"), client("ecr")
# AWS's checks, not botocore's: what this client sends is refused by the server or by nobody.
unchecked = client("ecs", parameter_validation=False)


def refused(code, call, **request):
    try:
        call(**request)
    except botocore.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != code:
            faults.append(f"{call.__name__}({request}) answered {error}, not {code}")
    else:
        faults.append(f"{call.__name__}({request}) was not refused")


def until(what, condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"never came to be: {what}\n" + "\n".join(faults))
        time.sleep(0.05)


def document(image, **more):
    container = {"name": "app", "image": image, "essential": True, "portMappings": [{"containerPort": 80}], **more}
    return {"family": "web", "containerDefinitions": [container], "cpu": "256", "memory": "512"}


def images():
    repository = ecr.create_repository(repositoryName="web", imageTagMutability="MUTABLE")["repository"]
    for tag in ["v1", "exit-early", "v2"]:
        manifest = json.dumps({"schemaVersion": 2, "annotations": {"tag": tag}})
        ecr.put_image(repositoryName="web", imageManifest=manifest, imageTag=tag)
    ecr.describe_repositories(repositoryNames=["web"])
    found = ecr.describe_images(repositoryName="web", imageIds=[{"imageTag": "v1"}])["imageDetails"][0]
    assert len(list(ecr.get_paginator("list_images").paginate(repositoryName="web", PaginationConfig={"PageSize": 1}))) == 3
    held = ecr.batch_get_image(repositoryName="web", imageIds=[{"imageTag": "v1"}, {"imageTag": "none"}])
    assert len(held["images"]) == 1 and len(held["failures"]) == 1
    manifest = held["images"][0]["imageManifest"]
    ecr.put_image(repositoryName="web", imageManifest=manifest, imageTag="latest")
    refused("ImageAlreadyExistsException", ecr.put_image, repositoryName="web", imageManifest=manifest, imageTag="latest")
    refused("RepositoryNotFoundException", ecr.describe_images, repositoryName="none")
    refused("ImageNotFoundException", ecr.describe_images, repositoryName="web", imageIds=[{"imageTag": "none"}])
    refused("RepositoryAlreadyExistsException", ecr.create_repository, repositoryName="web")
    ecr.batch_delete_image(repositoryName="web", imageIds=[{"imageTag": "latest"}, {"imageTag": "none"}])
    assert found["imageTags"] == ["v1"]
    return repository["repositoryUri"]


def layers():
    ecr.create_repository(repositoryName="spare")
    blob = b"a layer"
    digest = "sha256:" + hashlib.sha256(blob).hexdigest()
    of = {"repositoryName": "spare", "uploadId": ecr.initiate_layer_upload(repositoryName="spare")["uploadId"]}
    refused("EmptyUploadException", ecr.complete_layer_upload, **of, layerDigests=[digest])
    part = {"partFirstByte": 0, "partLastByte": len(blob) - 1, "layerPartBlob": blob}
    refused("UploadNotFoundException", ecr.upload_layer_part, **of | {"uploadId": "none"}, **part)
    refused("InvalidLayerPartException", ecr.upload_layer_part, **of, **part | {"partFirstByte": 1})
    ecr.upload_layer_part(**of, **part)
    refused("InvalidLayerException", ecr.complete_layer_upload, **of, layerDigests=[digest[:-1] + "!"])
    assert ecr.complete_layer_upload(**of, layerDigests=[digest])["layerDigest"] == digest
    manifest = json.dumps({"schemaVersion": 2, "config": {"digest": digest}, "layers": [{"digest": digest}]})
    missing = manifest.replace(digest[-4:], "0000")
    refused("LayersNotFoundException", ecr.put_image, repositoryName="spare", imageManifest=missing, imageTag="v1")
    put = ecr.put_image(repositoryName="spare", imageManifest=manifest)["image"]["imageId"]["imageDigest"]
    index = json.dumps({"schemaVersion": 2, "manifests": [{"digest": put}]})
    missing = index.replace(put[-4:], "0000")
    refused("ReferencedImagesNotFoundException", ecr.put_image, repositoryName="spare", imageManifest=missing, imageTag="v1")
    ecr.put_image(repositoryName="spare", imageManifest=index, imageTag="v1")
    refused("RepositoryNotEmptyException", ecr.delete_repository, repositoryName="spare")
    ecr.delete_repository(repositoryName="spare", force=True)
    refused("RepositoryNotFoundException", ecr.delete_repository, repositoryName="spare")


def task_definitions(uri):
    tags = [{"key": "team", "value": "web"}]
    check = {"command": ["CMD", "true"]}
    first = ecs.register_task_definition(**document(f"{uri}:v1", healthCheck=check), tags=tags)["taskDefinition"]
    ecs.register_task_definition(**document(f"{uri}:exit-early"))
    ecs.register_task_definition(**document(f"{uri}:v2"))
    described = ecs.describe_task_definition(taskDefinition="web:1", include=["TAGS"])
    assert described["tags"] == tags
    ecs.list_task_definitions(familyPrefix="web", status="ACTIVE", sort="DESC")
    ecs.list_task_definition_families(familyPrefix="w", status="ACTIVE")
    spare = ecs.register_task_definition(**document(f"{uri}:v1"))["taskDefinition"]["taskDefinitionArn"]
    ecs.deregister_task_definition(taskDefinition=spare)
    arn = first["taskDefinitionArn"]
    ecs.tag_resource(resourceArn=arn, tags=[{"key": "more", "value": "1"}])
    ecs.untag_resource(resourceArn=arn, tagKeys=["team"])
    assert ecs.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "more", "value": "1"}]
    refused("ClientException", ecs.describe_task_definition, taskDefinition="none")
    return spare


def services():
    ecs.create_service(
        cluster="blue",
        serviceName="web",
        taskDefinition="web:1",
        desiredCount=2,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
        deploymentConfiguration={
            "minimumHealthyPercent": 100,
            "maximumPercent": 200,
            "deploymentCircuitBreaker": {"enable": True, "rollback": True},
            "alarms": {"enable": False, "rollback": False, "alarmNames": ["errors"]},
        },
        tags=[{"key": "team", "value": "web"}],
    )
    ecs.get_waiter("services_stable").wait(cluster="blue", services=["web"], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    for number in range(24):
        ecs.create_service(cluster="blue", serviceName=f"idle-{number}", taskDefinition="web:1", desiredCount=0)
    pages = list(ecs.get_paginator("list_services").paginate(cluster="blue"))
    arns = [arn for page in pages for arn in page["serviceArns"]]
    assert [len(page["serviceArns"]) for page in pages] == [10, 10, 5] and len(set(arns)) == 25, pages
    described = ecs.describe_services(cluster="blue", services=["web", "none"], include=["TAGS"])
    assert described["services"][0]["tags"] and described["failures"][0]["reason"] == "MISSING"


def rollouts():
    def statuses():
        listed = ecs.list_service_deployments(cluster="blue", service="web")["serviceDeployments"]
        return [deployment["status"] for deployment in listed]

    # "Stable" for the waiter is earlier than COMPLETED, and only what has completed can be gone back to.
    until("a first deployment", lambda: statuses() == ["SUCCESSFUL"])
    ecs.update_service(cluster="blue", service="web", taskDefinition="web:2")
    until("a rollback by the circuit breaker", lambda: statuses()[0] == "ROLLBACK_SUCCESSFUL")
    stopped = ecs.list_tasks(cluster="blue", serviceName="web", desiredStatus="STOPPED")["taskArns"]
    codes = {task.get("stopCode") for task in ecs.describe_tasks(cluster="blue", tasks=stopped[:100])["tasks"]}
    assert "EssentialContainerExited" in codes, codes
    ecs.update_service(cluster="blue", service="web", taskDefinition="web:3")
    newest = ecs.list_service_deployments(cluster="blue", service="web")["serviceDeployments"][0]
    arn = newest["serviceDeploymentArn"]
    ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
    until("a rollback on request", lambda: statuses()[0] == "ROLLBACK_SUCCESSFUL")
    refused("ConflictException", ecs.stop_service_deployment, serviceDeploymentArn=arn)
    described = ecs.describe_service_deployments(serviceDeploymentArns=[arn, arn + "0"])
    assert len(described["serviceDeployments"]) == 1 and len(described["failures"]) == 1
    target = described["serviceDeployments"][0]["rollback"]["serviceRevisionArn"]
    revision = ecs.describe_service_revisions(serviceRevisionArns=[target])["serviceRevisions"][0]
    assert revision["containerImages"][0]["imageDigest"].startswith("sha256:")
    ecs.update_service(
        cluster="blue",
        service="web",
        taskDefinition="web:3",
        deploymentConfiguration={"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 5},
    )
    until("a blue/green deployment that bakes", lambda: ecs.describe_service_deployments(
        serviceDeploymentArns=[
            ecs.list_service_deployments(cluster="blue", service="web")["serviceDeployments"][0]["serviceDeploymentArn"]
        ]
    )["serviceDeployments"][0].get("lifecycleStage") == "BAKE_TIME")
    until("a blue/green deployment", lambda: statuses()[0] == "SUCCESSFUL")
    pause = {
        "targetType": "PAUSE",
        "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"],
        "timeoutConfiguration": {"timeoutInMinutes": 1440, "action": "ROLLBACK"},
    }
    function = {
        "hookTargetArn": "arn:aws:lambda:eu-west-1:123456789012:function:check",
        "roleArn": "arn:aws:iam::123456789012:role/hooks",
        "lifecycleStages": ["POST_SCALE_UP"],
    }
    ecs.update_service(
        cluster="blue",
        service="web",
        forceNewDeployment=True,
        deploymentConfiguration={"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0, "lifecycleHooks": [function, pause]},
    )

    def newest():
        arn = ecs.list_service_deployments(cluster="blue", service="web")["serviceDeployments"][0]["serviceDeploymentArn"]
        return ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]

    until("a pause after a function", lambda: [hook["status"] for hook in newest().get("lifecycleHookDetails", [])] == [
        "SUCCEEDED", "AWAITING_ACTION"
    ])
    paused = newest()
    of_it = {"serviceDeploymentArn": paused["serviceDeploymentArn"], "hookId": paused["lifecycleHookDetails"][1]["hookId"]}
    refused("InvalidParameterException", ecs.continue_service_deployment, **{**of_it, "hookId": "none"})
    ecs.continue_service_deployment(**of_it, action="CONTINUE")
    refused("ClientException", ecs.continue_service_deployment, **of_it)
    until("a deployment that was continued", lambda: statuses()[0] == "SUCCESSFUL")
    ecs.update_service(cluster="blue", service="web", deploymentConfiguration={"strategy": "ROLLING", "lifecycleHooks": []})


def settings():
    """Services whose rollouts ECS judges by settings of their own, and one in Express Mode."""
    ecs.create_cluster(
        clusterName="green",
        settings=[{"name": "containerInsights", "value": "enabled"}],
        configuration={"executeCommandConfiguration": {"logging": "DEFAULT"}},
        capacityProviders=["FARGATE"],
        defaultCapacityProviderStrategy=[{"capacityProvider": "FARGATE", "weight": 1, "base": 0}],
    )
    ecs.describe_clusters(clusters=["green"], include=["TAGS", "SETTINGS", "STATISTICS", "CONFIGURATIONS"])
    group = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web-drains-300/73e2d6bc24d8a067"
    ecs.create_service(
        cluster="green",
        serviceName="web",
        taskDefinition="web:1",
        desiredCount=2,
        deploymentConfiguration={
            "deploymentCircuitBreaker": {
                "enable": True,
                "rollback": True,
                "resetOnHealthyTask": False,
                "thresholdConfiguration": {"type": "COUNT", "value": 2},
            },
            "earlySuccessCriteria": {"enable": True, "healthyPercent": 50, "sourceServiceRevisionCleanup": "DEFERRED"},
            "maximumPercent": 200,
            "minimumHealthyPercent": 100,
        },
        loadBalancers=[{"targetGroupArn": group, "containerName": "app", "containerPort": 80}],
        placementConstraints=[{"type": "distinctInstance"}],
        placementStrategy=[{"type": "spread", "field": "attribute:ecs.availability-zone"}],
        capacityProviderStrategy=[{"capacityProvider": "FARGATE", "weight": 1, "base": 0}],
        healthCheckGracePeriodSeconds=60,
        availabilityZoneRebalancing="ENABLED",
    )
    for name, strategy in [
        ("linear", {"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 50.0, "stepBakeTimeInMinutes": 1}}),
        ("canary", {"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 1}}),
    ]:
        ecs.create_service(
            cluster="green", serviceName=name, taskDefinition="web:1", desiredCount=1, deploymentConfiguration=strategy
        )
    ecs.get_waiter("services_stable").wait(cluster="green", services=["web"], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    ecs.update_service(cluster="green", service="web", taskDefinition="web:3", forceNewDeployment=True)

    def draining():
        found = ecs.list_tasks(cluster="green", serviceName="web", desiredStatus="STOPPED")["taskArns"]
        described = ecs.describe_tasks(cluster="green", tasks=found)["tasks"] if found else []
        return any(task["lastStatus"] == "DEACTIVATING" for task in described)

    until("a task that drains", draining)
    ecs.describe_services(cluster="green", services=["web", "linear", "canary"])
    listed = ecs.list_service_deployments(cluster="green", service="web")["serviceDeployments"]
    ecs.describe_service_deployments(serviceDeploymentArns=[listed[0]["serviceDeploymentArn"]])
    seed = json.dumps({"cluster": "green", "serviceName": "express", "express": True}).encode()
    urllib.request.urlopen(urllib.request.Request(f"{URL}/_simulation/services", seed, method="POST")).close()
    express = ecs.describe_services(cluster="green", services=["express"])["services"][0]
    assert "taskDefinition" not in express and express["deployments"][0]["taskDefinition"], express
    for arn in [arn for page in ecs.get_paginator("list_services").paginate(cluster="green") for arn in page["serviceArns"]]:
        ecs.delete_service(cluster="green", service=arn, force=True)


def tasks():
    started = ecs.run_task(cluster="blue", taskDefinition="web:1", count=2, startedBy="test")["tasks"]
    arns = [task["taskArn"] for task in started]
    ecs.describe_tasks(cluster="blue", tasks=[*arns, "0" * 32])
    ecs.stop_task(cluster="blue", task=arns[0], reason="test")
    listed = ecs.list_tasks(cluster="blue", family="web", startedBy="test")["taskArns"]
    assert listed == [arns[1]], listed


def refusals(spare):
    refused("ClientException", ecs.update_service, cluster="blue", service="web", taskDefinition=spare)
    refused("InvalidParameterException", unchecked.describe_services, cluster="blue", services=["web"] * 11)
    refused("InvalidParameterException", unchecked.list_services, cluster="blue", maxResults=101)
    refused("InvalidParameterException", unchecked.update_service, cluster="blue", service="web", desiredCount=-1)
    refused("SerializationException", unchecked.update_service, cluster="blue", service="web", desiredCount="two")
    refused("ClusterNotFoundException", ecs.describe_services, cluster="none", services=["web"])
    refused("ServiceNotFoundException", ecs.update_service, cluster="blue", service="none")
    refused("InvalidParameterException", ecs.delete_service, cluster="blue", service="web")
    refused("ClusterContainsServicesException", ecs.delete_cluster, cluster="blue")


def the_end(spare):
    for arn in [arn for page in ecs.get_paginator("list_services").paginate(cluster="blue") for arn in page["serviceArns"]]:
        ecs.delete_service(cluster="blue", service=arn, force=True)
    refused("ServiceNotActiveException", ecs.update_service, cluster="blue", service="web", desiredCount=1)
    until("services that have drained", lambda: not ecs.list_services(cluster="blue")["serviceArns"])
    ecs.delete_cluster(cluster="blue")
    deleted = ecs.delete_task_definitions(taskDefinitions=[spare, "web:1"])
    assert [it["status"] for it in deleted["taskDefinitions"]] == ["DELETE_IN_PROGRESS"], deleted
    assert len(deleted["failures"]) == 1, deleted
    refused("ClientException", ecs.describe_task_definition, taskDefinition=spare)


ecs.create_cluster(clusterName="blue", tags=[{"key": "team", "value": "web"}])
ecs.describe_clusters(clusters=["blue", "none"], include=["TAGS", "SETTINGS", "STATISTICS", "CONFIGURATIONS"])
ecs.list_clusters()
uri = images()
layers()
spare = task_definitions(uri)
services()
rollouts()
settings()
tasks()
refusals(spare)
the_end(spare)
for service in succeeded:
    faults.extend(f"{name} was never answered" for name in set(SHAPES[service]["operations"]) - succeeded[service])
for service in succeeded:
    if SHAPES["botocore"] == botocore.__version__ and extract_shapes.extract(service) != SHAPES[service]:
        faults.append(f"shapes.json is not what extract_shapes.py makes of {service}")
faults.extend(members.check(answered))
if SHAPES["botocore"] != members.pinned_version():
    faults.append(f"shapes.json is of botocore {SHAPES['botocore']}, and members.json of {members.pinned_version()}: renew both")
if faults:
    sys.exit("\n".join(sorted(set(faults))))
print(f"every operation answered as botocore {botocore.__version__} models it: {sum(map(len, succeeded.values()))}")

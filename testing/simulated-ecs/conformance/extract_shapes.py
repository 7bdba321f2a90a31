"""Writes shapes.json: what AWS's own model (botocore) says about the requests that the simulated ECS serves.

Run with the botocore whose model is wanted:  python extract_shapes.py > ../src/shapes.json

For each operation: its input shape and the errors modelled for it. For each shape reachable from an input: members and
required members, list and string bounds, enum values. Scalars without a bound are named by their type.
"""

import json
import sys

import botocore
import botocore.loaders

OPERATIONS = {
    "ecs": """CreateCluster DeleteCluster DescribeClusters ListClusters CreateService DeleteService DescribeServices
        ListServices UpdateService RegisterTaskDefinition DescribeTaskDefinition DeregisterTaskDefinition
        DeleteTaskDefinitions ListTaskDefinitions ListTaskDefinitionFamilies ListTasks DescribeTasks RunTask StopTask ListServiceDeployments
        DescribeServiceDeployments DescribeServiceRevisions StopServiceDeployment ContinueServiceDeployment TagResource
        UntagResource ListTagsForResource""".split(),
    "ecr": """DescribeImages BatchGetImage PutImage CreateRepository DeleteRepository DescribeRepositories ListImages
        BatchDeleteImage InitiateLayerUpload UploadLayerPart CompleteLayerUpload""".split(),
}
BOUNDS = ("enum", "min", "max")


def reference(model, name, found):
    """The name under which a shape is referred to: its type, where it has no bounds of its own."""
    shape = model["shapes"][name]
    scalar = shape["type"] not in ("structure", "list", "map")
    if scalar and not any(bound in shape for bound in BOUNDS):
        return shape["type"]
    if name not in found:
        found[name] = {}
        found[name].update(compact(model, shape, found))
    return name


def compact(model, shape, found):
    bounds = {bound: shape[bound] for bound in BOUNDS if bound in shape}
    match shape["type"]:
        case "structure":
            members = {key: reference(model, member["shape"], found) for key, member in shape["members"].items()}
            return {"members": members, "required": shape.get("required", [])}
        case "list":
            return {"list": reference(model, shape["member"]["shape"], found), **bounds}
        case "map":
            return {"map": reference(model, shape["value"]["shape"], found)}
        case scalar:
            return {"type": scalar, **bounds}


def extract(service):
    model = botocore.loaders.Loader().load_service_model(service, "service-2")
    shapes, operations = {}, {}
    for name in OPERATIONS[service]:
        operation = model["operations"][name]
        operations[name] = {
            "input": reference(model, operation["input"]["shape"], shapes),
            "errors": sorted(error["shape"] for error in operation.get("errors", [])),
        }
    return {"target": model["metadata"]["targetPrefix"], "operations": operations, "shapes": shapes}


if __name__ == "__main__":
    extracted = {"botocore": botocore.__version__, **{service: extract(service) for service in OPERATIONS}}
    json.dump(extracted, sys.stdout, sort_keys=True, separators=(",", ":"))
    sys.stdout.write("\n")

"""Which members of AWS's model (botocore) the simulated ECS does not know.

A member of an answer is known when the drive saw it in one. A member of a request is known when the simulation's source names it.
Every other one is in unknown.json, with the reason why it may be skipped. So a member that a new model brings is found here: it is
simulated then, or listed with its reason.

The model is pinned: members.json has the members of the newest one. MiniStack pins an older botocore, and may never get ahead of it.
Renewed with the botocore whose model is wanted, beside shapes.json:

    pip install --no-deps --target /tmp/model botocore
    PYTHONPATH=/tmp/model python members.py > members.json
    PYTHONPATH=/tmp/model python extract_shapes.py > ../src/shapes.json
"""

import json
import pathlib
import re
import sys

import botocore
import botocore.loaders
from botocore.model import ServiceModel

import extract_shapes

HERE = pathlib.Path(__file__).parent
SOURCES = HERE.parent / "src"
SIDES = ("requests", "answers")


def members(shape, found):
    """Notes which members each structure has that can be reached from a shape, and which structure each member leads to."""
    match shape.type_name:
        case "structure":
            if shape.name not in found:
                found[shape.name] = {}
                for name, member in shape.members.items():
                    found[shape.name][name] = members(member, found)
            return shape.name
        case "list":
            return members(shape.member, found)
        case "map":
            return members(shape.value, found)
    return None


def model():
    """The members of the requests and of the answers of every operation that is simulated, and the structures these begin with."""
    loader, made = botocore.loaders.Loader(), {"botocore": botocore.__version__}
    for side in SIDES:
        found, roots = {}, []
        for service, operations in extract_shapes.OPERATIONS.items():
            described = ServiceModel(loader.load_service_model(service, "service-2"), service)
            for name in operations:
                operation = described.operation_model(name)
                roots.append(members(operation.input_shape if side == "requests" else operation.output_shape, found))
        made[side] = {"roots": roots, "structures": found}
    return made


def pinned_version():
    """The botocore whose model is pinned."""
    return json.loads((HERE / "members.json").read_text())["botocore"]


def paths(side, kept):
    """Every member as Structure.member: not those that only what is kept as it comes leads to."""
    found, begun, rest = set(), set(), list(side["roots"])
    while rest:
        structure = rest.pop()
        if structure is None or structure in begun:
            continue
        begun.add(structure)
        for name, leads_to in side["structures"][structure].items():
            found.add(f"{structure}.{name}")
            if f"{structure}.{name}" not in kept:
                rest.append(leads_to)
    return found


def named():
    """Every word of the simulation's source outside of its comments."""
    lines = (line for path in SOURCES.glob("*.rs") for line in path.read_text().splitlines())
    return {word for line in lines if not line.lstrip().startswith("//") for word in re.findall(r"\w+", line)}


def by_member(listed):
    """The reason of each member: the file has the members of each reason."""
    return {member: reason for reason, of_reason in listed.items() for member in of_reason}


def check(answered):
    """What is wrong, on both sides. `answered` holds the members, as Structure.member, that answers had."""
    pinned, installed = json.loads((HERE / "members.json").read_text()), model()
    unknown, words, faults = json.loads((HERE / "unknown.json").read_text()), named(), []
    for side in SIDES:
        newer = paths(installed[side], set()) - paths(pinned[side], set())
        faults += [
            f"{side}: botocore {installed['botocore']} has {member}, and members.json, of {pinned['botocore']}, has not: renew it"
            for member in sorted(newer)
        ]
        listed, kept = by_member(unknown[side]["unknown"]), by_member(unknown[side]["kept"])
        reached = paths(pinned[side], kept)
        known = answered if side == "answers" else {member for member in reached if member.split(".")[1] in words}
        faults += [
            f"{side}: botocore {pinned['botocore']} has {member}, which the simulation does not know: simulate it, or list it in "
            f"conformance/unknown.json with the reason why not"
            for member in sorted(reached - kept.keys() - known - listed.keys())
        ]
        faults += [
            f"{side}: {member} is known now: take it out of conformance/unknown.json"
            for member in sorted(listed.keys() & known)
        ]
        faults += [
            f"{side}: botocore {pinned['botocore']} has no {member}, or only within what is kept: take it out of "
            f"conformance/unknown.json"
            for member in sorted((listed.keys() | kept.keys()) - reached)
        ]
    return faults


if __name__ == "__main__":
    json.dump(model(), sys.stdout, sort_keys=True, separators=(",", ":"))
    sys.stdout.write("\n")

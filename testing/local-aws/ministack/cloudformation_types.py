"""CloudFormation's types: what MiniStack's CloudFormation omits and the templates stand on.

* AWS::Logs::QueryDefinition: MiniStack refuses a template that has one. Here a saved query is only kept. Nobody can run it:
  MiniStack's Logs Insights ignores the members of a line.
* AWS::StepFunctions::StateMachineVersion: MiniStack refuses it too, though it has the calls.
* AWS::ECS::Service: a parameter of the type Number is a number where the service takes one; MiniStack hands on its text, and
  fails.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-querydefinition.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-stepfunctions-statemachineversion.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ecs-service.html
"""

import functools
import json
import uuid

from ministack.services import stepfunctions
from ministack.services.cloudformation import provisioners


def add() -> None:
    """Adds a type to those that CloudFormation provisions, and wraps what provisions another one."""
    provisioners._RESOURCE_HANDLERS["AWS::Logs::QueryDefinition"] = {
        "create": _create,
        "update": _update,
        "delete": _delete,
    }
    provisioners._RESOURCE_HANDLERS["AWS::StepFunctions::StateMachineVersion"] = {
        "create": _publish,
        "update": _publish_again,
        "delete": _delete_version,
    }
    services = provisioners._RESOURCE_HANDLERS["AWS::ECS::Service"]
    services |= {name: _with_a_number(services[name]) for name in ("create", "update")}


def _with_a_number(provision):
    @functools.wraps(provision)
    def wrapped(identifier, *rest):
        return provision(identifier, *[_numbered(it) if isinstance(it, dict) else it for it in rest])

    return wrapped


def _numbered(properties):
    count = properties.get("DesiredCount")
    return properties | {"DesiredCount": int(count)} if isinstance(count, str) else properties


def _create(_logical_id, properties, _stack_name):
    if not properties.get("Name") or not properties.get("QueryString"):
        raise ValueError("AWS::Logs::QueryDefinition requires Name and QueryString")
    identifier = str(uuid.uuid4())
    return identifier, {"QueryDefinitionId": identifier}


def _update(physical_id, _old, properties, _stack_name):
    if not properties.get("Name") or not properties.get("QueryString"):
        raise ValueError("AWS::Logs::QueryDefinition requires Name and QueryString")
    return physical_id, {"QueryDefinitionId": physical_id}


def _delete(_physical_id, _properties):
    pass


def _publish(_logical_id, properties, _stack_name):
    request = {
        "stateMachineArn": properties["StateMachineArn"],
        "revisionId": properties.get("StateMachineRevisionId"),
        "description": properties.get("Description", ""),
    }
    status, _, body = stepfunctions._publish_state_machine_version(request)
    answer = json.loads(body)
    if status != 200:
        raise ValueError(f"AWS::StepFunctions::StateMachineVersion: {answer}")
    return answer["stateMachineVersionArn"], {"Arn": answer["stateMachineVersionArn"]}


def _publish_again(physical_id, old, properties, stack_name):
    """Each property needs a replacement. The version before stays: the templates retain it."""
    if old == properties:
        return physical_id, {"Arn": physical_id}
    return _publish(physical_id, properties, stack_name)


def _delete_version(physical_id, _properties):
    stepfunctions._delete_state_machine_version({"stateMachineVersionArn": physical_id})

"""CloudFormation's AWS::Logs::QueryDefinition: MiniStack refuses a template that has one.

A saved query is only kept. Nobody can run it here: MiniStack's Logs Insights ignores the members of a line.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-querydefinition.html
"""

import uuid

from ministack.services.cloudformation import provisioners


def add() -> None:
    """Adds the type to those that CloudFormation provisions."""
    provisioners._RESOURCE_HANDLERS["AWS::Logs::QueryDefinition"] = {
        "create": _create,
        "update": _update,
        "delete": _delete,
    }


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

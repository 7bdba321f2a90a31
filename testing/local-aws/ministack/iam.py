"""IAM: who calls, and whether the role that the stack gives to it allows the call.

MiniStack's functions all call as the account's root, and its state machines and rules act without their roles. Here each
function has its own name as session token, and what it asks of ECS, ECR and Step Functions is judged; so is what a state machine
does by its own integrations, and what a rule does to its target. A person who has managed policies of a stack has them as
session token, `<stack>/<logical id>+<logical id>`, and is judged by all services that the command asks. A call without a
session token is the administrator's.

It is judged in Rust (testing/simulated-ecs/src/iam), by LOCAL_AWS_JUDGE, which gets the template of each stack as CloudFormation
has it, with the names of what was made from it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

import asyncio
import functools
import json
import os
import threading
import urllib.parse
import urllib.request

from ministack.core import lambda_runtime
from ministack.core.responses import error_response_json, request_scope
from ministack.services import (
    cloudtrail,
    cloudwatch_logs,
    ecr,
    ecs,
    eventbridge,
    lambda_svc,
    scheduler,
    ssm,
    stepfunctions,
)
from ministack.services.cloudformation import _stacks
from ministack.services.cloudformation.engine import _evaluate_conditions

import executions
import quotas

# No proxy stands between this process and another one on this machine.
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

# How Step Functions begins the name of a service's error.
_PREFIXES = {"lambda": "Lambda", "states": "StepFunctions", "ecr": "Ecr", "ssm": "Ssm", "events": "EventBridge", "sns": "SNS",
             "sfn": "Sfn"}

# The services that sessions of no stack ask, too: the CDK's.
_ASKED_BY_OTHERS = ("ssm", "logs", "events", "cloudtrail", "servicequotas", "scheduler")

# The template of each stack that the judge has, and how many resources had been made from it.
_told = {}
_telling = threading.Lock()


def add() -> None:
    """Wraps what gives a function its credentials, and what answers a function, a state machine or a rule."""
    for module in (lambda_runtime, lambda_svc):
        module.execution_credentials = _with_a_name(module.execution_credentials)
    for service, module in (
        ("ecs", ecs),
        ("ecr", ecr),
        ("ssm", ssm),
        ("states", stepfunctions),
        ("logs", cloudwatch_logs),
        ("events", eventbridge),
        ("cloudtrail", cloudtrail),
        ("servicequotas", quotas),
    ):
        module.handle_request = _judged(service, module.handle_request)
    scheduler.handle_request = _judged_path(scheduler.handle_request)
    stepfunctions._call_lambda = _judged_invocation(stepfunctions._call_lambda)
    stepfunctions._start_sync_execution = _judged_start(stepfunctions._start_sync_execution)
    stepfunctions._invoke_nested_start_execution = _judged_launch(stepfunctions._invoke_nested_start_execution)
    stepfunctions._dispatch_aws_sdk_json = _judged_integration(stepfunctions._dispatch_aws_sdk_json)
    for resource in ("arn:aws:states:::events:putEvents", "arn:aws:states:::sns:publish"):
        stepfunctions._SERVICE_DISPATCH[resource] = _judged_dispatch(stepfunctions._SERVICE_DISPATCH[resource])
    eventbridge._invoke_target = _judged_target(eventbridge._invoke_target)


def _with_a_name(execution_credentials):
    @functools.wraps(execution_credentials)
    def wrapped(config):
        caller = _caller(config["FunctionName"])
        environment = {"AWS_SESSION_TOKEN": caller}
        if "FindMissedPushes" in caller:
            # It asks which pushes came, which only the executions here tell, also where ECS is simulated.
            environment["AWS_ENDPOINT_URL_SFN"] = f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}"
        return execution_credentials(config) | environment

    return wrapped


def _judged(service, handle_request):
    @functools.wraps(handle_request)
    async def wrapped(method, path, headers, body, query_params):
        caller, target = headers.get("x-amz-security-token"), headers.get("x-amz-target", "")
        if caller and target and (service not in _ASKED_BY_OTHERS or _stack_of(caller)):
            request = {member[0].lower() + member[1:]: value for member, value in json.loads(body or "{}").items()}
            operation = target.rsplit(".", 1)[-1]
            refusal = await asyncio.to_thread(_refusal, caller, service, operation, request)
            if refusal:
                return error_response_json("AccessDeniedException", refusal, 400)
        return await handle_request(method, path, headers, body, query_params)

    return wrapped


def _judged_path(handle_request):
    """Judges what is asked of Scheduler, which tells the operation by the path."""

    @functools.wraps(handle_request)
    async def wrapped(method, path, headers, body, query_params):
        caller = headers.get("x-amz-security-token")
        if caller and _stack_of(caller):
            parts = [urllib.parse.unquote(part) for part in path.strip("/").split("/")]
            operation, request = f"{method} {path}", {}
            if (method, parts) == ("GET", ["schedules"]):
                operation = "ListSchedules"
            elif method == "GET" and parts[0] == "schedules" and len(parts) == 2:
                group = query_params.get("groupName", "default")
                group = group[0] if isinstance(group, list) else group
                operation, request = "GetSchedule", {"groupName": group, "name": parts[1]}
            refusal = await asyncio.to_thread(_refusal, caller, "scheduler", operation, request)
            if refusal:
                return error_response_json("AccessDeniedException", refusal, 403)
        return await handle_request(method, path, headers, body, query_params)

    return wrapped


def _judged_invocation(call_lambda):
    @functools.wraps(call_lambda)
    def wrapped(function, payload):
        _, config, _ = lambda_svc._get_func_record_for_ref(function)
        request = {"functionName": config["FunctionArn"] if config else function}
        _require_as_state_machine("lambda", "InvokeFunction", request)
        return call_lambda(function, payload)

    return wrapped


def _judged_start(start_sync_execution):
    @functools.wraps(start_sync_execution)
    def wrapped(request):
        # Without an execution it is the API of the same name.
        if executions.current():
            start = {"stateMachineArn": request["stateMachineArn"], "name": request.get("name", "")}
            _require_as_state_machine("states", "StartExecution.sync", start)
        return start_sync_execution(request)

    return wrapped


def _judged_launch(start_execution):
    @functools.wraps(start_execution)
    def wrapped(resource, arguments):
        start = {"stateMachineArn": arguments["StateMachineArn"], "name": arguments.get("Name", "")}
        _require_as_state_machine("states", "StartExecution", start)
        return start_execution(resource, arguments)

    return wrapped


def _judged_integration(dispatch):
    @functools.wraps(dispatch)
    def wrapped(service_info, service_name, action, input_data):
        operation = action[0].upper() + action[1:]
        request = {member[0].lower() + member[1:]: value for member, value in input_data.items()}
        _require_as_state_machine(service_name, operation, request)
        return dispatch(service_info, service_name, action, input_data)

    return wrapped


def _judged_dispatch(dispatch):
    """Judges an integration of Step Functions' own, `…:::<service>:<action>`."""

    @functools.wraps(dispatch)
    def wrapped(resource, input_data):
        service, action = resource.split(":")[-2:]
        operation = action[0].upper() + action[1:]
        request = {member[0].lower() + member[1:]: value for member, value in input_data.items()}
        _require_as_state_machine(service, operation, request)
        return dispatch(resource, input_data)

    return wrapped


def _require_as_state_machine(service, operation, request):
    """Raises what Step Functions throws where the role of the state machine that acts in this thread may not do that."""
    execution = stepfunctions._executions[executions.current()]
    # The integrations with the SDK go by its name of the service.
    prefix = "states" if service == "sfn" else service
    refusal = _refusal(_caller(execution["stateMachineArn"]), prefix, operation, request)
    if refusal:
        name = _PREFIXES.get(service, service)
        raise stepfunctions._ExecutionError(f"{name}.AccessDeniedException", refusal)


def _judged_target(invoke_target):
    @functools.wraps(invoke_target)
    def wrapped(target, event, rule, view=None):
        if ":stateMachine:" in target.get("Arn", ""):
            if _refusal(_caller(rule["Name"]), "states", "StartExecution", {"stateMachineArn": target["Arn"]}):
                # As on AWS, nobody is told but whoever reads the metrics of the rule; the judge has noted it.
                return None
        return invoke_target(target, event, rule, view)

    return wrapped


def _caller(physical):
    """Who a function, a state machine or a rule is to the judge: its stack and its logical id. One of no stack is nobody."""
    with request_scope(os.environ["MINISTACK_ACCOUNT_ID"], os.environ["MINISTACK_REGION"]):
        for name, stack in _stacks.items():
            for logical, resource in stack["_resources"].items():
                if resource["PhysicalResourceId"] == physical:
                    _tell(name, stack)
                    return f"{name}/{logical}"
    return f"nobody/{physical}"


def _tell(name, stack):
    """Gives the judge what a stack has become."""
    parameters = _parameters(stack)
    state = (stack["_template_body"], parameters, len(stack["_resources"]))
    with _telling:
        if _told.get(name) == state:
            return
        physical = {logical: it["PhysicalResourceId"] for logical, it in stack["_resources"].items()}
        conditions = _evaluate_conditions(stack["_template"], stack.get("_resolved_params", {}))
        resources = _decided(stack["_template"]["Resources"], parameters, conditions)
        _ask("stacks", {"name": name, "template": {"Resources": resources}, "physical": physical})
        _told[name] = state


def _parameters(stack):
    """The values of a stack's parameters: texts, and lists of texts."""
    given = {name: it["Value"] for name, it in stack.get("_resolved_params", {}).items()}
    kinds = {name: it.get("Type") for name, it in stack["_template"].get("Parameters", {}).items()}
    split = lambda value: [item.strip() for item in value.split(",")]
    return {name: split(it) if kinds.get(name) == "CommaDelimitedList" else it for name, it in given.items()}


# Stands for a part that a condition leaves away.
_NOTHING = object()


def _decided(part, parameters, conditions):
    """A part of a template with its conditions and its parameters worked out."""
    if isinstance(part, list):
        items = [_decided(item, parameters, conditions) for item in part]
        return [item for item in items if item is not _NOTHING]
    if not isinstance(part, dict):
        return part
    if len(part) == 1:
        [(function, argument)] = part.items()
        if function == "Fn::If":
            return _decided(argument[1 if conditions[argument[0]] else 2], parameters, conditions)
        if function == "Ref" and argument == "AWS::NoValue":
            return _NOTHING
        if function == "Ref" and argument in parameters:
            return parameters[argument]
        if function == "Fn::Join":
            delimiter, items = argument[0], _decided(argument[1], parameters, conditions)
            items = [items] if isinstance(items, str) else items
            if all(isinstance(item, str) for item in items):
                return delimiter.join(items)
            return {function: [delimiter, items]}
    members = {name: _decided(member, parameters, conditions) for name, member in part.items()}
    return {name: member for name, member in members.items() if member is not _NOTHING}


def _stack_of(caller):
    """The name and the content of the stack that a caller says to belong to; None if there is none."""
    name = caller.split("/", 1)[0]
    with request_scope(os.environ["MINISTACK_ACCOUNT_ID"], os.environ["MINISTACK_REGION"]):
        return next((it for it in _stacks.items() if it[0] == name), None)


def _tell_of(caller):
    """Gives the judge the stack of a caller, where nobody has called it by one of its resources yet."""
    stack = _stack_of(caller)
    if stack:
        with request_scope(os.environ["MINISTACK_ACCOUNT_ID"], os.environ["MINISTACK_REGION"]):
            _tell(*stack)


def _refusal(caller, service, operation, request):
    """Why a call is refused, in AWS's words; None if it is allowed."""
    _tell_of(caller)
    call = {"caller": caller, "service": service, "operation": operation, "request": request}
    if service == "ecs" and "taskDefinition" in request:
        call["roles"] = _roles_of(request["taskDefinition"])
        call["tags"] = _tags_of(request)
    return _ask("judge", call)["refusal"]


def _roles_of(given):
    """The task role and the execution role of a revision, as they were registered."""
    with request_scope(os.environ["MINISTACK_ACCOUNT_ID"], os.environ["MINISTACK_REGION"]):
        definition = ecs._task_defs.get(given.rsplit("/", 1)[-1]) or {}
    return [definition[role] for role in ("taskRoleArn", "executionRoleArn") if definition.get(role)]


def _tags_of(request):
    """The tags of the service that a request names."""
    with request_scope(os.environ["MINISTACK_ACCOUNT_ID"], os.environ["MINISTACK_REGION"]):
        cluster, service = request.get("cluster", "default"), request.get("service", "")
        key = f"{cluster.rsplit('/', 1)[-1]}/{service.rsplit('/', 1)[-1]}"
        arn = ecs._services[key]["serviceArn"] if key in ecs._services else ""
        return {tag["key"]: tag["value"] for tag in ecs._tags.get(arn, [])}


def _ask(path, body):
    request = urllib.request.Request(
        f"{os.environ['LOCAL_AWS_JUDGE']}/_simulation/{path}", data=json.dumps(body).encode(), method="POST"
    )
    with _open(request, timeout=30) as answer:
        return json.load(answer)

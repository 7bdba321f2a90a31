"""Step Functions' executions: what MiniStack leaves out and the state machines stand on.

* A child that failed under `startExecution.sync` fails its task with `States.TaskFailed`, and the child's description is the
  cause; MiniStack hands on the child's own error.
* A child's name is used once: a second start is refused; MiniStack overwrites the first.
* The states inside a Map are in the history by name; MiniStack tells of its top-level states only.
* RedriveExecution: the same execution goes on at the Task that failed, with the input and the variables it had there, and
  sees the redrive count. Where AWS would go on inside a Map or Parallel, it is refused here.

https://docs.aws.amazon.com/step-functions/latest/dg/connect-stepfunctions.html
https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
"""

import contextvars
import copy
import functools
import json
import threading

from ministack.core.concurrency import run_reentrant
from ministack.core.responses import error_response_json, get_account_id, get_region, json_response, now_iso
from ministack.services import stepfunctions

# What each execution was about to do: {execution ARN: (state's name, its input, the variables)}. The last one entered is where a
# redrive goes on.
_entered = {}

# The threads that walk executions, by execution ARN: a redrive starts when the one before it is gone.
_walking = {}


def add() -> None:
    """Wraps what runs a state, what starts an execution and what answers for it."""
    for kind in ("pass", "task", "choice", "wait", "parallel", "map"):
        name = f"_execute_{kind}"
        setattr(stepfunctions, name, _recorded(kind.capitalize(), getattr(stepfunctions, name)))
    stepfunctions._run_execution = _walked(stepfunctions._run_execution)
    stepfunctions._nested_execution_failure = _failure_of_child
    stepfunctions._start_sync_execution = _refusing_a_used_name(stepfunctions._start_sync_execution)
    stepfunctions._describe_execution = _with_redrives(stepfunctions._describe_execution)
    stepfunctions.handle_request = _with_redrive_execution(stepfunctions.handle_request)


def _recorded(kind, run_state):
    """A state of the execution itself is remembered for a redrive, a state inside a Map is put into the history."""

    @functools.wraps(run_state)
    def wrapped(state, state_input, *rest):
        context = rest[-1] or {}
        arn = context.get("Execution", {}).get("Id")
        execution = stepfunctions._executions.get(arn)
        if execution is None:
            return run_state(state, state_input, *rest)
        name = context["State"]["Name"]
        if "Map" not in context:
            _entered[arn] = (name, copy.deepcopy(state_input), copy.deepcopy(context["variables"]))
            return run_state(state, state_input, *rest)
        _add_event(execution, f"{kind}StateEntered", "stateEntered", name=name, input=json.dumps(state_input))
        output, following = run_state(state, state_input, *rest)
        _add_event(execution, f"{kind}StateExited", "stateExited", name=name, output=json.dumps(output))
        return output, following

    return wrapped


def _walked(run_execution):
    @functools.wraps(run_execution)
    def wrapped(arn):
        _walking[arn] = threading.current_thread()
        run_execution(arn)

    return wrapped


def _failure_of_child(child):
    description = {
        "ExecutionArn": child["executionArn"],
        "Input": child["input"],
        "InputDetails": {"Included": True},
        "Name": child["name"],
        "StartDate": stepfunctions._iso_to_epoch_ms(child["startDate"]),
        "StateMachineArn": child["stateMachineArn"],
        "Status": child["status"],
        "StopDate": stepfunctions._iso_to_epoch_ms(child["stopDate"]),
    }
    if child["status"] == "FAILED":
        description |= {"Error": child.get("error", ""), "Cause": child.get("cause", "")}
    return "States.TaskFailed", json.dumps(description)


def _refusing_a_used_name(start_sync_execution):
    @functools.wraps(start_sync_execution)
    def wrapped(request):
        machine = stepfunctions._state_machines.get(request["stateMachineArn"], {}).get("name")
        arn = f"arn:aws:states:{get_region()}:{get_account_id()}:execution:{machine}:{request.get('name')}"
        if arn in stepfunctions._executions:
            return error_response_json(
                "StepFunctions.ExecutionAlreadyExistsException", f"Execution Already Exists: '{arn}'", 400
            )
        return start_sync_execution(request)

    return wrapped


def _with_redrives(describe_execution):
    @functools.wraps(describe_execution)
    def wrapped(request):
        answer = describe_execution(request)
        if answer[0] != 200:
            return answer
        execution = stepfunctions._executions[request["executionArn"]]
        description = json.loads(answer[2])
        description["redriveCount"] = execution.get("redriveCount", 0)
        if "redriveDate" in execution:
            description["redriveDate"] = execution["redriveDate"]
        ended_badly = execution["status"] in ("FAILED", "ABORTED")
        description["redriveStatus"] = "REDRIVABLE" if ended_badly else "NOT_REDRIVABLE"
        return json_response(description)

    return wrapped


def _with_redrive_execution(handle_request):
    @functools.wraps(handle_request)
    async def wrapped(method, path, headers, body, query_params):
        if headers.get("x-amz-target", "").endswith(".RedriveExecution"):
            # Off the event loop: it may wait for the state that the execution was stopped in.
            answer = await run_reentrant(_redrive_execution, json.loads(body), thread_name="redrive")
            return stepfunctions._finalize_response(answer)
        return await handle_request(method, path, headers, body, query_params)

    return wrapped


def _redrive_execution(request):
    arn = request.get("executionArn")
    execution = stepfunctions._executions.get(arn)
    if execution is None:
        return error_response_json("ExecutionDoesNotExist", f"Execution {arn} not found", 400)
    if execution["status"] not in ("FAILED", "ABORTED") or arn not in _entered:
        return error_response_json("ExecutionNotRedrivable", f"Execution is {execution['status']}", 400)
    name, state_input, variables = _entered[arn]
    definition = json.loads(stepfunctions._state_machines[execution["stateMachineArn"]]["definition"])
    kind = definition["States"][name]["Type"]
    if kind in ("Map", "Parallel"):
        return error_response_json(
            "ExecutionNotRedrivable", f"The local AWS redrives what failed in a Task, and {name} is a {kind}", 400
        )

    _walking[arn].join()
    redrive_date = now_iso()
    execution |= {
        "status": "RUNNING",
        "stopDate": None,
        "output": None,
        "error": None,
        "cause": None,
        "redriveCount": execution.get("redriveCount", 0) + 1,
        "redriveDate": redrive_date,
    }
    _add_event(execution, "ExecutionRedriven", "executionRedriven", redriveCount=execution["redriveCount"])
    walk = threading.Thread(
        target=contextvars.copy_context().run,
        args=(_go_on, execution, definition, name, state_input, variables),
        daemon=True,
    )
    _walking[arn] = walk
    walk.start()
    return json_response({"redriveDate": redrive_date})


def _go_on(execution, definition, name, state_input, variables):
    """Walks the rest of an execution, from the state `name` on."""
    machine = stepfunctions._state_machines[execution["stateMachineArn"]]
    context = {
        "QueryLanguage": definition.get("QueryLanguage", "JSONPath"),
        "Execution": {
            "Id": execution["executionArn"],
            "Input": json.loads(execution["input"]),
            "Name": execution["name"],
            "StartTime": execution["startDate"],
            "RedriveCount": execution["redriveCount"],
            "RedriveTime": execution["redriveDate"],
        },
        "StateMachine": {"Id": execution["stateMachineArn"], "Name": machine["name"]},
        "variables": variables,
    }
    try:
        while name and execution["status"] == "RUNNING":
            state = definition["States"][name]
            kind = state["Type"]
            context["State"] = {"Name": name, "EnteredTime": now_iso(), "RetryCount": 0}
            _add_event(execution, f"{kind}StateEntered", "stateEntered", name=name, input=json.dumps(state_input))
            if kind == "Fail":
                raise stepfunctions._ExecutionError(*stepfunctions._fail_state_error(state, state_input, context))
            if kind == "Succeed":
                output, following = stepfunctions._apply_jsonata_output(state, state_input, context, default=state_input), None
            else:
                run = getattr(stepfunctions, f"_execute_{kind.lower()}")
                arguments = (execution, context) if kind in ("Task", "Parallel", "Map") else (context,)
                output, following = run(state, state_input, *arguments)
            _add_event(execution, f"{kind}StateExited", "stateExited", name=name, output=json.dumps(output))
            name, state_input = following, output
        if execution["status"] == "RUNNING":
            execution |= {"status": "SUCCEEDED", "output": json.dumps(state_input), "stopDate": now_iso()}
            _add_event(execution, "ExecutionSucceeded", "executionSucceeded", output=execution["output"])
            stepfunctions._emit_execution_status_event(execution)
    except stepfunctions._ExecutionError as failure:
        stepfunctions._fail_execution(execution, failure.error, failure.cause)
    except Exception as failure:
        stepfunctions.logger.exception("redriven execution %s", execution["executionArn"])
        stepfunctions._fail_execution(execution, "States.Runtime", str(failure))


def _add_event(execution, kind, details, **members):
    stepfunctions._add_event(execution, kind, {f"{details}EventDetails": members})

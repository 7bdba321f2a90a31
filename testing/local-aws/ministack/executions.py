"""Step Functions' executions: what MiniStack omits and the state machines stand on.

* A child that failed under `startExecution.sync` fails its task with `States.TaskFailed`, and the child's description is the
  cause; MiniStack hands on the child's own error.
* A child's name is used once: a second start is refused; MiniStack overwrites the first. The error of `startExecution` has the
  name that AWS's integration gives it; MiniStack's is the API's.
* StartExecution with the name and the input of an execution that runs answers with that one; MiniStack refuses it. A name is
  checked for its length and its characters.
* An execution goes by the definition that it was started with, also after a redrive: that of the version it was started by, or
  that of the state machine at that time. MiniStack's goes by the newest one.
* The states inside a Map are in the history by name; MiniStack tells of its top-level states only.
* An execution that is stopped goes no further, and what it waits for is stopped too; MiniStack's goes on inside a Map, may fail
  afterwards, and leaves its children running.
* RedriveExecution: the same execution goes on at the state that it was in when it failed or was stopped, with the input and
  the variables it had there, and sees the redrive count. A Wait of some seconds waits once more as long. A Map goes on with those of its
  iterations that have not ended well, each at its own state; what the others returned is kept. Where AWS would go on inside a
  Parallel, it is refused here.
* A Wait until a time ends at that time; SFN_WAIT_SCALE, which shortens what is to last some seconds, would let it end before.
* A JSONata expression may take a second of a processor. MiniStack gives it a second of the clock, which a busy machine may
  need for any expression.

What a function was doing when its execution was stopped goes on, as on AWS; a redrive waits for its end, which AWS does not.

A test can hold back what functions answer to executions: while LOCAL_AWS_DIRECTORY has a file held/*.json, a list of texts, so
long is held what is answered to a payload with all of these texts in it. Likewise, while it has such a file throttled/*.json, no
function is invoked with such a payload: Lambda throttles, and Step Functions says so by its name for that. While it has such a
file kept/*.json, an execution stays in a state that has done its work: the texts are looked for in the name of the state and
what the state sees as $states.context.Execution.

https://docs.aws.amazon.com/step-functions/latest/dg/connect-stepfunctions.html
https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html#connect-sync
https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-state-machine-version.html
"""

import contextvars
import copy
import functools
import json
import os
import pathlib
import re
import threading
import time
import uuid
from datetime import datetime, timezone

from jsonata.jexception import JException
from jsonata.parser import Parser
from jsonata.timebox import Timebox
from ministack.core.concurrency import run_reentrant
from ministack.core.responses import error_response_json, get_account_id, get_region, json_response, now_iso
from ministack.services import stepfunctions

# Where each execution is: {execution ARN: {place: state}}. A place is the execution itself, (), or an iteration of a Map in it,
# ("the Map's name", 0), and so on inward. A state is _In or _Done.
_places = {}

# The part of that to which a redriven execution has not come back yet.
_resumed = {}

# Set when an execution is not walked any more, by execution ARN: a redrive starts when the walk before it is over.
_walked_out = {}

# The definition that each execution was started with.
_definitions = {}

# The execution that reads its definition in this thread.
_beginning = contextvars.ContextVar("beginning", default=None)

# The executions that an execution started and waits for.
_children = {}

# The execution whose state runs in this thread.
_current = contextvars.ContextVar("execution", default=None)


class _Machines:
    """The state machines. An execution that is walked finds its own with the definition that it was started with."""

    def __init__(self, machines):
        self._machines = machines

    def __getattr__(self, name):
        return getattr(self._machines, name)

    def __contains__(self, arn):
        return arn in self._machines

    def __getitem__(self, arn):
        return self._machines[arn]

    def __setitem__(self, arn, machine):
        self._machines[arn] = machine

    def __delitem__(self, arn):
        del self._machines[arn]

    def get(self, arn, default=None):
        machine = self._machines.get(arn, default)
        definition = _definitions.get(_beginning.get())
        return machine | {"definition": definition} if machine and definition else machine


class _In:
    """A state that was entered, with its input and the variables it saw. The last one is where a redrive goes on."""

    def __init__(self, name, state_input, variables):
        self.name = name
        self.input = copy.deepcopy(state_input)
        self.variables = copy.deepcopy(variables)


class _Done:
    """What an iteration of a Map returned."""

    def __init__(self, output):
        self.output = copy.deepcopy(output)


class _Aborted(stepfunctions._ExecutionError):
    """Ends the walk of an execution that was stopped."""

    def __init__(self):
        super().__init__("States.Aborted", "the execution was stopped")


def current():
    """The ARN of the execution whose state runs in this thread."""
    return _current.get()


def add() -> None:
    """Wraps what runs a state, what starts an execution and what answers for it."""
    for kind in ("pass", "task", "choice", "wait", "parallel", "map"):
        name = f"_execute_{kind}"
        setattr(stepfunctions, name, _recorded(kind.capitalize(), getattr(stepfunctions, name)))
    stepfunctions._call_lambda = _throttled(_held_back(stepfunctions._call_lambda))
    stepfunctions._run_sub_machine = _resuming_iterations(stepfunctions._run_sub_machine)
    stepfunctions._sleep_until = _unscaled
    stepfunctions._state_machines = _Machines(stepfunctions._state_machines)
    Parser.parse = _parsed_once(Parser.parse)
    Timebox.__init__, Timebox.check_runaway = _by_processor_time(Timebox.__init__, Timebox.check_runaway)
    stepfunctions._run_execution = _walked(stepfunctions._run_execution)
    stepfunctions._fail_execution = _unless_stopped(stepfunctions._fail_execution)
    stepfunctions._stop_execution = _stopping_children(stepfunctions._stop_execution)
    stepfunctions._nested_execution_failure = _failure_of_child
    stepfunctions._start_execution = _starting_once(stepfunctions._start_execution)
    stepfunctions._invoke_nested_start_execution = _with_its_error(stepfunctions._invoke_nested_start_execution)
    stepfunctions._start_sync_execution = _refusing_a_used_name(stepfunctions._start_sync_execution)
    stepfunctions._describe_execution = _with_redrives(stepfunctions._describe_execution)
    stepfunctions.handle_request = _with_redrive_execution(stepfunctions.handle_request)


def _recorded(kind, run_state):
    """Every state is remembered for a redrive, and a state inside a Map is put into the history."""

    @functools.wraps(run_state)
    def wrapped(state, state_input, *rest):
        context = rest[-1] or {}
        arn = context.get("Execution", {}).get("Id")
        execution = stepfunctions._executions.get(arn)
        if execution is None:
            return run_state(state, state_input, *rest)
        _require_running(execution)
        name, place = context["State"]["Name"], context.get("Place", ())
        _places.setdefault(arn, {})[place] = _In(name, state_input, context["variables"])
        before = _resumed.get(arn, {}).pop(place, None)
        if kind == "Map" and not (before and before.name == name):
            _forget_iterations(arn, (*place, name))
        if place:
            _add_event(execution, f"{kind}StateEntered", "stateEntered", name=name, input=json.dumps(state_input))
        outer = _current.set(arn)
        try:
            output, following = run_state(state, state_input, *rest)
            _stay(json.dumps({"State": name, "Execution": context["Execution"]}))
        finally:
            _current.reset(outer)
        _require_running(execution)
        if place:
            _add_event(execution, f"{kind}StateExited", "stateExited", name=name, output=json.dumps(output))
        return output, following

    return wrapped


def _is_named_in(folder, payload):
    for file in pathlib.Path(os.environ["LOCAL_AWS_DIRECTORY"], folder).glob("*.json"):
        try:
            texts = json.loads(file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            continue  # It is just being removed, or written.
        if all(text in payload for text in texts):
            return True
    return False


def _parsed_once(parse):
    """An expression of a definition is evaluated thousands of times. To parse it takes longer than to evaluate it."""
    parsed = {}

    @functools.wraps(parse)
    def wrapped(parser, expression, *rest):
        if expression not in parsed:
            parsed[expression] = parse(parser, expression, *rest)
        return parsed[expression]

    return wrapped


def _by_processor_time(create, check):
    @functools.wraps(create)
    def created(timebox, expression, timeout=None, max_depth=None):
        timebox.begun, timebox.limit = time.thread_time(), timeout
        create(timebox, expression, None, max_depth)

    @functools.wraps(check)
    def checked(timebox):
        check(timebox)
        if timebox.limit is not None and 1000 * (time.thread_time() - timebox.begun) > timebox.limit:
            raise JException("D1012", -1, timebox.limit)

    return created, checked


def _stay(text):
    while _is_named_in("kept", text):
        time.sleep(0.02)


def _throttled(call_lambda):
    @functools.wraps(call_lambda)
    def wrapped(function, payload):
        if _is_named_in("throttled", json.dumps(payload)):
            raise stepfunctions._ExecutionError("Lambda.TooManyRequestsException", "Rate Exceeded.")
        return call_lambda(function, payload)

    return wrapped


def _held_back(call_lambda):
    @functools.wraps(call_lambda)
    def wrapped(function, payload):
        try:
            return call_lambda(function, payload)
        finally:
            text = json.dumps(payload)
            while _is_named_in("held", text):
                time.sleep(0.02)

    return wrapped


def _unscaled(timestamp):
    target = stepfunctions._parse_ts(timestamp)
    time.sleep(max(0, (target - datetime.now(timezone.utc)).total_seconds()))


def _require_running(execution):
    if execution["status"] != "RUNNING":
        raise _Aborted()


def _forget_iterations(arn, place):
    """A Map that is entered anew begins with nothing, however often it was walked before."""
    for places in (_places.get(arn, {}), _resumed.get(arn, {})):
        # A copy: iterations beside this one enter their states meanwhile.
        for inside in [it for it in list(places) if it[: len(place)] == place]:
            del places[inside]


def _resuming_iterations(run_sub_machine):
    """An iteration that ended well before a redrive is not run again; one that did not goes on where it was."""

    @functools.wraps(run_sub_machine)
    def wrapped(states, start_at, input_data, execution, ctx):
        if "Map" not in ctx:
            return run_sub_machine(states, start_at, input_data, execution, ctx)
        arn = execution["executionArn"]
        place = (*ctx.get("Place", ()), ctx["State"]["Name"], ctx["Map"]["Item"]["Index"])
        ctx["Place"] = place
        before = _resumed.get(arn, {}).get(place)
        if isinstance(before, _Done):
            return before.output
        if isinstance(before, _In):
            start_at, input_data, ctx["variables"] = before.name, before.input, before.variables
        output = run_sub_machine(states, start_at, input_data, execution, ctx)
        _places[arn][place] = _Done(output)
        return output

    return wrapped


def _walked(run_execution):
    @functools.wraps(run_execution)
    def wrapped(arn):
        _walked_out[arn] = threading.Event()
        _beginning.set(arn)
        try:
            run_execution(arn)
        finally:
            _walked_out[arn].set()

    return wrapped


def _unless_stopped(fail_execution):
    @functools.wraps(fail_execution)
    def wrapped(execution, error, cause):
        if execution["status"] == "RUNNING":
            fail_execution(execution, error, cause)

    return wrapped


def _stopping_children(stop_execution):
    @functools.wraps(stop_execution)
    def wrapped(request):
        answer = stop_execution(request)
        if answer[0] == 200:
            for child in _children.get(request["executionArn"], []):
                if stepfunctions._executions[child]["status"] == "RUNNING":
                    wrapped({"executionArn": child})
        return answer

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


# https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
_NAME = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]{1,80}")


def _starting_once(start_execution):
    @functools.wraps(start_execution)
    def wrapped(request):
        # AWS makes up a name where none is given.
        request = {"name": str(uuid.uuid4())} | request
        name = request["name"]
        if not _NAME.fullmatch(name):
            return error_response_json("InvalidName", f"Invalid Name: '{name}'", 400)
        arn = _arn_of(request)
        running = stepfunctions._executions.get(arn)
        if running is not None and running["status"] == "RUNNING":
            if json.loads(running["input"]) == json.loads(request.get("input", "{}")):
                return json_response({"executionArn": arn, "startDate": running["startDate"]})
        if running is None:
            _remember_definition(arn, request)
        return start_execution(request)

    return wrapped


def _arn_of(request):
    """The ARN of the execution that a request would start: not that of a version of the state machine."""
    machine = stepfunctions._resolve_state_machine_arn(request["stateMachineArn"])
    name = stepfunctions._state_machines.get(machine, {}).get("name")
    return f"arn:aws:states:{get_region()}:{get_account_id()}:execution:{name}:{request.get('name')}"


def _remember_definition(arn, request):
    started, machines = request["stateMachineArn"], stepfunctions._state_machines
    # Not by `get`: in an execution that starts another one, that has the definition of the one that starts.
    machine = machines[started] if started in machines else None
    machine = stepfunctions._state_machine_versions.get(started) or machine
    if machine:
        _definitions[arn] = machine["definition"]


def _with_its_error(start_execution):
    @functools.wraps(start_execution)
    def wrapped(resource, arguments):
        try:
            return start_execution(resource, arguments)
        except stepfunctions._ExecutionError as failure:
            if failure.error in ("ExecutionAlreadyExists", "InvalidName"):
                raise stepfunctions._ExecutionError(f"StepFunctions.{failure.error}Exception", failure.cause) from failure
            raise

    return wrapped


def _refusing_a_used_name(start_sync_execution):
    @functools.wraps(start_sync_execution)
    def wrapped(request):
        arn = _arn_of(request)
        if arn in stepfunctions._executions:
            return error_response_json(
                "StepFunctions.ExecutionAlreadyExistsException", f"Execution Already Exists: '{arn}'", 400
            )
        if _current.get():
            _children.setdefault(_current.get(), []).append(arn)
        _remember_definition(arn, request)
        machine = stepfunctions._resolve_state_machine_arn(request["stateMachineArn"])
        return start_sync_execution(request | {"stateMachineArn": machine})

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
    if execution["status"] not in ("FAILED", "ABORTED") or arn not in _places:
        return error_response_json("ExecutionNotRedrivable", f"Execution is {execution['status']}", 400)
    machine = stepfunctions._state_machines[execution["stateMachineArn"]]
    definition = json.loads(_definitions.get(arn, machine["definition"]))
    if definition["States"][_places[arn][()].name]["Type"] == "Parallel":
        return error_response_json("ExecutionNotRedrivable", "The local AWS redrives no Parallel", 400)

    _walked_out[arn].wait()
    _resumed[arn] = dict(_places[arn])
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
    _walked_out[arn] = threading.Event()
    arguments = (_go_on, execution, definition, _places[arn][()])
    threading.Thread(target=contextvars.copy_context().run, args=arguments, daemon=True).start()
    return json_response({"redriveDate": redrive_date})


def _go_on(execution, definition, entered):
    """Walks the rest of an execution, from the state that it was in."""
    name, state_input = entered.name, entered.input
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
        "variables": copy.deepcopy(entered.variables),
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
    finally:
        _walked_out[execution["executionArn"]].set()


def _add_event(execution, kind, details, **members):
    stepfunctions._add_event(execution, kind, {f"{details}EventDetails": members})

"""ECS's answers: what MiniStack's ECS omits and a deployment tool reads.

* A service's task carries the id of its deployment as `startedBy`; MiniStack says the service's name.
* A task definition is described with every member it was registered with; MiniStack keeps those it knows, and answers "" or
  null for those it was not given, which AWS omits.
* Lists come in pages, at most 100 entries long (services: 10 unless asked for more), and a list of the services of a cluster
  that does not exist is an error; MiniStack gives everything, or nothing, at once.
* A deployment that its circuit breaker stopped without rolling back leaves the tasks before it running; MiniStack stops them.
* A service that is deleted while it has tasks is DRAINING, and listed, until they have stopped; MiniStack's is gone at once.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTaskDefinition.html
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListServices.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteService.html
"""

import copy
import functools
import json
import threading

from ministack.core.responses import error_response_json, get_account_id, get_region, json_response, request_scope
from ministack.services import ecs

# A container has 30 seconds to stop unless its definition says otherwise.
DRAINING_SECONDS = 30

PAGE = 100


def add() -> None:
    """Wraps the handlers, in MiniStack's table of actions and where its scheduler calls them."""
    ecs._run_task = _started_by_deployment(ecs._run_task)
    ecs._stop_task = _sparing_what_runs_when_a_deployment_failed(ecs._stop_task)
    ecs._ACTION_MAP |= {
        "RunTask": ecs._run_task,
        "StopTask": ecs._stop_task,
        "RegisterTaskDefinition": _keeping_every_member(ecs._register_task_definition),
        "ListServices": _paged(_with_draining_services(ecs._list_services), "serviceArns", 10),
        "ListClusters": _paged(ecs._list_clusters, "clusterArns", PAGE),
        "ListTaskDefinitionFamilies": _paged(ecs._list_task_definition_families, "families", PAGE),
        "DeleteService": _draining_first(ecs._delete_service),
    }


def _started_by_deployment(run_task):
    @functools.wraps(run_task)
    def wrapped(request):
        deployment = request.get("_deploymentId")
        return run_task({**request, "startedBy": deployment} if deployment else request)

    return wrapped


def _sparing_what_runs_when_a_deployment_failed(stop_task):
    @functools.wraps(stop_task)
    def wrapped(request):
        # The reason MiniStack's scheduler gives for the tasks of another revision than the service's.
        if request.get("reason") == "Task definition updated":
            task = ecs._tasks.get(request.get("task"), {})
            service = ecs._services.get(f"{request.get('cluster')}/{task.get('group', '').removeprefix('service:')}", {})
            if (ecs._primary_deployment(service) or {}).get("rolloutState") == "FAILED":
                return json_response({"task": ecs._sanitize(task)})
        return stop_task(request)

    return wrapped


def _keeping_every_member(register_task_definition):
    @functools.wraps(register_task_definition)
    def wrapped(request):
        given = copy.deepcopy(request)
        answer = register_task_definition(request)
        if answer[0] != 200:
            return answer
        response = json.loads(answer[2])
        arn = response["taskDefinition"]["taskDefinitionArn"]
        stored = ecs._task_defs[arn.rsplit("/", 1)[-1]]
        for member in [name for name, value in stored.items() if value is None or value == ""]:
            del stored[member]
        for member, value in given.items():
            if member != "tags":
                stored.setdefault(member, value)
        response["taskDefinition"] = stored
        return json_response(response)

    return wrapped


def _with_draining_services(list_services):
    @functools.wraps(list_services)
    def wrapped(request):
        cluster = ecs._resolve_cluster_name(request.get("cluster", "default"))
        if cluster not in ecs._clusters:
            return error_response_json("ClusterNotFoundException", "Cluster not found.", 400)
        status, headers, body = list_services(request)
        draining = [
            service["serviceArn"]
            for key, service in ecs._services.items()
            if key.startswith(f"{cluster}/") and service["status"] == "DRAINING"
        ]
        return json_response({"serviceArns": json.loads(body)["serviceArns"] + draining})

    return wrapped


def _draining_first(delete_service):
    @functools.wraps(delete_service)
    def wrapped(request):
        cluster = ecs._resolve_cluster_name(request.get("cluster", "default"))
        name = (ecs._resolve_service_ref(request.get("service", "")) or ("",))[0]
        service = ecs._services.get(f"{cluster}/{name}", {})
        had_tasks = service.get("runningCount", 0) > 0
        answer = delete_service(request)
        if answer[0] != 200 or not had_tasks:
            return answer

        def stopped(account, region):
            with request_scope(account, region):
                service["status"] = "INACTIVE"

        service["status"] = "DRAINING"
        timer = threading.Timer(DRAINING_SECONDS, stopped, (get_account_id(), get_region()))
        timer.daemon = True
        timer.start()
        return json_response({"service": ecs._sanitize(service)})

    return wrapped


def _paged(list_all, member, default_page):
    """Answers a list in pages; the token is the position of the next entry."""

    @functools.wraps(list_all)
    def wrapped(request):
        size = request.get("maxResults", default_page)
        if not 1 <= size <= PAGE:
            return error_response_json(
                "InvalidParameterException", f"maxResults must be between 1 and {PAGE}, not {size}.", 400
            )
        answer = list_all(request)
        if answer[0] != 200:
            return answer
        entries = json.loads(answer[2])[member]
        start = int(request.get("nextToken", 0))
        page = {member: entries[start : start + size]}
        if start + size < len(entries):
            page["nextToken"] = str(start + size)
        return json_response(page)

    return wrapped

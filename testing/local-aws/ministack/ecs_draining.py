"""ECS's draining: an old task runs on until its containers have ended, and only then is the rollout complete.

MiniStack calls a rollout complete first, the old tasks stopped next, and then ends their containers within five seconds. Here a
container whose definition has a `stopTimeout` is told to stop, and may take as long. Until it has ended its task is RUNNING with the
desired status STOPPED, and its deployment is listed with no desired task, as behind a load balancer that drains connections.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html
"""

import functools
import time

from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import ecs

# Beyond what a container may take: the engine is not quicker than this.
GRACE_SECONDS = 5


def add() -> None:
    """Wraps the completion of a rollout, and what looks whether a task's containers have ended."""
    ecs._complete_service_deployment = _once_old_tasks_have_ended(ecs._complete_service_deployment)
    ecs._maybe_mark_stopped = _leaving_what_drains(ecs._maybe_mark_stopped)


def _leaving_what_drains(maybe_mark_stopped):
    @functools.wraps(maybe_mark_stopped)
    def wrapped(task, docker_client=None):
        # Its containers end since they were told to: no essential container exited by itself.
        if not task.get("_draining"):
            maybe_mark_stopped(task, docker_client)

    return wrapped


def _once_old_tasks_have_ended(complete):
    @functools.wraps(complete)
    def wrapped(cluster_name, svc_key, expected_deployment_id=None):
        service = ecs._services.get(svc_key) or {}
        primary = ecs._primary_deployment(service) or {}
        is_expected = expected_deployment_id in (None, primary.get("id"))
        old = [task for task in _tasks_of(service) if task.get("_deployment_id") != primary.get("id")]
        old = [task for task in old if task.get("lastStatus") == "RUNNING" and _stop_timeout(task)]
        if not (old and is_expected and primary.get("rolloutState") == "IN_PROGRESS" and _is_stable(service, primary)):
            complete(cluster_name, svc_key, expected_deployment_id)
            return
        for deployment in service["deployments"]:
            if deployment is not primary:
                deployment["desiredCount"] = 0
        scope = (get_account_id(), get_region())
        for task in old:
            if not task.get("_draining"):
                task["_draining"] = True
                task["desiredStatus"] = "STOPPED"
                ecs.spawn_background(
                    functools.partial(_drain, task, cluster_name, svc_key, primary["id"], scope),
                    thread_name=f"ecs-draining-{task['taskArn'].rsplit('/', 1)[-1][:8]}",
                )

    return wrapped


def _drain(task, cluster_name, svc_key, deployment_id, scope) -> None:
    """Has the containers of a task stop, waits for that, and then looks again whether the rollout is complete."""
    engine = ecs._get_docker()
    deadline = time.monotonic() + _stop_timeout(task) + GRACE_SECONDS
    for docker_id in list(task.get("_docker_ids") or []):
        try:
            container = engine.containers.get(docker_id)
            container.kill(signal="SIGTERM")
            container.wait(timeout=max(1, deadline - time.monotonic()))
        except Exception as refused:
            # One that is gone has ended; one that does not end is killed with its task.
            print(f"{docker_id} of a task that drains: {refused}", flush=True)
    with request_scope(*scope):
        ecs._stop_task({"task": task["taskArn"], "cluster": cluster_name, "reason": "Deployment completed"})
        ecs._complete_service_deployment(cluster_name, svc_key, expected_deployment_id=deployment_id)


def _tasks_of(service):
    group, cluster = f"service:{service.get('serviceName')}", service.get("clusterArn")
    return [task for task in list(ecs._tasks.values()) if (task.get("group"), task.get("clusterArn")) == (group, cluster)]


def _is_stable(service, primary) -> bool:
    """Whether as many tasks of a deployment as are desired have run for a while."""
    own = [task for task in _tasks_of(service) if task.get("_deployment_id") == primary["id"]]
    stable = [task for task in own if task.get("lastStatus") == "RUNNING" and task.get("_startup_stable")]
    return len(stable) >= service.get("desiredCount", 0)


def _stop_timeout(task) -> int:
    """How many seconds the containers of a task may take to stop; 0 where none says."""
    definition = ecs._task_defs.get(ecs._resolve_td_key(task["taskDefinitionArn"])) or {}
    return max((container.get("stopTimeout") or 0 for container in definition.get("containerDefinitions", [])), default=0)

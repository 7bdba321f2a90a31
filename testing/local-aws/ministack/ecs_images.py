"""ECS's images: a task's image is pulled from this machine's own ECR.

MiniStack's ECR is a registry on the gateway's port, and Docker trusts a registry on 127.0.0.1 without TLS. So what was pushed
to `127.0.0.1:4566/shop/web:v1` is what a container definition calls `123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/web:v1`.
MiniStack would ask AWS for it. With the registry the digests are real: a tag is resolved once per deployment, a task says
which contents it runs, and a revision that names a digest starts.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html
"""

import functools
import os
import re

from ministack.core import container_reaper

_ECR_HOST = re.compile(r"^\d{12}\.dkr[.-]ecr(-fips)?\.[a-z0-9-]+\.(amazonaws\.com(\.cn)?|on\.aws)/")


def add() -> None:
    """Wraps the calls of the Docker SDK that name an image. Without the SDK nothing runs in containers."""
    try:
        from docker.models.containers import ContainerCollection
        from docker.models.images import Image, ImageCollection
    except ImportError:
        return
    for owner, method in [
        (ImageCollection, "get"),
        (ImageCollection, "get_registry_data"),
        (ImageCollection, "pull"),
        (ContainerCollection, "run"),
        (Image, "tag"),
    ]:
        setattr(owner, method, _naming_the_local_registry(getattr(owner, method)))


def _naming_the_local_registry(method):
    @functools.wraps(method)
    def wrapped(self, image, *args, **kwargs):
        registry = f"127.0.0.1:{os.environ['GATEWAY_PORT']}/"
        return method(self, _ECR_HOST.sub(registry, image), *args, **kwargs)

    return wrapped


def remove_all() -> None:
    """Removes every container that this MiniStack started, and every image of its registry, from the Docker engine."""
    try:
        import docker
        from docker.models.containers import ContainerCollection

        engine = docker.from_env()
    except Exception:
        # Without an engine there is nothing to remove.
        return

    def refused(*_args, **_kwargs):
        raise docker.errors.DockerException("this MiniStack is being ended")

    # Else ECS would replace what is removed.
    ContainerCollection.run = refused
    mine = {"label": f"{container_reaper.INSTANCE_LABEL}={container_reaper.instance_id()}"}
    while containers := engine.containers.list(all=True, filters=mine, ignore_removed=True):
        for container in containers:
            _even_when_gone(container.remove, force=True, v=True)
    registry = f"127.0.0.1:{os.environ['GATEWAY_PORT']}/"
    for image in engine.images.list():
        for name in image.attrs["RepoTags"] + image.attrs["RepoDigests"]:
            if name.startswith(registry):
                _even_when_gone(engine.images.remove, name, force=True)


def _even_when_gone(remove, *args, **kwargs) -> None:
    try:
        remove(*args, **kwargs)
    except Exception as refused:
        if getattr(refused, "status_code", None) != 404:
            print(f"could not remove: {refused}", flush=True)

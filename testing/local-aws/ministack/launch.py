"""Starts MiniStack with what it omits of AWS and this project stands on.

MiniStack is used as it comes from PyPI. Each module beside this one adds to one of its services, by wrapping functions of
exactly the pinned version before its server runs, and says which behaviour of AWS it adds. Nothing of MiniStack is replaced
that it does right.

The environment says where and how it runs: LOCAL_AWS_DIRECTORY is its own folder, removed at the end; GATEWAY_PORT, BIND_HOST,
SFN_WAIT_SCALE and the rest are MiniStack's own.
Standard input is the line to whoever started it: each line is an event for the rules, as JSON, in the form in which
EventBridge delivers it; at its end, whatever ended it, this process goes with all that it started. So nothing outlives a
test, not even one that was killed.
"""

import importlib.metadata
import json
import os
import pathlib
import re
import shutil
import signal
import sys
import threading
import traceback


def pinned_version() -> str:
    """The MiniStack version of requirements.txt."""
    requirements = pathlib.Path(__file__).with_name("requirements.txt").read_text(encoding="utf-8")
    return re.search(r"^ministack==(\S+) ", requirements, re.MULTILINE).group(1)


def main() -> None:
    """Checks the version, adds what is missing, and serves until standard input ends."""
    pinned, installed = pinned_version(), importlib.metadata.version("ministack")
    if installed != pinned:
        sys.exit(
            f"launch.py adds to MiniStack {pinned}, but {installed} is installed: "
            f"install the pinned packages with `pip install -r testing/local-aws/ministack/requirements.txt`"
        )

    import cloudformation_types
    import ecr_events
    import ecs_answers
    import ecs_draining
    import ecs_images
    import executions
    import iam
    import quotas

    cloudformation_types.add()
    ecr_events.add()
    ecs_answers.add()
    ecs_draining.add()
    ecs_images.add()
    executions.add()
    iam.add()
    quotas.add()

    threading.Thread(target=serve_standard_input, args=(ecr_events.dispatch, ecs_images.remove_all), daemon=True).start()

    from ministack import app

    app.main()


def serve_standard_input(dispatch, remove_containers) -> None:
    """Dispatches events until there are no more, then ends this process's whole group, of which it is the leader."""
    try:
        for line in sys.stdin:
            try:
                dispatch(json.loads(line))
            except Exception:
                # A mistake in one event is for the log: the next one may be right.
                traceback.print_exc()
        remove_containers()
        # Whoever started this may have been killed, and then nobody else removes it.
        if directory := os.environ.get("LOCAL_AWS_DIRECTORY"):
            shutil.rmtree(directory, ignore_errors=True)
    finally:
        if os.getpgrp() == os.getpid():
            os.killpg(os.getpgrp(), signal.SIGKILL)
        os._exit(0)


if __name__ == "__main__":
    main()

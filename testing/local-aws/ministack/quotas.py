"""Service Quotas, which MiniStack does not have: the quotas that a push meets, one to a page.

They are those of an account that is long in use, but for what the file `quotas.json` in LOCAL_AWS_DIRECTORY says: values by
code.

https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_ListServiceQuotas.html
https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""

import json
import os
import pathlib
import sys

from ministack.core import router
from ministack.core.responses import error_response_json, json_response

_QUOTAS = {
    "lambda": [("L-B99A9384", "Concurrent executions", 1000.0)],
    "states": [
        ("L-STARTEXEC", "StartExecution throttle token bucket size", 1300.0),
        ("L-BUCKET", "StateTransition throttle token bucket size", 5000.0),
        ("L-REFILL", "StateTransition throttle token refill rate per second", 5000.0),
    ],
}


def add() -> None:
    """Serves it as MiniStack serves its own."""
    from ministack import app

    name = "servicequotas"
    router.SERVICE_PATTERNS[name] = {
        "target_prefixes": ["ServiceQuotasV20190624"],
        "host_patterns": [r"servicequotas\."],
        "credential_scope": name,
    }

    async def handler(*request):
        return await sys.modules[__name__].handle_request(*request)

    app.SERVICE_HANDLERS[name] = handler


async def handle_request(method, path, headers, body, query_params):
    """Answers ListServiceQuotas."""
    operation, request = headers.get("x-amz-target", "").rsplit(".", 1)[-1], json.loads(body or "{}")
    if operation != "ListServiceQuotas":
        return error_response_json("UnknownOperationException", f"there is no {operation} here", 400)
    quotas = _QUOTAS.get(request.get("ServiceCode"))
    if quotas is None:
        return error_response_json("NoSuchResourceException", "The request failed because the service is unknown.", 400)
    place = int(request.get("NextToken", 0))
    code, name, value = quotas[place]
    quota = {"ServiceCode": request["ServiceCode"], "QuotaCode": code, "QuotaName": name, "Adjustable": True}
    page = {"Quotas": [quota | {"Value": _said().get(code, value)}]}
    if place + 1 < len(quotas):
        page["NextToken"] = str(place + 1)
    return json_response(page)


def _said() -> dict:
    path = pathlib.Path(os.environ["LOCAL_AWS_DIRECTORY"], "quotas.json")
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

"""A Lambda function in Python for comparison: it imports boto3, makes one call, and answers, through Lambda's runtime
interface as its own runtime does."""

import http.client
import json
import os

import boto3

ecs = boto3.client("ecs")
runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    runtime.request("GET", "/2018-06-01/runtime/invocation/next")
    invocation = runtime.getresponse()
    event = json.loads(invocation.read())
    clusters = ecs.list_clusters()["clusterArns"]
    answer = json.dumps({"event": len(event), "clusters": clusters})
    request = invocation.headers["lambda-runtime-aws-request-id"]
    runtime.request("POST", f"/2018-06-01/runtime/invocation/{request}/response", answer)
    runtime.getresponse().read()

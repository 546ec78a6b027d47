"""The Lambda runtime of the Python references.

It does less between invocations than AWS's Python runtime, which makes the references look faster.
"""

import http.client
import json
import os


def serve(handle):
    """Handles events, one after the other, without an end."""
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

    def call(method, path, body=None):
        api.request(method, f"/2018-06-01/runtime/invocation/{path}", body)
        response = api.getresponse()
        return response.headers, response.read()

    while True:
        headers, event = call("GET", "next")
        id = headers["lambda-runtime-aws-request-id"]
        try:
            call("POST", f"{id}/response", json.dumps(handle(json.loads(event))).encode())
        except Exception as error:
            problem = {"errorType": type(error).__name__, "errorMessage": str(error)}
            call("POST", f"{id}/error", json.dumps(problem).encode())

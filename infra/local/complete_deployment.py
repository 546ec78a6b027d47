"""Completes the parts of a deployed stack that the emulator does not support.

Each step describes the gap that it fills. All steps can run again after a later deployment to the same
emulator. Prints the stack's outputs as JSON.
"""

import argparse
import json
import re
import sys

import boto3

from deployed_stack import Stack

METHODS = {"get", "head", "post", "put", "patch", "delete"}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--stack-name", required=True)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--ministack", action="store_true", help="also fill ministack's gaps")
    parser.add_argument("--clock-file", required=True)
    args = parser.parse_args()

    stack = Stack(args.stack_name)
    api_url = f"{args.endpoint}/_aws/execute-api/{stack.outputs['ApiId']}/$default"

    set_public_base_url(stack, api_url)
    if args.ministack:
        allow_plain_http(stack)
        allow_all_actions(stack)
        recreate_routes(stack)
        point_aliases_to_latest(stack)
        set_function_environment(stack, args.endpoint, args.clock_file)
        set_maximum_concurrency(stack)

    json.dump({**stack.outputs, "ApiUrl": api_url}, sys.stdout)


def allow_plain_http(stack):
    """Removes the policy statements that deny plain HTTP, the only protocol that the emulator speaks."""

    def is_allowed(statement):
        return "aws:SecureTransport" not in statement.get("Condition", {}).get("Bool", {})

    def claim_https(request, **_):
        request.headers["X-Forwarded-Proto"] = "https"

    session = boto3.Session()
    session.events.register("before-send.*", claim_https)
    s3, sqs = session.client("s3"), session.client("sqs")
    for bucket_policy in stack.of_type("AWS::S3::BucketPolicy").values():
        bucket = stack.resolve(bucket_policy["Bucket"])
        policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
        policy["Statement"] = [statement for statement in policy["Statement"] if is_allowed(statement)]
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    for queue_policy in stack.of_type("AWS::SQS::QueuePolicy").values():
        for queue in stack.resolve(queue_policy["Queues"]):
            policy = json.loads(
                sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy"])["Attributes"]["Policy"]
            )
            policy["Statement"] = [statement for statement in policy["Statement"] if is_allowed(statement)]
            attribute = json.dumps(policy) if policy["Statement"] else ""
            sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": attribute})


def allow_all_actions(stack):
    """Lets every role do everything, because the emulator evaluates some of the policies' conditions wrongly.

    The emulator checks policies only because checking signatures requires it.
    """
    iam = boto3.client("iam")
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    for id in stack.of_type("AWS::IAM::Role"):
        iam.put_role_policy(
            RoleName=stack.ids[id],
            PolicyName="everything",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything]}),
        )


def recreate_routes(stack):
    """Creates the routes that SAM writes to an HTTP API's Body, which the emulator ignores.

    First deletes an earlier deployment's routes, because the routes or the issuer may have changed since.

    Fails closed: a route is public only if its single security scheme is NONE. A route without a scheme, or
    with a scheme that the Body does not define, stops the deployment.
    """
    api_gateway = boto3.client("apigatewayv2")
    api = stack.outputs["ApiId"]
    delete_routes(api_gateway, api)
    body = dict(stack.template["Resources"]["Api"]["Properties"]["Body"])
    set_cors(stack, api, body.pop("x-amazon-apigateway-cors"))
    body = stack.resolve(body)
    authorizers = create_authorizers(api_gateway, api, body)
    integrations = {}
    for path, operations in body["paths"].items():
        for method, operation in operations.items():
            if method not in METHODS:
                sys.exit(f"cannot create {method} {path}: unknown method")
            integration = operation["x-amazon-apigateway-integration"]
            function = re.search(r"functions/(.+)/invocations", integration["uri"])[1]
            if function not in integrations:
                integrations[function] = api_gateway.create_integration(
                    ApiId=api,
                    IntegrationType="AWS_PROXY",
                    IntegrationUri=function,
                    PayloadFormatVersion=integration["payloadFormatVersion"],
                )["IntegrationId"]
            schemes = [scheme for entry in operation["security"] for scheme in entry]
            if schemes == ["NONE"]:
                authorization = {"AuthorizationType": "NONE"}
            elif len(schemes) == 1:
                authorization = {"AuthorizationType": "JWT", "AuthorizerId": authorizers[schemes[0]]}
            else:
                sys.exit(f"cannot create {method} {path}: it needs exactly one security scheme")
            api_gateway.create_route(
                ApiId=api,
                RouteKey=f"{method.upper()} {path}",
                Target=f"integrations/{integrations[function]}",
                **authorization,
            )


def delete_routes(api_gateway, api):
    for route in api_gateway.get_routes(ApiId=api)["Items"]:
        api_gateway.delete_route(ApiId=api, RouteId=route["RouteId"])
    for integration in api_gateway.get_integrations(ApiId=api)["Items"]:
        api_gateway.delete_integration(ApiId=api, IntegrationId=integration["IntegrationId"])
    for authorizer in api_gateway.get_authorizers(ApiId=api)["Items"]:
        api_gateway.delete_authorizer(ApiId=api, AuthorizerId=authorizer["AuthorizerId"])


def create_authorizers(api_gateway, api, body):
    """Creates the Body's JWT authorizers and returns their ids by scheme."""
    authorizers = {}
    for name, scheme in body["components"]["securitySchemes"].items():
        jwt = scheme["x-amazon-apigateway-authorizer"]
        authorizers[name] = api_gateway.create_authorizer(
            ApiId=api,
            Name=name,
            AuthorizerType="JWT",
            IdentitySource=[jwt["identitySource"]],
            JwtConfiguration={
                "Issuer": jwt["jwtConfiguration"]["issuer"],
                "Audience": jwt["jwtConfiguration"]["audience"],
            },
        )["AuthorizerId"]
    return authorizers


def set_cors(stack, api, cors):
    """Sets the CORS configuration, which is also part of the ignored Body.

    The origins come from the stack's parameter. The Body's origins are wrong, because the emulator runs the
    SAM transform with the parameters' default values.
    """
    api_gateway = boto3.client("apigatewayv2")
    origins = stack.parameters["CorsOrigins"]
    if not origins:
        api_gateway.delete_cors_configuration(ApiId=api)
        return
    _, configured, _ = cors["Fn::If"]
    api_gateway.update_api(
        ApiId=api,
        CorsConfiguration={
            "AllowOrigins": origins.split(","),
            "AllowHeaders": configured["allowHeaders"],
            "AllowMethods": configured["allowMethods"],
            "ExposeHeaders": configured["exposeHeaders"],
            "MaxAge": configured["maxAge"],
        },
    )


def set_public_base_url(stack, api_url):
    """Replaces the public base URL, because the API's host name resolves to AWS, not to the emulator."""
    name = f"/{stack.name}/public-base-url"
    boto3.client("ssm").put_parameter(Name=name, Value=api_url, Type="String", Overwrite=True)


def point_aliases_to_latest(stack):
    """Points aliases to $LATEST.

    A published version's environment is immutable, but `set_function_environment` must change it.
    """
    client = boto3.client("lambda")
    for id in stack.of_type("AWS::Lambda::Alias"):
        function, alias = stack.ids[id].split(":")[-2:]
        client.update_alias(FunctionName=function, Name=alias, FunctionVersion="$LATEST")


def set_function_environment(stack, endpoint, clock_file):
    """Passes the emulator's endpoint and the clock file's path to functions that run on this machine.

    Emulators that run functions in containers do not need this: they set the endpoint themselves, and a
    container cannot read the file.
    """
    client = boto3.client("lambda")
    for id in stack.of_type("AWS::Lambda::Function"):
        name = stack.ids[id]
        variables = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        wanted = {**variables, "AWS_ENDPOINT_URL": endpoint, "SHARELINK_CLOCK_FILE": clock_file}
        if variables != wanted:
            client.update_function_configuration(FunctionName=name, Environment={"Variables": wanted})


def set_maximum_concurrency(stack):
    """Sets the mappings' maximum concurrency to a number.

    The emulator keeps the parameter's text, which its poller cannot compare.
    """
    client = boto3.client("lambda")
    for id, properties in stack.of_type("AWS::Lambda::EventSourceMapping").items():
        if scaling := stack.resolve(properties.get("ScalingConfig")):
            limit = {"MaximumConcurrency": int(scaling["MaximumConcurrency"])}
            client.update_event_source_mapping(UUID=stack.ids[id], ScalingConfig=limit)


if __name__ == "__main__":
    main()

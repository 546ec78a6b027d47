"""Compares a deployed stack with its template, and says what is missing and how to fix it.

Some faults leave a deployment green: API Gateway drops routes whose authorizer it cannot create, an event
source mapping can be disabled by hand, and SES sends nothing before its identity is verified. Each check
reads one part of the deployment through its service's own API, because CloudFormation knows only what it once
deployed.

A finding is either `missing`, which fails the check, or `pending`: something that an operator has yet to do
or that AWS has yet to finish. The script changes nothing and never prints a secret.
"""

import argparse
import http.client
import itertools
import json
import re
import socket
import sys
import textwrap
import urllib.error
import urllib.request

from botocore.exceptions import BotoCoreError, ClientError

from deployed_stack import Stack, client

METHODS = {"get", "head", "post", "put", "patch", "delete"}

# The shortest secret that functions accept, in bytes.
MIN_KEY_LENGTH = 32

# The error code of Lambda, EventBridge and DynamoDB for something that does not exist.
ABSENT = "ResourceNotFoundException"

INDENT = {"initial_indent": " " * 9, "subsequent_indent": " " * 9}

# What a request raises if it gets no complete response.
UNREACHABLE = (OSError, http.client.HTTPException)

REVERT = (
    "A deployment does not revert changes made outside CloudFormation. infra/operations.md has the commands "
    "that do, under Deployments."
)

REIMPORT = (
    "Deploy a change to the API, such as one more entry in CorsOrigins: CloudFormation imports the API again "
    "only if its definition has changed."
)

UNREADABLE_ISSUER = (
    "API Gateway leaves out routes whose authorizer it cannot create. Make sure that it can read JwtIssuer's "
    f"/.well-known/openid-configuration. {REIMPORT}"
)


class Report:
    """The findings of one check."""

    def __init__(self):
        self.findings = []

    def missing(self, text, remedy=REVERT):
        self.findings.append(("MISSING", text, remedy))

    def pending(self, text, remedy):
        self.findings.append(("PENDING", text, remedy))

    def expect(self, expected, actual, what, remedy=REVERT):
        """Reports a value that differs from the template's."""
        if expected != actual:
            self.missing(f"{what} is {show(actual)}, but should be {show(expected)}", remedy)


def show(value):
    return value if isinstance(value, str) and value else json.dumps(value, default=str, sort_keys=True)


def error_code(error):
    return error.response["Error"]["Code"] if isinstance(error, ClientError) else ""


def pages(service, operation, key, **arguments):
    """Returns the elements of a list that an operation returns in pages."""
    paginator = client(service).get_paginator(operation)
    return [element for page in paginator.paginate(**arguments) for element in page.get(key, [])]


def find(service, operation, absent, **arguments):
    """Returns an operation's result, or None if it fails with the error code for something that is absent."""
    try:
        return getattr(client(service), operation)(**arguments)
    except ClientError as error:
        if error_code(error) != absent:
            raise
        return None


def describe(error):
    return f"{type(error).__name__}: {error}"


def elements(value):
    """Returns a list for a part of a policy that may be a list or a single value."""
    return value if isinstance(value, list) else [value]


def principals(statement):
    """Returns the principals of a policy's statement, without their types."""
    principal = statement.get("Principal")
    groups = principal.values() if isinstance(principal, dict) else [principal]
    return [name for group in groups for name in elements(group)]


def same_numbers(expected, actual):
    """Compares the settings in `expected`. CloudFormation may write a number as a string."""
    return all(
        actual.get(name) is not None and float(value) == float(actual[name])
        for name, value in expected.items()
    )


# --- The stack ----------------------------------------------------------------------------------------------


def check_stack(stack, report):
    """The stack's status, and every resource of its template."""
    if not re.fullmatch(r"(CREATE|UPDATE|IMPORT|UPDATE_ROLLBACK)_COMPLETE", stack.status):
        report.missing(f"the stack's status is {stack.status}", "Wait, or repair the failed deployment.")
    if stack.status == "UPDATE_ROLLBACK_COMPLETE":
        report.pending("the last deployment was rolled back", "Read the stack's events, and deploy again.")
    for id, resource in stack.template["Resources"].items():
        if stack.holds(resource.get("Condition")) and id not in stack.ids:
            report.missing(f"{id} ({resource['Type']}) was not created", "Deploy the stack again.")


# --- The API ------------------------------------------------------------------------------------------------


def api_definition(stack):
    ((id, properties),) = stack.of_type("AWS::ApiGatewayV2::Api").items()
    return stack.ids[id], stack.resolve(properties["Body"])


def operations(body):
    """Yields each route's key, operation and security scheme. The scheme NONE makes a route public."""
    for path, methods in body["paths"].items():
        for method in METHODS & methods.keys():
            schemes = [scheme for entry in methods[method].get("security", []) for scheme in entry]
            yield f"{method.upper()} {path}", methods[method], schemes


def check_routes(stack, report):
    """Every route's function and authorization. Exactly the opted-out routes are public."""
    api, body = api_definition(stack)
    routes = {route["RouteKey"]: route for route in pages("apigatewayv2", "get_routes", "Items", ApiId=api)}
    targets = {
        f"integrations/{i['IntegrationId']}": i
        for i in pages("apigatewayv2", "get_integrations", "Items", ApiId=api)
    }
    names = {
        a["AuthorizerId"]: a["Name"] for a in pages("apigatewayv2", "get_authorizers", "Items", ApiId=api)
    }
    expected = {key: (operation, schemes) for key, operation, schemes in operations(body)}
    for key in sorted(expected.keys() - routes.keys()):
        report.missing(f"the route {key} does not exist", UNREADABLE_ISSUER)
    for key in sorted(routes.keys() - expected.keys()):
        report.missing(f"the route {key} is not in the template", "Delete the route.")
    for key in sorted(expected.keys() & routes.keys()):
        operation, schemes = expected[key]
        route = routes[key]
        actual = route.get("AuthorizationType", "NONE")
        if schemes == ["NONE"]:
            report.expect("NONE", actual, f"the authorization of the public route {key}", REIMPORT)
        elif len(schemes) != 1:
            report.missing(
                f"the template does not say how the route {key} is authorized", "Correct the template."
            )
        elif actual != "JWT":
            report.missing(f"the route {key} requires no token (authorization {actual})", REIMPORT)
        else:
            report.expect(
                schemes[0], names.get(route.get("AuthorizerId")), f"the authorizer of {key}", REIMPORT
            )
        function = re.search(
            r"functions/(.+)/invocations", operation["x-amazon-apigateway-integration"]["uri"]
        )[1]
        target = targets.get(route.get("Target"), {})
        if function not in target.get("IntegrationUri", ""):
            report.missing(f"the route {key} does not invoke {function}", REIMPORT)


def check_authorizers(stack, report):
    """Each authorizer's issuer, audience and token source."""
    api, body = api_definition(stack)
    authorizers = {a["Name"]: a for a in pages("apigatewayv2", "get_authorizers", "Items", ApiId=api)}
    for name, scheme in body["components"]["securitySchemes"].items():
        authorizer = authorizers.get(name)
        if authorizer is None:
            report.missing(f"the authorizer {name} does not exist", UNREADABLE_ISSUER)
            continue
        configuration = authorizer.get("JwtConfiguration", {})
        report.expect(stack.parameters["JwtIssuer"], configuration.get("Issuer"), f"the issuer of {name}")
        report.expect(
            [stack.parameters["JwtAudience"]], configuration.get("Audience"), f"the audience of {name}"
        )
        source = scheme["x-amazon-apigateway-authorizer"]["identitySource"]
        report.expect([source], authorizer.get("IdentitySource"), f"the token source of {name}")


def check_issuer(stack, report):
    """The issuer's public metadata, as API Gateway needs it."""
    issuer = stack.parameters["JwtIssuer"]
    url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    try:
        metadata = fetch_object(url)
        keys = [key for key in fetch_object(metadata["jwks_uri"])["keys"] if isinstance(key, dict)]
    except (*UNREACHABLE, ValueError, KeyError, TypeError, AttributeError) as error:
        report.missing(
            f"cannot read {url} or its keys: {describe(error)}",
            "API Gateway reads both over the internet, on every deployment of the API and for every new key.",
        )
        return
    report.expect(
        issuer,
        metadata.get("issuer"),
        "the issuer in its own metadata",
        "Set JwtIssuer to exactly this value: it must equal the claim iss to the last slash.",
    )
    if not any(key.get("kty") == "RSA" and key.get("kid") for key in keys):
        report.missing(
            "the issuer has no RSA key with a kid",
            "API Gateway accepts only tokens signed with RSA. Let the issuer sign with RS256.",
        )


def check_cors(stack, report):
    """The origins that may call the API, and what they may send and read."""
    api, body = api_definition(stack)
    actual = client("apigatewayv2").get_api(ApiId=api).get("CorsConfiguration", {})
    # The emulator transforms the template with default parameters, so the origins come from the parameter.
    origins = [origin for origin in stack.parameters["CorsOrigins"].split(",") if origin]
    report.expect(sorted(origins), sorted(actual.get("AllowOrigins", [])), "the list of CORS origins")
    configured = body.get("x-amazon-apigateway-cors")
    if origins and configured:
        for setting in ("AllowHeaders", "AllowMethods", "ExposeHeaders"):
            wanted = sorted(value.lower() for value in configured[setting[0].lower() + setting[1:]])
            found = sorted(value.lower() for value in actual.get(setting, []))
            report.expect(wanted, found, f"the CORS setting {setting}")


def stages(stack):
    """Yields each stage's settings in the template, and its actual settings."""
    for properties in stack.of_type("AWS::ApiGatewayV2::Stage").values():
        wanted = stack.resolve(properties)
        name = {"ApiId": wanted["ApiId"], "StageName": wanted["StageName"]}
        yield wanted, client("apigatewayv2").get_stage(**name)


def check_stage(stack, report):
    """The stage's access log and automatic deployment."""
    for wanted, actual in stages(stack):
        report.expect(True, actual.get("AutoDeploy"), "the stage's automatic deployment")
        log = actual.get("AccessLogSettings", {}).get("DestinationArn", "")
        expected = wanted["AccessLogSettings"]["DestinationArn"]
        report.expect(expected.removesuffix(":*"), log.removesuffix(":*"), "the access log")


def check_throttles(stack, report):
    """The limits of each route and of all other routes."""
    for wanted, actual in stages(stack):
        limits = {
            "the default throttle": (wanted["DefaultRouteSettings"], actual.get("DefaultRouteSettings", {}))
        }
        for route, settings in wanted["RouteSettings"].items():
            limits[f"the throttle of {route}"] = (settings, actual.get("RouteSettings", {}).get(route, {}))
        for what, (settings, found) in limits.items():
            if not same_numbers(settings, found):
                report.missing(f"{what} is {show(found)}, but should be {show(settings)}")


def check_domain(stack, report):
    """The custom domain, if there is one."""
    api, _ = api_definition(stack)
    is_disabled = client("apigatewayv2").get_api(ApiId=api).get("DisableExecuteApiEndpoint", False)
    domains = stack.of_type("AWS::ApiGatewayV2::DomainName")
    report.expect(bool(domains), is_disabled, "whether the address that AWS assigned is disabled")
    for id in domains:
        name = stack.ids[id]
        configuration = client("apigatewayv2").get_domain_name(DomainName=name)["DomainNameConfigurations"][0]
        status = configuration.get("DomainNameStatus")
        if status != "AVAILABLE":
            report.pending(
                f"the domain {name} is {status}", "Wait, and check the certificate's status in ACM."
            )
        if api not in mapped_apis(name):
            report.missing(f"the domain {name} is not mapped to the API")


def mapped_apis(domain):
    """Returns the IDs of the APIs that a domain is mapped to. boto3 has no paginator for this operation."""
    apis, arguments = [], {"DomainName": domain}
    while True:
        page = client("apigatewayv2").get_api_mappings(**arguments)
        apis += [mapping["ApiId"] for mapping in page.get("Items", [])]
        if not page.get("NextToken"):
            return apis
        arguments["NextToken"] = page["NextToken"]


def check_distribution(stack, report):
    """The distribution in front of the API, if there is one."""
    for id, properties in stack.of_type("AWS::CloudFront::Distribution").items():
        wanted = stack.resolve(properties["DistributionConfig"])
        distribution = find("cloudfront", "get_distribution", "NoSuchDistribution", Id=stack.ids[id])
        if distribution is None:
            report.missing("the distribution does not exist")
            continue
        distribution = distribution["Distribution"]
        actual = distribution["DistributionConfig"]
        if distribution["Status"] != "Deployed":
            report.pending(
                f"the distribution is {distribution['Status']}", "Wait until CloudFront has deployed it."
            )
        report.expect(True, actual["Enabled"], "whether the distribution is enabled")
        report.expect(wanted["Aliases"], actual["Aliases"].get("Items", []), "the distribution's domain")
        report.expect(wanted.get("WebACLId", ""), actual.get("WebACLId", ""), "the distribution's web ACL")
        report.expect(
            wanted["ViewerCertificate"]["MinimumProtocolVersion"],
            actual["ViewerCertificate"].get("MinimumProtocolVersion"),
            "the distribution's minimum TLS version",
        )
        report.expect(origins(wanted["Origins"]), origins(actual["Origins"]["Items"]), "the origin")
        behaviors = {"every other path": (wanted["DefaultCacheBehavior"], actual["DefaultCacheBehavior"])}
        found = {b["PathPattern"]: b for b in actual["CacheBehaviors"].get("Items", [])}
        for behavior in wanted["CacheBehaviors"]:
            path = behavior["PathPattern"]
            behaviors[path] = (behavior, found.get(path, {}))
        for path, (behavior, current) in behaviors.items():
            for setting in ("CachePolicyId", "OriginRequestPolicyId", "ViewerProtocolPolicy"):
                report.expect(
                    behavior.get(setting, ""), current.get(setting, ""), f"the {setting} of {path}"
                )
        # The paths in such a log contain the links.
        if actual.get("Logging", {}).get("Enabled"):
            report.missing("the distribution logs every link", "Disable its standard logs, and delete them.")
        if not wanted.get("WebACLId"):
            report.pending(
                "the distribution has no web ACL, so nothing limits a single client",
                "Create one, and set WebAclArn. infra/README.md has the commands.",
            )


def origins(configured):
    """Returns each origin's domain and the names of its headers, whose values are secret."""

    def names(origin):
        headers = origin.get("OriginCustomHeaders") or origin.get("CustomHeaders", {}).get("Items", [])
        return sorted(header["HeaderName"].lower() for header in headers)

    return {origin["DomainName"]: names(origin) for origin in configured}


def check_bypass(stack, report):
    """The API's own address: behind a distribution, the functions refuse requests to it."""
    api, body = api_definition(stack)
    if not stack.of_type("AWS::CloudFront::Distribution"):
        return
    suffix = "amazonaws.com.cn" if stack.partition == "aws-cn" else "amazonaws.com"
    for key, _, schemes in operations(body):
        method, path = key.split(" ")
        if schemes != ["NONE"]:
            continue
        url = f"https://{api}.execute-api.{stack.region}.{suffix}" + sample_path(path)
        try:
            status, _ = fetch(url, method)
        except UNREACHABLE as error:
            report.missing(f"{key} does not respond at the API's own address: {describe(error)}")
            return
        report.expect(
            421,
            status,
            f"the status of {key} at the API's own address",
            "The function accepts requests that bypass the distribution. See functions.",
        )


def sample_path(path):
    """Returns a route's path with the name of nothing that exists."""
    return re.sub(r"\{[^}]+\}", "deployment-check", path)


def check_requests(stack, report, api_url):
    """The API itself: without a token, exactly the public routes respond with something else than 401."""
    _, body = api_definition(stack)
    for key, _, schemes in operations(body):
        method, path = key.split(" ")
        # No link, page or file has this name, so a public route responds with 404.
        url = (api_url or stack.outputs["ApiUrl"]) + sample_path(path)
        try:
            status, _ = fetch(url, method)
        except UNREACHABLE as error:
            has_no_record = isinstance(getattr(error, "reason", None), socket.gaierror)
            if has_no_record and not api_url and stack.outputs.get("ApiTarget"):
                # Without a hosted zone, someone else creates the record, but only after the first deployment.
                outcome = report.missing if stack.parameters.get("HostedZoneId") else report.pending
                outcome(
                    f"the domain {stack.parameters['DomainName']} has no DNS record, so no request arrives",
                    f"Point a CNAME or alias record to {stack.outputs['ApiTarget']}.",
                )
            else:
                report.missing(
                    f"{key} does not respond: {describe(error)}",
                    "Check that the address of the API is right, and that this machine can reach it.",
                )
            return
        if schemes != ["NONE"] and status != 401:
            report.missing(
                f"{key} responds with {status} to a request without a token, instead of 401", "See routes."
            )
        if schemes == ["NONE"] and status not in (200, 404):
            report.missing(
                f"the public route {key} responds with {status} instead of 404",
                "See routes and permissions, and read the function's log.",
            )


def fetch(url, method="GET"):
    """Returns the status and body of a response."""
    data = b"{}" if method in ("POST", "PATCH", "PUT") else None
    # Cloudflare, in front of Auth0 and others, refuses urllib's own User-Agent with 403.
    headers = {"User-Agent": "sharelink-check-deployment"}
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def fetch_object(url):
    """Returns the JSON object that a URL responds with."""
    status, body = fetch(url)
    if status != 200:
        raise ValueError(f"{url} responds with {status}")
    value = json.loads(body)
    if not isinstance(value, dict):
        raise ValueError(f"{url} contains no JSON object")
    return value


# --- The functions ------------------------------------------------------------------------------------------


def check_functions(stack, report):
    """Each function's state, and that the alias's version has the latest code and environment."""
    remedy = (
        "The last deployment published no version, so requests still reach the old one. Run sam build and "
        "sam deploy again. If they change nothing, publish a version and point the alias to it."
    )
    for properties in stack.of_type("AWS::Lambda::Alias").values():
        function, name = (stack.property(properties, property) for property in ("FunctionName", "Name"))
        latest = client("lambda").get_function_configuration(FunctionName=function)
        for field, expected in (("State", "Active"), ("LastUpdateStatus", "Successful")):
            if latest.get(field, expected) != expected:
                report.pending(f"{function} has {field} {latest[field]}", "Wait, or read the function's log.")
        alias = find("lambda", "get_alias", ABSENT, FunctionName=function, Name=name)
        if alias is None:
            report.missing(f"{function} has no alias {name}")
            continue
        if alias.get("RoutingConfig", {}).get("AdditionalVersionWeights"):
            report.pending(f"a canary deployment of {function} is running", "Wait for CodeDeploy to finish.")
            continue
        live = client("lambda").get_function_configuration(FunctionName=function, Qualifier=name)
        for field in ("CodeSha256", "MemorySize", "Role", "Timeout"):
            report.expect(latest[field], live[field], f"{field} of the {name} version of {function}", remedy)
        # The values may be confidential, so only the names are printed.
        variables = [c.get("Environment", {}).get("Variables", {}) for c in (latest, live)]
        differing = sorted(
            k for k in variables[0].keys() | variables[1].keys() if variables[0].get(k) != variables[1].get(k)
        )
        if differing:
            report.missing(
                f"the {name} version of {function} has other values of {', '.join(differing)}", remedy
            )


def check_concurrency(stack, report):
    """Each function's reserved concurrency."""
    for id, properties in stack.of_type("AWS::Lambda::Function").items():
        wanted = stack.property(properties, "ReservedConcurrentExecutions")
        found = client("lambda").get_function_concurrency(FunctionName=stack.ids[id])
        actual = found.get("ReservedConcurrentExecutions")
        report.expect(wanted and int(wanted), actual, f"the reserved concurrency of {id}")


def check_permissions(stack, report):
    """The permissions of API Gateway and EventBridge to invoke the functions' aliases."""
    for id, properties in stack.of_type("AWS::Lambda::Permission").items():
        wanted = stack.resolve(properties)
        policy = find("lambda", "get_policy", ABSENT, FunctionName=wanted["FunctionName"])
        statements = elements(json.loads(policy["Policy"])["Statement"]) if policy else []
        if not any(allows(statement, wanted) for statement in statements):
            report.missing(f"{wanted['Principal']} may not invoke {wanted['FunctionName']} ({id})")


def allows(statement, wanted):
    source = statement.get("Condition", {}).get("ArnLike", {}).get("AWS:SourceArn")
    return (
        not {wanted["Principal"], "*"}.isdisjoint(principals(statement))
        and source == wanted.get("SourceArn")
        and statement["Effect"] == "Allow"
    )


def check_streams(stack, report):
    """Each event source mapping: enabled, with its function, stream, filters and retries."""
    for id, properties in stack.of_type("AWS::Lambda::EventSourceMapping").items():
        wanted = stack.resolve(properties)
        actual = find("lambda", "get_event_source_mapping", ABSENT, UUID=stack.ids[id])
        if actual is None:
            report.missing(f"the event source mapping {id} does not exist")
            continue
        state = actual["State"]
        if state in ("Creating", "Enabling", "Updating"):
            report.pending(f"the event source mapping {id} is {state}", "Wait a minute.")
        elif state != "Enabled":
            report.missing(
                f"the event source mapping {id} is {state}",
                f"aws lambda update-event-source-mapping --enabled --uuid {stack.ids[id]}",
            )
        result = actual.get("LastProcessingResult", "")
        if result.startswith("PROBLEM"):
            report.missing(
                f"the event source mapping {id} fails: {result}", "Read the function's log and role."
            )
        report.expect(wanted["FunctionName"], actual["FunctionArn"], f"the function of {id}")
        report.expect(wanted["EventSourceArn"], actual.get("EventSourceArn"), f"the stream of {id}")
        report.expect(filters(wanted), filters(actual), f"the filter of {id}")
        for field in (
            "BatchSize",
            "ParallelizationFactor",
            "MaximumRetryAttempts",
            "BisectBatchOnFunctionError",
        ):
            if field in wanted:
                report.expect(str(wanted[field]), str(actual.get(field)), f"{field} of {id}")
        limit = stack.resolve(wanted.get("ScalingConfig") or {}).get("MaximumConcurrency")
        if limit is not None:
            found = actual.get("ScalingConfig", {}).get("MaximumConcurrency")
            report.expect(str(limit), str(found), f"the maximum concurrency of {id}")
        for field in ("FunctionResponseTypes", "DestinationConfig"):
            report.expect(wanted.get(field), actual.get(field), f"{field} of {id}")


def filters(mapping):
    return [json.loads(f["Pattern"]) for f in mapping.get("FilterCriteria", {}).get("Filters", [])]


def check_rules(stack, report):
    """Each EventBridge rule: enabled, with its schedule or pattern and its target."""
    for id, properties in stack.of_type("AWS::Events::Rule").items():
        wanted = stack.resolve(properties)
        name = stack.ids[id].split("|")[-1]
        actual = find("events", "describe_rule", ABSENT, Name=name)
        if actual is None:
            report.missing(f"the rule {id} does not exist")
            continue
        if actual["State"] == "DISABLED":
            report.missing(f"the rule {id} is disabled", f"aws events enable-rule --name {name}")
        report.expect(
            wanted.get("ScheduleExpression"), actual.get("ScheduleExpression"), f"the schedule of {id}"
        )
        pattern = actual.get("EventPattern")
        report.expect(wanted.get("EventPattern"), pattern and json.loads(pattern), f"the pattern of {id}")
        targets = {target["Arn"] for target in pages("events", "list_targets_by_rule", "Targets", Rule=name)}
        for target in wanted["Targets"]:
            if target["Arn"] not in targets:
                report.missing(f"the rule {id} does not invoke {target['Arn']}")


# --- Storage ------------------------------------------------------------------------------------------------


def check_table(stack, report):
    """The table's stream and deletion protection."""
    for id, properties in stack.of_type("AWS::DynamoDB::Table").items():
        actual = stack.table(id)
        report.expect(
            "ACTIVE", actual["TableStatus"], f"the status of {id}", "Wait, or read the table's events."
        )
        stream = actual.get("StreamSpecification", {})
        view = stream.get("StreamViewType") if stream.get("StreamEnabled") else None
        wanted = properties.get("StreamSpecification", {}).get("StreamViewType")
        report.expect(wanted, view, f"the stream of {id}")
        report.expect(
            properties["DeletionProtectionEnabled"],
            actual.get("DeletionProtectionEnabled", False),
            f"the deletion protection of {id}",
            "aws dynamodb update-table --deletion-protection-enabled --table-name " + stack.ids[id],
        )


def check_ttl(stack, report):
    """The table's time to live, which deletes old rows and triggers the log entries for expiries."""
    for id, properties in stack.of_type("AWS::DynamoDB::Table").items():
        wanted = properties["TimeToLiveSpecification"]
        actual = client("dynamodb").describe_time_to_live(TableName=stack.ids[id])["TimeToLiveDescription"]
        report.expect(wanted["AttributeName"], actual.get("AttributeName"), f"the TTL attribute of {id}")
        if actual["TimeToLiveStatus"] not in ("ENABLED", "ENABLING"):
            report.missing(f"the TTL of {id} is {actual['TimeToLiveStatus']}")


def check_backups(stack, report):
    """The table's point-in-time recovery."""
    for id in stack.of_type("AWS::DynamoDB::Table"):
        backups = client("dynamodb").describe_continuous_backups(TableName=stack.ids[id])
        recovery = backups["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
        status = recovery.get("PointInTimeRecoveryStatus")
        report.expect("ENABLED", status, f"the point-in-time recovery of {id}")


def check_bucket(stack, report):
    """The buckets: reachable, private if the stack created them, and with a limit on links' age."""
    existing = stack.parameters.get("ExistingFilesBucket")
    own = {stack.ids[id]: id for id in stack.of_type("AWS::S3::Bucket")}
    for bucket in [*([existing] if existing else []), *own]:
        try:
            found = client("s3").head_bucket(Bucket=bucket)
        except ClientError as error:
            report.missing(
                f"the bucket {bucket} cannot be read ({error_code(error)})",
                "Check the bucket's name, and that these credentials may call s3:ListBucket on it.",
            )
            continue
        # boto3 follows S3's redirect to another region.
        check_region(stack, report, f"the bucket {bucket}", found.get("BucketRegion"))
        if bucket in own:
            access = client("s3").get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
            open_settings = sorted(name for name, is_blocked in access.items() if not is_blocked)
            report.expect([], open_settings, f"the list of disabled public access blocks of {bucket}")
        check_signature_age(stack, report, bucket, own.get(bucket))


def check_signature_age(stack, report, bucket, id):
    """The statement in a bucket's policy that limits the age of links. `id` is that of an own bucket."""
    text = None if id else stack.outputs.get("FilesBucketPolicyStatement")
    outcome = report.pending if text else report.missing
    try:
        policy = json.loads(client("s3").get_bucket_policy(Bucket=bucket)["Policy"])
    except ClientError as error:
        # S3 responds with MethodNotAllowed if the bucket belongs to another account.
        if error_code(error) in ("AccessDenied", "MethodNotAllowed"):
            outcome(
                f"the policy of {bucket} could not be read ({error_code(error)})",
                "These credentials need s3:GetBucketPolicy on the bucket."
                if not text
                else f"Check yourself that the policy contains this statement: {text}",
            )
            return
        if error_code(error) != "NoSuchBucketPolicy":
            raise
        policy = {"Statement": []}
    wanted = json.loads(text) if text else own_signature_age_statement(stack, id)
    if not any(is_equivalent(statement, wanted) for statement in elements(policy["Statement"])):
        outcome(
            f"the policy of {bucket} has no statement that limits the age of links",
            f"Add this statement to the bucket's policy: {text}" if text else REVERT,
        )


def own_signature_age_statement(stack, id):
    """Returns the statement in the policy of a bucket that the stack creates."""
    for properties in stack.of_type("AWS::S3::BucketPolicy").values():
        if properties["Bucket"] != {"Ref": id}:
            continue
        for statement in stack.resolve(properties["PolicyDocument"])["Statement"]:
            if "s3:signatureAge" in json.dumps(statement):
                return statement
    raise ValueError("the template limits no link's age")


def is_equivalent(statement, wanted):
    """Returns whether two statements of a policy have the same effect."""
    return canonical(statement) == canonical(wanted)


def canonical(statement):
    """Returns all parts of a statement but its ID, each in one of the forms that IAM accepts for it."""
    parts = {name: sorted(map(str, elements(value))) for name, value in statement.items() if name != "Sid"}
    return parts | {
        "Principal": sorted(map(str, principals(statement))),
        # IAM ignores the case of actions, operators and condition keys.
        "Action": sorted(str(action).lower() for action in elements(statement.get("Action"))),
        "Condition": {
            (operator.lower(), key.lower()): sorted(map(str, elements(values)))
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        },
    }


def check_region(stack, report, what, region):
    """Reports something in another region than the stack's."""
    if region and region != stack.region:
        report.missing(
            f"{what} is in {region}, but must be in the stack's region, {stack.region}",
            "Use one in the stack's region, or deploy the stack there.",
        )


# --- The item resolver --------------------------------------------------------------------------------------


def check_item_resolver(stack, report):
    """The platform's item resolver, if there is one."""
    arn = stack.parameters.get("ItemResolver")
    if not arn:
        return
    region, account = arn.split(":")[3:5]
    check_region(stack, report, f"the item resolver {arn}", region)
    if region != stack.region:
        return
    if account != stack.account:
        report.pending(
            f"the item resolver belongs to another account ({account}), so it cannot be read",
            "Check there that it exists, and that its policy lets the roles of create-shares and "
            "manage-shares invoke it.",
        )
        return
    try:
        function = find("lambda", "get_function", ABSENT, FunctionName=arn)
    except ClientError as error:
        if error_code(error) != "AccessDeniedException":
            raise
        report.pending(
            "these credentials may not read the item resolver",
            f"Check that it exists, or allow lambda:GetFunction on {arn}.",
        )
        return
    if function is None:
        report.missing(f"the item resolver {arn} does not exist", "Create it, or correct ItemResolver.")


# --- The event bus ------------------------------------------------------------------------------------------


def check_event_bus(stack, report):
    """The platform's event bus, if there is one."""
    name = stack.parameters.get("EventBusName")
    if name and find("events", "describe_event_bus", ABSENT, Name=name) is None:
        report.missing(
            f"the event bus {name} does not exist, so no event is published",
            "Create it within 24 hours, and no event is lost. If the platform needs none, set EventBusName "
            "to empty.",
        )


# --- Secrets and settings -----------------------------------------------------------------------------------


def check_secrets(stack, report):
    """The secrets: not being deleted, and valid as far as these credentials may read them."""
    for id in stack.of_type("AWS::SecretsManager::Secret"):
        what, is_valid, harm, remedy = SECRETS[id]
        secret = client("secretsmanager").describe_secret(SecretId=stack.ids[id])
        if secret.get("DeletedDate"):
            report.missing(
                f"the {what} is scheduled for deletion on {secret['DeletedDate']:%Y-%m-%d}",
                f"aws secretsmanager restore-secret --secret-id {stack.ids[id]}",
            )
            continue
        try:
            text = client("secretsmanager").get_secret_value(SecretId=stack.ids[id])["SecretString"]
        except ClientError as error:
            if error_code(error) != "AccessDeniedException":
                raise
            # A deployer need not be able to read the secrets. The key ring opens every link.
            report.pending(
                f"these credentials may not read the {what}", "Nothing to do: its content was not checked."
            )
            continue
        if not is_valid(text):
            report.missing(f"the {what} is not valid, so {harm}", remedy)


def is_key_ring(text):
    """Returns whether functions accept a secret: a flat object with keys, one of which is current."""
    try:
        ring = json.loads(text)
        current = ring.pop("current")
        return current in ring and all(len(key.encode()) >= MIN_KEY_LENGTH for key in ring.values())
    except (ValueError, AttributeError, KeyError, TypeError):
        return False


def is_hash_key(text):
    """Returns whether functions accept a secret as a key of keyed hashes."""
    return len(text.encode()) >= MIN_KEY_LENGTH


def is_origin_secret(text):
    """Returns whether functions accept a secret: a flat object with secrets, one of which is named current."""
    try:
        secrets = json.loads(text)
        return "current" in secrets and all(
            len(secret) >= MIN_KEY_LENGTH and re.fullmatch("[!-~]*", secret) for secret in secrets.values()
        )
    except (ValueError, AttributeError, TypeError):
        return False


# What each secret is, whether its content is valid, what an invalid one prevents, and the remedy.
SECRETS = {
    "KeyRing": (
        "key ring",
        is_key_ring,
        "no link can be created or opened",
        "Restore the secret's previous version. operations.md describes the format.",
    ),
    "HashKey": (
        "hash key",
        is_hash_key,
        "no email can be requested, and the functions' logs do not show who was refused or who read a log",
        "Restore the secret's previous version, or set a random one of 64 characters.",
    ),
    "IndexKey": (
        "index key",
        is_hash_key,
        "no share can be created or found by its sharer or recipient",
        "Restore the secret's previous version. A new value would hide every earlier share from the lists.",
    ),
    "OriginSecret": (
        "origin secret",
        is_origin_secret,
        "no function starts after the next deployment that reads it",
        "Restore the secret's previous version. infra/README.md describes the format.",
    ),
}


def check_base_url(stack, report):
    """The parameter with the base URL of links."""
    for properties in stack.of_type("AWS::SSM::Parameter").values():
        wanted = stack.resolve(properties)
        found = find("ssm", "get_parameter", "ParameterNotFound", Name=wanted["Name"])
        if found is None:
            report.missing(f"the parameter {wanted['Name']} does not exist")
            continue
        report.expect(
            wanted["Value"], found["Parameter"]["Value"], f"the base URL of links ({wanted['Name']})"
        )


# --- Email --------------------------------------------------------------------------------------------------


def check_email_identity(stack, report):
    """The identity that emails are sent from, and its DKIM records."""
    arn = stack.parameters.get("ExistingEmailIdentityArn")
    name = arn.split("/", 1)[1] if arn else stack.parameters["EmailIdentity"]
    if arn and arn.split(":")[3] != stack.region:
        check_region(stack, report, f"the identity {name}", arn.split(":")[3])
        return
    if arn and arn.split(":")[4] != stack.account:
        report.pending(
            f"the identity {name} belongs to another account ({arn.split(':')[4]}), so it was not checked",
            "Check there that it is verified, and that its policy lets this account call ses:SendEmail.",
        )
        return
    identity = find("sesv2", "get_email_identity", "NotFoundException", EmailIdentity=name)
    if identity is None:
        report.missing(
            f"the identity {name} does not exist in SES", "Create and verify it in the stack's region."
        )
        return
    if not sends_from(stack.parameters["EmailFrom"], name):
        report.missing(
            f"EmailFrom ({stack.parameters['EmailFrom']}) does not belong to the identity {name}",
            "SES refuses every email. Set EmailFrom to an address of the identity.",
        )
    dkim = identity.get("DkimAttributes", {})
    if identity.get("VerifiedForSendingStatus"):
        if dkim.get("Status") not in ("SUCCESS", None) and "@" not in name:
            report.pending(f"the DKIM status of {name} is {dkim['Status']}", dkim_records(name, dkim))
    elif "@" in name:
        report.pending(
            f"{name} is not verified, so SES refuses every email", "Follow the link in SES's email to it."
        )
    else:
        report.pending(
            f"{name} is not verified (DKIM {dkim.get('Status')}), so SES refuses every email",
            dkim_records(name, dkim),
        )


def sends_from(address, identity):
    """Returns whether an address belongs to an identity: the same address, or one in its domain."""
    if "@" in identity:
        return address.lower() == identity.lower()
    domain = address.rpartition("@")[2].lower()
    return domain == identity.lower() or domain.endswith("." + identity.lower())


def dkim_records(domain, dkim):
    zone = dkim.get("SigningHostedZone") or "dkim.amazonses.com"
    records = [f"{token}._domainkey.{domain}  CNAME  {token}.{zone}" for token in dkim.get("Tokens", [])]
    if not records:
        return "Set up Easy DKIM for the domain in the SES console."
    return "Publish these DNS records; SES looks for them for 72 hours:\n" + "\n".join(records)


def check_email_account(stack, report):
    """Whether SES lets the account send, and to whom."""
    account = client("sesv2").get_account()
    if not account.get("SendingEnabled"):
        report.missing("SES has paused sending for the account", "See SendingPausedAlarm in operations.md.")
    if account.get("EnforcementStatus", "HEALTHY") != "HEALTHY":
        report.pending(
            f"SES's enforcement status is {account['EnforcementStatus']}", "Read SES's email to the account."
        )
    if not account.get("ProductionAccessEnabled"):
        report.pending(
            "the account is in the SES sandbox: only verified addresses get email, 200 a day",
            "Request production access in the SES console.",
        )


def check_email_configuration(stack, report):
    """The configuration set, and the events that it sends to EventBridge."""
    for id, properties in stack.of_type("AWS::SES::ConfigurationSet").items():
        name = stack.ids[id]
        actual = find("sesv2", "get_configuration_set", "NotFoundException", ConfigurationSetName=name)
        if actual is None:
            report.missing(f"the configuration set {name} does not exist")
            continue
        found = client("sesv2").get_configuration_set_event_destinations(ConfigurationSetName=name)
        if not actual.get("SendingOptions", {}).get("SendingEnabled", True):
            report.missing(f"the configuration set {name} does not send")
        wanted = properties.get("DeliveryOptions", {}).get("TlsPolicy")
        report.expect(wanted, actual.get("DeliveryOptions", {}).get("TlsPolicy"), f"the TLS policy of {name}")
        destinations = {d["Name"]: d for d in found.get("EventDestinations", [])}
        for wanted in stack.of_type("AWS::SES::ConfigurationSetEventDestination").values():
            wanted = stack.resolve(wanted)["EventDestination"]
            destination = destinations.get(wanted["Name"], {})
            types = sorted(destination.get("MatchingEventTypes", []))
            report.expect(sorted(wanted["MatchingEventTypes"]), types, "the list of events that SES reports")
            report.expect(True, destination.get("Enabled"), "whether SES reports events")


# --- The brand ----------------------------------------------------------------------------------------------

# The backgrounds of pages and emails in light mode. shared/domain/src/brand.rs has the same rule.
PAPERS = ("#ffffff", "#f4f6f9")


def check_brand(stack, report):
    """The contrast of the accent color. CloudFormation cannot calculate it."""
    color = stack.parameters.get("BrandColor")
    if not color:
        return
    ratio = min(contrast(color, paper) for paper in PAPERS)
    if ratio < 4.5:
        report.missing(
            f"BrandColor ({color}) has a contrast of {ratio:.2f} to 1, so redeem-link and notify-recipients "
            "do not start",
            "Set a darker color, with a contrast of at least 4.5 to 1 with white and #f4f6f9.",
        )


def contrast(first, second):
    """Returns the contrast ratio of two colors (WCAG 2.2)."""
    dark, light = sorted((luminance(first), luminance(second)))
    return (light + 0.05) / (dark + 0.05)


def luminance(color):
    """Returns the relative luminance of a color such as #1a56c4 (WCAG 2.2)."""
    channels = [byte / 255 for byte in bytes.fromhex(color.removeprefix("#"))]
    red, green, blue = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


# --- Alarms -------------------------------------------------------------------------------------------------


def check_alarms(stack, report):
    """Each alarm exists and notifies the topic."""
    wanted = stack.of_type("AWS::CloudWatch::Alarm")
    names = [stack.ids[id] for id in wanted if id in stack.ids]
    found = {}
    for start in range(0, len(names), 100):
        alarms = pages("cloudwatch", "describe_alarms", "MetricAlarms", AlarmNames=names[start : start + 100])
        found.update((alarm["AlarmName"], alarm) for alarm in alarms)
    for id, properties in wanted.items():
        alarm = found.get(stack.ids.get(id))
        if alarm is None:
            report.missing(f"{id} does not exist")
            continue
        actions = stack.property(properties, "AlarmActions") or []
        if actions != alarm.get("AlarmActions", []) or (actions and not alarm.get("ActionsEnabled", True)):
            report.missing(f"{id} does not notify {', '.join(actions) or 'the topic'}")
        if alarm.get("StateValue") == "ALARM":
            report.pending(f"{id} fires now: {alarm.get('StateReason', '')}", "See operations.md.")


def check_topic(stack, report):
    """The topic that alarms notify: set, and with a confirmed subscription."""
    topic = stack.parameters["AlarmTopic"]
    if not topic:
        report.pending("AlarmTopic is empty, so alarms notify nobody", "Create a topic, and set AlarmTopic.")
        return
    try:
        subscriptions = pages("sns", "list_subscriptions_by_topic", "Subscriptions", TopicArn=topic)
    except ClientError as error:
        if error_code(error) in ("NotFound", "NotFoundException"):
            report.missing(f"the topic {topic} does not exist", "Create it, or correct AlarmTopic.")
        elif error_code(error) in ("AuthorizationError", "AccessDenied"):
            report.pending(
                f"these credentials may not read the topic {topic}", "Check its subscriptions yourself."
            )
        else:
            raise
        return
    if not any(s["SubscriptionArn"].startswith("arn:") for s in subscriptions):
        report.pending(
            f"{topic} has no confirmed subscription", "Subscribe to it, and confirm the subscription."
        )


# --- The command --------------------------------------------------------------------------------------------

CHECKS = {
    "stack": check_stack,
    "routes": check_routes,
    "authorizers": check_authorizers,
    "issuer": check_issuer,
    "cors": check_cors,
    "stage": check_stage,
    "throttles": check_throttles,
    "domain": check_domain,
    "distribution": check_distribution,
    "requests": check_requests,
    "bypass": check_bypass,
    "functions": check_functions,
    "concurrency": check_concurrency,
    "permissions": check_permissions,
    "streams": check_streams,
    "rules": check_rules,
    "table": check_table,
    "ttl": check_ttl,
    "backups": check_backups,
    "bucket": check_bucket,
    "item-resolver": check_item_resolver,
    "event-bus": check_event_bus,
    "secrets": check_secrets,
    "base-url": check_base_url,
    "email-identity": check_email_identity,
    "email-account": check_email_account,
    "email-configuration": check_email_configuration,
    "brand": check_brand,
    "alarms": check_alarms,
    "topic": check_topic,
}


def run(name, stack, arguments):
    """Returns a check's findings. A check that cannot read its part of the deployment has failed."""
    report = Report()
    try:
        if name == "requests":
            check_requests(stack, report, arguments.api_url)
        else:
            CHECKS[name](stack, report)
    except ClientError as error:
        remedy = (
            "These credentials need permission for this operation."
            if "Denied" in error_code(error)
            else "Try again."
        )
        report.missing(f"cannot check: {error.operation_name} failed with {error_code(error)}", remedy)
    except Exception as error:
        # A fault in one check must not hide the findings of the others.
        report.missing(f"cannot check: {describe(error)}", "See the check of the stack.")
    return report.findings


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stack_name")
    parser.add_argument("--api-url", help="the API's address, if not the stack output ApiUrl")
    parser.add_argument("--skip", action="append", default=[], choices=CHECKS, help="a check to leave out")
    arguments = parser.parse_args()
    try:
        stack = Stack(arguments.stack_name)
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"cannot read the stack {arguments.stack_name}: {error}")

    has_failed = False
    for name in CHECKS:
        if name in arguments.skip:
            print(f"SKIPPED  {name}")
            continue
        findings = run(name, stack, arguments)
        if not findings:
            print(f"OK       {name}")
        # Findings with the same remedy are printed together.
        for shared, group in itertools.groupby(findings, key=lambda finding: finding[2]):
            for kind, text, _ in group:
                has_failed |= kind == "MISSING"
                print(f"{kind}  {name}: {text}")
            for line in shared.splitlines():
                print(textwrap.fill(line, 110, break_long_words=False, break_on_hyphens=False, **INDENT))
    sys.exit(1 if has_failed else 0)


if __name__ == "__main__":
    main()

"""Tests of check_deployment.py with responses that the emulator never sends.

botocore's stubs compare each call and response with the service's model. The acceptance suite runs these
tests, and tests the check on a deployed stack.
"""

import ast
import json
import os
import pathlib
import socket
import threading
import unittest
import urllib.error
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from unittest import mock

# Before the first client is created.
os.environ |= {"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}

import check_deployment
from botocore.exceptions import OperationNotPageableError
from botocore.stub import Stubber
from check_deployment import Report, client, run
from deployed_stack import Stack

ROLE = "arn:aws:iam::123456789012:role/sharelink-RedeemLinkRole"

AGE = {
    "Sid": "ShortLivedLinks",
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:GetObject",
    "Resource": "arn:aws:s3:::files/*",
    "Condition": {
        "ArnEquals": {"aws:PrincipalArn": ROLE},
        "NumericGreaterThan": {"s3:signatureAge": "65000"},
    },
}

DOMAIN = "files.example.com"

API = {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Body": {"paths": {"/s/{token}": {"get": {}}}}}}


def stack(resources=None, **parameters):
    """Returns a deployed stack with these resources, whose physical IDs are their logical IDs."""
    deployed = object.__new__(Stack)
    deployed.region = "eu-central-1"
    deployed.account = "123456789012"
    deployed.parameters = parameters
    deployed.outputs = {"FilesBucketPolicyStatement": json.dumps(AGE), "ApiUrl": f"https://{DOMAIN}"}
    deployed.template = {"Resources": resources or {}}
    deployed.ids = {id: id for id in resources or {}}
    return deployed


def findings(check, deployed, api_url=None):
    """Returns a check's findings, each as its kind and text."""
    found = run(check, deployed, SimpleNamespace(api_url=api_url))
    return [f"{kind} {text}" for kind, text, _ in found]


class Calls(unittest.TestCase):
    def stub(self, service):
        """Returns a stub of a new client, which replaces the stub of an earlier call."""
        client.cache_clear()
        self.addCleanup(client.cache_clear)
        stubber = Stubber(client(service))
        stubber.activate()
        return stubber

    def test_every_operation_read_in_pages_has_a_paginator(self):
        source = pathlib.Path(check_deployment.__file__).read_text()
        calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
        paged = {
            tuple(argument.value for argument in call.args[:2])
            for call in calls
            if isinstance(call.func, ast.Name) and call.func.id == "pages"
        }
        self.assertTrue(paged)
        for service, operation in paged:
            self.assertTrue(client(service).can_paginate(operation), operation)

    def test_domain_is_mapped_on_a_later_page(self):
        resources = {"Api": API, DOMAIN: {"Type": "AWS::ApiGatewayV2::DomainName"}}
        api = self.stub("apigatewayv2")
        settings = {"Name": "api", "ProtocolType": "HTTP", "RouteSelectionExpression": "-"}
        api.add_response("get_api", settings | {"DisableExecuteApiEndpoint": True})
        api.add_response(
            "get_domain_name",
            {"DomainName": DOMAIN, "DomainNameConfigurations": [{"DomainNameStatus": "AVAILABLE"}]},
        )
        other = {"ApiId": "other", "Stage": "$default"}
        asked = {"DomainName": DOMAIN}
        api.add_response("get_api_mappings", {"Items": [other], "NextToken": "next"}, asked)
        mine = {"ApiId": "Api", "Stage": "$default"}
        api.add_response("get_api_mappings", {"Items": [mine]}, asked | {"NextToken": "next"})
        self.assertEqual(findings("domain", stack(resources)), [])
        api.assert_no_pending_responses()

    def test_failing_check_does_not_hide_the_others(self):
        for error in (OperationNotPageableError(operation_name="list"), AttributeError("a"), OSError("b")):
            with mock.patch.dict(check_deployment.CHECKS, ttl=mock.Mock(side_effect=error)):
                (found,) = findings("ttl", stack())
            self.assertRegex(found, f"^MISSING cannot check: {type(error).__name__}: ")

    def test_color_without_enough_contrast_is_found(self):
        for color in ("", "#1a56c4", "#717171", "#0000FF"):
            self.assertEqual(findings("brand", stack(BrandColor=color)), [], color)
        for color, ratio in (("#767676", "4.20"), ("#e48400", "2.55")):
            (found,) = findings("brand", stack(BrandColor=color))
            self.assertIn(f"MISSING BrandColor ({color}) has a contrast of {ratio} to 1", found)

    def bucket(self, policy, region="eu-central-1"):
        s3 = self.stub("s3")
        s3.add_response("head_bucket", {"BucketRegion": region})
        if isinstance(policy, str):
            s3.add_client_error("get_bucket_policy", policy)
        else:
            s3.add_response("get_bucket_policy", {"Policy": json.dumps(policy)})
        return findings("bucket", stack(ExistingFilesBucket="files"))

    def test_bucket_policy_may_be_written_in_other_ways(self):
        limit = {"S3:SignatureAge": [65000]}
        condition = AGE["Condition"] | {"NumericGreaterThan": limit}
        other = AGE | {
            "Principal": {"AWS": ["*"]},
            "Action": ["s3:getobject"],
            "Resource": [AGE["Resource"]],
            "Condition": condition,
        }
        for statements in (AGE, [{"Effect": "Allow", "NotAction": "s3:*"}, AGE], other):
            self.assertEqual(self.bucket({"Statement": statements}), [])

    def test_statement_that_limits_nothing_is_not_accepted(self):
        arn = {"aws:PrincipalArn": ROLE}
        age = {"s3:signatureAge": "65000"}
        wrong = [
            {"Effect": "Allow"},
            {"Action": "s3:PutObject"},
            {"Resource": "arn:aws:s3:::other/*"},
            {"Condition": {"ArnNotEquals": arn, "NumericGreaterThan": age}},
            {"Condition": {"ArnEquals": {"aws:PrincipalArn": ROLE + "2"}, "NumericGreaterThan": age}},
            {"Condition": {"ArnEquals": arn, "NumericGreaterThan": {"s3:signatureAge": "604800000"}}},
            {"Condition": {"ArnEquals": arn, "NumericLessThan": age}},
            {"Condition": AGE["Condition"] | {"Bool": {"aws:SecureTransport": "false"}}},
        ]
        for change in wrong:
            (found,) = self.bucket({"Statement": [AGE | change]})
            self.assertIn("has no statement that limits the age of links", found)

    def test_unreadable_bucket_policy_is_reported_as_unreadable(self):
        for code in ("AccessDenied", "MethodNotAllowed"):
            (found,) = self.bucket(code)
            self.assertEqual(found, f"PENDING the policy of files could not be read ({code})")
        self.assertIn("has no statement", self.bucket("NoSuchBucketPolicy")[0])

    def test_bucket_in_another_region_is_found(self):
        (found,) = self.bucket({"Statement": AGE}, region="us-east-1")
        self.assertRegex(found, "^MISSING the bucket files is in us-east-1, but must be in ")

    def test_email_identity_in_another_region_is_found(self):
        arn = "arn:aws:ses:us-east-1:123456789012:identity/example.com"
        (found,) = findings("email-identity", stack(ExistingEmailIdentityArn=arn))
        self.assertRegex(found, "^MISSING the identity example.com is in us-east-1")

    def distribution(self, status="Deployed", **changes):
        config = {
            "Aliases": [DOMAIN],
            "ViewerCertificate": {"MinimumProtocolVersion": "TLSv1.2_2021"},
            "WebACLId": "acl",
            "Origins": [
                {"DomainName": "api.example.com", "OriginCustomHeaders": [{"HeaderName": "X-Origin-Secret"}]}
            ],
            "DefaultCacheBehavior": {"CachePolicyId": "none", "ViewerProtocolPolicy": "https-only"},
            "CacheBehaviors": [{"PathPattern": "/s/*", "CachePolicyId": "none"}],
        }
        behavior = {"TargetOriginId": "api", "ViewerProtocolPolicy": "https-only", "CachePolicyId": "none"}
        secret = {"HeaderName": "X-Origin-Secret", "HeaderValue": "hidden"}
        origin = {"Id": "api", "DomainName": "api.example.com"}
        actual = {
            "CallerReference": "1",
            "Comment": "",
            "Enabled": True,
            "Aliases": {"Quantity": 1, "Items": [DOMAIN]},
            "ViewerCertificate": {"MinimumProtocolVersion": "TLSv1.2_2021"},
            "WebACLId": "acl",
            "Origins": {
                "Quantity": 1,
                "Items": [origin | {"CustomHeaders": {"Quantity": 1, "Items": [secret]}}],
            },
            "DefaultCacheBehavior": behavior,
            "CacheBehaviors": {
                "Quantity": 1,
                "Items": [behavior | {"PathPattern": "/s/*", "ViewerProtocolPolicy": "allow-all"}],
            },
        }
        config["CacheBehaviors"][0]["ViewerProtocolPolicy"] = "allow-all"
        cloudfront = self.stub("cloudfront")
        response = {
            "Id": "Distribution",
            "ARN": "arn",
            "Status": status,
            "LastModifiedTime": 0,
            "InProgressInvalidationBatches": 0,
            "DomainName": "d.cloudfront.net",
            "DistributionConfig": actual | changes,
        }
        cloudfront.add_response("get_distribution", {"Distribution": response}, {"Id": "Distribution"})
        resource = {
            "Type": "AWS::CloudFront::Distribution",
            "Properties": {"DistributionConfig": config},
        }
        return findings("distribution", stack({"Distribution": resource}))

    def test_distribution_that_differs_from_the_template_is_found(self):
        self.assertEqual(self.distribution(), [])
        self.assertRegex(self.distribution("InProgress")[0], "^PENDING the distribution is InProgress")
        self.assertRegex(self.distribution(Enabled=False)[0], "^MISSING whether the distribution is enabled")
        self.assertRegex(self.distribution(WebACLId="")[0], "^MISSING the distribution's web ACL is ")
        self.assertRegex(
            self.distribution(Aliases={"Quantity": 0})[0], "^MISSING the distribution's domain is "
        )
        logging = {"Enabled": True, "IncludeCookies": False, "Bucket": "logs", "Prefix": ""}
        self.assertEqual(self.distribution(Logging=logging), ["MISSING the distribution logs every link"])
        cached = {"TargetOriginId": "api", "ViewerProtocolPolicy": "allow-all", "CachePolicyId": "all"}
        behaviors = {"Quantity": 1, "Items": [cached | {"PathPattern": "/s/*"}]}
        (found,) = self.distribution(CacheBehaviors=behaviors)
        self.assertEqual(found, "MISSING the CachePolicyId of /s/* is all, but should be none")
        bare = {"Quantity": 1, "Items": [{"Id": "api", "DomainName": "api.example.com"}]}
        self.assertRegex(self.distribution(Origins=bare)[0], "^MISSING the origin is ")

    def test_invalid_origin_secret_is_found(self):
        secret, other = "0123456789abcdef" * 4, "fedcba9876543210" * 2

        def found(value):
            secrets_manager = self.stub("secretsmanager")
            secrets_manager.add_response("describe_secret", {}, {"SecretId": "OriginSecret"})
            secrets_manager.add_response("get_secret_value", {"SecretString": json.dumps(value)})
            resource = {"Type": "AWS::SecretsManager::Secret"}
            return findings("secrets", stack({"OriginSecret": resource}))

        for value in ({"current": secret}, {"current": secret, "next": other}):
            self.assertEqual(found(value), [])
        blank = {"current": secret, "next": f"{other} "}
        for value in ({}, {"next": secret}, {"current": "short"}, blank, 1, [secret]):
            self.assertRegex(found(value)[0], "^MISSING the origin secret is not valid", value)

    def bypass(self, status):
        operation = {"get": {"security": [{"NONE": []}]}}
        api = {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Body": {"paths": {"/s/{token}": operation}}}}
        resources = {"Api": api, "Distribution": {"Type": "AWS::CloudFront::Distribution"}}
        self.stub("cloudformation")
        with mock.patch("check_deployment.fetch", return_value=(status, b"")) as fetch:
            found = findings("bypass", stack(resources))
        fetch.assert_called_once_with(
            "https://Api.execute-api.eu-central-1.amazonaws.com/s/deployment-check", "GET"
        )
        return found

    def test_function_that_accepts_requests_around_the_distribution_is_found(self):
        self.assertEqual(self.bypass(421), [])
        (found,) = self.bypass(404)
        self.assertRegex(found, "^MISSING the status of GET /s/{token} at the API's own address is 404")
        self.assertEqual(findings("bypass", stack({"Api": API})), [])

    def resolver(self, code=None, region="eu-central-1", account="123456789012"):
        arn = f"arn:aws:lambda:{region}:{account}:function:resolver"
        functions = self.stub("lambda")
        if code:
            functions.add_client_error("get_function", code)
        else:
            functions.add_response("get_function", {}, {"FunctionName": arn})
        return findings("item-resolver", stack(ItemResolver=arn))

    def test_item_resolver_must_exist(self):
        self.assertEqual(findings("item-resolver", stack(ItemResolver="")), [])
        self.assertEqual(self.resolver(), [])
        self.assertRegex(self.resolver("ResourceNotFoundException")[0], "^MISSING .* does not exist$")
        self.assertRegex(self.resolver("AccessDeniedException")[0], "^PENDING .* may not read")

    def test_item_resolver_elsewhere_is_reported(self):
        self.assertRegex(self.resolver(region="us-east-1")[0], "^MISSING .* is in us-east-1")
        self.assertRegex(self.resolver(account="210987654321")[0], "^PENDING .*, so it cannot be read$")

    def bus(self, code=None):
        events = self.stub("events")
        if code:
            events.add_client_error("describe_event_bus", code)
        else:
            events.add_response("describe_event_bus", {}, {"Name": "platform"})
        return findings("event-bus", stack(EventBusName="platform"))

    def test_event_bus_must_exist(self):
        self.assertEqual(findings("event-bus", stack(EventBusName="")), [])
        self.assertEqual(self.bus(), [])
        (found,) = self.bus("ResourceNotFoundException")
        self.assertEqual(found, "MISSING the event bus platform does not exist, so no event is published")

    def permissions(self, **changes):
        wanted = {"FunctionName": "f", "Principal": "events.amazonaws.com", "SourceArn": "arn:rule"}
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Condition": {"ArnLike": {"AWS:SourceArn": "arn:rule"}},
        }
        policy = {"Policy": json.dumps({"Statement": statement | changes})}
        self.stub("lambda").add_response("get_policy", policy)
        permission = {"Type": "AWS::Lambda::Permission", "Properties": wanted}
        return findings("permissions", stack({"Permission": permission}))

    def test_function_policy_may_have_any_valid_form(self):
        self.assertEqual(self.permissions(), [])
        self.assertEqual(self.permissions(Principal="*"), [])
        self.assertEqual(len(self.permissions(Principal={"AWS": ["*.example", "1"]})), 1)


class Requests(unittest.TestCase):
    """Requests to a server on this machine."""

    def serve(self, respond):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                respond(self)

            def log_message(self, *_):
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"http://127.0.0.1:{server.server_port}"

    def issuer(self, metadata, keys):
        def respond(request):
            if not request.headers["User-Agent"].startswith("sharelink-"):
                return request.send_error(403)
            url = f"http://{request.headers['Host']}"
            is_keys = request.path == "/keys"
            body = json.dumps(keys if is_keys else metadata).replace("URL", url)
            request.send_response(200)
            request.end_headers()
            request.wfile.write(body.encode())

        return findings("issuer", stack(JwtIssuer=self.serve(respond)))

    def test_issuer_is_read_under_a_name_of_its_own(self):
        keys = {"keys": [{"kty": "RSA", "kid": "1"}]}
        self.assertEqual(self.issuer({"issuer": "URL", "jwks_uri": "URL/keys"}, keys), [])

    def test_odd_metadata_of_an_issuer_is_reported(self):
        valid = {"issuer": "URL", "jwks_uri": "URL/keys"}
        for metadata, keys in [([], {}), (1, {}), ({"jwks_uri": 1}, {}), (valid, []), (valid, {"keys": 1})]:
            (found,) = self.issuer(metadata, keys)
            self.assertRegex(found, "^MISSING cannot read .* or its keys: ")
        (found,) = self.issuer(valid, {"keys": ["key"]})
        self.assertEqual(found, "MISSING the issuer has no RSA key with a kid")

    def test_response_that_is_not_http_is_reported(self):
        url = self.serve(lambda request: request.wfile.write(b"hello\r\n"))
        (found,) = findings("issuer", stack(JwtIssuer=url))
        self.assertRegex(found, "^MISSING cannot read .* BadStatusLine: ")
        (found,) = findings("requests", stack({"Api": API}), url)
        self.assertRegex(found, "^MISSING GET /s/{token} does not respond: BadStatusLine: ")

    def unresolved(self, hosted_zone):
        deployed = stack({"Api": API}, DomainName=DOMAIN, HostedZoneId=hosted_zone)
        deployed.outputs["ApiTarget"] = "d-1.execute-api.example.com"
        error = urllib.error.URLError(socket.gaierror(-2, "Name or service not known"))
        with mock.patch("urllib.request.urlopen", side_effect=error):
            return findings("requests", deployed)

    def test_missing_dns_record_is_pending_without_a_hosted_zone(self):
        (found,) = self.unresolved("")
        self.assertEqual(found, f"PENDING the domain {DOMAIN} has no DNS record, so no request arrives")
        (found,) = self.unresolved("Z1")
        self.assertRegex(found, "^MISSING the domain files.example.com has no DNS record")


if __name__ == "__main__":
    unittest.main()

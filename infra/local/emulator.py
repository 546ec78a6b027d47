"""Starts ministack, refuses requests without its secret key, and lists only new emails.

With AUTH=true, ministack checks signatures, but not those of the account's own keys, and not those of its own
requests under /_ministack/, which delete everything, change its settings, and return sent emails. Every web
page can send both. It also serves S3 without any signature.
"""

import hmac
import json
import os
import re
from urllib.parse import parse_qs

import ministack.app
from ministack.core import iam_evaluator
from ministack.services import ses

HEALTH = "/_ministack/health"
MESSAGES = "/_ministack/ses/messages"

# The deployed API, which checks tokens itself. ministack serves other services under other paths that begin
# in the same way, and under other hosts.
API = re.compile(r"/_aws/execute-api/[a-z0-9]+/\$default/.*", re.DOTALL)

CREDENTIAL = r"[^/,\s]+/\d{8}/[^/,\s]+/[^/,\s]+/aws4_request"
SIGNATURE = "[0-9a-f]{64}"
SIGNED_HEADER = re.compile(
    rf"AWS4-HMAC-SHA256 Credential={CREDENTIAL}, ?SignedHeaders=[^,\s]+, ?Signature={SIGNATURE}"
)
SIGNED_QUERY = {
    "X-Amz-Algorithm": re.compile("AWS4-HMAC-SHA256"),
    "X-Amz-Credential": re.compile(CREDENTIAL),
    "X-Amz-Signature": re.compile(SIGNATURE),
}


def is_signed(headers, query):
    """Returns whether a request has one well-formed signature, which ministack then checks."""
    authorization = [value.decode("latin-1") for name, value in headers if name == b"authorization"]
    if authorization:
        return len(authorization) == 1 and SIGNED_HEADER.fullmatch(authorization[0]) is not None
    parameters = parse_qs(query.decode("latin-1"), keep_blank_values=True)
    values = {name: parameters.get(name, []) for name in SIGNED_QUERY}
    return all(len(value) == 1 and SIGNED_QUERY[name].fullmatch(value[0]) for name, value in values.items())


def is_for_api(scope):
    """Returns whether the request is for the deployed API, by its host and by its path, decoded or not."""
    raw_path = scope.get("raw_path", b"").decode("latin-1").partition("?")[0]
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    is_own_host = len(hosts) == 1 and re.fullmatch(r"(127\.0\.0\.1|localhost)(:\d+)?", hosts[0])
    return bool(is_own_host and API.fullmatch(scope["path"]) and API.fullmatch(raw_path))


def is_allowed(scope, secret):
    """Returns whether ministack may see this request."""
    path, headers = scope["path"], scope["headers"]
    if path == HEALTH or is_for_api(scope):
        return True
    if path.startswith("/_"):
        expected = f"Bearer {secret}".encode()
        return hmac.compare_digest(dict(headers).get(b"authorization", b""), expected)
    return is_signed(headers, scope["query_string"])


def later_messages(query):
    """Returns the sent emails in ministack's format, without the first `skip`, and how many are left out.

    ministack lists all emails, which takes longer with each, and serves no other request until it is done.
    """
    # All emails are sent in one account and region, whose list only grows, until ministack is reset.
    stores = ses._sent_emails.to_dict().items()
    records = [record for (*_, name), store in stores if name == "entries" for record in store]
    skip = int(parse_qs(query.decode("latin-1")).get("skip", ["0"])[0])
    skip = skip if 0 <= skip <= len(records) else 0

    def rendered(record, field):
        return record.get(f"Rendered{field}") or record.get(field)

    messages = [
        {field: record.get(field) for field in ("Source", "To", "CC", "BCC")}
        | {field: rendered(record, field) for field in ("Subject", "BodyText", "BodyHtml")}
        for record in records[skip:]
    ]
    return {"messages": {"all": messages}, "skipped": skip}


async def respond(send, status, body=b""):
    """Sends a whole response."""
    headers = [(b"content-type", b"application/json")] if body else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def require_secret(app, secret):
    """Returns the application, with unsigned requests refused."""

    async def protected(scope, receive, send):
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        elif scope["type"] == "http" and not is_allowed(scope, secret):
            await respond(send, 403)
        elif scope["type"] == "http" and scope["path"] == MESSAGES:
            await respond(send, 200, json.dumps(later_messages(scope["query_string"])).encode())
        else:
            await app(scope, receive, send)

    return protected


if __name__ == "__main__":
    # The account's own keys are no exception.
    iam_evaluator._is_root_key = lambda access_key_id: False
    ministack.app.app = require_secret(ministack.app.app, os.environ["AWS_SECRET_ACCESS_KEY"])
    ministack.app.main()

"""Starts ministack, and protects its administrative requests.

With AUTH=true, ministack checks the signatures of AWS requests, but not of its own requests under
/_ministack/, which delete everything, change its settings, and return sent emails. Web pages can send them.
"""

import hmac
import os

import ministack.app

HEALTH = "/_ministack/health"


def require_secret(app, secret):
    """Returns the application, which then refuses administrative requests without the secret."""
    expected = f"Bearer {secret}".encode()

    async def protected(scope, receive, send):
        path = scope.get("path", "")
        if path.startswith("/_ministack/") and path != HEALTH:
            header = dict(scope["headers"]).get(b"authorization", b"")
            if not hmac.compare_digest(header, expected):
                await send({"type": "http.response.start", "status": 403, "headers": []})
                await send({"type": "http.response.body"})
                return
        await app(scope, receive, send)

    return protected


if __name__ == "__main__":
    ministack.app.app = require_secret(ministack.app.app, os.environ["AWS_SECRET_ACCESS_KEY"])
    ministack.app.main()

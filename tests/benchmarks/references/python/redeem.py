"""The redemption of `redeem-link` in plain Python, for a link to a single file.

It leaves out file lists, HEAD, prefetches, previews, JSON responses, key ring refresh and logging; each could
only slow it down.
"""

import base64
import json
import os
import re
import time
from urllib.parse import quote

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from runtime import serve

TABLE_NAME = os.environ["TABLE_NAME"]
FILES_BUCKET = os.environ["FILES_BUCKET"]
PURPOSE = b"sharelink link 1"
NONCE = bytes(12)
PROTECTED = {"cache-control": "no-store", "referrer-policy": "no-referrer", "x-robots-tag": "noindex"}

region = os.environ["AWS_REGION"]
dynamodb = boto3.client("dynamodb", region)
# By default, boto3 signs S3 URLs with an old signature version.
s3_config = Config(signature_version="s3v4", response_checksum_validation="when_required")
s3 = boto3.client("s3", region, config=s3_config)


def fetch_keys():
    client = boto3.client("secretsmanager", region)
    response = client.get_secret_value(SecretId=os.environ["KEY_RING_SECRET"])
    secrets = json.loads(response["SecretString"])
    del secrets["current"]
    return {id: AESGCMSIV(derive(secret.encode())) for id, secret in secrets.items()}


def derive(secret):
    return HKDF(SHA256(), length=32, salt=b"sharelink", info=PURPOSE).derive(secret)


def open_token(keys, token):
    """Returns the item, share and generation in a token, or None if none of these keys opens it."""
    try:
        sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        # Python decodes base64 leniently, but each token has exactly one valid encoding.
        if base64.urlsafe_b64encode(sealed).decode().rstrip("=") != token or sealed[0] != 1:
            return None
        header, sealed = sealed[: 2 + sealed[1]], sealed[2 + sealed[1] :]
        link = keys[header[2:].decode()].decrypt(NONCE, sealed, PURPOSE + header)
    except (ValueError, IndexError, KeyError, InvalidTag):
        return None
    return link[32:].decode().removesuffix("\0"), link[:16].hex(), link[16:32].hex()


def redeem(item, share, generation, now):
    """Checks access and counts a use in one conditional update.

    Returns the share whether or not access is granted.
    """
    try:
        response = dynamodb.update_item(
            TableName=TABLE_NAME,
            Key={"item": {"S": item}, "entry": {"S": f"SHARE#{share}"}},
            UpdateExpression="SET opens = opens + :one, downloads = downloads + downloadsPerOpen, "
            "lastOpenedAt = :now, firstOpenedAt = if_not_exists(firstOpenedAt, :now), "
            "lastUses[1] = lastUses[0], lastUses[2] = lastUses[1], lastUses[3] = lastUses[2], "
            "lastUses[0] = :write",
            ConditionExpression="generation = :generation AND expiresAt >= :least "
            "AND attribute_not_exists(revokedAt) AND fileCount >= :file AND NOT contains(lastUses, :write)",
            ExpressionAttributeValues={
                ":one": {"N": "1"},
                ":now": {"N": str(now)},
                ":least": {"N": str(now + 1000)},
                ":file": {"N": "1"},
                ":generation": {"S": generation},
                ":write": {"S": os.urandom(16).hex()},
            },
            ReturnValues="ALL_NEW",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
        return response["Attributes"]
    except dynamodb.exceptions.ConditionalCheckFailedException as error:
        return error.response.get("Item")


def attachment(name):
    fallback = re.sub(r'[^ -~]|["\\%]', "_", name)
    return f"attachment; filename=\"{fallback}\"; filename*=UTF-8''{quote(name, safe='!#$&+^`|~')}"


def page(status, text):
    headers = {**PROTECTED, "content-type": "text/html; charset=utf-8"}
    body = f'<!doctype html><html lang="en"><title>{text}</title><p>{text}</p></html>'
    return {"statusCode": status, "headers": headers, "body": body}


def handle(event, keys):
    now = time.time_ns() // 1_000_000
    link = open_token(keys, event["pathParameters"]["token"])
    share = link and redeem(*link, now)
    if not share or share["generation"]["S"] != link[2]:
        return page(404, "This link does not work")
    seconds_left = (int(share["expiresAt"]["N"]) - now) // 1000
    if "revokedAt" in share or seconds_left < 1:
        return page(410, "This link no longer works")
    name = share["files"]["L"][0]["M"]["name"]["S"]
    file = {"Bucket": FILES_BUCKET, "Key": f"{link[0]}/{name}"}
    try:
        s3.head_object(**file)
    except (BotoCoreError, ClientError) as error:
        # After any other error, the file may exist, so the recipient still gets the URL.
        if isinstance(error, ClientError) and error.response["Error"]["Code"] == "404":
            return page(404, "The file is not available")
    file["ResponseContentDisposition"] = attachment(name)
    url = s3.generate_presigned_url("get_object", Params=file, ExpiresIn=min(seconds_left, 60))
    return {"statusCode": 302, "headers": {**PROTECTED, "location": url}, "body": ""}


if __name__ == "__main__":
    keys = fetch_keys()
    serve(lambda event: handle(event, keys))

"""A sample item resolver. This platform keeps each item's files in a folder, next to a document with the
item's title and the users who may share it or manage its shares. Without a document, everyone may do both.
"""

import json
import os

import boto3

s3 = boto3.client("s3")
BUCKET = os.environ["FILES_BUCKET"]


def handler(event, _context):
    prefix = f"platform/{event['module']}/assets/{event['item']}/"
    try:
        item = json.load(s3.get_object(Bucket=BUCKET, Key=f"{prefix}item.json")["Body"])
    except s3.exceptions.NoSuchKey:
        item = {}
    users = item.get(event["purpose"])
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{prefix}current/")
    objects = [file for page in pages for file in page.get("Contents", [])]
    return {
        "allowed": users is None or event["caller"]["sub"] in users,
        "title": item.get("title", f"Item {event['item']}"),
        "files": [{"name": o["Key"].split("/")[-1], "key": o["Key"], "size": o["Size"]} for o in objects],
    }

"""A sample item resolver. This platform keeps each item's files in a folder, next to a document with the
item's title and, for each purpose, the users whom it allows. "*" stands for everyone.
"""

import json
import os

import boto3

s3 = boto3.client("s3")
BUCKET = os.environ["FILES_BUCKET"]
ARCHIVES = ("GLACIER", "DEEP_ARCHIVE")


def handler(event, _context):
    prefix = f"platform/{event['module']}/assets/{event['item']}/"
    try:
        item = json.load(s3.get_object(Bucket=BUCKET, Key=f"{prefix}item.json")["Body"])
    except s3.exceptions.NoSuchKey:
        return {"allowed": False}
    if not {event["caller"]["sub"], "*"}.intersection(item.get(event["purpose"], [])):
        return {"allowed": False}
    folder = f"{prefix}current/"
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=folder, Delimiter="/")
    objects = [file for page in pages for file in page.get("Contents", [])]
    return {
        "allowed": True,
        "title": item.get("title", f"Item {event['item']}"),
        "files": [describe(file, file["Key"].removeprefix(folder)) for file in objects],
    }


def describe(file, name):
    archived = file.get("StorageClass") in ARCHIVES
    return {"name": name, "key": file["Key"], "size": file["Size"], "archived": archived}

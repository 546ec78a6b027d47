"""Creates what a platform has before Sharelink is deployed: a bucket with files, and an item resolver."""

import argparse
import io
import json
import zipfile
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

SOURCE = Path(__file__).parent / "sample/item_resolver.py"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--item-resolver", required=True, help="the function's ARN")
    args = parser.parse_args()

    create_bucket(args.bucket)
    variables = {"FILES_BUCKET": args.bucket, "AWS_ENDPOINT_URL": args.endpoint}
    create_function(args.item_resolver.rsplit(":", 1)[1], create_role("item-resolver"), variables)


def create_bucket(bucket):
    s3 = boto3.client("s3")
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError:
        s3.create_bucket(Bucket=bucket)


def create_role(name):
    """Creates a role that may read files, and returns its ARN."""
    iam = boto3.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    read = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}
    try:
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    except iam.exceptions.EntityAlreadyExistsException:
        arn = iam.get_role(RoleName=name)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="read-files", PolicyDocument=policy(read))
    return arn


def policy(statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def create_function(name, role, variables):
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.write(SOURCE, SOURCE.name)
    client = boto3.client("lambda")
    try:
        client.delete_function(FunctionName=name)
    except client.exceptions.ResourceNotFoundException:
        pass
    client.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler=f"{SOURCE.stem}.handler",
        Code={"ZipFile": code.getvalue()},
        Role=role,
        Timeout=5,
        Environment={"Variables": variables},
    )


if __name__ == "__main__":
    main()

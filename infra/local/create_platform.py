"""Creates what a platform has before Sharelink is deployed: a bucket with files, and an item resolver."""

import argparse
import io
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
    create_function(args.item_resolver.rsplit(":", 1)[1], variables)


def create_bucket(bucket):
    s3 = boto3.client("s3")
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError:
        s3.create_bucket(Bucket=bucket)


def create_function(name, variables):
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
        Role="arn:aws:iam::000000000000:role/item-resolver",
        Timeout=5,
        Environment={"Variables": variables},
    )


if __name__ == "__main__":
    main()

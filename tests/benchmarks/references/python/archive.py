"""The archive of `archive-files` in plain Python: `zipfile` writes into a multipart upload.

It leaves out leases, progress and the checks for replaced files; each could only slow it down.
"""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from threading import Semaphore
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import boto3
from botocore.config import Config

from runtime import serve

FILES_BUCKET, ARCHIVE_BUCKET = os.environ["FILES_BUCKET"], os.environ["ARCHIVE_BUCKET"]
PART_BYTES = 16 << 20
PARTS_AT_ONCE = 3

# TLS protects the bytes. By default, boto3 would also hash them.
config = Config(
    signature_version="s3v4",
    s3={"payload_signing_enabled": False},
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)
s3 = boto3.client("s3", os.environ["AWS_REGION"], config=config)


class MultipartUpload:
    """A file that can only be written, in parts that threads upload."""

    def __init__(self, key):
        self.target = {"Bucket": ARCHIVE_BUCKET, "Key": key}
        self.target["UploadId"] = s3.create_multipart_upload(**self.target)["UploadId"]
        self.buffer, self.parts = bytearray(), []
        self.executor, self.free = ThreadPoolExecutor(PARTS_AT_ONCE), Semaphore(PARTS_AT_ONCE)

    def write(self, data):
        self.buffer += data
        if len(self.buffer) >= PART_BYTES:
            self.upload_part()
        return len(data)

    def flush(self):
        pass

    def upload_part(self):
        self.free.acquire()
        number, part, self.buffer = len(self.parts) + 1, self.buffer, bytearray()
        self.parts.append(self.executor.submit(self.upload, number, part))

    def upload(self, number, part):
        try:
            response = s3.upload_part(**self.target, PartNumber=number, Body=part)
            return {"PartNumber": number, "ETag": response["ETag"]}
        finally:
            self.free.release()

    def complete(self):
        if self.buffer:
            self.upload_part()
        parts = [part.result() for part in self.parts]
        s3.complete_multipart_upload(**self.target, MultipartUpload={"Parts": parts})
        self.executor.shutdown()


def handle(event):
    upload = MultipartUpload(event["key"])
    with ZipFile(upload, "w", ZIP_STORED) as archive:
        for file in event["files"]:
            body = s3.get_object(Bucket=FILES_BUCKET, Key=file["key"])["Body"]
            entry = ZipInfo(file["name"])
            entry.file_size = file["size"]
            with archive.open(entry, "w") as target:
                shutil.copyfileobj(body, target, 1 << 20)
    upload.complete()
    return {}


if __name__ == "__main__":
    serve(handle)

// The archive of `archive-files` in plain Node: `archiver` streams into the SDK's multipart upload.
//
// It leaves out leases, progress and the checks for replaced files; each could only slow it down.

import { PassThrough } from "node:stream";
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { ZipArchive } from "archiver";
import { serve } from "./runtime.mjs";

const { ARCHIVE_BUCKET, FILES_BUCKET } = process.env;
const MIB = 1 << 20;

const s3 = new S3Client({
  // A custom endpoint does not support virtual-hosted buckets.
  forcePathStyle: Boolean(process.env.AWS_ENDPOINT_URL_S3),
  requestChecksumCalculation: "WHEN_REQUIRED",
  responseChecksumValidation: "WHEN_REQUIRED",
});
// TLS protects the bytes. By default, the SDK would also hash them.
const leaveUnsigned = (next) => (args) => {
  args.request.headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD";
  return next(args);
};
s3.middlewareStack.add(leaveUnsigned, { step: "build" });

async function handle({ key, files }) {
  const archive = new ZipArchive({ store: true });
  const body = archive.pipe(new PassThrough({ highWaterMark: MIB }));
  const params = { Bucket: ARCHIVE_BUCKET, Key: key, Body: body };
  const uploaded = new Upload({ client: s3, params, partSize: 16 * MIB, queueSize: 3 }).done();
  for (const file of files) {
    const response = await s3.send(new GetObjectCommand({ Bucket: FILES_BUCKET, Key: file.key }));
    const added = new Promise((resolve, reject) => {
      archive.once("entry", resolve).once("error", reject);
      uploaded.catch(reject);
    });
    archive.append(response.Body, { name: file.name, store: true });
    await added;
    archive.removeAllListeners("error").removeAllListeners("entry");
  }
  await archive.finalize();
  await uploaded;
  return {};
}

serve(handle);

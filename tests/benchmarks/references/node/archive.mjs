// The archive of `archive-files` in plain Node: `archiver` streams into the SDK's multipart upload.
//
// It leaves out leases, progress and the checks for replaced files; each could only slow it down.

import http from "node:http";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { ZipArchive } from "archiver";

const { ARCHIVE_BUCKET, AWS_LAMBDA_RUNTIME_API, FILES_BUCKET } = process.env;
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

// Does less between invocations than AWS's Node runtime, which makes this program look faster. Does not use
// `fetch`, which times out after five minutes without a response.
function runtime(method, path, body) {
  const url = `http://${AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation/${path}`;
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method }, (response) =>
      text(response).then((body) => resolve({ headers: response.headers, body }), reject),
    );
    request.on("error", reject).end(body);
  });
}

async function main() {
  for (;;) {
    const { headers, body } = await runtime("GET", "next");
    const id = headers["lambda-runtime-aws-request-id"];
    try {
      await runtime("POST", `${id}/response`, JSON.stringify(await handle(JSON.parse(body))));
    } catch ({ name, message }) {
      await runtime("POST", `${id}/error`, JSON.stringify({ errorType: name, errorMessage: message }));
    }
  }
}

main();

// The same redemption as `redeem-link`'s, as one would write it for Node: a link to a single file, opened from the
// page of an email. It lacks the lists of several files, HEAD, prefetches, answers in JSON, the refetching of the key
// ring and the log, all of which could only slow it down.

import { hkdfSync, randomBytes } from "node:crypto";
import http from "node:http";
import { text } from "node:stream/consumers";
import { ConditionalCheckFailedException, DynamoDBClient, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { GetObjectCommand, HeadObjectCommand, NotFound, S3Client } from "@aws-sdk/client-s3";
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { gcmsiv } from "@noble/ciphers/aes.js";

const { AWS_LAMBDA_RUNTIME_API, FILES_BUCKET, KEY_RING_SECRET, TABLE_NAME } = process.env;
const PURPOSE = Buffer.from("sharelink link 1");
const NONCE = new Uint8Array(12);

const dynamodb = new DynamoDBClient();
const s3 = new S3Client({
  // An endpoint of one's own has no host name for every bucket.
  forcePathStyle: Boolean(process.env.AWS_ENDPOINT_URL_S3),
  // Or every URL would have a checksum, or ask for one, that no browser looks at.
  requestChecksumCalculation: "WHEN_REQUIRED",
  responseChecksumValidation: "WHEN_REQUIRED",
});

async function fetchKeys() {
  const answer = await new SecretsManagerClient().send(new GetSecretValueCommand({ SecretId: KEY_RING_SECRET }));
  const { current, ...secrets } = JSON.parse(answer.SecretString);
  const derive = (secret) => new Uint8Array(hkdfSync("sha256", secret, "sharelink", PURPOSE, 32));
  return new Map(Object.entries(secrets).map(([id, secret]) => [id, derive(secret)]));
}

// What a token points at; nothing if it was not sealed with one of these keys.
function open(keys, token) {
  const bytes = Buffer.from(token, "base64url");
  // Buffer reads base64 leniently; there is only one right way to write a token.
  if (bytes.toString("base64url") !== token || bytes[0] !== 1) return undefined;
  const header = bytes.subarray(0, 2 + bytes[1]);
  const key = keys.get(header.toString("latin1", 2));
  if (!key) return undefined;
  try {
    const cipher = gcmsiv(key, NONCE, Buffer.concat([PURPOSE, header]));
    const link = Buffer.from(cipher.decrypt(bytes.subarray(header.length)));
    const [share, generation] = [link.toString("hex", 0, 16), link.toString("hex", 16, 32)];
    return { share, generation, item: link.toString("utf8", 32) };
  } catch {
    return undefined;
  }
}

// Counts a use, if the link gives access now, in the same step; gives the share either way.
async function redeem({ item, share, generation }, now) {
  const update = new UpdateItemCommand({
    TableName: TABLE_NAME,
    Key: { item: { S: item }, entry: { S: `SHARE#${share}` } },
    UpdateExpression:
      "SET opens = opens + :one, downloads = downloads + downloadsPerOpen, lastOpenedAt = :now, " +
      "firstOpenedAt = if_not_exists(firstOpenedAt, :now), lastUses[1] = lastUses[0], " +
      "lastUses[2] = lastUses[1], lastUses[3] = lastUses[2], lastUses[0] = :write",
    ConditionExpression:
      "generation = :generation AND expiresAt >= :least AND attribute_not_exists(revokedAt) " +
      "AND fileCount >= :file AND NOT contains(lastUses, :write)",
    ExpressionAttributeValues: {
      ":one": { N: "1" },
      ":now": { N: `${now}` },
      ":least": { N: `${now + 1000}` },
      ":file": { N: "1" },
      ":generation": { S: generation },
      ":write": { S: randomBytes(16).toString("hex") },
    },
    ReturnValues: "ALL_NEW",
    ReturnValuesOnConditionCheckFailure: "ALL_OLD",
  });
  try {
    return (await dynamodb.send(update)).Attributes;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return error.Item;
    throw error;
  }
}

function attachment(name) {
  const fallback = name.replace(/[^ -~]|["\\%]/gu, "_");
  const extended = encodeURIComponent(name)
    .replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
    .replace(/%(?:23|24|26|2B|5E|60|7C)/g, decodeURIComponent);
  return `attachment; filename="${fallback}"; filename*=UTF-8''${extended}`;
}

const PROTECTED = { "cache-control": "no-store", "referrer-policy": "no-referrer", "x-robots-tag": "noindex" };

function page(statusCode, title) {
  const body = `<!doctype html><html lang="en"><title>${title}</title><p>${title}</p></html>`;
  return { statusCode, headers: { ...PROTECTED, "content-type": "text/html; charset=utf-8" }, body };
}

async function handle(event, keys) {
  const now = Date.now();
  const link = open(keys, event.pathParameters.token);
  const share = link && (await redeem(link, now));
  if (!share || share.generation.S !== link.generation) return page(404, "This link does not work");
  const life = Math.floor((Number(share.expiresAt.N) - now) / 1000);
  if (share.revokedAt || life < 1) return page(410, "This link has ended");
  const name = share.files.L[0].M.name.S;
  const object = { Bucket: FILES_BUCKET, Key: `${link.item}/${name}` };
  try {
    await s3.send(new HeadObjectCommand(object));
  } catch (error) {
    // Any other fault of S3 must not keep a recipient from a file that may well be there.
    if (error instanceof NotFound) return page(404, "The file is not there right now");
  }
  const get = new GetObjectCommand({ ...object, ResponseContentDisposition: attachment(name) });
  // From when access was decided, or a revocation in between would be overtaken.
  const url = await getSignedUrl(s3, get, { expiresIn: Math.min(life, 60), signingDate: new Date(now) });
  return { statusCode: 302, headers: { ...PROTECTED, location: url }, body: "" };
}

// Less than AWS's own client for Node does between invocations, which flatters this program. Not `fetch`, which
// gives up on a quiet server after five minutes.
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
  const keys = await fetchKeys();
  for (;;) {
    const { headers, body } = await runtime("GET", "next");
    const id = headers["lambda-runtime-aws-request-id"];
    try {
      await runtime("POST", `${id}/response`, JSON.stringify(await handle(JSON.parse(body), keys)));
    } catch ({ name, message }) {
      await runtime("POST", `${id}/error`, JSON.stringify({ errorType: name, errorMessage: message }));
    }
  }
}

main();

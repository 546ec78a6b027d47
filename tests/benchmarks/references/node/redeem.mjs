// The redemption of `redeem-link` in plain Node, for a link to a single file.
//
// It leaves out file lists, HEAD, prefetches, previews, JSON responses, key ring refresh and logging; each
// could only slow it down.

import { hkdfSync, randomBytes } from "node:crypto";
import { ConditionalCheckFailedException, DynamoDBClient, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { GetObjectCommand, HeadObjectCommand, NotFound, S3Client } from "@aws-sdk/client-s3";
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { gcmsiv } from "@noble/ciphers/aes.js";
import { serve } from "./runtime.mjs";

const { FILES_BUCKET, KEY_RING_SECRET, TABLE_NAME } = process.env;
const PURPOSE = Buffer.from("sharelink link 1");
const NONCE = new Uint8Array(12);

const dynamodb = new DynamoDBClient();
const s3 = new S3Client({
  // A custom endpoint does not support virtual-hosted buckets.
  forcePathStyle: Boolean(process.env.AWS_ENDPOINT_URL_S3),
  // By default, signed URLs contain or request checksums, which browsers ignore.
  requestChecksumCalculation: "WHEN_REQUIRED",
  responseChecksumValidation: "WHEN_REQUIRED",
});

async function fetchKeys() {
  const command = new GetSecretValueCommand({ SecretId: KEY_RING_SECRET });
  const secret = await new SecretsManagerClient().send(command);
  const { current, ...secrets } = JSON.parse(secret.SecretString);
  const derive = (secret) => new Uint8Array(hkdfSync("sha256", secret, "sharelink", PURPOSE, 32));
  return new Map(Object.entries(secrets).map(([id, secret]) => [id, derive(secret)]));
}

// Returns the link in a token, or undefined if the token was not sealed with one of these keys.
function openToken(keys, token) {
  const bytes = Buffer.from(token, "base64url");
  // Buffer decodes base64 leniently, but each token has exactly one valid encoding.
  if (bytes.toString("base64url") !== token || bytes[0] !== 1) return undefined;
  const header = bytes.subarray(0, 2 + bytes[1]);
  const key = keys.get(header.toString("latin1", 2));
  if (!key) return undefined;
  try {
    const cipher = gcmsiv(key, NONCE, Buffer.concat([PURPOSE, header]));
    const link = Buffer.from(cipher.decrypt(bytes.subarray(header.length)));
    const [share, generation] = [link.toString("hex", 0, 16), link.toString("hex", 16, 32)];
    return { share, generation, item: link.toString("utf8", 32).replace(/\0$/, "") };
  } catch {
    return undefined;
  }
}

// Checks access and counts a use in one conditional update. Returns the share whether or not access is
// granted.
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

const PROTECTED = {
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "x-robots-tag": "noindex",
};

function page(statusCode, title) {
  const body = `<!doctype html><html lang="en"><title>${title}</title><p>${title}</p></html>`;
  return { statusCode, headers: { ...PROTECTED, "content-type": "text/html; charset=utf-8" }, body };
}

async function handle(event, keys) {
  const now = Date.now();
  const link = openToken(keys, event.pathParameters.token);
  const share = link && (await redeem(link, now));
  if (!share || share.generation.S !== link.generation) return page(404, "This link does not work");
  const secondsLeft = Math.floor((Number(share.expiresAt.N) - now) / 1000);
  if (share.revokedAt || secondsLeft < 1) return page(410, "This link no longer works");
  const name = share.files.L[0].M.name.S;
  const object = { Bucket: FILES_BUCKET, Key: `${link.item}/${name}` };
  try {
    await s3.send(new HeadObjectCommand(object));
  } catch (error) {
    // After any other error, the file may exist, so the recipient still gets the URL.
    if (error instanceof NotFound) return page(404, "The file is not available");
  }
  const get = new GetObjectCommand({ ...object, ResponseContentDisposition: attachment(name) });
  // The URL is valid from the time of the access check. If its validity started later, the URL would work for
  // longer after a revocation made in the meantime.
  const validity = { expiresIn: Math.min(secondsLeft, 60), signingDate: new Date(now) };
  const url = await getSignedUrl(s3, get, validity);
  return { statusCode: 302, headers: { ...PROTECTED, location: url }, body: "" };
}

fetchKeys().then((keys) => serve((event) => handle(event, keys)));

// The Lambda runtime of the Node references.
//
// It does less between invocations than AWS's Node runtime, which makes the references look faster. It does not
// use `fetch`, which times out after five minutes without a response.

import http from "node:http";
import { text } from "node:stream/consumers";

function call(method, path, body) {
  const url = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation/${path}`;
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method }, (response) =>
      text(response).then((body) => resolve({ headers: response.headers, body }), reject),
    );
    request.on("error", reject).end(body);
  });
}

/** Handles events, one after the other, without an end. */
export async function serve(handle) {
  for (;;) {
    const { headers, body } = await call("GET", "next");
    const id = headers["lambda-runtime-aws-request-id"];
    try {
      await call("POST", `${id}/response`, JSON.stringify(await handle(JSON.parse(body))));
    } catch ({ name, message }) {
      await call("POST", `${id}/error`, JSON.stringify({ errorType: name, errorMessage: message }));
    }
  }
}

// The API of infra/openapi.yaml, and nothing else of Sharelink's.

/** Tries of a request that gets no answer, or one that asks to come again. */
const TRIES = 4;

/** API Gateway answers within 30 seconds. */
const TIMEOUT = 35_000;

/** The longest that a request waits by itself before it comes again, in seconds. */
const LONGEST_WAIT = 20;

let defaults = {};
let tellConfigured;

/** Settled as soon as `configure` was called. */
export const configured = new Promise((resolve) => (tellConfigured = resolve));

/**
 * What elements use that are not told otherwise: `api`, where the API's routes begin, and `token`, a function that
 * returns the user's token or a promise of it. It is called with `{ renew: true }` when the last token was refused.
 */
export function configure({ api, token }) {
  defaults = { api, token };
  tellConfigured();
}

/** Why a request was not done. */
export class ApiError extends Error {
  /**
   * @param kind `offline`, `signedOut`, `forbidden`, `busy`, `unavailable`, or the name of the API's problem
   * @param details the problem (RFC 9457), if the API said one, and the seconds that it asks to wait
   */
  constructor(kind, { problem, wait } = {}) {
    super(kind);
    this.kind = kind;
    this.problem = problem;
    this.wait = wait;
  }

  /** Any error as one of these; what is no fault of the API's is in the browser's console. */
  static of(error) {
    if (error instanceof ApiError) return error;
    console.error(error);
    return new ApiError("internal");
  }

  /** The places of the body that the API says are wrong, as JSON pointers. */
  get pointers() {
    return (this.problem?.errors ?? []).map(({ pointer }) => pointer).filter(Boolean);
  }
}

/** The API, as one user sees it. */
export class Api {
  #base;
  #token;

  constructor({ api, token } = {}) {
    this.#base = (api ?? defaults.api ?? "").replace(/\/+$/, "");
    this.#token = token ?? defaults.token;
    if (!this.#base || !this.#token) throw new Error("Sharelink: call configure({ api, token }) first");
  }

  /** Which of these items the user may share, in their order; at most 100. */
  async permissions(items) {
    const { body } = await this.#send("POST", "/share-permissions", { body: { items } });
    return body.permissions.map(({ canShare }) => canShare);
  }

  /** A page of the item's files. */
  async files(item, cursor) {
    return (await this.#send("GET", path(item, "files", { cursor }))).body;
  }

  /**
   * Shares the item's files. Whoever repeats the same request with the same key gets the same shares.
   * `onwait` is told how many seconds the request waits before it comes again.
   */
  async share(item, order, key, onwait) {
    return (await this.#send("POST", path(item, "shares"), { body: order, headers: { "Idempotency-Key": key }, onwait })).body;
  }

  /** A page of the item's shares. */
  async shares(item, status, cursor) {
    return (await this.#send("GET", path(item, "shares", { status, limit: 25, cursor }))).body;
  }

  async read(item, shareId) {
    return (await this.#send("GET", path(item, `shares/${shareId}`))).body;
  }

  /** Changes the expiration of the share as it was in this version. */
  async changeExpiration(item, { shareId, version }, expiresAt) {
    const headers = { "If-Match": `"${version}"` };
    return (await this.#send("PATCH", path(item, `shares/${shareId}`), { body: { expiresAt }, headers })).body;
  }

  async revoke(item, { shareId }) {
    return (await this.#send("POST", path(item, `shares/${shareId}/revoke`))).body;
  }

  /** Asks for another email. */
  async resend(item, { shareId }, key) {
    return (await this.#send("POST", path(item, `shares/${shareId}/resend`), { headers: { "Idempotency-Key": key } })).body;
  }

  async link(item, { shareId }) {
    return (await this.#send("POST", path(item, `shares/${shareId}/link`))).body.link;
  }

  /** A page of what happened to the item's shares. */
  async log(item, cursor) {
    return (await this.#send("GET", path(item, "share-log", { cursor }))).body;
  }

  /**
   * Sends a request until it is answered. Every request here may be repeated: it only reads, or has a key or a version,
   * or does the same again.
   */
  async #send(method, route, { body, headers = {}, onwait = () => {} } = {}) {
    let renew = false;
    let wasRenewed = false;
    for (let tries = 1; ; tries += 1) {
      const token = await this.#signedIn(renew);
      const answer = await ask(this.#base + route, { method, body, headers, token });
      if (answer.status >= 200 && answer.status < 300) return answer;
      if (answer.status === 401 && !wasRenewed) {
        renew = true;
        wasRenewed = true;
        tries -= 1;
        continue;
      }
      const mayPass = answer.status === 0 || answer.status >= 502 || (answer.status === 429 && !answer.problem);
      const isLast = tries >= TRIES || !navigator.onLine || answer.wait > LONGEST_WAIT;
      if (!mayPass || isLast) {
        // A create that came to nothing has results as well, which say more than the problem.
        if (answer.body?.results) return answer;
        throw new ApiError(answer.status === 0 ? await this.#whyUnanswered() : kind(answer), answer);
      }
      // A browser hides the status of an answer of API Gateway's own: it may have been 401, so the first time a new
      // token may be all that is missing.
      renew = answer.status === 0;
      if (renew && tries === 1) continue;
      const wait = answer.wait ?? 2 ** (tries - 1);
      onwait(wait);
      await new Promise((done) => setTimeout(done, wait * 1000 * (1 + Math.random() / 4)));
      onwait(0);
    }
  }

  /** Where the API answers whoever asks without a token, it is the token that it does not answer. */
  async #whyUnanswered() {
    if (!navigator.onLine) return "offline";
    const { status } = await ask(`${this.#base}/problems/unauthenticated`, { method: "GET" });
    return status === 200 ? "signedOut" : "unavailable";
  }

  async #signedIn(renew) {
    try {
      return await this.#token({ renew });
    } catch {
      throw new ApiError(navigator.onLine ? "signedOut" : "offline");
    }
  }
}

/** One try. No answer is one with the status 0. */
async function ask(url, { method, body, headers, token }) {
  try {
    const answer = await fetch(url, {
      method,
      headers: {
        ...(token && { Authorization: `Bearer ${token}` }),
        ...(body && { "Content-Type": "application/json" }),
        ...headers,
      },
      body: body && JSON.stringify(body),
      cache: "no-store",
      referrerPolicy: "no-referrer",
      signal: AbortSignal.timeout(TIMEOUT),
    });
    const type = answer.headers.get("Content-Type") ?? "";
    const read = type.includes("json") ? await answer.json() : undefined;
    return {
      status: answer.status,
      body: read,
      problem: type.includes("problem+json") ? read : undefined,
      wait: Number(answer.headers.get("Retry-After")) || undefined,
    };
  } catch {
    return { status: 0 };
  }
}

function kind({ status, problem }) {
  if (status === 401) return "signedOut";
  if (problem) return problem.type.split("/").pop();
  if (status === 403) return "forbidden";
  return status === 429 ? "busy" : "unavailable";
}

function path({ module, item }, rest, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  const search = given.length ? `?${new URLSearchParams(given)}` : "";
  return `/modules/${encodeURIComponent(module)}/items/${encodeURIComponent(item)}/${rest}${search}`;
}

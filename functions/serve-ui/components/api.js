// Client for the HTTP API that infra/openapi.yaml describes.

/**
 * @import {
 *   Config, CreateResults, CreateShares, FilePage, Item, LogPage, NoticeSettings, Problem, Share, SharePage,
 *   ShareRules, Status, Suggestion
 * } from "../types.d.ts"
 */

/** Maximum number of attempts for a request that gets no response or a transient error. */
const MAX_ATTEMPTS = 4;

/** Time limit for one attempt, in milliseconds. API Gateway always responds within 30 seconds. */
const TIMEOUT = 35_000;

/** The longest wait before an automatic retry, in seconds. */
const MAX_WAIT = 20;

/**
 * The state that all copies of the modules on a page share. A page may load a second copy, for example from
 * another version's address; its elements are those of the first copy, so its `configure` must reach them.
 * @type {{ config: Partial<Config>, configured: PromiseWithResolvers<void>, url?: string }}
 */
export const shared = (globalThis[Symbol.for("sharelink")] ??= {
  config: {}, configured: Promise.withResolvers(),
});

/**
 * Sets the default API and token provider for all elements.
 * @param {Config} config
 */
export function configure({ api, token }) {
  shared.config = { api, token };
  shared.configured.resolve();
}

/** Returns a random key. Unlike `crypto.randomUUID`, this also works on pages that are served over HTTP. */
export function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Returns an API's base URL without a trailing slash.
 * @param {string} [api] defaults to the one passed to `configure`
 */
export function baseUrl(api) {
  return String(api || shared.config.api || "").replace(/\/+$/, "");
}

/**
 * Returns a string that identifies a token's user, or undefined if the token is not a JWT.
 * @param {string} token
 */
export function subjectOf(token) {
  try {
    const payload = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const { iss, sub } = JSON.parse(atob(payload));
    return sub ? JSON.stringify([iss, sub]) : undefined;
  } catch {
    return undefined;
  }
}

/** An error that describes why a request failed. */
export class ApiError extends Error {
  /**
   * @param {string} kind `offline`, `signedOut`, `otherUser`, `forbidden`, `busy`, `unavailable`, `internal`,
   *   or the last part of the problem's type
   * @param {{ problem?: Problem, wait?: number }} [details] the API's problem, if any, and the number of
   *   seconds to wait before retrying
   */
  constructor(kind, { problem, wait } = {}) {
    super(kind);
    this.kind = kind;
    this.problem = problem;
    this.wait = wait;
  }

  /**
   * Converts any error to an ApiError. Errors of other types are bugs, so they are logged to the console.
   * @param {unknown} error
   */
  static from(error) {
    if (error instanceof ApiError) return error;
    console.error(error);
    return new ApiError("internal");
  }

  /** JSON pointers to the invalid parts of the request body. */
  get pointers() {
    return (this.problem?.errors ?? []).map(({ pointer }) => pointer).filter(Boolean);
  }
}

/** Calls the API on behalf of one user. */
export class Api {
  /**
   * @param {Partial<Config>} [config] defaults to the values passed to `configure`
   * @param {(user?: string) => void} [checkUser] called with each token's user; throws to refuse the token
   */
  constructor({ api, token } = {}, checkUser = () => {}) {
    this.base = baseUrl(api);
    this.checkUser = checkUser;
    /** @type {Config["token"]} */
    this.provider = token ?? shared.config.token;
    if (!this.base || !this.provider) throw new Error("Sharelink: call configure({ api, token }) first");
  }

  /**
   * For each item, in order, returns whether the user may share it.
   * @param {Item[]} items at most ITEMS_LIMIT
   * @returns {Promise<boolean[]>}
   */
  async getPermissions(items) {
    const { body } = await this.send("POST", "/share-permissions", { body: { items } });
    return body.permissions.map(({ canShare }) => canShare);
  }

  /**
   * Returns the deployment's rules.
   * @returns {Promise<ShareRules>}
   */
  async getRules() {
    return (await this.send("GET", "/share-rules")).body;
  }

  /**
   * Returns one page of the item's files.
   * @param {Item} item
   * @param {string} [cursor]
   * @returns {Promise<FilePage>}
   */
  async listFiles(item, cursor) {
    return (await this.send("GET", itemPath(item, "files", { cursor }))).body;
  }

  /**
   * Shares the item's files. A retry with the same body and key does not create duplicates.
   * @param {Item} item
   * @param {CreateShares} body
   * @param {string} key the idempotency key
   * @param {(seconds: number) => void} onWait called with the number of seconds until a retry, then with 0
   *   when the retry starts
   * @returns {Promise<CreateResults>}
   */
  async createShares(item, body, key, onWait) {
    const headers = { "Idempotency-Key": key };
    return (await this.send("POST", itemPath(item, "shares"), { body, headers, onWait })).body;
  }

  /**
   * Returns recipients that the user has shared with before, or none if the request fails. Never retries.
   * @param {string} prefix
   * @param {AbortSignal} signal
   * @returns {Promise<Suggestion[]>}
   */
  async suggestRecipients(prefix, signal) {
    const url = `${this.base}/share-suggestions?${new URLSearchParams({ prefix })}`;
    const { body } = await attemptFetch(url, { method: "GET", token: await this.getToken(), signal });
    return body?.suggestions;
  }

  /**
   * Returns one page of the item's shares, newest first.
   * @param {Item} item
   * @param {{ status: Status, limit: number, cursor?: string }} query
   * @returns {Promise<SharePage>}
   */
  async listShares(item, query) {
    return (await this.send("GET", itemPath(item, "shares", query))).body;
  }

  /**
   * @param {Item} item
   * @param {string} shareId
   * @returns {Promise<Share>}
   */
  async getShare(item, shareId) {
    return (await this.send("GET", itemPath(item, `shares/${shareId}`))).body;
  }

  /**
   * Changes the share's expiration. Fails if the given version is no longer current.
   * @param {Item} item
   * @param {Share} share
   * @param {string} expiresAt in RFC 3339
   * @param {number} [remindDaysBefore] when to remind the recipient, if that changes
   * @returns {Promise<Share>}
   */
  async changeExpiration(item, { shareId, version }, expiresAt, remindDaysBefore) {
    const headers = { "If-Match": `"${version}"` };
    const path = itemPath(item, `shares/${shareId}`);
    const body = { expiresAt, remindDaysBefore };
    return (await this.send("PATCH", path, { body, headers })).body;
  }

  /**
   * @param {Item} item
   * @param {Share} share
   * @returns {Promise<Share>}
   */
  async revoke(item, { shareId }) {
    return (await this.send("POST", itemPath(item, `shares/${shareId}/revoke`))).body;
  }

  /**
   * Replaces the share's link. Fails if the given version is no longer current.
   * @param {Item} item
   * @param {Share} share
   * @param {{ notify: boolean, expiresAt?: string }} body `expiresAt` in RFC 3339
   * @returns {Promise<Share>}
   */
  async renew(item, { shareId, version }, body) {
    const headers = { "If-Match": `"${version}"` };
    return (await this.send("POST", itemPath(item, `shares/${shareId}/renew`), { body, headers })).body;
  }

  /**
   * Sends the link again, in a new email.
   * @param {Item} item
   * @param {Share} share
   * @param {string} key the idempotency key
   * @returns {Promise<Share>}
   */
  async resend(item, { shareId }, key) {
    const headers = { "Idempotency-Key": key };
    return (await this.send("POST", itemPath(item, `shares/${shareId}/resend`), { headers })).body;
  }

  /**
   * Returns the share's link.
   * @param {Item} item
   * @param {Share} share
   * @returns {Promise<string>}
   */
  async getLink(item, { shareId }) {
    return (await this.send("POST", itemPath(item, `shares/${shareId}/link`))).body.link;
  }

  /**
   * Returns one page of the item's share log, newest first.
   * @param {Item} item
   * @param {string} [cursor]
   * @returns {Promise<LogPage>}
   */
  async listLog(item, cursor) {
    return (await this.send("GET", itemPath(item, "share-log", { cursor }))).body;
  }

  /**
   * Returns which notices the user gets.
   * @returns {Promise<NoticeSettings>}
   */
  async getNoticeSettings() {
    return (await this.send("GET", "/notice-settings")).body;
  }

  /** @param {NoticeSettings} body */
  async changeNoticeSettings(body) {
    await this.send("PUT", "/notice-settings", { body });
  }

  /**
   * Sends a request and retries it if necessary. Every request in this class is safe to retry: it is a read,
   * it is idempotent, or it includes an idempotency key or an expected version.
   * @param {string} method
   * @param {string} route
   * @param {{ body?: object, headers?: object, onWait?: (seconds: number) => void }} [options]
   */
  async send(method, route, { body, headers = {}, onWait = () => {} } = {}) {
    let renew = false;
    let hasRenewed = false;
    for (let attempt = 1; ; attempt += 1) {
      const token = await this.getToken(renew);
      const response = await attemptFetch(this.base + route, { method, body, headers, token });
      const { status, wait: retryAfter } = response;
      if (status >= 200 && status < 300) return response;
      if (status === 401 && !hasRenewed) {
        renew = true;
        hasRenewed = true;
        attempt -= 1;
        continue;
      }
      const isTransient = status === 0 || status >= 502 || (status === 429 && !response.problem);
      const isLast = attempt >= MAX_ATTEMPTS || !navigator.onLine || retryAfter > MAX_WAIT;
      if (!isTransient || isLast) {
        // An error response to `createShares` may still contain results, which are more precise than the
        // problem.
        if (response.body?.results) return response;
        throw new ApiError(status === 0 ? await this.#diagnose() : errorKind(response), response);
      }
      // Browsers hide responses generated by API Gateway itself. A hidden response may have been a 401, so
      // the first retry renews the token and starts immediately.
      renew = status === 0;
      if (renew && attempt === 1) continue;
      const wait = retryAfter ?? 2 ** (attempt - 1);
      onWait(wait);
      await new Promise((done) => setTimeout(done, wait * 1000 * (1 + Math.random() / 4)));
      onWait(0);
    }
  }

  /**
   * Determines why a request got no response. If the API responds to a request without a token, the token was
   * the cause.
   */
  async #diagnose() {
    if (!navigator.onLine) return "offline";
    const { status } = await attemptFetch(`${this.base}/problems/unauthenticated`, { method: "GET" });
    return status === 200 ? "signedOut" : "unavailable";
  }

  async getToken(renew = false) {
    let token;
    try {
      token = await this.provider({ renew });
    } catch {
      throw new ApiError(navigator.onLine ? "signedOut" : "offline");
    }
    this.checkUser(subjectOf(token));
    return token;
  }
}

/**
 * Sends a request once. If there is no response, the returned status is 0.
 * @param {string} url
 * @param {{ method: string, body?: object, headers?: object, token?: string, signal?: AbortSignal }} request
 * @returns {Promise<{
 *   status: number, body?: any, text?: string, next?: string, problem?: Problem, wait?: number
 * }>} `text` is a CSV file, and `next` the address of the page after it
 */
async function attemptFetch(url, { method, body, headers, token, signal }) {
  try {
    const response = await fetch(url, {
      method,
      headers: {
        ...(token && { Authorization: `Bearer ${token}` }),
        ...(body && { "Content-Type": "application/json" }),
        ...headers,
      },
      body: body && JSON.stringify(body),
      cache: "no-store",
      referrerPolicy: "no-referrer",
      signal: signal ?? AbortSignal.timeout(TIMEOUT),
    });
    const type = response.headers.get("Content-Type") ?? "";
    const json = type.includes("json") ? await response.json() : undefined;
    return {
      status: response.status,
      body: json,
      text: type.includes("text/csv") ? await response.text() : undefined,
      next: /<([^>]*)>;\s*rel="?next/.exec(response.headers.get("Link") ?? "")?.[1],
      problem: type.includes("problem+json") ? json : undefined,
      wait: Number(response.headers.get("Retry-After")) || undefined,
    };
  } catch {
    return { status: 0 };
  }
}

/** @param {{ status: number, problem?: Problem }} response */
function errorKind({ status, problem }) {
  if (status === 401) return "signedOut";
  if (problem) return problem.type.split("/").pop();
  if (status === 403) return "forbidden";
  return status === 429 ? "busy" : "unavailable";
}

/**
 * @param {Item} item
 * @param {string} rest the part of the path after the item
 * @param {object} [query] undefined values are omitted
 */
function itemPath({ module, item }, rest, query = {}) {
  return `/modules/${encodeURIComponent(module)}/items/${encodeURIComponent(item)}/${rest}${queryOf(query)}`;
}

/**
 * Returns a query string, or an empty string if all values are undefined or empty.
 * @param {object} query
 */
export function queryOf(query) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  return given.length ? `?${new URLSearchParams(given)}` : "";
}

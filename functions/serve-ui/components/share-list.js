// Rules of the list of all shares, without elements or requests.

/** @import { BulkResult, ListedShare, Share } from "../types.d.ts" */

import { BULK_LIMIT } from "./limits.js";

/**
 * Returns a string that identifies a share. Share ids are unique only within an item.
 * @param {{ module: string, item: string, shareId: string }} share
 */
export function keyOf({ module, item, shareId }) {
  return JSON.stringify([module, item, shareId]);
}

/**
 * Splits a list into requests of at most BULK_LIMIT shares.
 * @template T
 * @param {T[]} list
 * @returns {T[][]}
 */
export function splitBulk(list) {
  const count = Math.ceil(list.length / BULK_LIMIT);
  return Array.from({ length: count }, (_, i) => list.slice(i * BULK_LIMIT, (i + 1) * BULK_LIMIT));
}

/**
 * Returns the shares between two keys, both included, in either direction. If the first key is not in the
 * list, only the second.
 * @param {string[]} keys
 * @param {string | undefined} from
 * @param {string} to
 */
export function keyRange(keys, from, to) {
  const end = keys.indexOf(to);
  const start = keys.indexOf(from ?? to);
  if (start < 0) return [to];
  return keys.slice(Math.min(start, end), Math.max(start, end) + 1);
}

/**
 * Returns the shares whose change can be undone, grouped by the expiration that undoing restores. A share
 * that was inactive before the change, or whose earlier expiration has passed, is left out.
 * @param {{ before: ListedShare, after: ListedShare }[]} changes
 * @param {number} [now]
 */
export function undoGroups(changes, now = Date.now()) {
  /** @type {Map<string, ListedShare[]>} */
  const groups = new Map();
  for (const { before, after } of changes) {
    if (before.status !== "active" || Date.parse(before.expiresAt) <= now) continue;
    groups.set(before.expiresAt, [...(groups.get(before.expiresAt) ?? []), after]);
  }
  return groups;
}

/**
 * Puts failures first, and keeps the order otherwise.
 * @template {{ outcome: BulkResult["outcome"] }} T
 * @param {T[]} results
 * @returns {T[]}
 */
export function failuresFirst(results) {
  const hasFailed = ({ outcome }) => outcome === "failed";
  return [...results.filter(hasFailed), ...results.filter((result) => !hasFailed(result))];
}

/**
 * Joins the pages of a CSV file. Every page begins with the same header line.
 * @param {string[]} pages
 */
export function joinCsv(pages) {
  const withoutHeader = (page) => page.slice(page.indexOf("\n") + 1);
  const [first = "", ...others] = pages.map((page) => page.replace(/^\ufeff/, ""));
  // Spreadsheet programs recognize UTF-8 by its byte order mark.
  return `\ufeff${[first, ...others.map(withoutHeader)].join("")}`;
}

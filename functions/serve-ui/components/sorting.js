// The orders of a list of shares.

/** @import { Share } from "../types.d.ts" */

/** @param {string} [time] */
const timeOf = (time) => (time ? Date.parse(time) : 0);

/**
 * Returns when a share's access ends or ended.
 * @param {Share} share
 */
const endOf = ({ revokedAt, expiresAt }) => timeOf(revokedAt ?? expiresAt);

/** The order of the API's lists. @type {(a: Share, b: Share) => number} */
const compareCreation = (a, b) =>
  timeOf(b.createdAt) - timeOf(a.createdAt) || (a.shareId > b.shareId ? -1 : Number(a.shareId < b.shareId));

/**
 * Compares shares: those whose recipients ask for more time come first.
 * @type {(a: Share, b: Share) => number}
 */
export const compareRequests = (a, b) =>
  Number(b.moreTime?.isOpen ?? false) - Number(a.moreTime?.isOpen ?? false);

/**
 * Compares shares, by sort order: newest first, next to expire (then last to end) first, or last used first.
 * @type {Record<"newest" | "expiry" | "lastUse", (a: Share, b: Share) => number>}
 */
export const SORTS = {
  newest: compareCreation,
  expiry: (a, b) => {
    const isActive = a.status === "active";
    if (isActive !== (b.status === "active")) return isActive ? -1 : 1;
    return (isActive ? endOf(a) - endOf(b) : endOf(b) - endOf(a)) || compareCreation(a, b);
  },
  lastUse: (a, b) => timeOf(b.lastOpenedAt) - timeOf(a.lastOpenedAt) || compareCreation(a, b),
};

/**
 * Returns whether a recipient's address or name contains the search text. As in the API's search, case, the
 * form of characters and surrounding white space do not matter.
 * @param {{ recipient: string, recipientName?: string }} share
 * @param {string} search
 */
export function matchesSearch({ recipient, recipientName = "" }, search) {
  const fold = (text) => text.normalize("NFKC").toLowerCase();
  return [recipient, recipientName].some((text) => fold(text).includes(fold(search.trim())));
}

/**
 * Makes elements the children of a list, in order. Elements that stay in order are not moved, so they keep
 * the focus.
 * @param {Element} list
 * @param {Element[]} elements
 */
export function arrange(list, elements) {
  const wanted = new Set(elements);
  for (const child of [...list.children]) if (!wanted.has(child)) child.remove();
  for (const [i, element] of elements.entries())
    if (list.children[i] !== element) list.insertBefore(element, list.children[i] ?? null);
}

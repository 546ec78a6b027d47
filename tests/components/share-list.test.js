// Rules of the lists of shares: orders, ranges, requests, undoing, and CSV files.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  failuresFirst, joinCsv, keyOf, keyRange, splitBulk, undoGroups,
} from "../../functions/serve-ui/components/share-list.js";
import { SORTS, compareRequests, matchesSearch } from "../../functions/serve-ui/components/sorting.js";

/** Creates a share from some of its fields. */
function share(shareId, fields = {}) {
  const times = { createdAt: "2026-01-01T00:00:00Z", expiresAt: "2030-01-01T00:00:00Z" };
  return { shareId, status: "active", ...times, ...fields };
}

function sorted(order, shares) {
  return shares.toSorted(SORTS[order]).map(({ shareId }) => shareId).join("");
}

test("shares are sorted by creation, with and without fractions of a second", () => {
  const at = (id, createdAt) => share(id, { createdAt });
  const shares = [
    at("a", "2026-03-10T12:00:00Z"), at("b", "2026-03-10T12:00:00.5Z"), at("c", "2026-03-10T12:00:00.125Z"),
    at("d", "2026-03-10T11:59:59.999Z"),
  ];
  assert.equal(sorted("newest", shares), "bcad");
});

test("the next share to expire is first, and the last one that ended is first after those", () => {
  const shares = [
    share("a", { expiresAt: "2030-01-02T00:00:00Z" }),
    share("b", { expiresAt: "2030-01-01T00:00:00Z" }),
    share("c", { status: "inactive", expiresAt: "2026-01-01T00:00:00Z" }),
    share("d", { status: "inactive", expiresAt: "2031-01-01T00:00:00Z", revokedAt: "2026-02-01T00:00:00Z" }),
  ];
  assert.equal(sorted("expiry", shares), "badc");
});

test("the share that was used last is first, and unused ones are last, newest first", () => {
  const shares = [
    share("a"), share("b", { lastOpenedAt: "2026-05-01T00:00:00Z" }),
    share("c", { lastOpenedAt: "2026-06-01T00:00:00Z" }), share("d", { createdAt: "2026-02-01T00:00:00Z" }),
  ];
  assert.equal(sorted("lastUse", shares), "cbda");
});

test("open requests for more time are first, and the order is kept otherwise", () => {
  const shares = [
    share("a"), share("b", { moreTime: { isOpen: false } }), share("c", { moreTime: { isOpen: true } }),
    share("d"), share("e", { moreTime: { isOpen: true } }),
  ];
  assert.equal(shares.toSorted(compareRequests).map(({ shareId }) => shareId).join(""), "ceabd");
});

test("a search ignores case and surrounding white space", () => {
  assert.ok(matchesSearch({ recipient: "Ann@Example.com" }, "  ann@EXAMPLE "));
  assert.ok(matchesSearch({ recipient: "ann@example.com" }, ""));
  assert.ok(!matchesSearch({ recipient: "ann@example.com" }, "bob"));
});

test("a search finds a recipient by address or name, as the API's search does", () => {
  const named = { recipient: "zoe@example.com", recipientName: "Zo\u00eb M\u00fcller" };
  for (const search of ["zoe@", "ZO\u00cb M", "mu\u0308ller", "\uff4d\u00fcller"])
    assert.ok(matchesSearch(named, search), search);
  // The address and the name are separate texts.
  for (const search of ["muller", "com zo", "bob"]) assert.ok(!matchesSearch(named, search), search);
});

test("a bulk change has requests of at most 100 shares, in order", () => {
  const list = Array.from({ length: 250 }, (_, i) => i);
  assert.deepEqual(splitBulk(list).map((part) => part.length), [100, 100, 50]);
  assert.deepEqual(splitBulk(list).flat(), list);
  assert.deepEqual(splitBulk([]), []);
  assert.deepEqual(splitBulk(list.slice(0, 100)).length, 1);
});

test("a range includes both ends, in either direction", () => {
  const keys = ["a", "b", "c", "d"];
  assert.deepEqual(keyRange(keys, "b", "d"), ["b", "c", "d"]);
  assert.deepEqual(keyRange(keys, "d", "b"), ["b", "c", "d"]);
  assert.deepEqual(keyRange(keys, undefined, "c"), ["c"]);
  // The row where the range began has left the list.
  assert.deepEqual(keyRange(keys, "x", "c"), ["c"]);
});

test("shares of different items with the same id have different keys", () => {
  const items = [["a", "b/c"], ["a/b", "c"], ["a", "b"]];
  const keys = items.map(([module, item]) => keyOf({ module, item, shareId: "1" }));
  assert.equal(new Set(keys).size, 3);
});

test("undoing groups shares by their earlier expiration, and leaves out what gave no access", () => {
  const now = Date.parse("2029-01-01T00:00:00Z");
  const change = (id, before) => ({ before: share(id, before), after: share(id, { status: "inactive" }) });
  const groups = undoGroups([
    change("a"), change("b", { expiresAt: "2030-06-01T00:00:00Z" }), change("c"),
    change("d", { status: "inactive" }), change("e", { expiresAt: "2028-12-31T00:00:00Z" }),
  ], now);
  const join = (shares) => shares.map(({ shareId }) => shareId).join("");
  const ids = [...groups].map(([expiresAt, shares]) => [expiresAt, join(shares)]);
  assert.deepEqual(ids, [["2030-01-01T00:00:00Z", "ac"], ["2030-06-01T00:00:00Z", "b"]]);
});

test("failures are first, and the order is kept otherwise", () => {
  const results = ["changed", "failed", "unchanged", "failed"].map((outcome, i) => ({ outcome, i }));
  assert.deepEqual(failuresFirst(results).map(({ i }) => i), [1, 3, 0, 2]);
});

test("pages of a CSV file are joined under one header and one byte order mark", () => {
  const pages = ["\ufeffa,b\r\n1,2\r\n", "\ufeffa,b\r\n3,\"x\r\ny\"\r\n", "a,b\r\n"];
  assert.equal(joinCsv(pages), "\ufeffa,b\r\n1,2\r\n3,\"x\r\ny\"\r\n");
});

// The deployment's rules, which the API checks in the same way.

import assert from "node:assert/strict";
import { test } from "node:test";

import { readAddress } from "../../functions/serve-ui/components/address-list.js";
import { DEFAULT_RULES, isAllowed, whyNotAllowed } from "../../functions/serve-ui/components/rules.js";

const blocking = { ...DEFAULT_RULES, blockedRecipientDomains: ["blocked.com", "xn--bcher-kva.example"] };

test("a blocked domain includes its subdomains in every spelling", () => {
  for (const [typed, expected] of [
    ["a@ok.com", true],
    ["a@notblocked.com", true],
    ["a@blocked.com.example", true],
    ["blocked.com@ok.com", true],
    ["a@bucher.example", true],
    ["a@blocked.com", false],
    ["a@BLOCKED.com", false],
    ["a@x.blocked.com", false],
    ["a@ｂｌｏｃｋｅｄ．ｃｏｍ", false],
    ["a@blocked.com.", false],
    ["a@bücher.example", false],
    ["a@x.BU\u0308CHER.example", false],
    ["a@XN--BCHER-KVA.example", false],
  ]) {
    assert.equal(isAllowed(readAddress(typed).identity, blocking), expected, typed);
  }
});

test("only allowed domains that are not blocked are allowed", () => {
  const rules = { ...DEFAULT_RULES, allowedRecipientDomains: ["ok.com", "gov"], blockedRecipientDomains: ["x.ok.com"] };
  const addresses = ["a@ok.com", "a@y.ok.com", "a@example.gov", "a@x.ok.com", "a@z.x.ok.com", "a@other.com"];
  assert.deepEqual(addresses.map((address) => isAllowed(address, rules)), [true, true, true, false, false, false]);
  assert.ok(isAllowed("a@anything.example", DEFAULT_RULES));
});

test("the reason is the API's problem type", () => {
  const rules = { ...blocking, maxFiles: 1 };
  const why = (recipient, files) => whyNotAllowed({ recipient, files }, rules);
  assert.equal(why("a@blocked.com", [{}]), "recipient-not-allowed");
  assert.equal(why("a@ok.com", [{}, {}]), "too-many-files");
  assert.equal(why("a@ok.com", [{}]), undefined);
});

// The recipients field's parser.

import assert from "node:assert/strict";
import { test } from "node:test";

import { normalizeAddress } from "../../functions/serve-ui/components/recipients.js";
import { fc } from "./packages.js";

const atom = fc.stringMatching(/^[a-z0-9!#$%&*+=?^_`{|}~-]{1,20}$/);
const label = fc.stringMatching(/^[a-z][a-z0-9]{0,15}$/);

test("lowercase ASCII address is already normalized", () => {
  fc.assert(fc.property(atom, label, label, (local, host, top) => {
    const address = `${local}@${host}.${top}`;
    assert.equal(normalizeAddress(address), address);
  }));
});

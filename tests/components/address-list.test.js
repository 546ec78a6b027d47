// The parser of the recipients field.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";

import {
  extractAddress, parseAddresses, readAddress,
} from "../../functions/serve-ui/components/address-list.js";
import { fc } from "./packages.js";

const shared = JSON.parse(
  readFileSync(new URL("../../shared/domain/tests/recipient_addresses.json", import.meta.url), "utf8"),
);

/** Asserts that each text has these entries, in this order. */
function assertEntries(cases) {
  for (const [text, ...entries] of cases)
    assert.deepEqual(parseAddresses(text), entries, JSON.stringify(text));
}

describe("single address", () => {
  test("is read as by the API", () => {
    for (const { input, address, lookalike, dialog } of shared.cases) {
      const reading = readAddress(input);
      const text = JSON.stringify(input);
      if (address) {
        assert.equal(reading?.identity, address.toLowerCase(), text);
        assert.equal(reading.isLookalike, false, text);
        assert.equal(extractAddress(input).split("@")[0], address.split("@")[0], text);
        const isShown = extractAddress(input).toLowerCase().endsWith(`@${address.split("@").pop()}`);
        assert.equal(Boolean(reading.asciiDomain), !isShown, `the ASCII domain of ${text}`);
      } else if (lookalike) {
        assert.equal(reading?.asciiDomain, lookalike, text);
        assert.equal(reading.isLookalike, dialog === "refuses", text);
      } else {
        assert.equal(reading, undefined, text);
      }
    }
  });

  test("has the same invisible characters as for the API", () => {
    const ranges = shared.invisible.map((range) => range.map((hex) => parseInt(hex, 16)));
    for (let code = 0; code <= 0x10ffff; code++) {
      const isInvisible = extractAddress(`a${String.fromCodePoint(code)}b`) === "ab";
      const isJoiner = code === 0x200c || code === 0x200d;
      const expected = isJoiner || ranges.some(([first, last]) => first <= code && code <= last);
      assert.equal(isInvisible, expected, code.toString(16));
    }
  });
});

describe("pasted text", () => {
  test("from mail programs has every person", () => assertEntries([
    ["Ann Doe <ann@example.com> Bob Roe <bob@example.com>", "ann@example.com", "bob@example.com"],
    ["Doe, Ann <ann@example.com>; Roe, Bob <bob@example.com>", "ann@example.com", "bob@example.com"],
    ["Doe, Ann <ann@example.com>, Roe, Bob <bob@example.com>", "ann@example.com", "bob@example.com"],
    ["Doe, Ann <ann@example.com>;\r\nRoe, Bob <bob@example.com>;\r\n", "ann@example.com", "bob@example.com"],
    ["García López, Ana María <ana@example.com>; Roe, Bob <bob@example.com>", "ana@example.com",
      "bob@example.com"],
    ["van der Berg, Ann <ann@example.com>", "ann@example.com"],
    ["\"Doe, Ann\" <ann@example.com>, \"Roe, Bob\" <bob@example.com>", "ann@example.com", "bob@example.com"],
    ["“Doe, Ann” <ann@example.com>, «Roe, Bob» <bob@example.com>", "ann@example.com", "bob@example.com"],
    ["'Doe, Ann' <ann@example.com>; 'bob@example.com'", "ann@example.com", "bob@example.com"],
    ["'ann@example.com'; 'bob@example.com'", "ann@example.com", "bob@example.com"],
    ["ann@example.com;bob@example.com", "ann@example.com", "bob@example.com"],
    ["<ann@example.com><bob@example.com>", "ann@example.com", "bob@example.com"],
    ["<<ann@example.com>>", "ann@example.com"],
    ["ann@example.com<mailto:ann@example.com>; bob@example.com <mailto:bob@example.com>", "ann@example.com",
      "bob@example.com"],
    ["Ann Doe (ann@example.com), bob@example.com (Roe, Bob)", "ann@example.com", "bob@example.com"],
    ["[ann@example.com]", "ann@example.com"],
    ["Ann Doe [mailto:ann@example.com]", "ann@example.com"],
    ["Team: a@x.com, b@x.com;", "a@x.com", "b@x.com"],
    ["Ann Doe ann@example.com, Bob Roe bob@example.com", "ann@example.com", "bob@example.com"],
    ["Ann @ Example (@ann) <ann@example.com>", "ann@example.com"],
    ["\"Doe, \\\"Annie\\\" Ann\" <ann@example.com>", "ann@example.com"],
    ["Ann Doe <ann@\nexample.com>, Bob <\nbob@example.com>", "ann@example.com", "bob@example.com"],
    ["o'neil@example.com, O’Neil <pat.o’neil@example.com>", "o'neil@example.com", "pat.o'neil@example.com"],
    ["<ann@example.com\nbob@example.com>", "ann@example.com", "bob@example.com"],
    ["<ann@example.com\nBob>", "ann@example.com", "Bob>"],
  ]));

  test("keeps what looks like a person without an address", () => assertEntries([
    ["Carol Smith; Ann Doe <ann@example.com>", "Carol Smith", "ann@example.com"],
    ["Carol Smith, Ann Doe <ann@example.com>", "Carol Smith", "ann@example.com"],
    ["carol, Ann <ann@example.com>", "carol", "ann@example.com"],
    ["carol, ann@example.com, Dave", "carol", "ann@example.com", "Dave"],
    ["Doe, Ann </O=EXAMPLE/OU=MUNICH/CN=RECIPIENTS/CN=ANN>; bob@example.com",
      "Doe, Ann </O=EXAMPLE/OU=MUNICH/CN=RECIPIENTS/CN=ANN>", "bob@example.com"],
    ["CN=Ann Doe/OU=Munich/O=Example@Example; bob@example.com", "CN=Ann Doe/OU=Munich/O=Example@Example",
      "bob@example.com"],
    ["Doe, Ann; Roe, Bob", "Doe, Ann", "Roe, Bob"],
    ["Doe, Ann\nRoe, Bob", "Doe, Ann", "Roe, Bob"],
    ["ann (at) example.com, bob@example.com", "ann (at) example.com", "bob@example.com"],
    ["ann@example.com bobexample.com", "ann@example.com", "bobexample.com"],
    ["änn@example.com böb@example.com", "änn@example.com", "böb@example.com"],
    ["Änn <änn@example.com>; bob@example.com", "Änn <änn@example.com>", "bob@example.com"],
    ["ann @ example.com", "ann @ example.com"],
    ["n/a; n/a; ann@example.com; n/a", "n/a", "ann@example.com"],
    ["ann@example.co!m", "ann@example.co!m"],
    ["a@b@example.com", "a@b@example.com"],
    ["12345", "12345"],
    ["Email", "Email"],
    ["From:", "From:"],
    [" ,;\n"],
  ]));

  test("from spreadsheets has the addresses", () => assertEntries([
    ["Name,Email\nAnn Doe,ann@example.com\nBob Roe,bob@example.com", "ann@example.com", "bob@example.com"],
    ["Name;E-Mail;Telefon\nAnn Doe;ann@example.com;1\nBob Roe;bob@example.com;2", "ann@example.com",
      "bob@example.com"],
    ["\"Name\",\"Email Address\"\n\"Doe, \"\"Annie\"\"\",\"ann@example.com\"", "ann@example.com"],
    ["Name\tEmail\r\nAnn\tann@example.com\r\nBob\tbob@example.com\r\n", "ann@example.com", "bob@example.com"],
    ["Ann Doe\tann@example.com", "ann@example.com"],
    ["Email\nann@example.com\nbob@example.com", "ann@example.com", "bob@example.com"],
    ["ann@example.com\tbob@example.com", "ann@example.com", "bob@example.com"],
    ["\"ann@example.com\",\"bob@example.com\"", "ann@example.com", "bob@example.com"],
    ["\"Doe, Ann\",ann@example.com", "ann@example.com"],
    ["| Ann | ann@example.com |\n| Bob | bob@example.com |", "ann@example.com", "bob@example.com"],
    ["First Name,Work Email,City\nAnn,ann@example.com,Bonn", "ann@example.com"],
    ["Name,E-mail 1 - Value,City\nAnn,ann@example.com,Bonn", "ann@example.com"],
    ["Name;Courriel;Ville\nAnn;ann@example.com;Bonn", "ann@example.com"],
    // A person without an address.
    ["Name\tEmail\nCarol Smith\t\nAnn Doe\tann@example.com", "Carol Smith", "ann@example.com"],
  ]));

  test("from a forwarded email has the people in its header", () => assertEntries([
    ["-----Original Message-----\nFrom: Ann Doe <ann@example.com>\nSent: Thursday, 26 November 2026 10:00\n"
      + "To: Bob Roe <bob@example.com>; Carol Smith\nCc:\nSubject: Budget, final",
    "ann@example.com", "bob@example.com", "Carol Smith"],
    ["Von: Ann <ann@example.com>\nGesendet: Donnerstag, 26. November\nAn: bob@example.com\nBetreff: Hallo",
      "ann@example.com", "bob@example.com"],
    ["> *From:* Ann <ann@example.com>\n> *Date:* Thu, Nov 26, 2026\n> *To:* bob@example.com",
      "ann@example.com", "bob@example.com"],
    ["De : Ann <ann@example.com>\nEnvoyé : jeudi\nÀ : bob@example.com\nObjet : Budget", "ann@example.com",
      "bob@example.com"],
    ["On Thu, Nov 26, 2026 at 10:00 AM Ann Doe <ann@example.com> wrote:", "ann@example.com"],
    ["Am Do., 26. Nov. 2026 um 10:00 Uhr schrieb Ann Doe <ann@example.com>:", "ann@example.com"],
  ]));

  test("from chats and web pages has the addresses", () => assertEntries([
    ["ann@example.com and bob@example.com", "ann@example.com", "bob@example.com"],
    ["ann@example.com/bob@example.com | carol@example.com", "ann@example.com", "bob@example.com",
      "carol@example.com"],
    ["ann@example.com和bob@example.com", "ann@example.com", "bob@example.com"],
    ["Is it ann@example.com? Or bob@example.com!", "ann@example.com", "bob@example.com"],
    ["- ann@example.com\n- bob@example.com", "ann@example.com", "bob@example.com"],
    ["1. ann@example.com\n2) bob@example.com", "ann@example.com", "bob@example.com"],
    ["• ann@example.com", "ann@example.com"],
    ["[Ann](mailto:ann@example.com), **bob@example.com**", "ann@example.com", "bob@example.com"],
    ["<mailto:ann@example.com|ann@example.com>", "ann@example.com"],
    ["&lt;ann@example.com&gt;; Bob &lt;bob@example.com&gt;", "ann@example.com", "bob@example.com"],
    ["<a href=\"mailto:ann@example.com\">ann@example.com</a>", "ann@example.com"],
    ["mailto:a@x.com,b@x.com?subject=Hi", "a@x.com", "b@x.com"],
    ["mailto:ann%40example.com?cc=bob%2Bbox@example.com&bcc=carol@example.com&body=x", "ann@example.com",
      "bob+box@example.com", "carol@example.com"],
    ["mailto:%E0%A4@example.com", "%E0%A4@example.com"],
    ["https://example.com/?to=ann@example.com", "https://example.com/?to=ann@example.com"],
    ["Hi Bob,\nplease share with ann@example.com.", "Hi Bob", "ann@example.com"],
    ["ann＠example．com；bob＠example.com，carol@example.com、dave@example.com", "ann@example.com",
      "bob@example.com", "carol@example.com", "dave@example.com"],
    ["ann@\u200bexample.com\u00a0; b\u00adob@example.com", "ann@example.com", "bob@example.com"],
  ]));

  test("from contacts has the addresses of vCards", () => assertEntries([
    ["BEGIN:VCARD\nVERSION:3.0\nN:Doe;Ann;;;\nFN:Ann Doe\nEMAIL;TYPE=WORK:ann@example.com\nTEL:1\nEND:VCARD\n"
      + "BEGIN:VCARD\nFN:Bob Roe\nEND:VCARD\n"
      + "BEGIN:VCARD\nitem1.EMAIL;type=INTERNET:carol@example.com\nitem1.X-ABLabel:Work\nEND:VCARD",
    "ann@example.com", "Bob Roe", "carol@example.com"],
    ["BEGIN:VCARD\nFN:Ann\nEND:VCARD\ncarol\nEND:VCARD\n<bob@example.com>", "Ann", "carol", "END:VCARD",
      "bob@example.com"],
    ["BEGIN:VCARD\nFN:Ann\nEMAIL:ann@example.com\nIMPP:xmpp:eve@example.net\nUID:1@host.example\n"
      + "NOTE:met eve@example.org\nEND:VCARD", "ann@example.com"],
    ["BEGIN:VCARD\nEMAIL;TYPE=work:ann@exam\r\n ple.com\nEND:VCARD", "ann@example.com"],
    ["BEGIN:VCARD\nVERSION:2.1\nN:Doe;Ann\nFN:\nEND:VCARD\nbob@example.com", "Doe Ann", "bob@example.com"],
    ["BEGIN:VCARD\nNOTE:ann@example.com", "ann@example.com"],
  ]));

  test("never becomes another person's address", () => assertEntries([
    // Addresses that no blank separates.
    ["jörg@example.com/ann@example.com", "jörg@example.com", "ann@example.com"],
    ["änn@x.com|bob@y.com", "änn@x.com", "bob@y.com"],
    ["ann@mail.müller.example/bob@x.com", "ann@mail.müller.example", "bob@x.com"],
    [`${"a".repeat(70)}@x.com/bob@y.com`, `${"a".repeat(70)}@x.com`, "bob@y.com"],
    ["josé@x.com和ann@y.com", "josé@x.com", "ann@y.com"],
    ["ann@mail.abc日本.example/bob@x.com", "ann@mail.abc日本.example", "bob@x.com"],
    ["ann@x.com/_bob@y.com", "ann@x.com", "_bob@y.com"],
    ["ann@x.com/tel/bob@y.com", "ann@", "x.com/tel/bob@", "y.com"],
    ["tel/ann@x.com/bob@y.com", "tel/ann@", "x.com/bob@", "y.com"],
    ["ann@example.com-bob@example.com", "ann@", "example.com-bob@", "example.com"],
    ["ann@example.com.bob@example.com", "ann@", "example.com.bob@", "example.com"],
    ["ann@example.com_bob@example.com", "ann@", "example.com_bob@", "example.com"],
    ["ann@example.com\u200bbob@example.com", "ann@", "example.combob@", "example.com"],
    ["ann@example.com\\nbob@example.com", "ann@", "example.com\\nbob@", "example.com"],
    ["ann@x.com+bob@y.com&carol@z.com=dave@y.com", "ann@x.com", "bob@y.com", "carol@z.com", "dave@y.com"],
    // Quotes and braces.
    ["'ann'@example.com", "'ann'@example.com"],
    ["`ann`@example.com", "`ann`@example.com"],
    ["{ann, bob}@example.com", "{ann", "bob}@example.com"],
    // Keys and URLs.
    ["<a href='mailto:ann@example.com'>Ann</a>", "ann@example.com"],
    ["<a href=mailto:ann@example.com>Ann</a>", "ann@example.com"],
    ["Email='ann@example.com'; email=bob@example.com", "ann@example.com", "bob@example.com"],
    ["name=Ann&email=ann@example.com", "ann@example.com"],
    ["/CN=Ann/emailAddress=ann@example.com", "ann@example.com"],
    ["CN=Ann,E=ann@example.com", "Ann", "ann@example.com"],
    ["www.example.com/unsubscribe?e=ann@example.com bob@example.com", "ann@example.com", "bob@example.com"],
    ["https://user:secret@example.com bob@example.com", "https://user:secret@example.com", "bob@example.com"],
    ["Message-ID: <CAF+abc@mail.example>\nFrom: Ann <ann@example.com>", "ann@example.com"],
    ["mailto://ann@example.com", "ann@example.com"],
    ["MAILTO%3Aann@example.com", "MAILTO%3Aann@example.com"],
    ["a***@example.com", "a***@example.com"],
    // Numbers and bullets without a blank.
    ["1.ann@example.com\n2.bob@example.com", "ann@example.com", "bob@example.com"],
    ["Guests:\n1.ann@example.com\n2.Carol\n3.bob@example.com", "ann@example.com", "Carol", "bob@example.com"],
    ["1-ann@example.com 2-bob@example.com", "ann@example.com", "bob@example.com"],
    ["1.ann@example.com", "1.ann@example.com"],
    ["2.ann@example.com\n1.bob@example.com", "2.ann@example.com", "1.bob@example.com"],
    ["-ann@example.com\n-bob@example.com", "ann@example.com", "bob@example.com"],
    ["*ann@example.com\n*bob@example.com", "ann@example.com", "bob@example.com"],
    ["=ann@example.com", "=ann@example.com"],
    ["-ann@example.com\nbob@example.com", "-ann@example.com", "bob@example.com"],
    // Quoted names with an @.
    ["\"Ann Doe\" <ann@example.com>, \"@Bob\" <bob@example.com>", "ann@example.com", "bob@example.com"],
    ["“Ann” <ann@example.com>, “@Bob” <bob@example.com>", "ann@example.com", "bob@example.com"],
    ["&quot;Ann&quot; &lt;ann@example.com&gt;, &quot;@Bob&quot; &lt;bob@example.com&gt;", "ann@example.com",
      "bob@example.com"],
    ["\" ann@example.com \"@", "ann@example.com"],
  ]));

  test("has the people without an address", () => assertEntries([
    ["Carol Smith; ann@example.com\nDave Brown; bob@example.com", "Carol Smith", "ann@example.com",
      "Dave Brown", "bob@example.com"],
    ["ann@example.com; carol\nbob@example.com; dave", "ann@example.com", "carol", "bob@example.com", "dave"],
    ["ann@example.com, carol\nbob@example.com, dave", "ann@example.com", "carol", "bob@example.com", "dave"],
    ["Carol Smith, Ann Doe <ann@example.com>;", "Carol Smith", "ann@example.com"],
    ["Carol Smith, Ann <ann@example.com>", "Carol Smith", "ann@example.com"],
    ["Carol, Dave, Ann <ann@example.com>", "Carol", "ann@example.com"],
    ["王伟, 李娜 <li@example.com>", "王伟", "li@example.com"],
    ["Carol Smith, Dave Jones, Ann Doe <a@x.com>; Bob Roe <b@x.com>", "Carol Smith", "Dave Jones", "a@x.com",
      "b@x.com"],
    ["ann@example.com, Ann Doe, Bob <bob@example.com>", "ann@example.com", "Ann Doe", "bob@example.com"],
    ["Carol </O=EX/CN=CAROL> Ann <ann@example.com>", "Carol </O=EX/CN=CAROL>", "ann@example.com"],
    ["Carol <carol.example.com> Ann <ann@example.com>", "Carol <carol.example.com>", "ann@example.com"],
    ["Carol <carol@> Ann <ann@example.com>", "Carol <carol@>", "ann@example.com"],
    // The names belong to the addresses.
    ["Ann Doe,ann@example.com\nBob Roe,bob@example.com", "ann@example.com", "bob@example.com"],
    ["To: Doe, Ann <ann@example.com>\nCc: Roe, Bob <bob@example.com>", "ann@example.com", "bob@example.com"],
    ["<b>Ann</b> <ann@example.com><br>bob@example.com", "ann@example.com", "bob@example.com"],
  ]));

  test("with entities and decorations has the addresses", () => assertEntries([
    ["&#60;ann@example.com&#62;; Bob &#x3c;bob&#x40;example.com&#x3E;", "ann@example.com", "bob@example.com"],
    ["ann&#64;example.com, bob&commat;example.com", "ann@example.com", "bob@example.com"],
    ["&ldquo;Doe, Ann&rdquo; &lt;ann@example.com&gt;, &apos;bob@example.com&apos;", "ann@example.com",
      "bob@example.com"],
    ["ann@example.com&#8203;; bob@example.com&zwnj;", "ann@example.com", "bob@example.com"],
    ["&#x110000;&unknown; ann@example.com", "&#x110000", "&unknown", "ann@example.com"],
    ["\uf0b7\tann@example.com\n\uf0b7\tbob@example.com", "ann@example.com", "bob@example.com"],
    ["●ann@example.com 📧bob@example.com →carol@example.com", "ann@example.com", "bob@example.com",
      "carol@example.com"],
    ["⟨ann@example.com⟩, ﹤bob@example.com﹥", "ann@example.com", "bob@example.com"],
    ["ann@example.com¹, bob@example.com*, carol@example.com’s", "ann@example.com", "bob@example.com",
      "carol@example.com"],
    // Lines within angle brackets are not joined if one of them has a whole address.
    ["<work\nann@example.com (office)>", "<work", "ann@example.com"],
    ["<office: ann@example.com\nx>, bob@example.com", "ann@example.com", "x>", "bob@example.com"],
  ]));

  // tests/public-reports.md lists the sources.
  test("from public reports is read", () => assertEntries([
    ["Berhane, Kidane T - Eagan, MN <kidane@example.com>", "kidane@example.com"],
    ["Joe Foo, PhD <joe@example.com>", "joe@example.com"],
    ["Company, Inc. <mb@example.com>", "mb@example.com"],
    ["John Smith, Jr \\<johnsmith@example.com\\>", "johnsmith@example.com"],
    ["\"Blah blah \"One, comma\" foo bar\" <local@example.com>", "local@example.com"],
    ["\"'donald@example.com'\" <'donald@example.com'>", "donald@example.com"],
    ["\"xclow3n@example.com x\"@example.org", "\"xclow3n@example.com x\"@example.org"],
    ["user1@example.com\nuser2@example.com\nuser3@example.com", "user1@example.com", "user2@example.com",
      "user3@example.com"],
    ["test1@example.com, test2@example.com,\ttest3@example.com ", "test1@example.com", "test2@example.com",
      "test3@example.com"],
    ["first.o’last@example.com", "first.o'last@example.com"],
    ["japan＠example.com", "japan@example.com"],
    ["smith@example.com, Mikel@Lindsaar <mikel@example.com>, abc@ddd <abc@example.com>", "smith@example.com",
      "Mikel@Lindsaar", "mikel@example.com", "abc@ddd", "abc@example.com"],
    ["admin@example.com <admin@example.com>", "admin@example.com"],
    ["BEGIN:VCARD\r\nFN:Ann\r\nEMAIL:ann@exampledomain\r\n .com\r\nEND:VCARD", "ann@exampledomain.com"],
    ["BEGIN:VCARD\nNOTE:a\n END:VCARD\nEMAIL:ann@example.com\nEND:VCARD", "ann@example.com"],
    ["test@example.com, Jane Doe, MSc jane@example.com", "test@example.com", "Jane Doe", "jane@example.com"],
    ["mailto:mailto:ann@example.com", "ann@example.com"],
  ]));
});

describe("any text", () => {
  const local =
    fc.stringMatching(/^[A-Za-z0-9]([A-Za-z0-9!#$%&'*+=?^_|~-]{0,10}[A-Za-z0-9])?(\.[a-z]{1,5})?$/);
  const domain = fc.stringMatching(/^[a-z0-9]{1,10}(-[a-z0-9]{1,5})?\.[a-z]{2,6}$/);
  // The shared cases say which local parts are refused.
  const address = fc.tuple(local, domain).map((parts) => parts.join("@")).filter((text) => readAddress(text));
  const addresses = fc.uniqueArray(address, { minLength: 1, selector: (text) => text.toLowerCase() });
  /** Text that people and programs put around addresses, without an @. */
  const filler = fc.array(fc.oneof(
    fc.constantFrom(
      ..." \t\n,;:|()[]<>\"'`“”’.-*•\\/&", "; ", ", ", "\r\n", " <", "> ", "mailto:", "&lt;", "Doe, Ann",
      "\u200b", "Name", "From: ", "BEGIN:VCARD\n", "END:VCARD", "\"\"", "--- ", "，", "\u00a0",
    ),
    fc.string({ maxLength: 10, unit: "grapheme" }).filter((text) => !/[@＠﹫]/.test(text)),
  ), { maxLength: 6 }).map((parts) => parts.join(""));
  const fillerWithAt = fc.array(fc.oneof(
    filler,
    fc.constantFrom(..."@＠\"<", "\"@", "@Bob", "a@", "a@b", "x@y.zz", "https://a@b/", "'@", "email='",
      "Subject: "),
  ), { maxLength: 4 }).map((parts) => parts.join(""));
  const identities = (text) => parseAddresses(text).flatMap((entry) => readAddress(entry)?.identity ?? []);

  test("keeps each address in angle brackets", () => {
    fc.assert(fc.property(fc.array(fc.tuple(fillerWithAt, address)), fillerWithAt, (parts, end) => {
      const text = parts.map(([before, inner]) => `${before} <${inner}> `).join("") + end;
      const found = identities(text);
      for (const [, inner] of parts)
        assert.ok(found.includes(inner.toLowerCase()), JSON.stringify({ text, found }));
    }), { numRuns: 2_000 });
  });

  test("has at least as many people as addresses", () => {
    const separator =
      fc.constantFrom(" ", ", ", ";", "\n", "\t", "; ", " and ", "/", "|", "><", "\r\n", "，", "；", "、");
    fc.assert(fc.property(addresses, filler, separator, filler, (list, start, between, end) => {
      // Neither a separator in a local part nor numbers in front of all addresses.
      fc.pre(!list.some((one) => one.includes(between)) && !/^1[.-]/.test(list[0]));
      const entries = parseAddresses(`${start} ${list.join(between)} ${end}`);
      assert.ok(entries.length >= list.length, JSON.stringify(entries));
      const found = identities(`${start} ${list.join(between)} ${end}`);
      for (const one of list) assert.ok(found.includes(one.toLowerCase()), JSON.stringify({ one, found }));
    }), { numRuns: 2_000 });
  });

  test("is a list that gives itself back", () => {
    const separator = fc.constantFrom(", ", "; ", "\n", " ", ",", ";", "\t");
    const name = fc.stringMatching(/^[A-Z][a-z]{0,8}( [A-Z][a-z]{0,8})?$/);
    const named = fc.tuple(fc.option(name), address)
      .map(([before, inner]) => [before ? `${before} <${inner}>` : inner, inner]);
    fc.assert(fc.property(
      fc.uniqueArray(named, { selector: ([, inner]) => inner.toLowerCase() }), separator,
      (list, between) => {
        const text = list.map(([rendered]) => rendered).join(between);
        assert.deepEqual(parseAddresses(text), list.map(([, inner]) => inner), JSON.stringify(text));
      },
    ), { numRuns: 2_000 });
  });

  test("is read again as itself", () => {
    const noise = fc.array(fc.oneof(filler, address, fc.constant("@"))).map((parts) => parts.join(""));
    fc.assert(fc.property(noise, (text) => {
      for (const entry of parseAddresses(text)) {
        assert.equal(entry, entry.trim());
        if (readAddress(entry)) assert.deepEqual(parseAddresses(entry), [entry], JSON.stringify(text));
      }
    }), { numRuns: 2_000 });
  });

  // Backtracking without a limit would take minutes or longer.
  test("of 100,000 hostile characters keeps the address at its end", () => {
    const parts = [
      "a", "a@", "@", "<", ">", "(", "\"",
      "'", "'a ", "\"\\", "\"@", "\"\" ", " ", "\t", "\n", "<\n", ",", "a,",
      "A, ", ";a,", "*", ".", "a.", "a-", "-", "a@b.c-", "\u200c", "mailto:", "mailto:a?cc=", "&", "&lt;",
      "BEGIN:VCARD\n", "END:VCARD", "EMAIL", ":", "Á", "İ",
      "\\", "|", "/", "a@b.com/", "a ", "Aa ", "--", "\u00a0", "｡", "a@b.c和", "@a.", "a://", "a-://", "1.a@",
      "-a@", "e=", "mail=", "='", "<a", "</a", "&#60;", "😀", "●", "a.b/", "\ue000",
      `${"*".repeat(166)}${".".repeat(660)}@1${"*".repeat(166)}\n`,
    ];
    for (const part of parts) {
      for (const end of ["a@example.com", " <a@example.com>"]) {
        const entries = parseAddresses(part.repeat(100_000 / part.length) + end);
        entries.forEach(readAddress);
        const description = `${JSON.stringify(part)} and ${JSON.stringify(end)}`;
        assert.ok(entries.some((entry) => entry.includes("example.com")), description);
      }
    }
  });
});

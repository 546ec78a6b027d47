// The texts in every language, and their format.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { mySharesTexts } from "../../functions/serve-ui/components/my-shares-texts.js";
import { compileTexts, en } from "../../functions/serve-ui/components/texts.js";

const directory = new URL("../../functions/serve-ui/components/", import.meta.url);

/** Every text of every language, by language and by its path, such as `errors.offline`. */
const catalogs = Object.fromEntries([
  ["en", new Map(flatten({ ...en, myShares: mySharesTexts }))],
  ...readdirSync(directory).filter((name) => name.endsWith(".json")).map((name) =>
    [name.slice(0, 2), new Map(flatten(JSON.parse(readFileSync(new URL(name, directory), "utf8"))))]),
]);

/** Returns every text by its path, such as `errors.offline`. */
function flatten(texts, path = "") {
  return Object.entries(texts).flatMap(([name, text]) =>
    typeof text === "object" ? flatten(text, `${path}${name}.`) : [[path + name, text]]);
}

/** Returns the arguments that a text uses. */
function argumentsOf(text) {
  const indexes = [...text.matchAll(/\{(\d+)[,}]/g)].map(([, index]) => index);
  return [...new Set(indexes)].sort().join();
}

/** A choice of an argument. It may contain an argument without further arguments. */
const CHOICE = " ([=\\w]+) \\{(?:[^{}]|\\{[^{}]*\\})*\\}";

/** Returns the plural categories of each plural argument in a text. */
function pluralsOf(text) {
  const found = [...text.matchAll(new RegExp(`\\{\\d+, plural,((?:${CHOICE})+)\\}`, "g"))];
  return found.map(([, choices]) =>
    [...choices.matchAll(new RegExp(CHOICE, "g"))].map(([, name]) => name)
      .filter((name) => !name.startsWith("=")));
}

/** Compiles one text. */
function compile(text, language = "en") {
  return compileTexts({ text }, language).text;
}

test("all languages of emails and pages are available", () => {
  assert.deepEqual(Object.keys(catalogs).sort(), ["da", "de", "en", "es", "fr", "nl", "sv"]);
});

test("every language has the same texts with the same arguments as English", () => {
  const english = catalogs.en;
  for (const [language, texts] of Object.entries(catalogs)) {
    const paths = [...texts.keys()].filter((path) => !path.startsWith("mailReason."));
    assert.deepEqual(paths.sort(), [...english.keys()].sort(), language);
    for (const path of paths)
      assert.equal(argumentsOf(texts.get(path)), argumentsOf(english.get(path)), `${language}: ${path}`);
  }
});

test("every language but English has a text for each reason of an email", () => {
  const source = readFileSync(new URL("../../shared/domain/src/mail_reason.rs", import.meta.url), "utf8");
  const codes = [...source.matchAll(/Self::\w+ => "(\w+)",/g)].map(([, code]) => `mailReason.${code}`);
  assert.ok(codes.length > 15, "the domain's codes");
  for (const [language, texts] of Object.entries(catalogs)) {
    const paths = [...texts.keys()].filter((path) => path.startsWith("mailReason."));
    assert.deepEqual(paths.sort(), language === "en" ? [] : codes.sort(), language);
  }
});

test("every text of every language can be formatted with any number", () => {
  for (const [language, texts] of Object.entries(catalogs)) {
    for (const [path, text] of texts) {
      assert.ok(text, `${language}: ${path}`);
      const compiled = compile(text, language);
      for (const n of [0, 1, 2, 1_000_000]) {
        const formatted = typeof compiled === "string" ? compiled : compiled(n, n, n);
        assert.doesNotMatch(formatted, /[{}#]|undefined/, `${language}: ${path}`);
      }
    }
  }
});

test("every plural argument has the forms that its language needs", () => {
  for (const [language, texts] of Object.entries(catalogs)) {
    // In French and Spanish, `many` is for millions in words. For digits, `other` reads well.
    const { pluralCategories } = new Intl.PluralRules(language).resolvedOptions();
    const needed = pluralCategories.filter((category) => category !== "many").sort();
    for (const [path, text] of texts) {
      const plurals = pluralsOf(text);
      assert.equal(plurals.length, text.split(", plural,").length - 1, `${language}: ${path}`);
      for (const forms of plurals)
        if (forms.join() !== "other") assert.deepEqual(forms.sort(), needed, `${language}: ${path}`);
    }
  }
});

test("a form that is used for several numbers names the number", () => {
  for (const [language, texts] of Object.entries(catalogs)) {
    if (new Intl.PluralRules(language).select(0) !== "one") continue;
    for (const [path, text] of texts)
      assert.doesNotMatch(text, /one \{[^{}]*\b1\b/, `${language}: ${path}`);
  }
});

test("French has narrow no-break spaces around its punctuation", () => {
  for (const [path, text] of catalogs.fr)
    assert.doesNotMatch(text, /[^\u202f][:;!?»]|«[^\u202f]|'/, path);
});

test("plural forms follow the language", () => {
  const text = "{0, plural, =0 {none} one {# file} other {# files of {1}}}";
  const english = compile(text);
  assert.deepEqual([0, 1, 2].map((n) => english(n, 9)), ["none", "1 file", "2 files of 9"]);
  // In French, zero is singular.
  assert.equal(compile("{0, plural, one {# fichier} other {# fichiers}}", "fr")(0), "0 fichier");
});

test("choices can be nested and empty", () => {
  const text = compile("a{0, select, none {} all { all} other { {1, plural, one {one} other {#}}}}z");
  const formatted = [["none", 2], ["all", 2], ["x", 1], ["x", 2]].map((values) => text(...values));
  assert.deepEqual(formatted, ["az", "a allz", "a onez", "a 2z"]);
});

test("a number sign outside of plural forms is text", () => {
  assert.equal(compile("#{0}")(7), "#7");
});

test("text of an argument is not parsed", () => {
  assert.equal(compile("<{0}>")("{1} # }"), "<{1} # }>");
});

test("an argument can be elements", () => {
  const element = { tagName: "BDI" };
  assert.deepEqual(compile("Files: {0}.")([element, " and 2 more"]), ["Files: ", element, " and 2 more", "."]);
});

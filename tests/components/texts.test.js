// The texts in every language, and their format.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { mySharesTexts } from "../../functions/serve-ui/components/my-shares-texts.js";
import { compileTexts, en } from "../../functions/serve-ui/components/texts.js";

const directory = new URL("../../functions/serve-ui/components/", import.meta.url);
const languages = readdirSync(directory).filter((name) => name.endsWith(".json"));

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

/** Compiles one text. */
function compile(text, language = "en") {
  return compileTexts({ text }, language).text;
}

test("every language has the same texts with the same arguments as English", () => {
  const english = new Map(flatten({ ...en, myShares: mySharesTexts }));
  assert.ok(languages.length > 0);
  for (const language of languages) {
    const texts = flatten(JSON.parse(readFileSync(new URL(language, directory), "utf8")));
    assert.deepEqual(texts.map(([path]) => path).sort(), [...english.keys()].sort(), language);
    for (const [path, text] of texts)
      assert.equal(argumentsOf(text), argumentsOf(english.get(path)), `${language}: ${path}`);
  }
});

test("every text of every language can be formatted with any number", () => {
  const read = (name) => JSON.parse(readFileSync(new URL(name, directory), "utf8"));
  const all = languages.map((name) => [name.slice(0, 2), read(name)]);
  for (const [language, texts] of [["en", { ...en, myShares: mySharesTexts }], ...all]) {
    for (const [path, text] of flatten(texts)) {
      const compiled = compile(text, language);
      for (const n of [0, 1, 2, 1_000_000]) {
        const formatted = typeof compiled === "string" ? compiled : compiled(n, n, n);
        assert.doesNotMatch(formatted, /[{}#]|undefined/, `${language}: ${path}`);
      }
    }
  }
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

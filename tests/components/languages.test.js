// The languages' formats in Rust. They are tested against the same file, which this test compares with the
// Unicode Common Locale Data Repository (CLDR), as Node contains it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const formats = JSON.parse(
  readFileSync(new URL("../../shared/domain/tests/formats.json", import.meta.url), "utf8"),
);

/** Where CLDR has a no-break space, our texts may have any other space. */
const withSpaces = (text) => text.replace(/\s/g, " ");

/** Returns the locale of a language. English is written as in the United Kingdom. */
const locale = (language) => (language === "en" ? "en-GB" : language);

/** Returns what CLDR knows about a language, for the inputs in the file. */
function read(language) {
  const date = new Intl.DateTimeFormat(locale(language), { dateStyle: "long", timeStyle: "short", timeZone: "UTC" });
  const weekday = new Intl.DateTimeFormat(locale(language), { weekday: "long", timeZone: "UTC" });
  const plural = new Intl.PluralRules(language);
  const number = new Intl.NumberFormat(language);
  const percent = new Intl.NumberFormat(language, { style: "percent" });
  const relative = new Intl.RelativeTimeFormat(language);
  const size = (unit) => new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "short" }).format(41.9);
  return {
    dates: formats.times.map((time) => withSpaces(date.format(new Date(time)))),
    weekdays: formats.times.map((time) => weekday.format(new Date(time))),
    numbers: formats.numbers.map((n) => number.format(n)),
    pluralCategories: formats.numbers.map((n) => plural.select(n)),
    percent: percent.format(0.25),
    sizes: ["kilobyte", "megabyte", "gigabyte", "terabyte", "petabyte"].map((unit) => withSpaces(size(unit))),
    timesLeft: [[1, "minute"], [7, "minute"], [7, "hour"], [7, "day"]].map((left) => relative.format(...left)),
  };
}

for (const [language, expected] of Object.entries(formats.languages))
  test(`formats of ${language} are those of CLDR`, () => assert.deepEqual(read(language), expected));

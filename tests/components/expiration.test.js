// Local times in time zones with unusual changes of their clocks. Node applies a change of `TZ` at once.

import assert from "node:assert/strict";
import { afterEach, mock, test } from "node:test";

import {
  latestExpiration, latestExpirationOf, localValue, otherOccurrence, presetEnd, rfc3339,
} from "../../functions/serve-ui/components/expiration.js";
import { DEFAULT_RULES } from "../../functions/serve-ui/components/rules.js";

afterEach(() => mock.timers.reset());

/** Sets the time zone and, optionally, the current local time. */
function at(zone, now) {
  process.env.TZ = zone;
  if (now) mock.timers.enable({ apis: ["Date"], now: new Date(now) });
}

/** Returns what a local time means: its UTC offset, and which of two occurrences it is. */
function read(text) {
  const date = new Date(text);
  const other = otherOccurrence(date);
  return [rfc3339(date), other && (other.later ? "first" : "second")];
}

test("a time has the UTC offset in effect on its date", () => {
  for (const [local, expected] of [
    ["2030-01-15T12:00", "2030-01-15T12:00:00+01:00"],
    ["2030-07-15T12:00", "2030-07-15T12:00:00+02:00"],
    // Clocks skip this time.
    ["2030-03-31T02:30", "2030-03-31T03:30:00+02:00"],
  ]) {
    at("Europe/Berlin");
    assert.equal(rfc3339(new Date(local)), expected, local);
  }
});

test("presets end at 23:59 of their last day", () => {
  for (const [now, preset, expected] of [
    ["2026-11-26T00:00", "day", "2026-11-27T23:59:00+01:00"],
    ["2026-11-26T23:59:59", "week", "2026-12-03T23:59:00+01:00"],
    ["2027-01-31T12:00", "month", "2027-02-28T23:59:00+01:00"],
    // Clocks change in between.
    ["2027-03-27T02:30", "day", "2027-03-28T23:59:00+02:00"],
    ["2027-10-30T02:30", "day", "2027-10-31T23:59:00+01:00"],
  ]) {
    at("Europe/Berlin", now);
    assert.equal(rfc3339(presetEnd(preset)), expected, now);
    mock.timers.reset();
  }
});

test("preset keeps its day if clocks skip midnight or the last hour", () => {
  for (const [zone, now, expected] of [
    ["Asia/Beirut", "2020-03-28T15:00", "2020-03-29T23:59:00+03:00"],
    ["Africa/Cairo", "2027-04-29T15:00", "2027-04-30T23:59:00+03:00"],
    // Clocks skip from 23:00 to midnight.
    ["America/Nuuk", "2027-03-26T15:00", "2027-03-27T22:59:00-02:00"],
    // 30 December 2011 did not exist.
    ["Pacific/Apia", "2011-12-29T15:00", "2011-12-31T23:59:00+14:00"],
  ]) {
    at(zone, now);
    assert.equal(rfc3339(presetEnd("day")), expected, zone);
    mock.timers.reset();
  }
});

test("preset lasts until the second 23:59 if clocks are set back at midnight", () => {
  for (const [zone, now, expected] of [
    ["America/Asuncion", "2024-03-22T15:00", "2024-03-23T23:59:00-04:00"],
    ["America/Santiago", "2027-04-02T15:00", "2027-04-03T23:59:00-04:00"],
    ["Asia/Beirut", "2027-10-29T15:00", "2027-10-30T23:59:00+02:00"],
  ]) {
    at(zone, now);
    const date = presetEnd("day");
    assert.deepEqual([rfc3339(date), Boolean(otherOccurrence(date)?.earlier)], [expected, true], zone);
    mock.timers.reset();
  }
});

test("time that clocks skip is moved forward", () => {
  for (const [zone, text, expected] of [
    ["Europe/Berlin", "2027-03-28T02:30", "2027-03-28T03:30:00+02:00"],
    ["Australia/Lord_Howe", "2026-10-04T02:10", "2026-10-04T02:40:00+11:00"],
    ["Africa/Cairo", "2027-04-30T00:30", "2027-04-30T01:30:00+03:00"],
    ["Pacific/Apia", "2011-12-30T12:00", "2011-12-31T12:00:00+14:00"],
  ]) {
    at(zone);
    assert.deepEqual([read(text)[0], localValue(new Date(text)) === text], [expected, false], zone);
  }
});

test("time that occurs twice is found, and the first one is meant", () => {
  for (const [zone, text, expected] of [
    ["Europe/Berlin", "2027-10-31T02:00", ["2027-10-31T02:00:00+02:00", "first"]],
    ["Europe/Berlin", "2027-10-31T02:59", ["2027-10-31T02:59:00+02:00", "first"]],
    ["Europe/Berlin", "2027-10-31T01:59", ["2027-10-31T01:59:00+02:00", undefined]],
    ["Europe/Berlin", "2027-10-31T03:00", ["2027-10-31T03:00:00+01:00", undefined]],
    ["America/New_York", "2027-11-07T01:30", ["2027-11-07T01:30:00-04:00", "first"]],
    // Clocks are set back by half an hour.
    ["Australia/Lord_Howe", "2027-04-04T01:45", ["2027-04-04T01:45:00+11:00", "first"]],
    ["Australia/Lord_Howe", "2027-04-04T01:15", ["2027-04-04T01:15:00+11:00", undefined]],
    ["America/Asuncion", "2024-03-23T23:20", ["2024-03-23T23:20:00-03:00", "first"]],
  ]) {
    at(zone);
    assert.deepEqual(read(text), expected, `${zone} ${text}`);
  }
});

test("second occurrence is recognized", () => {
  at("Australia/Lord_Howe");
  const date = new Date("2027-04-04T01:45:00+10:30");
  assert.equal(otherOccurrence(date).earlier.getTime(), date.getTime() - 30 * 60_000);
});

test("zones without clock changes skip and repeat nothing", () => {
  for (const zone of ["UTC", "Asia/Kolkata", "Asia/Kathmandu", "Pacific/Kiritimati", "America/Phoenix"]) {
    at(zone);
    for (let hour = 0; hour < 24 * 400; hour += 1) {
      const date = new Date(Date.UTC(2026, 10, 1, hour, 30));
      assert.equal(otherOccurrence(date), undefined);
      assert.equal(new Date(localValue(date)).getTime(), date.getTime());
    }
  }
});

test("every time of two years is found again, in every zone", () => {
  for (const zone of Intl.supportedValuesOf("timeZone")) {
    at(zone);
    for (let hour = 0; hour < 24 * 800; hour += 7) {
      const date = new Date(Date.UTC(2026, 10, 1, hour, 15));
      const again = new Date(localValue(date)).getTime();
      const earlier = otherOccurrence(date)?.earlier?.getTime();
      assert.equal(again, earlier ?? date.getTime(), `${zone} ${rfc3339(date)}`);
    }
  }
});

test("time keeps its milliseconds and an offset with minutes", () => {
  at("Asia/Kathmandu");
  assert.equal(rfc3339(new Date("2027-01-01T00:00:00.250Z")), "2027-01-01T05:45:00.250+05:45");
  at("America/St_Johns");
  assert.equal(rfc3339(new Date("2027-01-01T12:00:00Z")), "2027-01-01T08:30:00-03:30");
});

/** The API's check: whole days at the expiration's offset, from the day of the request. */
function isAccepted(expiration, days) {
  const day = (date, offset) => Math.floor((date.getTime() / 60_000 - offset) / 1440);
  const offset = expiration.getTimezoneOffset();
  return day(expiration, offset) <= day(new Date(), offset) + days;
}

test("the API accepts the latest expiration, even if clocks are changed", () => {
  for (const [zone, now, days, expected] of [
    ["Europe/Berlin", "2026-11-26T12:00", 30, "2026-12-26T23:59:59.999+01:00"],
    ["Europe/Berlin", "2026-11-26T23:59:59", 1, "2026-11-27T23:59:59.999+01:00"],
    // At the winter's offset, half past midnight is still yesterday.
    ["Europe/Berlin", "2027-10-30T00:30", 3, "2027-11-01T23:59:59.999+01:00"],
    ["Europe/Berlin", "2027-10-30T01:00", 3, "2027-11-02T23:59:59.999+01:00"],
    ["Europe/Berlin", "2027-03-27T23:30", 3, "2027-03-30T23:59:59.999+02:00"],
    ["Australia/Lord_Howe", "2027-04-03T00:10", 2, "2027-04-04T23:59:59.999+10:30"],
    ["Pacific/Kiritimati", "2027-01-01T00:00", 1, "2027-01-02T23:59:59.999+14:00"],
    ["America/St_Johns", "2027-11-06T00:30", 7, "2027-11-12T23:59:59.999-03:30"],
  ]) {
    at(zone, now);
    const latest = latestExpiration({ ...DEFAULT_RULES, maxAccessDays: days });
    assert.equal(rfc3339(latest), expected, `${zone}, ${now}`);
    assert.ok(isAccepted(latest, days), `${zone}, ${now}`);
    mock.timers.reset();
  }
});

test("without a rule, access may last ten years", () => {
  at("Europe/Berlin", "2026-11-26T12:00");
  assert.equal(rfc3339(latestExpiration(DEFAULT_RULES)), "2036-11-26T12:00:00+01:00");
});

test("an active share may keep more access than the rules allow", () => {
  at("UTC", "2026-11-26T12:00");
  const rules = { ...DEFAULT_RULES, maxAccessDays: 30, blockedRecipientDomains: ["blocked.example"], maxFiles: 1 };
  const share = { recipient: "a@ok.example", files: [{}], status: "active", expiresAt: "2027-02-01T08:00:00Z" };
  const latest = (changes) => rfc3339(latestExpirationOf({ ...share, ...changes }, rules));
  assert.equal(latest({}), "2027-02-01T08:00:00+00:00");
  assert.equal(latest({ status: "inactive" }), "2026-12-26T23:59:59.999+00:00");
  assert.equal(latest({ expiresAt: "2026-11-27T08:00:00Z" }), "2026-12-26T23:59:59.999+00:00");
  for (const refused of [{ recipient: "a@x.blocked.example" }, { files: [{}, {}] }]) {
    assert.equal(latest(refused), "2027-02-01T08:00:00+00:00");
    assert.equal(latest({ ...refused, status: "inactive" }), "1970-01-01T00:00:00+00:00");
  }
});

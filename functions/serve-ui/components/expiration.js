// The expiration field: a date and time in the user's time zone, sent with the zone's UTC offset.

/** @import { Share, ShareRules } from "../types.d.ts" */
/** @import { Language } from "./texts.js" */

import { fill, h } from "./dom.js";
import { YEARS_LIMIT } from "./limits.js";
import { whyNotAllowed } from "./rules.js";

/** The days of each preset. A month has a varying number of days. */
const PRESETS = { day: 1, week: 7, month: undefined };

/**
 * Returns the time when a preset period ends.
 * @param {keyof typeof PRESETS} preset
 */
export function presetEnd(preset) {
  return periodEnd(PRESETS[preset]);
}

/**
 * Returns the end of a period's last day: at 23:59, so that it is a whole day.
 * @param {number} [days] a month, if omitted
 */
function periodEnd(days) {
  const date = new Date();
  // Noon exists on every day, so that no change of the clocks can move the date.
  date.setHours(12, 0, 0, 0);
  const today = date.getDate();
  if (days === undefined) {
    date.setMonth(date.getMonth() + 1);
    // One month after January 31 is the last day of February.
    if (date.getDate() !== today) date.setDate(0);
  } else {
    date.setDate(today + days);
  }
  const day = date.getDate();
  date.setHours(23, 59);
  // Clocks may skip the day's last hour, as in Nuuk.
  while (date.getDate() !== day) date.setTime(date.getTime() - 60_000);
  // If clocks are set back at midnight, 23:59 occurs twice. The day ends at the second one.
  return otherOccurrence(date)?.later ?? date;
}

/**
 * Returns the last expiration that the rules allow for a new share.
 * @param {ShareRules} rules
 */
export function latestExpiration({ maxAccessDays }) {
  const now = new Date();
  if (!maxAccessDays) {
    now.setFullYear(now.getFullYear() + YEARS_LIMIT);
    return now;
  }
  let last = periodEnd(maxAccessDays);
  // The API counts days at the expiration's offset. If clocks are set back, today may be yesterday there.
  const behind = (last.getTimezoneOffset() - now.getTimezoneOffset()) * 60_000;
  if (behind > 0 && new Date(now.getTime() - behind).getDate() !== now.getDate())
    last = periodEnd(maxAccessDays - 1);
  last.setSeconds(59, 999);
  return last;
}

/**
 * Returns the last expiration that the rules allow for an existing share. It may always keep its access.
 * @param {Share} share
 * @param {ShareRules} rules
 */
export function latestExpirationOf(share, rules) {
  const kept = share.status === "active" ? Date.parse(share.expiresAt) : 0;
  const given = whyNotAllowed(share, rules) ? 0 : latestExpiration(rules).getTime();
  return new Date(Math.max(kept, given));
}

/**
 * Formats a time as the value of a `datetime-local` field.
 * @param {Date} date
 */
export function localValue(date) {
  const two = (n) => String(n).padStart(2, "0");
  const year = String(date.getFullYear()).padStart(4, "0");
  const day = `${year}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}`;
}

/**
 * Finds the other time with the same local date and time, which exists if clocks are set back around then.
 * @param {Date} date
 * @returns {{ earlier?: Date, later?: Date } | undefined}
 */
export function otherOccurrence(date) {
  const offset = (days) => new Date(date.getTime() + days * 86_400_000).getTimezoneOffset();
  // Usually an hour, but half an hour on Lord Howe Island.
  const minutes = offset(1) - offset(-1);
  if (minutes <= 0) return undefined;
  const later = new Date(date.getTime() + minutes * 60_000);
  if (localValue(later) === localValue(date)) return { later };
  const earlier = new Date(date.getTime() - minutes * 60_000);
  return localValue(earlier) === localValue(date) ? { earlier } : undefined;
}

/**
 * Formats the user's UTC offset at a time, such as "+02:00".
 * @param {Date} date
 */
function utcOffset(date) {
  const offset = -date.getTimezoneOffset();
  const two = (n) => String(Math.trunc(n)).padStart(2, "0");
  return `${offset < 0 ? "-" : "+"}${two(Math.abs(offset) / 60)}:${two(Math.abs(offset) % 60)}`;
}

/**
 * Formats a time as RFC 3339, with the user's UTC offset at that time.
 * @param {Date} date
 */
export function rfc3339(date) {
  const ms = date.getMilliseconds();
  const fraction = ms ? `.${String(ms).padStart(3, "0")}` : "";
  return `${localValue(date)}:${String(date.getSeconds()).padStart(2, "0")}${fraction}${utcOffset(date)}`;
}

/** A field for a date and time, with buttons for common periods. */
export class ExpirationField {
  #language;
  #note;
  #rules;
  #latest;
  /**
   * The button of each preset.
   * @type {[keyof typeof PRESETS, HTMLButtonElement][]}
   */
  #presets;
  #words = h("span");
  /** Whether the user, or the dialog, has chosen a time other than the default. */
  #isChosen = false;
  /** The local time that the user entered, if it does not exist. */
  #skipped;
  /**
   * The date that was last set. Unlike the input's value, it is exact to the second and unambiguous when
   * clocks are set back.
   */
  #exact;

  /**
   * @param {Language} language
   * @param {object} options
   * @param {string} [options.id] must be unique in the dialog
   * @param {(isPast: boolean, date: Date) => string | false} options.note returns a note about the selected
   *   time
   * @param {ShareRules} options.rules
   * @param {() => Date} [options.latest] returns the last time that is allowed
   */
  constructor(language, { id = "expiration", note, rules, latest = () => latestExpiration(rules) }) {
    this.#language = language;
    this.#note = note;
    this.#rules = rules;
    this.#latest = latest;
    const { texts } = language;
    this.input = h("input", {
      id, part: "input", type: "datetime-local",
      "aria-describedby": `${id}-words ${id}-note ${id}-error`,
      oninput: () => this.#onInput(), onblur: () => this.#replaceSkipped(),
    });
    this.error = h("p", { id: `${id}-error`, class: "error" });
    this.note = h("p", { id: `${id}-note`, class: "note", "aria-live": "polite" });
    const names = /** @type {(keyof typeof PRESETS)[]} */ (Object.keys(PRESETS));
    this.#presets = names.map((name) => {
      const onclick = () => (this.date = presetEnd(name));
      return [name, h("button", { type: "button", class: "preset", onclick }, texts[name])];
    });
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    this.element = h("div", { class: "field" },
      h("label", { for: id }, texts.expiration),
      h("div", { class: "row" },
        this.input,
        h("div", { class: "presets", role: "group", "aria-label": texts.presets },
          this.#presets.map(([, button]) => button)),
      ),
      h("p", { id: `${id}-words`, class: "words" },
        h("span", { "aria-live": "polite" }, this.#words), " ",
        h("span", { class: "hint" }, texts.timeZone(zone))),
      this.note,
      this.error,
    );
    this.refresh();
  }

  /**
   * The selected time, if it is valid. A time that clocks skip is moved forward, and one that occurs twice is
   * the first.
   * @returns {Date | undefined}
   */
  get date() {
    if (this.#exact && this.input.value === localValue(this.#exact)) return this.#exact;
    const date = new Date(this.input.value);
    return Number.isNaN(date.getTime()) ? undefined : date;
  }

  set date(date) {
    this.#isChosen = true;
    this.#set(date);
  }

  /** Validates the field. Shows and returns the error, if any. */
  validate() {
    this.#replaceSkipped();
    const { noExpiration, dayBeforeToday, tooLate } = this.#language.texts;
    const { date } = this;
    if (!date) return this.showError(noExpiration);
    if (isBeforeToday(date)) return this.showError(dayBeforeToday);
    const latest = this.#latest();
    return this.showError(date > latest ? tooLate(this.#language.formatDateInWords(latest)) : undefined);
  }

  /** @param {string} [error] if omitted, the error is cleared */
  showError(error) {
    fill(this.error, error);
    this.input.setAttribute("aria-invalid", String(Boolean(error)));
    return error;
  }

  /** Takes the current time into account: moves an untouched default, and describes the time again. */
  refresh() {
    const latest = this.#latest();
    latest.setSeconds(0, 0);
    const suggested = periodEnd(this.#rules.defaultAccessDays);
    if (!this.#isChosen) this.#exact = suggested < latest ? suggested : latest;
    this.input.max = localValue(latest);
    if (!this.#isChosen && this.input.value !== localValue(this.#exact)) this.#set(this.#exact);
    else this.#describe();
  }

  #set(date) {
    this.#exact = date;
    this.#skipped = undefined;
    this.input.value = localValue(date);
    this.showError();
    this.#describe();
  }

  #onInput() {
    this.#isChosen = true;
    this.#skipped = undefined;
    this.showError();
    this.#describe();
    // Changing the value while the user types would disturb the typing.
    if (!this.input.matches(":focus")) this.#replaceSkipped();
  }

  /** Replaces a local time that does not exist. */
  #replaceSkipped() {
    const { date } = this;
    if (!date || localValue(date) === this.input.value) return;
    this.#skipped = this.input.value;
    this.#exact = date;
    this.input.value = localValue(date);
    this.#describe();
  }

  /** Shows the time in words, notes about it, and the chosen preset. */
  #describe() {
    const { date } = this;
    const language = this.#language;
    // While a year is typed, its first digits are a year in the distant past.
    const isShown = date && !isBeforeToday(date);
    replaceText(this.#words, isShown
      ? `${language.formatDateInWords(date)}, ${language.formatDistance(date)}` : "");
    const notes = date ? [this.#clockNote(date), this.#note(date <= new Date(), date)] : [];
    replaceText(this.note, notes.filter(Boolean).join(" "));
    for (const [name, button] of this.#presets) {
      const isPressed = date?.getTime() === presetEnd(name).getTime();
      button.setAttribute("aria-pressed", String(isPressed));
      button.hidden = presetEnd(name) > this.#latest();
    }
  }

  /**
   * Explains a time that does not exist or occurs twice because clocks are changed.
   * @param {Date} date
   */
  #clockNote(date) {
    const { texts } = this.#language;
    const value = this.#skipped ?? this.input.value;
    const clock = this.#language.formatClock(date);
    if (value !== localValue(date))
      return texts.skippedTime(this.#language.formatClock(new Date(`${value}Z`), "UTC"), clock);
    const other = otherOccurrence(date);
    return other && texts.repeatedTime(clock, Boolean(other.later), utcOffset(date));
  }
}

function isBeforeToday(date) {
  const today = new Date();
  today.setHours(0, 0, 0, 0);
  return date < today;
}

/**
 * Replaces an element's text, unless it is the same: screen readers announce a live region whenever it is
 * filled, and the user may have selected the text.
 * @param {Element} element
 * @param {string} text
 */
export function replaceText(element, text) {
  if (element.textContent !== text) fill(element, text);
}

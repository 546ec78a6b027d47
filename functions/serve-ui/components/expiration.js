// The expiration field: a date and time in the user's time zone, sent with the zone's UTC offset.

/** @import { Language } from "./texts.js" */

import { fill, h } from "./dom.js";
import { YEARS_LIMIT } from "./limits.js";

/** @type {Record<"day" | "week" | "month", (date: Date) => void>} */
const PRESETS = {
  day: (date) => date.setDate(date.getDate() + 1),
  week: (date) => date.setDate(date.getDate() + 7),
  month: (date) => {
    const day = date.getDate();
    date.setMonth(date.getMonth() + 1);
    // One month after January 31 is the last day of February.
    if (date.getDate() !== day) date.setDate(0);
  },
};

/**
 * Formats a time as the value of a `datetime-local` field.
 * @param {Date} date
 */
function localValue(date) {
  const two = (n) => String(n).padStart(2, "0");
  const year = String(date.getFullYear()).padStart(4, "0");
  const day = `${year}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}`;
}

/**
 * Formats a time as RFC 3339, with the user's UTC offset at that time.
 * @param {Date} date
 */
export function rfc3339(date) {
  const offset = -date.getTimezoneOffset();
  const two = (n) => String(Math.trunc(n)).padStart(2, "0");
  const sign = offset < 0 ? "-" : "+";
  const zone = `${sign}${two(Math.abs(offset) / 60)}:${two(Math.abs(offset) % 60)}`;
  const ms = date.getMilliseconds();
  const fraction = ms ? `.${String(ms).padStart(3, "0")}` : "";
  return `${localValue(date)}:${two(date.getSeconds())}${fraction}${zone}`;
}

/** A field for a date and time, with buttons for common periods. */
export class ExpirationField {
  #texts;
  #note;
  /**
   * The date that was last set. Unlike the input's value, it is exact to the second and unambiguous when
   * clocks are set back.
   */
  #exact;

  /**
   * @param {Language} language
   * @param {{ id?: string, note: (isPast: boolean) => string | false }} options `id` must be unique in the
   *   dialog; `note` returns a note about the selected time
   */
  constructor({ texts }, { id = "expiration", note }) {
    this.#texts = texts;
    this.#note = note;
    this.input = h("input", {
      id, part: "input", type: "datetime-local", max: "9999-12-31T23:59",
      "aria-describedby": `${id}-zone ${id}-note ${id}-error`, oninput: () => this.#onChange(),
    });
    this.error = h("p", { id: `${id}-error`, class: "error" });
    this.note = h("p", { id: `${id}-note`, class: "note", "aria-live": "polite" });
    const preset = (name) =>
      h("button", { type: "button", class: "preset", onclick: () => this.#applyPreset(name) }, texts[name]);
    const presets = Object.keys(PRESETS).map(preset);
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    this.element = h("div", { class: "field" },
      h("label", { for: id }, texts.expiration),
      h("div", { class: "row" },
        this.input,
        h("div", { class: "presets", role: "group", "aria-label": texts.presets }, presets),
      ),
      h("p", { id: `${id}-zone`, class: "hint" }, texts.timeZone(zone)),
      this.note,
      this.error,
    );
    this.#applyPreset("week");
  }

  /**
   * The selected time, if it is valid.
   * @returns {Date | undefined}
   */
  get date() {
    if (this.#exact && this.input.value === localValue(this.#exact)) return this.#exact;
    const date = new Date(this.input.value);
    return Number.isNaN(date.getTime()) ? undefined : date;
  }

  set date(date) {
    this.#exact = date;
    this.input.value = localValue(date);
    this.#onChange();
  }

  /** Validates the field. Shows and returns the error, if any. */
  validate() {
    const { noExpiration, dayBeforeToday, tooLate } = this.#texts;
    const { date } = this;
    if (!date) return this.showError(noExpiration);
    const today = new Date();
    const latest = new Date();
    latest.setFullYear(latest.getFullYear() + YEARS_LIMIT);
    today.setHours(0, 0, 0, 0);
    if (date < today) return this.showError(dayBeforeToday);
    return this.showError(date > latest ? tooLate(YEARS_LIMIT) : undefined);
  }

  /** @param {string} [error] if omitted, the error is cleared */
  showError(error) {
    fill(this.error, error);
    this.input.setAttribute("aria-invalid", String(Boolean(error)));
    return error;
  }

  #applyPreset(name) {
    const date = new Date();
    PRESETS[name](date);
    this.date = date;
  }

  #onChange() {
    this.showError();
    const { date } = this;
    fill(this.note, date && this.#note(date <= new Date()));
  }
}

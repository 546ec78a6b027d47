// When access ends: a date and a time in the user's own time zone, sent with its offset.

import { fill, h } from "./dom.js";

const PRESETS = {
  day: (from) => from.setDate(from.getDate() + 1),
  week: (from) => from.setDate(from.getDate() + 7),
  month: (from) => {
    const day = from.getDate();
    from.setMonth(from.getMonth() + 1);
    // 31 January and a month is the end of February.
    if (from.getDate() !== day) from.setDate(0);
  },
};

/** What a field for a local time holds. */
function local(date) {
  const two = (n) => String(n).padStart(2, "0");
  const day = `${String(date.getFullYear()).padStart(4, "0")}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** A time as the API takes it: in RFC 3339, with the offset that the user's time zone has then. */
export function rfc3339(date) {
  const offset = -date.getTimezoneOffset();
  const two = (n) => String(Math.trunc(n)).padStart(2, "0");
  const sign = offset < 0 ? "-" : "+";
  return `${local(date)}:${two(date.getSeconds())}${sign}${two(Math.abs(offset) / 60)}:${two(Math.abs(offset) % 60)}`;
}

/** The field, with buttons for the usual periods. */
export class ExpirationField {
  #texts;
  #note;
  /** A time that was given, to the second and for sure: one local time may come twice, in autumn. */
  #given;

  /**
   * @param id of the field, unique in its dialog
   * @param note what to tell of a time, given whether it has passed
   */
  constructor({ texts }, { id = "expiration", note }) {
    this.#texts = texts;
    this.#note = note;
    this.input = h("input", {
      id, part: "input", type: "datetime-local", max: "9999-12-31T23:59",
      "aria-describedby": `${id}-zone ${id}-note ${id}-error`, oninput: () => this.#changed(),
    });
    this.error = h("p", { id: `${id}-error`, class: "error" });
    this.note = h("p", { id: `${id}-note`, class: "note", "aria-live": "polite" });
    const preset = (name) => h("button", { type: "button", class: "preset", onclick: () => this.#preset(name) }, texts[name]);
    this.element = h("div", { class: "field" },
      h("label", { for: id }, texts.expiration),
      h("div", { class: "row" },
        this.input,
        h("div", { class: "presets", role: "group", "aria-label": texts.presets }, Object.keys(PRESETS).map(preset)),
      ),
      h("p", { id: `${id}-zone`, class: "hint" }, texts.timeZone(Intl.DateTimeFormat().resolvedOptions().timeZone)),
      this.note,
      this.error,
    );
    this.#preset("week");
  }

  /** The chosen time, if there is one. */
  get date() {
    if (this.#given && this.input.value === local(this.#given)) return this.#given;
    const date = new Date(this.input.value);
    return Number.isNaN(date.getTime()) ? undefined : date;
  }

  set date(date) {
    this.#given = date;
    this.input.value = local(date);
    this.#changed();
  }

  /** What is wrong, in words, or nothing; it is shown as well. */
  check() {
    const { noExpiration, dayBeforeToday, tooLate } = this.#texts;
    const { date } = this;
    if (!date) return this.show(noExpiration);
    const today = new Date();
    const last = new Date();
    last.setFullYear(last.getFullYear() + 10);
    today.setHours(0, 0, 0, 0);
    if (date < today) return this.show(dayBeforeToday);
    return this.show(date > last ? tooLate : undefined);
  }

  show(error) {
    fill(this.error, error);
    this.input.setAttribute("aria-invalid", Boolean(error));
    return error;
  }

  #preset(name) {
    const date = new Date();
    PRESETS[name](date);
    this.date = date;
  }

  #changed() {
    this.show();
    const { date } = this;
    fill(this.note, date && this.#note(date <= new Date()));
  }
}

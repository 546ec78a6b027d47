// The choice of a reminder to recipients who have downloaded nothing.

/** @import { Language } from "./texts.js" */

import { fill, h } from "./dom.js";

/** The days before the expiration to choose from. */
const REMINDER_DAYS = [0, 1, 2, 3, 7, 14];

const DAY = 86_400_000;

export class ReminderField {
  #language;
  /** @type {HTMLSelectElement} */
  #select;
  /** The days that were suggested or chosen, even if the expiration is too near for them now. */
  #wanted;
  #isChosen = false;
  #end = new Date();

  /**
   * @param {Language} language
   * @param {object} options
   * @param {string} options.id must be unique in the dialog
   * @param {number} [options.days] the days to suggest
   * @param {() => boolean} options.isPossible returns whether an email can be sent at all
   */
  constructor(language, { id, days = 0, isPossible }) {
    this.#language = language;
    this.isPossible = isPossible;
    const onchange = () => {
      this.#isChosen = true;
      this.#wanted = Number(this.#select.value);
    };
    this.#select = h("select", { id, part: "input", onchange });
    this.element = h("div", { class: "field" },
      h("label", { for: id }, language.texts.reminder), this.#select);
    this.suggest(days);
  }

  /**
   * Sets the days, unless the user has chosen some.
   * @param {number} days
   */
  suggest(days) {
    if (this.#isChosen) return;
    this.#wanted = days;
    const choices = [...new Set([...REMINDER_DAYS, days])].sort((a, b) => a - b);
    const { noReminder, remindBefore } = this.#language.texts;
    fill(this.#select, choices.map((n) => h("option", { value: n }, n ? remindBefore(n) : noReminder)));
    this.refresh();
  }

  /**
   * Offers only reminders that are still in the future.
   * @param {Date} [end] the expiration
   */
  refresh(end = this.#end) {
    this.#end = end;
    const left = (end.getTime() - Date.now()) / DAY;
    let selected = 0;
    for (const option of this.#select.options) {
      const days = Number(option.value);
      option.hidden = option.disabled = days > 0 && days >= left;
      if (days === this.#wanted && !option.hidden) selected = days;
    }
    this.#select.value = String(selected);
    this.element.hidden = left <= 1 || !this.isPossible();
  }

  /** The chosen days before the expiration, or 0 for no reminder. */
  get days() {
    return this.element.hidden ? 0 : Number(this.#select.value);
  }

  /** The days that the user has chosen, if any. */
  get chosenDays() {
    return this.#isChosen && !this.element.hidden ? this.days : undefined;
  }
}

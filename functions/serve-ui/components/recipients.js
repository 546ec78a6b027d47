// The recipients field, which shows addresses as chips.

/** @import { ShareRules, Suggestion } from "../types.d.ts" */
/** @import { Language } from "./texts.js" */

import { parseAddresses, readAddress } from "./address-list.js";
import { bdi, fill, h } from "./dom.js";
import { isAllowed } from "./rules.js";

/** The characters of a chip's text that are shown. */
const SHOWN_LIMIT = 80;

/** The chips that are shown. */
const CHIPS_LIMIT = 1_000;

/** The milliseconds without a key press after which suggestions are requested. */
const SUGGESTION_DELAY = 150;

/** A name in front of an address. */
const NAMED = /(?:"([^"<>@＠]{1,99})"|([^"<>@＠,;:\t\n]{1,99}))\s{0,9}<([^<>\s]{3,254})>/g;

/**
 * A text field, with a chip for each recipient below it. While the user types, it suggests recipients: a
 * combobox with a list from which the user selects (ARIA Authoring Practices Guide).
 */
export class RecipientsField {
  /** Addresses, and text that could not be read. @type {string[]} */
  #entries = [];
  /** The entries that the API refused. */
  #refused = new Set();
  /** The index of the chip that the Tab key reaches. */
  #focused = 0;
  #texts;
  #announce;
  #rules;
  /** The names that were entered with addresses, by the addresses' identity. @type {Map<string, string>} */
  #names = new Map();
  #suggest;
  /** @type {Suggestion[]} */
  #suggestions = [];
  /** The index of the suggestion that the Enter key adds, if any. */
  #active = -1;
  #request = new AbortController();
  /** A prefix without suggestions: longer ones have none either. @type {string | undefined} */
  #unknown;

  /**
   * @param {Language} language
   * @param {(text: string) => void} announce
   * @param {ShareRules} rules
   * @param {(prefix: string, signal: AbortSignal) => Promise<Suggestion[]>} suggest
   */
  constructor({ texts }, announce, rules, suggest) {
    this.#texts = texts;
    this.#announce = announce;
    this.#rules = rules;
    this.#suggest = suggest;
    this.input = h("input", {
      id: "recipients", part: "input", type: "text", inputmode: "email", autocomplete: "off",
      autocapitalize: "off", spellcheck: "false", dir: "auto",
      "aria-describedby": "recipients-hint recipients-error", role: "combobox", "aria-autocomplete": "list",
      "aria-controls": "suggestions", "aria-expanded": "false",
      onkeydown: (event) => this.#onKey(event), onblur: () => this.#onBlur(),
      oninput: (event) => this.#onInput(event), oncompositionend: (event) => this.#onInput(event),
      onpaste: (event) => this.#onInsert(event, event.clipboardData),
      ondrop: (event) => this.#onInsert(event, event.dataTransfer),
    });
    this.list = h("ul", {
      id: "suggestions", class: "suggestions", role: "listbox", "aria-label": texts.suggestions, hidden: true,
      // The text field keeps the focus.
      onpointerdown: (event) => event.preventDefault(), onmousedown: (event) => event.preventDefault(),
    });
    this.chips = h("ul", {
      class: "chips", "aria-label": texts.recipients, onkeydown: (event) => this.#onChipKey(event),
    });
    this.error = h("p", { id: "recipients-error", class: "error" });
    this.removeButton = h("button", {
      type: "button", class: "plain", hidden: true, onclick: () => this.#removeWrong(),
    });
    this.element = h("div", { class: "field" },
      h("label", { for: "recipients" }, texts.recipients),
      h("div", { class: "combobox" }, this.input, this.list),
      h("p", { id: "recipients-hint", class: "hint" }, texts.recipientsHint),
      this.chips,
      h("p", { id: "recipients-keys", hidden: true }, texts.recipientKeys),
      this.error,
      this.removeButton,
    );
    this.#render();
  }

  /** The addresses, and the text that could not be read. */
  get value() {
    return this.#entries;
  }

  set value(entries) {
    this.#entries = [...entries];
    this.#render();
  }

  /** The element to focus when the field is invalid: the first wrong chip, or the text field. */
  get invalidElement() {
    return this.#chipButtons()[this.#findFaults().findIndex(Boolean)] ?? this.input;
  }

  /**
   * Marks entries that the API refused. The API recognizes more misleading domains.
   * @param {string[]} entries
   */
  refuse(entries) {
    for (const entry of entries) this.#refused.add(entry);
    this.#render();
  }

  /**
   * Returns an entry with the name that was entered with it, if any.
   * @param {string} entry
   */
  withName(entry) {
    const name = this.#names.get(readAddress(entry)?.identity ?? "");
    return name ? `${name} <${entry}>` : entry;
  }

  /** Turns the text field's content into chips. */
  commit() {
    this.#closeSuggestions();
    const { value } = this.input;
    this.input.value = "";
    this.add(value);
  }

  /** @param {string} text */
  add(text) {
    const { recipientAdded, notRead } = this.#texts;
    const added = parseAddresses(text);
    if (!added.length) return;
    for (const [, quoted, plain, address] of text.matchAll(NAMED)) this.#learnName(address, quoted ?? plain);
    this.#entries = [...this.#entries, ...added];
    this.showError();
    this.#render();
    this.chips.scrollTop = this.chips.scrollHeight;
    const read = added.filter((entry) => readAddress(entry)).length;
    const results = [read && recipientAdded(read), read < added.length && notRead(added.length - read)];
    this.#announce(results.filter(Boolean).join(", "));
  }

  #learnName(address, name) {
    const reading = readAddress(address);
    if (reading && /[\p{L}\p{N}]/u.test(name)) this.#names.set(reading.identity, name.trim());
  }

  /** Validates the field. Shows and returns the error, if any. */
  validate() {
    this.commit();
    const { noRecipients, wrongRecipients, tooManyRecipients } = this.#texts;
    const wrong = this.#findFaults().filter(Boolean).length;
    const { maxRecipients } = this.#rules;
    const excess = this.#entries.length - maxRecipients;
    if (!this.#entries.length) return this.showError(noRecipients);
    if (wrong) return this.showError(wrongRecipients(wrong));
    return this.showError(excess > 0 ? tooManyRecipients(maxRecipients, excess) : undefined);
  }

  /** @param {string} [error] if omitted, the error is cleared */
  showError(error) {
    const wrong = this.#findFaults().filter(Boolean).length;
    fill(this.error, error);
    fill(this.removeButton, this.#texts.removeWrong(wrong));
    this.removeButton.hidden = !error || !wrong;
    this.input.setAttribute("aria-invalid", String(Boolean(error)));
    return error;
  }

  /** Returns each entry's fault, or undefined if the entry is a valid address. */
  #findFaults() {
    const { notAnAddress, misleading, notAllowed, duplicate } = this.#texts;
    const seen = new Set();
    return this.#entries.map((entry) => {
      const reading = readAddress(entry);
      const isRefused = this.#refused.has(entry);
      if (!reading || (isRefused && !reading.asciiDomain)) return notAnAddress;
      if (reading.isLookalike || isRefused) return misleading(reading.asciiDomain);
      if (!isAllowed(reading.identity, this.#rules)) return notAllowed;
      if (seen.has(reading.identity)) return duplicate;
      seen.add(reading.identity);
      return undefined;
    });
  }

  #render() {
    const faults = this.#findFaults();
    this.#focused = Math.min(this.#focused, Math.max(this.#entries.length - 1, 0));
    const shown = this.#entries.slice(0, CHIPS_LIMIT);
    fill(this.chips, shown.map((entry, i) => this.#chip(entry, faults[i], i)));
    this.chips.hidden = !this.#entries.length;
  }

  /** The Tab key stops at only one chip; arrow keys move between chips. */
  #chip(entry, fault, i) {
    const { remove } = this.#texts;
    const shown = entry.length > SHOWN_LIMIT ? `${entry.slice(0, SHOWN_LIMIT)}…` : entry;
    const ascii = readAddress(entry)?.asciiDomain;
    const note = fault ? h("span", { class: "fault" }, fault) : ascii && h("span", { class: "hint" }, ascii);
    return h("li", { class: fault ? "chip wrong" : "chip" },
      h("button", {
        type: "button", class: "chip-text", tabindex: i === this.#focused ? 0 : -1,
        "aria-describedby": "recipients-keys",
        onclick: () => this.#edit(i), onfocus: () => this.#setFocused(i),
      }, bdi(shown), note && [" ", note]),
      h("button", {
        type: "button", class: "chip-remove", tabindex: -1, "aria-label": remove(shown),
        onclick: () => this.#remove(i),
      }, h("span", { "aria-hidden": "true" }, "×")),
    );
  }

  #setFocused(i) {
    this.#focused = i;
    for (const [n, button] of this.#chipButtons().entries()) button.tabIndex = n === i ? 0 : -1;
  }

  #chipButtons() {
    /** @type {NodeListOf<HTMLButtonElement>} */
    const buttons = this.chips.querySelectorAll(".chip-text");
    return [...buttons];
  }

  #remove(i) {
    const [entry] = this.#entries.splice(i, 1);
    this.showError();
    this.#render();
    this.#announce(this.#texts.recipientRemoved(entry));
    (this.#chipButtons()[this.#focused] ?? this.input).focus();
  }

  #removeWrong() {
    const faults = this.#findFaults();
    const { length } = this.#entries;
    this.#entries = this.#entries.filter((_, i) => !faults[i]);
    this.showError();
    this.#render();
    this.#announce(this.#texts.recipientsRemoved(length - this.#entries.length));
    this.input.focus();
  }

  /** Moves an entry back into the text field. */
  #edit(i) {
    this.commit();
    [this.input.value] = this.#entries.splice(i, 1);
    this.showError();
    this.#render();
    this.input.focus();
  }

  #onKey(event) {
    // An input method uses keys for itself. Safari sets only the key code.
    if (event.isComposing || event.keyCode === 229) return;
    if (this.#onSuggestionKey(event.key)) {
      event.preventDefault();
      return;
    }
    const isEdit = event.key === "Backspace" && !this.input.value && this.#entries.length;
    if (event.key !== "Enter" && !isEdit) return;
    event.preventDefault();
    // A held key acts once.
    if (event.repeat) return;
    if (isEdit) this.#edit(this.#entries.length - 1);
    else this.commit();
  }

  /** Adds chips after a separator. Does not use key events, because phone keyboards do not report keys. */
  #onInput({ isComposing, data }) {
    this.showError();
    this.#closeSuggestions();
    if (isComposing) return;
    const { value } = this.input;
    const isQuoted = value.split('"').length % 2 === 0;
    const isSeparated = /[,;，；、]\s*$/.test(data ?? "") && !isQuoted;
    if (isSeparated || (/\s$/.test(value) && readAddress(value))) this.commit();
    else this.#requestSuggestions();
  }

  async #requestSuggestions() {
    const prefix = this.input.value.trim();
    this.#request.abort();
    const { signal } = this.#request = new AbortController();
    const isKnown = this.#unknown === undefined || !prefix.startsWith(this.#unknown);
    if (!this.#rules.suggestions || !prefix || !isKnown || /[,;<>"\n]/.test(prefix)) return;
    await new Promise((done) => setTimeout(done, SUGGESTION_DELAY));
    if (signal.aborted) return;
    // Suggestions are only a help, so a failure is silent.
    const found = await this.#suggest(prefix, signal).catch(() => {});
    if (signal.aborted || !found) return;
    if (!found.length) this.#unknown = prefix;
    const identityOf = (address) => readAddress(address)?.identity;
    const entered = new Set(this.#entries.map(identityOf));
    this.#showSuggestions(found.filter(({ address }) => !entered.has(identityOf(address))));
  }

  #showSuggestions(suggestions) {
    this.#suggestions = suggestions;
    fill(this.list, suggestions.map(({ address, name }, i) => (
      h("li", { id: `suggestion-${i}`, role: "option", onclick: () => this.#choose(i) },
        name && [bdi(name), " "], h("span", { class: name && "hint" }, bdi(address)))
    )));
    this.#activate(-1);
    if (suggestions.length) this.#announce(this.#texts.suggested(suggestions.length));
  }

  /** Marks the suggestion that the Enter key adds. */
  #activate(i) {
    this.#active = i;
    this.list.hidden = !this.#suggestions.length;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
    this.input.setAttribute("aria-activedescendant", i < 0 ? "" : `suggestion-${i}`);
    for (const [n, option] of [...this.list.children].entries())
      option.setAttribute("aria-selected", String(n === i));
    this.list.children[i]?.scrollIntoView({ block: "nearest" });
  }

  #closeSuggestions() {
    this.#request.abort();
    this.#suggestions = [];
    this.#activate(-1);
  }

  #choose(i) {
    const { address, name } = this.#suggestions[i];
    this.#closeSuggestions();
    this.input.value = "";
    if (name) this.#learnName(address, name);
    this.add(address);
  }

  /** Returns whether the key is for the suggestions. */
  #onSuggestionKey(key) {
    const { length } = this.#suggestions;
    const step = { ArrowDown: 1, ArrowUp: -1 }[key];
    if (step && length) {
      // Between the last suggestion and the first, no suggestion is active.
      this.#activate((this.#active + 1 + step + length + 1) % (length + 1) - 1);
    } else if (key === "ArrowDown") {
      this.#requestSuggestions();
    } else if (key === "Enter" && this.#active >= 0) {
      this.#choose(this.#active);
    } else if (key === "Escape" && length) {
      this.#closeSuggestions();
    } else {
      return false;
    }
    return true;
  }

  #onBlur() {
    const root = /** @type {ShadowRoot} */ (this.element.getRootNode());
    // The window lost the focus, for example because the user copies an address.
    if (root.activeElement === this.input) return;
    this.#closeSuggestions();
    // New chips would move the target of a click, so wait for its end.
    if (!root.querySelector(":active")) this.commit();
    else addEventListener("pointerup", () => setTimeout(() => this.commit()), { once: true, capture: true });
  }

  /** Adds pasted or dropped addresses. Lets the browser insert other text, such as part of an address. */
  #onInsert(event, data) {
    const text = data?.getData("text/plain") ?? "";
    const entries = parseAddresses(text);
    if (entries.length < 2 && !entries.some((entry) => readAddress(entry))) return;
    event.preventDefault();
    const { value, selectionStart, selectionEnd } = this.input;
    const isDrop = event.type === "drop";
    const before = isDrop ? value : value.slice(0, selectionStart);
    const after = isDrop ? "" : value.slice(selectionEnd);
    this.input.value = "";
    const end = /^\s*["'>)\]]/.test(after) ? "" : "\n";
    this.add([before, isDrop ? "\n" : glue(before, text), text, end, after].join(""));
  }

  #onChipKey(event) {
    const buttons = this.#chipButtons();
    const isRtl = getComputedStyle(this.chips).direction === "rtl";
    const moves = { ArrowRight: isRtl ? -1 : 1, ArrowLeft: isRtl ? 1 : -1, Home: -Infinity, End: Infinity };
    if (event.key in moves) {
      event.preventDefault();
      buttons[Math.min(Math.max(this.#focused + moves[event.key], 0), buttons.length - 1)].focus();
    } else if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      // A held key removes one chip.
      if (!event.repeat) this.#remove(this.#focused);
    }
  }
}

/**
 * Returns what to put between typed text and text that is pasted after it.
 * @param {string} before
 * @param {string} text
 */
function glue(before, text) {
  const [typed] = before.match(/\S*$/) ?? [""];
  const [pasted] = text.match(/^[^\s,;]*/) ?? [""];
  const hasAt = typed.includes("@");
  // One opens or completes the other.
  if (/["'<([:]\s*$/.test(before) || /^[@.]/.test(pasted) || (!hasAt && /[.+_-]$/.test(typed))) return "";
  if (!hasAt || readAddress(pasted)) return "\n";
  if (!readAddress(typed) || /^[a-z]{1,3}$/.test(pasted)) return "";
  // A word may continue the domain, or name a person. A bar leaves both visible, as text that cannot be read.
  return /^[a-z\d-]/.test(pasted) ? "|" : "\n";
}

// The recipients field, which shows addresses as chips.

/** @import { Language } from "./texts.js" */

import { bdi, fill, h } from "./dom.js";
import { ADDRESS_LIMIT, LOCAL_PART_LIMIT, RECIPIENTS_LIMIT } from "./limits.js";

/**
 * Extracts the addresses from typed text or a pasted list, such as `Ann <ann@example.com>; bob@…`.
 * @param {string} text
 * @returns {string[]}
 */
export function parseAddresses(text) {
  return splitList(text).flatMap((entry) => {
    const angled = entry.match(/<([^<>]*@[^<>]*)>\s*$/);
    const plain = (angled ? angled[1] : entry).trim().replace(/^mailto:([^?]*).*/i, "$1");
    const words = plain.split(/\s+/);
    return words.every((word) => word.includes("@")) ? words : [plain];
  }).filter(Boolean);
}

/** Splits at commas, semicolons, tabs and line breaks, except within a quoted name. */
function splitList(text) {
  const isBalanced = text.split('"').length % 2 === 1;
  const separators = isBalanced ? /[,;\r\n\t](?=(?:[^"]*"[^"]*")*[^"]*$)/ : /[,;\r\n\t]/;
  return text.split(separators).map((entry) => entry.trim());
}

/**
 * Normalizes an address, as the API does to compare addresses. Returns undefined if the address is invalid.
 * @param {string} address
 * @returns {string | undefined}
 */
export function normalizeAddress(address) {
  const at = address.lastIndexOf("@");
  const local = address.slice(0, at);
  const domain = asciiDomain(address.slice(at + 1));
  const isLocal = /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+(\.[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+)*$/.test(local);
  const isDomain = /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/.test(domain);
  const fits = local.length <= LOCAL_PART_LIMIT && at + 1 + domain.length <= ADDRESS_LIMIT;
  return at > 0 && isLocal && isDomain && fits ? `${local}@${domain}`.toLowerCase() : undefined;
}

/** Returns a domain in ASCII, or an empty string if it is not just a valid domain. */
function asciiDomain(domain) {
  if (/[/?#\\:@%\s]/.test(domain)) return "";
  try {
    return new URL(`http://${domain}`).hostname;
  } catch {
    return "";
  }
}

/** A text field, with a chip for each recipient below it. */
export class RecipientsField {
  /** @type {string[]} */
  #addresses = [];
  /** The index of the chip that the Tab key reaches. */
  #focused = 0;
  #texts;
  #announce;

  /**
   * @param {Language} language
   * @param {(text: string) => void} announce
   */
  constructor({ texts }, announce) {
    this.#texts = texts;
    this.#announce = announce;
    this.input = h("input", {
      id: "recipients", part: "input", type: "text", inputmode: "email", autocomplete: "off",
      autocapitalize: "off", spellcheck: "false", dir: "auto",
      "aria-describedby": "recipients-hint recipients-error",
      onkeydown: (event) => this.#onKey(event), onpaste: (event) => this.#onPaste(event),
      oninput: () => this.showError(),
    });
    this.chips = h("ul", {
      class: "chips", "aria-label": texts.recipients, onkeydown: (event) => this.#onChipKey(event),
    });
    this.error = h("p", { id: "recipients-error", class: "error" });
    this.element = h("div", { class: "field" },
      h("label", { for: "recipients" }, texts.recipients),
      this.input,
      h("p", { id: "recipients-hint", class: "hint" }, texts.recipientsHint),
      this.chips,
      h("p", { id: "recipients-keys", hidden: true }, texts.recipientKeys),
      this.error,
    );
    this.#render();
  }

  /** The addresses as entered, valid or not. */
  get value() {
    return this.#addresses;
  }

  set value(addresses) {
    this.#addresses = [...addresses];
    this.#render();
  }

  /** Turns the text field's content into chips. */
  commit() {
    this.add(this.input.value);
    this.input.value = "";
  }

  /** @param {string} text */
  add(text) {
    const added = parseAddresses(text);
    if (!added.length) return;
    this.#addresses.push(...added);
    this.#render();
    this.#announce(this.#texts.recipientAdded(added.length));
  }

  /** Validates the field. Shows and returns the error, if any. */
  validate() {
    this.commit();
    const { noRecipients, wrongRecipients, tooManyRecipients } = this.#texts;
    const wrong = this.#findFaults().filter(Boolean).length;
    if (!this.#addresses.length) return this.showError(noRecipients);
    if (wrong) return this.showError(wrongRecipients(wrong));
    const isTooMany = this.#addresses.length > RECIPIENTS_LIMIT;
    return this.showError(isTooMany ? tooManyRecipients(RECIPIENTS_LIMIT) : undefined);
  }

  /** @param {string} [error] if omitted, the error is cleared */
  showError(error) {
    fill(this.error, error);
    this.input.setAttribute("aria-invalid", String(Boolean(error)));
    return error;
  }

  /** Returns each address's fault, or undefined if the address is valid. */
  #findFaults() {
    const seen = new Set();
    return this.#addresses.map((address) => {
      const normalized = normalizeAddress(address);
      if (!normalized) return this.#texts.notAnAddress;
      if (seen.has(normalized)) return this.#texts.duplicate;
      seen.add(normalized);
      return undefined;
    });
  }

  #render() {
    const faults = this.#findFaults();
    this.#focused = Math.min(this.#focused, Math.max(this.#addresses.length - 1, 0));
    fill(this.chips, this.#addresses.map((address, i) => this.#chip(address, faults[i], i)));
    this.chips.hidden = !this.#addresses.length;
  }

  /** The Tab key stops at only one chip; arrow keys move between chips. */
  #chip(address, fault, i) {
    const { remove } = this.#texts;
    return h("li", { class: fault ? "chip wrong" : "chip" },
      h("button", {
        type: "button", class: "chip-text", tabindex: i === this.#focused ? 0 : -1,
        "aria-describedby": "recipients-keys",
        onclick: () => this.#edit(i), onfocus: () => this.#setFocused(i),
      }, bdi(address), fault && [" ", h("span", { class: "fault" }, fault)]),
      h("button", {
        type: "button", class: "chip-remove", tabindex: -1, "aria-label": remove(address),
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
    const [address] = this.#addresses.splice(i, 1);
    this.showError();
    this.#render();
    this.#announce(this.#texts.recipientRemoved(address));
    (this.#chipButtons()[this.#focused] ?? this.input).focus();
  }

  /** Moves an address back into the text field. */
  #edit(i) {
    this.commit();
    [this.input.value] = this.#addresses.splice(i, 1);
    this.showError();
    this.#render();
    this.input.focus();
  }

  #onKey(event) {
    if (event.isComposing) return;
    const isComplete = event.key === " " && normalizeAddress(this.input.value.trim());
    if (event.key === "Enter" || event.key === "," || event.key === ";" || isComplete) {
      event.preventDefault();
      this.commit();
    } else if (event.key === "Backspace" && !this.input.value && this.#addresses.length) {
      event.preventDefault();
      this.#edit(this.#addresses.length - 1);
    }
  }

  #onPaste(event) {
    const text = event.clipboardData?.getData("text/plain") ?? "";
    const addresses = parseAddresses(text);
    // Let the browser paste other text, such as part of an address.
    if (addresses.length < 2 && !normalizeAddress(addresses[0] ?? "")) return;
    event.preventDefault();
    const { value, selectionStart, selectionEnd } = this.input;
    this.input.value = "";
    this.add(value.slice(0, selectionStart) + text + value.slice(selectionEnd));
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
      this.#remove(this.#focused);
    }
  }
}

// The recipients of a share, as chips.

import { bdi, fill, h } from "./dom.js";

/** How many the API takes at once. */
const LIMIT = 100;

/** The addresses in what somebody types, or pastes from a list or a mail client: `Ann <ann@example.com>; bob@…`. */
export function addresses(text) {
  return entries(text).flatMap((entry) => {
    const angled = entry.match(/<([^<>]*@[^<>]*)>\s*$/);
    const plain = (angled ? angled[1] : entry).trim().replace(/^mailto:([^?]*).*/i, "$1");
    const words = plain.split(/\s+/);
    return words.every((word) => word.includes("@")) ? words : [plain];
  }).filter(Boolean);
}

/** The parts between commas, semicolons and line breaks; those within quotes are part of a name. */
function entries(text) {
  const isClosed = text.split('"').length % 2 === 1;
  const separators = isClosed ? /[,;\r\n\t](?=(?:[^"]*"[^"]*")*[^"]*$)/ : /[,;\r\n\t]/;
  return text.split(separators).map((entry) => entry.trim());
}

/** What the API compares addresses by, or nothing for what it would not take. */
export function identity(address) {
  const at = address.lastIndexOf("@");
  const local = address.slice(0, at);
  const domain = ascii(address.slice(at + 1));
  const isLocal = /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+(\.[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+)*$/.test(local);
  const isDomain = /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/.test(domain);
  const isAddress = at > 0 && isLocal && isDomain && local.length <= 64 && at + 1 + domain.length <= 254;
  return isAddress ? `${local}@${domain}`.toLowerCase() : undefined;
}

/** A domain in its ASCII form; nothing of what else a URL may hold. */
function ascii(domain) {
  if (/[/?#\\:@%\s]/.test(domain)) return "";
  try {
    return new URL(`http://${domain}`).hostname;
  } catch {
    return "";
  }
}

/** The field: a text, and below it a chip for each recipient. */
export class RecipientsField {
  #typed = [];
  #focused = 0;
  #texts;
  #say;

  /** `say` tells people who cannot see it what has changed. */
  constructor({ texts }, say) {
    this.#texts = texts;
    this.#say = say;
    this.input = h("input", {
      id: "recipients", part: "input", type: "text", inputmode: "email", autocomplete: "off", autocapitalize: "off",
      spellcheck: "false", dir: "auto", "aria-describedby": "recipients-hint recipients-error",
      onkeydown: (event) => this.#key(event), onpaste: (event) => this.#paste(event), oninput: () => this.show(),
    });
    this.chips = h("ul", { class: "chips", "aria-label": texts.recipients, onkeydown: (event) => this.#chipKey(event) });
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

  /** The addresses as typed. */
  get value() {
    return this.#typed;
  }

  set value(typed) {
    this.#typed = [...typed];
    this.#render();
  }

  /** Takes what is still in the text field. */
  commit() {
    this.add(this.input.value);
    this.input.value = "";
  }

  add(text) {
    const added = addresses(text);
    if (!added.length) return;
    this.#typed.push(...added);
    this.#render();
    this.#say(this.#texts.recipientAdded(added.length));
  }

  /** What is wrong, in words, or nothing; it is shown as well. */
  check() {
    this.commit();
    const { noRecipients, wrongRecipients, tooManyRecipients } = this.#texts;
    const wrong = this.#faults().filter(Boolean).length;
    if (!this.#typed.length) return this.show(noRecipients);
    if (wrong) return this.show(wrongRecipients(wrong));
    return this.show(this.#typed.length > LIMIT ? tooManyRecipients(LIMIT) : undefined);
  }

  show(error) {
    fill(this.error, error);
    this.input.setAttribute("aria-invalid", Boolean(error));
    return error;
  }

  #faults() {
    const seen = new Set();
    return this.#typed.map((address) => {
      const same = identity(address);
      if (!same) return this.#texts.notAnAddress;
      if (seen.has(same)) return this.#texts.duplicate;
      seen.add(same);
      return undefined;
    });
  }

  #render() {
    const faults = this.#faults();
    this.#focused = Math.min(this.#focused, Math.max(this.#typed.length - 1, 0));
    fill(this.chips, this.#typed.map((address, i) => this.#chip(address, faults[i], i)));
    this.chips.hidden = !this.#typed.length;
  }

  /** One stop of the Tab key for all chips; arrows move between them. */
  #chip(address, fault, i) {
    const { remove } = this.#texts;
    return h("li", { class: fault ? "chip wrong" : "chip" },
      h("button", {
        type: "button", class: "chip-text", tabindex: i === this.#focused ? 0 : -1, "aria-describedby": "recipients-keys",
        onclick: () => this.#edit(i), onfocus: () => this.#focus(i),
      }, bdi(address), fault && [" ", h("span", { class: "fault" }, fault)]),
      h("button", {
        type: "button", class: "chip-remove", tabindex: -1, "aria-label": remove(address), onclick: () => this.#remove(i),
      }, h("span", { "aria-hidden": "true" }, "×")),
    );
  }

  #focus(i) {
    this.#focused = i;
    for (const [n, chip] of this.#buttons().entries()) chip.tabIndex = n === i ? 0 : -1;
  }

  #buttons() {
    return [...this.chips.querySelectorAll(".chip-text")];
  }

  #remove(i) {
    const [address] = this.#typed.splice(i, 1);
    this.show();
    this.#render();
    this.#say(this.#texts.recipientRemoved(address));
    (this.#buttons()[this.#focused] ?? this.input).focus();
  }

  #edit(i) {
    this.commit();
    [this.input.value] = this.#typed.splice(i, 1);
    this.show();
    this.#render();
    this.input.focus();
  }

  #key(event) {
    if (event.isComposing) return;
    const isWhole = event.key === " " && identity(this.input.value.trim());
    if (event.key === "Enter" || event.key === "," || event.key === ";" || isWhole) {
      event.preventDefault();
      this.commit();
    } else if (event.key === "Backspace" && !this.input.value && this.#typed.length) {
      event.preventDefault();
      this.#edit(this.#typed.length - 1);
    }
  }

  #paste(event) {
    const text = event.clipboardData?.getData("text/plain") ?? "";
    // A part of an address is pasted like any text.
    if (addresses(text).length < 2 && !identity(addresses(text)[0] ?? "")) return;
    event.preventDefault();
    const { value, selectionStart, selectionEnd } = this.input;
    this.input.value = "";
    this.add(value.slice(0, selectionStart) + text + value.slice(selectionEnd));
  }

  #chipKey(event) {
    const buttons = this.#buttons();
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

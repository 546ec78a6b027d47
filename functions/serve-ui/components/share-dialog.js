// `<share-dialog module="jobs" item="1042">`: shares an item's files with one or more recipients.

/**
 * @import {
 *   CreateResults, CreateShares, EventDetails, RecipientResult, Share, Status
 * } from "../types.d.ts"
 */

import { readAddress } from "./address-list.js";
import { ApiError, randomKey } from "./api.js";
import { ItemDialog, banner } from "./dialog.js";
import { bdi, fill, h } from "./dom.js";
import { ExpirationField, replaceText, rfc3339 } from "./expiration.js";
import { FilesField } from "./files.js";
import { MESSAGE_LIMIT } from "./limits.js";
import { RecipientsField } from "./recipients.js";
import { ReminderField } from "./reminder.js";
import { accessText, copyLink, currentShare } from "./share-row.js";
import { LANGUAGES, Language, isolate, languageOf } from "./texts.js";

/** The interval at which the form takes the current time into account, in milliseconds. */
const REFRESH_INTERVAL = 30_000;

/** The number of files that a result names. */
const NAMED_FILES = 3;

/** The order of the results: what needs the user's attention comes first. */
const OUTCOMES = [
  "failed", "limitReached", "notAllowed", "invalidRecipient", "alreadyInactive", "alreadyActive", "duplicate",
  "created",
];

/**
 * Returns the message as the API stores it. Replaces the characters that office programs use for line breaks,
 * tabs and hyphens. Drops other control characters, direction overrides, placeholders and lone surrogates.
 * @param {string} text
 */
function cleanMessage(text) {
  return text
    .replace(/\r\n?|[\v\f\u0085\u2028\u2029]/g, "\n")
    .replace(/\x07/g, "\t")
    .replace(/\x1e/g, "-")
    .replace(/[^\P{Cc}\n\t]|[\p{Cs}\p{NChar}\u202d\u202e\ufffc]/gu, "");
}

export class ShareDialog extends ItemDialog {
  /** The item that the form is for. */
  #formItem;
  /** @type {Language} */
  #language;
  /** @type {RecipientsField} */
  #recipients;
  /** @type {ExpirationField} */
  #expiration;
  /** @type {HTMLTextAreaElement} */
  #message;
  #counter;
  #messageHint;
  #messageError;
  /** @type {HTMLInputElement} */
  #notify;
  #notifyLabel;
  /** @type {HTMLSelectElement} The language of the emails and of the pages. */
  #emailLanguage;
  /** @type {ReminderField} */
  #reminder;
  /** @type {HTMLInputElement} */
  #firstDownload;
  #firstDownloadLabel;
  /** Resolves once the rules are loaded. */
  #rulesLoaded = Promise.resolve();
  /** @type {FilesField} */
  #files;
  /** The item's title, if the item resolver gave one. */
  #title;
  #timer;
  #alert;
  /** @type {HTMLElement} */
  #form;
  #submitButton;
  /** The last request's body and idempotency key. A request with the same body reuses the key. */
  #lastRequest = {};
  /** Whether results arrived while the dialog was closed. */
  #hasUnseenResults = false;
  /** Shows until when the links in the results work. */
  #showAccess = () => {};

  show() {
    const { module, item } = this.itemRef;
    if (this.#formItem !== `${module}/${item}`) {
      this.#formItem = `${module}/${item}`;
      this.#build();
    }
    this.#rulesLoaded = this.loadRules(() => this.#applyRules());
    if (!this.#hasUnseenResults) {
      this.#showForm();
      this.#expiration.refresh();
      this.#files.load();
    }
    this.#hasUnseenResults = false;
    this.showModal();
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#refresh(), REFRESH_INTERVAL);
    if (!this.#form.inert) this.#recipients.input.focus();
  }

  reset() {
    this.#formItem = undefined;
  }

  /** Offers only what the rules allow. */
  #applyRules() {
    // Mark the recipients that are not allowed.
    this.#recipients.refuse([]);
    this.#expiration.refresh();
    this.#notifyLabel.hidden = !this.rules.linksWithoutEmail;
    this.#notify.checked ||= this.#notifyLabel.hidden;
    this.#reminder.suggest(this.rules.reminderDays);
    this.#firstDownloadLabel.hidden = !this.rules.notices.includes("firstDownload");
    this.#updateMessageHint();
  }

  #refresh() {
    if (!this.isOpen || !this.isConnected) clearInterval(this.#timer);
    else if (!this.#form.inert) this.#expiration.refresh();
    this.#showAccess();
  }

  #build() {
    this.#language = new Language(this);
    const { texts } = this.#language;
    this.#title = undefined;
    this.#hasUnseenResults = false;
    this.#recipients = new RecipientsField(
      this.#language,
      (text) => this.announce(text),
      this.rules,
      (prefix, signal) => this.client.suggestRecipients(prefix, signal),
    );
    this.#notify = h("input", { type: "checkbox", checked: true, onchange: () => this.#updateMessageHint() });
    this.#reminder = new ReminderField(this.#language, {
      id: "reminder", days: this.rules.reminderDays, isPossible: () => this.#notify.checked,
    });
    const note = (isPast, date) => {
      this.#reminder.refresh(date);
      return isPast && texts.alreadyPast;
    };
    this.#expiration = new ExpirationField(this.#language, { note, rules: this.rules });
    this.#counter = h("p", { class: "counter", id: "counter" });
    this.#messageHint = h("p", { id: "message-hint", class: "hint" });
    this.#messageError = h("p", { id: "message-error", class: "error" });
    this.#message = h("textarea", {
      id: "message", part: "input", dir: "auto", "aria-describedby": "counter message-hint message-error",
      oninput: () => {
        this.#updateCounter();
        // The field grows with its text. If not both fit, the field is more important than the counter.
        this.#counter.scrollIntoView({ block: "nearest" });
        this.#message.scrollIntoView({ block: "nearest" });
      },
      onfocus: () => message.scrollIntoView({ block: "nearest" }),
    });
    this.#files = new FilesField(this.#language, {
      rules: this.rules,
      load: (cursor) => this.#loadFiles(cursor),
      announce: (text) => this.announce(text),
      onSelect: () => this.#updateMessageHint(),
    });
    this.#alert = h("div", { class: "status" });
    const onSubmit = () => this.#share();
    this.#submitButton = h("button", { type: "button", class: "primary", onclick: onSubmit }, texts.share);
    const optional = h("span", { class: "hint" }, `(${texts.optional})`);
    this.#notifyLabel = h("label", { class: "check" }, this.#notify, texts.sendEmail);
    const message = h("div", { class: "field" },
      this.#notifyLabel,
      h("label", { for: "message" }, `${texts.message} `, optional),
      this.#message, this.#counter, this.#messageHint, this.#messageError);
    this.#form = h("div", {},
      this.#recipients.element,
      this.#files.element,
      this.#expiration.element,
      message,
      this.#moreOptions(),
    );
    this.#updateCounter();
  }

  /** Creates the fields that few users need. They are folded. */
  #moreOptions() {
    const { texts, pageTag } = this.#language;
    const own = languageOf(pageTag);
    const option = (tag) => {
      const name = new Intl.DisplayNames(tag, { type: "language" }).of(tag);
      const text = name.replace(/^./, (letter) => letter.toUpperCase());
      return h("option", { value: tag, lang: tag, selected: tag === own }, text);
    };
    this.#emailLanguage = h("select", { id: "language", part: "input" }, LANGUAGES.map(option));
    this.#firstDownload = h("input", { type: "checkbox" });
    this.#firstDownloadLabel = h("label", { class: "check" }, this.#firstDownload, texts.firstDownload);
    this.#firstDownloadLabel.hidden = !this.rules.notices.includes("firstDownload");
    return h("details", { class: "options" },
      h("summary", {}, texts.moreOptions),
      h("div", { class: "field" },
        h("label", { for: "language" }, texts.language), this.#emailLanguage),
      this.#reminder.element,
      this.#firstDownloadLabel,
    );
  }

  #showForm() {
    const { texts } = this.#language;
    const cancel = h("button", { type: "button", onclick: () => this.close() }, texts.cancel);
    this.render(this.#language, {
      heading: texts.share,
      itemName: this.#itemName,
      body: this.#form,
      status: this.#alert,
      buttons: [cancel, this.#submitButton],
    });
  }

  get #itemName() {
    return this.name || this.#title;
  }

  /** Loads one page of the item's files. */
  async #loadFiles(cursor) {
    const form = this.#form;
    const [page] = await Promise.all([this.client.listFiles(this.itemRef, cursor), this.#rulesLoaded]);
    if (form === this.#form && page.title !== this.#title) {
      this.#title = page.title;
      this.showItemName(this.#itemName);
    }
    return page;
  }

  /** Without an email, recipients see a message only on the page with several files, and get no reminder. */
  #updateMessageHint() {
    const { texts } = this.#language;
    const hint = this.#files.selected.length === 1 ? texts.messageUnseen : texts.messageOnPage;
    fill(this.#messageHint, !this.#notify.checked && `${texts.noEmail} ${hint}`);
    this.#reminder.refresh();
  }

  #updateCounter() {
    const { texts } = this.#language;
    const left = MESSAGE_LIMIT - [...cleanMessage(this.#message.value)].length;
    this.#counter.className = left < 0 ? "counter over" : "counter";
    const counted = left >= 0 ? texts.charactersLeft(left) : texts.charactersOver(-left);
    fill(this.#counter, counted);
    // Announce the count only near the limit, not after every character.
    if (left === 50 || left === 0 || left === -1) this.announce(counted);
    this.#showMessageError();
  }

  /** @param {string} [error] */
  #showMessageError(error) {
    fill(this.#messageError, error);
    this.#message.setAttribute("aria-invalid", String(Boolean(error)));
    return error;
  }

  // --- Sharing ---

  /** Validates all fields and shows their errors. Returns whether all are valid. */
  #validate() {
    const { texts } = this.#language;
    const isTooLong = [...cleanMessage(this.#message.value)].length > MESSAGE_LIMIT;
    return this.#showFieldErrors({
      recipients: this.#recipients.validate(),
      files: this.#files.validate(),
      expiresAt: this.#expiration.validate(),
      message: isTooLong ? texts.messageTooLong(MESSAGE_LIMIT) : undefined,
    });
  }

  /**
   * Shows each error at its field and focuses the first invalid field. Returns whether there are no errors.
   * @param {{ recipients?: string, files?: string, expiresAt?: string, message?: string }} errors
   */
  #showFieldErrors({ recipients, files, expiresAt, message }) {
    const fields = [
      [this.#recipients.showError(recipients), this.#recipients.invalidElement],
      [this.#files.showError(files), this.#files.input ?? this.#submitButton],
      [this.#expiration.showError(expiresAt), this.#expiration.input],
      [this.#showMessageError(message), this.#message],
    ];
    const invalid = fields.find(([error]) => error);
    if (!invalid) return true;
    const [error, field] = invalid;
    field.focus();
    field.closest(".field")?.querySelector(".error:not(:empty)")?.scrollIntoView({ block: "nearest" });
    this.announce(error);
    return false;
  }

  async #share() {
    const form = this.#form;
    // A request is already in progress.
    if (form.inert) return;
    fill(this.#alert);
    if (!this.#validate()) return;
    const { texts } = this.#language;
    const remindDays = this.#reminder.days;
    const body = {
      recipients: this.#recipients.value,
      expiresAt: rfc3339(this.#expiration.date),
      message: cleanMessage(this.#message.value) || undefined,
      files: this.#files.selected,
      notify: this.#notify.checked ? undefined : false,
      language: this.#emailLanguage.value,
      // The deployment's default applies unless the user sees, and can change, another choice.
      remindDaysBefore: remindDays === this.rules.reminderDays ? undefined : remindDays,
      notifyOnFirstDownload: this.#firstDownload.checked || undefined,
    };
    const recipients = body.recipients.map((entry) => this.#recipients.withName(entry));
    const request = { ...body, recipients };
    const json = JSON.stringify(request);
    if (this.#lastRequest.json !== json) this.#lastRequest = { json, key: randomKey() };
    const onWait = (seconds) => {
      fill(this.#alert, seconds > 0 && h("p", { class: "banner" }, texts.waiting(seconds)));
      if (seconds > 0) this.announce(texts.waiting(seconds));
    };
    let created;
    let failure;
    // The form must not change while its request is in progress.
    form.inert = true;
    await this.runAction(this.#submitButton, texts.sharing, async () => {
      created = await this.client.createShares(this.itemRef, request, this.#lastRequest.key, onWait);
      for (const [i, result] of created.results.entries()) result.recipient = body.recipients[i];
    }, (error) => (failure = error));
    form.inert = false;
    const isAnyCreated = created?.results.some(({ outcome }) => outcome === "created");
    if (isAnyCreated) this.emit("sharelink-shared", { results: created.results });
    // The dialog may have been opened for another item in the meantime.
    if (form !== this.#form) return;
    if (failure) await this.#showFailure(failure, body);
    else this.#showResults(created, body);
  }

  /**
   * Shows why the request failed, and marks any invalid fields.
   * @param {ApiError} error
   * @param {CreateShares} body
   */
  async #showFailure(error, body) {
    // The key was already used for a different request, for example because the page was reloaded or a clock
    // changed. Discard the key.
    if (error.kind === "idempotency-key-reused") this.#lastRequest = {};
    const { texts } = this.#language;
    fill(this.#alert, banner(this.#language.describeError(error)));
    const fields = error.pointers.map((pointer) => pointer.split("/")[1]);
    const errors = Object.fromEntries(fields.map((field) => [field, texts.invalid[field]]));
    const named = (expected) => (error.problem?.errors ?? [])
      .filter(({ reason }) => reason === expected)
      .map(({ pointer }) => isolate(body.files[pointer.split("/")[2]]))
      .join(", ");
    const missing = named("missing");
    const forbidden = named("forbidden");
    if (missing || forbidden) {
      errors.files = [
        missing && texts.filesMissing(missing),
        forbidden && texts.filesForbidden(forbidden),
      ].filter(Boolean).join(" ");
      const form = this.#form;
      await this.#files.load();
      // The user may have shared again, or opened the dialog for another item.
      if (form !== this.#form || form.inert || !form.isConnected) return;
    }
    if (this.#showFieldErrors(errors)) this.#alert.scrollIntoView({ block: "nearest" });
  }

  /**
   * @param {CreateResults} response
   * @param {CreateShares} body
   */
  #showResults({ results, warnings }, body) {
    const { texts } = this.#language;
    const hasWarning = (expected) => warnings.some(({ code }) => code === expected);
    const recipientsOf = (...outcomes) =>
      results.filter(({ outcome }) => outcomes.includes(outcome)).map(({ recipient }) => recipient);
    const created = recipientsOf("created");
    const failed = recipientsOf("failed", "limitReached");
    this.#lastRequest = {};
    // The form keeps the recipients that still need attention.
    const refused = recipientsOf("invalidRecipient");
    this.#recipients.value = [...failed, ...refused];
    this.#recipients.refuse(refused);
    if (created.length && !this.#recipients.value.length) {
      this.#message.value = "";
      this.#updateCounter();
    }
    const notice = (text, kind = "banner") => created.length > 0 && h("p", { class: kind }, text);
    const notices = [
      hasWarning("filesArchived") && notice(texts.sharedArchived),
      body.notify === false && notice(texts.noEmail, "banner good"),
    ].filter(Boolean);
    const heading = created.length ? texts.shared(created.length) : texts.sharedNone;
    const back = () => {
      this.#showForm();
      this.#recipients.input.focus();
    };
    const backText = failed.length ? texts.retryFailed(failed.length) : texts.back;
    const more = h("button", { type: "button", class: "push", onclick: back }, backText);
    const done = h("button", { type: "button", class: "primary", onclick: () => this.close() }, texts.done);
    const share = results.find(({ outcome }) => outcome === "created")?.share;
    const isRefused = ({ share }) => share && missingFiles(share, body).length > 0;
    const rank = (result) => OUTCOMES.indexOf(isRefused(result) ? "alreadyInactive" : result.outcome);
    const sorted = results.toSorted((a, b) => rank(a) - rank(b));
    const since = Date.now();
    const access = h("span");
    const language = this.#language;
    this.#showAccess = () => share && replaceText(access, accessText(currentShare(share, since), language));
    this.#showAccess();
    this.render(this.#language, {
      heading,
      itemName: this.#itemName,
      body: [
        notices,
        share && h("p", { class: "given" }, ...this.#describeFiles(share), ". ", access),
        h("ul", { class: "results", tabindex: 0, "aria-label": heading },
          sorted.map((result) => this.#result(result, body, since))),
      ],
      buttons: [more, done],
    });
    this.#hasUnseenResults = !this.isOpen;
    // On a low screen, the button is far below the first result.
    done.focus({ preventScroll: true });
    this.shadowRoot.querySelector(".head").scrollIntoView();
    this.announce([heading, ...notices.map(({ textContent }) => textContent)].join(". "));
  }

  /** Counts and names the files of a share. */
  #describeFiles({ files }) {
    const { texts } = this.#language;
    const size = this.#language.formatSize(files.reduce((sum, file) => sum + file.size, 0));
    const count = texts.fileCount(files.length, size);
    return [count + texts.colon, ...this.#nameFiles(files.map(({ name }) => name))];
  }

  /**
   * Lists names. A long list is cut off.
   * @param {string[]} names
   */
  #nameFiles(names) {
    const more = names.length - NAMED_FILES;
    return [
      ...names.slice(0, NAMED_FILES).flatMap((name, i) => [i > 0 && ", ", bdi(name)]),
      more > 0 && this.#language.texts.andMore(more),
    ];
  }

  /**
   * @param {RecipientResult} result
   * @param {CreateShares} body
   * @param {number} since when the result arrived
   */
  #result(result, body, since) {
    const { recipient, outcome, shareId, share } = result;
    const { texts } = this.#language;
    const alert = h("div", { class: "alert" });
    const button = (text, act, attributes = {}) => {
      const onclick = ({ currentTarget }) => act(currentTarget);
      return h("button", { type: "button", class: "plain", onclick, ...attributes }, text);
    };
    const isNew = outcome === "created";
    const existingText = share?.status === "active" ? texts.openActive : texts.openInactive;
    const onCopied = (message) => {
      fill(alert, h("p", { class: "banner good" }, message));
      this.announce(message);
    };
    const onCopy = (pressed) =>
      copyLink(share, { dialog: this, language: this.#language, button: pressed, alert, since, onCopied });
    const copy = isNew && share.status === "active" && this.rules.linksWithoutEmail
      && button(texts.copy, onCopy, { class: share.mail.state === "none" ? "primary" : "plain" });
    const onManage = () => this.#openManage(currentShare(share, since).status, shareId);
    const manage = share && button(isNew ? texts.manageOne : existingText, onManage);
    return h("li", { class: outcome },
      h("span", { class: "who" }, bdi(recipient)),
      h("span", { class: "what" }, ...this.#describeResult(result, body)),
      share && h("span", { class: "actions", role: "group", "aria-label": texts.actionsFor(recipient) },
        copy, manage),
      alert,
    );
  }

  /**
   * @param {RecipientResult} result
   * @param {CreateShares} body
   */
  #describeResult({ recipient, outcome, share, problem }, body) {
    const { texts } = this.#language;
    if (["failed", "limitReached", "notAllowed"].includes(outcome)) {
      const reason = this.#language.describeError({ kind: problem.type.split("/").pop(), problem });
      return [texts.outcome.failed + texts.colon + reason];
    }
    if (outcome === "created") {
      if (share.status !== "active") return [texts.createdExpired];
      return [share.mail.state === "none" ? texts.createdQuietly : texts.outcome.created];
    }
    const domain = outcome === "invalidRecipient" && readAddress(recipient)?.asciiDomain;
    if (domain) return [texts.outcome.misleading + texts.colon + domain];
    if (!share) return [texts.outcome[outcome]];
    const missing = missingFiles(share, body);
    const given = this.#nameFiles(share.files.map(({ name }) => name));
    const until = this.#language.formatDateInWords(new Date(share.expiresAt));
    const existing = texts.alreadyGives[share.status](given, until).flat();
    if (!missing.length) return [...existing, share.status === "inactive" && texts.canReactivate];
    return [...existing, " ", h("span", { class: "wrong" }, texts.notGiven(this.#nameFiles(missing)).flat())];
  }

  /** Opens Manage Link Access, unless the page cancels the event to show a different view. */
  #openManage(tab, shareId) {
    this.close();
    if (!this.emit("sharelink-manage", { tab, shareId })) return;
    /** @type {any} */
    const dialog = h("link-access-dialog");
    // The page listens only to this dialog, so forward the new dialog's events.
    /** @param {CustomEvent} event */
    const forward = (event) => {
      event.stopPropagation();
      this.emit(/** @type {keyof EventDetails} */ (event.type), event.detail);
    };
    dialog.addEventListener("sharelink-changed", forward);
    dialog.addEventListener("sharelink-closed", forward);
    dialog.addEventListener("sharelink-closed", () => dialog.remove());
    dialog.openFor(this);
    if (this.#itemName) dialog.name = this.#itemName;
    dialog.open({ tab, shareId });
  }
}

/**
 * Returns the names of the files in a request that the recipient's existing link does not give.
 * @param {Share} share
 * @param {CreateShares} body
 */
function missingFiles({ files }, body) {
  return body.files.filter((name) => !files.some((file) => file.name === name));
}

// One link in Manage Link Access: its state, its actions and their forms.

/** @import { Share } from "../types.d.ts" */
/** @import { ItemDialog } from "./dialog.js" */
/** @import { Language } from "./texts.js" */

import { ApiError, randomKey } from "./api.js";
import { banner } from "./dialog.js";
import { bdi, fill, h } from "./dom.js";
import { ExpirationField, latestExpirationOf, rfc3339 } from "./expiration.js";
import { ReminderField } from "./reminder.js";
import { isAllowed, whyNotAllowed } from "./rules.js";
import { isolate } from "./texts.js";

/**
 * @typedef {object} RowOptions
 * @property {ItemDialog} dialog
 * @property {Language} language
 * @property {boolean} isMarked whether to highlight this share
 * @property {Element} [panel] an open form to show in this row
 * @property {(share: Share, previous?: Share, more?: string) => void} onChange called after the user has
 *   changed the share's access, and maybe more
 * @property {(share: Share, keepsPanel?: boolean) => void} onUpdate called with a newer state of the share;
 *   `keepsPanel` says whether to keep an open form
 * @property {(share: Share, error: ApiError) => void} onMissing called if the share no longer exists
 * @property {(text: string) => void} onStatus called with a success message
 */

export class ShareRow {
  #share;
  #dialog;
  #language;
  #panel;
  #on;
  #message = h("div");
  #resendKey;
  #since = Date.now();

  /**
   * @param {Share} share
   * @param {RowOptions} options
   */
  constructor(share, options) {
    const { dialog, language, isMarked, panel = h("div", { class: "open" }) } = options;
    this.#share = share;
    this.#dialog = dialog;
    this.#language = language;
    this.#panel = panel;
    this.#on = options;
    this.element = h("li",
      { class: isMarked && "marked", "aria-current": isMarked && "true", "data-share": share.shareId },
      h("h3", {},
        bdi(share.recipient),
        share.recipientName && [" ", h("span", { class: "hint" }, bdi(share.recipientName))],
        share.moreTime?.isOpen && [" ", h("span", { class: "badge" }, language.texts.moreTime)]),
      factList(share, language),
      files(share, language),
      message(share, language),
      this.#refusal && h("p", { class: "hint" }, language.texts.errors[this.#refusal]),
      this.#actions(),
      this.#message,
      this.#panel,
    );
    if (isMarked) setTimeout(() => this.element.scrollIntoView({ block: "nearest" }));
  }

  get #isActive() {
    return currentShare(this.#share, this.#since).status === "active";
  }

  /** The recipient, for use within a sentence. */
  get #recipient() {
    return isolate(this.#share.recipient);
  }

  /** The problem type with which the API refuses more access. */
  get #refusal() {
    return whyNotAllowed(this.#share, this.#dialog.rules);
  }

  /** The last expiration that the share may get. */
  get #latest() {
    return latestExpirationOf(currentShare(this.#share, this.#since), this.#dialog.rules);
  }

  #actions() {
    const { texts } = this.#language;
    const { rules } = this.#dialog;
    const isPermitted = isAllowed(this.#share.recipient, rules);
    const label = texts.actionsFor(this.#share.recipient);
    const action = (text, act, attributes = {}) => {
      const onclick = ({ currentTarget }) => act(currentTarget);
      return h("button", { type: "button", onclick, ...attributes }, text);
    };
    return h("div", { class: "actions", role: "group", "aria-label": label },
      (this.#isActive || !this.#refusal)
        && action(texts.change, (button) => this.#openExpirationForm(button), { "data-action": "change" }),
      this.#isActive && action(texts.revoke, (button) => this.#openRevokeForm(button), { class: "danger" }),
      this.#isActive && isPermitted && mayResend(this.#share)
        && action(texts.resend, (button) => this.#resend(button)),
      isPermitted && rules.linksWithoutEmail && action(texts.copy, (button) => this.#copy(button)),
      this.#isActive && isPermitted && action(texts.replace, (button) => this.#openReplaceForm(button)),
    );
  }

  #errorBanner(error) {
    return banner(this.#language.describeError(error));
  }

  // --- Changing the expiration ---

  #openExpirationForm(opener) {
    const { texts } = this.#language;
    const form = {
      share: this.#share, field: undefined, newLink: undefined, reminder: undefined, alert: h("div"),
      isStale: false,
    };
    form.reminder = new ReminderField(this.#language, {
      id: `reminder-${this.#share.shareId}`,
      days: this.#share.reminder?.state === "planned" ? this.#share.reminder.daysBefore : 0,
      isPossible: () => mayRemind(form.share) && !form.newLink?.isWanted,
    });
    const field = new ExpirationField(this.#language, {
      id: `expiration-${this.#share.shareId}`,
      rules: this.#dialog.rules,
      latest: () => this.#latest,
      // The link may expire while the form is open.
      note: (isPast, date) => {
        if (form.newLink) form.newLink.element.hidden = isPast;
        form.reminder.refresh(date);
        if (this.#isActive) return isPast && texts.endsAtOnce;
        return isPast ? texts.staysInactive : !form.newLink?.isWanted && texts.reactivates;
      },
    });
    // A revoked share keeps its expiration.
    const current = new Date(this.#share.expiresAt);
    if (this.#isActive || (current > new Date() && current <= this.#latest)) field.date = current;
    form.field = field;
    const onSave = () => this.#save(form, save);
    const save = h("button", { type: "button", class: "primary", onclick: onSave }, texts.save);
    const cancel = h("button", { type: "button", onclick: () => this.#cancel(form, opener) }, texts.cancel);
    fill(this.#panel, h("div",
      {
        class: "panel", role: "group", "aria-label": texts.changeFor(this.#share.recipient),
        ontick: () => field.refresh(),
      },
      form.alert,
      field.element,
      form.reminder.element,
      h("div", { class: "row" }, save, cancel),
    ));
    this.#offerNewLink(form);
    field.input.focus();
  }

  /** Offers a new link if the share was revoked: the reason may be a leaked link, which would work again. */
  #offerNewLink(form) {
    const { field, share } = form;
    form.newLink?.element.remove();
    form.newLink = share.reason === "revoked" ? this.#newLinkChoice(() => field.refresh()) : undefined;
    if (form.newLink) field.element.after(form.newLink.element);
    field.refresh();
  }

  /**
   * Creates the choice between a new link and the old one.
   * @param {() => void} onChange
   */
  #newLinkChoice(onChange) {
    const { texts } = this.#language;
    const notify = this.#notifyChoice();
    const replace = this.#checkbox(texts.replaceToo, () => {
      notify.label.hidden = !replace.input.checked || !this.#isEmailOptional;
      onChange();
    });
    return {
      element: h("div", {}, replace.label, notify.label),
      get isWanted() {
        return !this.element.hidden && replace.input.checked;
      },
      get isEmailed() {
        return notify.input.checked;
      },
    };
  }

  /** Whether the rules and the recipient leave the choice whether to email a new link. */
  get #isEmailOptional() {
    return this.#dialog.rules.linksWithoutEmail && !this.#share.emailsStoppedAt;
  }

  /** Creates the choice whether to email a new link, unless there is none. */
  #notifyChoice() {
    const notify = this.#checkbox(this.#language.texts.sendNewLink);
    notify.label.hidden = !this.#isEmailOptional;
    notify.input.checked = !this.#share.emailsStoppedAt;
    return notify;
  }

  /**
   * Creates a checkbox that is checked at first.
   * @param {string} text
   * @param {() => void} [onchange]
   */
  #checkbox(text, onchange) {
    const input = h("input", { type: "checkbox", checked: true, onchange });
    return { input, label: h("label", { class: "check" }, input, text) };
  }

  /** Closes a form. If another user changed the share while the form was open, shows that change. */
  #cancel({ share, isStale }, opener) {
    if (isStale) {
      this.#on.onUpdate(share);
    } else {
      fill(this.#panel);
      opener.focus();
    }
  }

  async #save(form, save) {
    const { field, alert } = form;
    fill(alert);
    const invalid = field.validate();
    if (invalid) {
      field.input.focus();
      this.#dialog.announce(invalid);
      return;
    }
    const { texts } = this.#language;
    const dialog = this.#dialog;
    let changed;
    const expiresAt = rfc3339(field.date);
    const renewal = form.newLink?.isWanted && { notify: form.newLink.isEmailed, expiresAt };
    const { chosenDays } = form.reminder;
    const action = async () => {
      const { client, itemRef } = dialog;
      changed = renewal
        ? await client.renew(itemRef, form.share, renewal)
        : await client.changeExpiration(itemRef, form.share, expiresAt, chosenDays);
    };
    const onError = (error) => {
      if (error.kind === "stale-version") this.#confirmStale(form, save);
      else if (error.kind === "share-not-found") this.#on.onMissing(form.share, error);
      else {
        field.showError(error.pointers.includes("/expiresAt") ? texts.invalid.expiresAt : undefined);
        fill(alert, this.#errorBanner(error));
      }
    };
    if (!(await dialog.runAction(save, texts.saving, action, onError))) return;
    if (renewal) {
      this.#on.onChange(changed, undefined, texts.replaced(changed.mail.state));
      return;
    }
    if (changed.version !== form.share.version) {
      this.#on.onChange(changed, form.share);
      return;
    }
    // The form may have shown another user's change.
    this.#on.onUpdate(changed);
    const newReminder = chosenDays && reminderText(changed, this.#language);
    this.#on.onStatus(newReminder || texts.unchanged(this.#recipient));
  }

  /** Shows what another user changed. Saving again overwrites that change. */
  async #confirmStale(form, save) {
    const seen = form.share;
    try {
      form.share = await this.#dialog.client.getShare(this.#dialog.itemRef, seen.shareId);
    } catch (thrown) {
      fill(form.alert, this.#errorBanner(ApiError.from(thrown)));
      return;
    }
    form.isStale = true;
    this.#offerNewLink(form);
    fill(form.alert, this.#staleBanner(seen, form.share));
    save.focus();
  }

  /**
   * Creates a message about what another user has changed.
   * @param {Share} seen the share as the user has seen it
   * @param {Share} share
   */
  #staleBanner(seen, share) {
    const { texts } = this.#language;
    const { expiresAt, revokedAt, renewedAt, status } = share;
    const newExpiration = texts.staleUntil(this.#language.formatTime(expiresAt));
    const changes = [
      expiresAt !== seen.expiresAt && newExpiration,
      revokedAt && revokedAt !== seen.revokedAt && texts.staleRevoked,
      status === "active" && seen.status !== "active" && texts.staleActive,
      renewedAt !== seen.renewedAt && texts.staleReplaced,
    ].filter(Boolean);
    return banner(texts.stale(changes.join(", ") || newExpiration));
  }

  // --- The other actions ---

  #openRevokeForm(opener) {
    const { texts } = this.#language;
    this.#ask(opener, {
      question: texts.revokeAsk(this.#recipient),
      confirmText: texts.revokeConfirm,
      busyText: texts.revoking,
      act: async (share) => {
        const revoked = await this.#dialog.client.revoke(this.#dialog.itemRef, share);
        // Another user may have changed the expiration, which a revocation keeps.
        return () => this.#on.onChange(revoked, { ...share, expiresAt: revoked.expiresAt });
      },
    });
  }

  #openReplaceForm(opener) {
    const { texts } = this.#language;
    const { input, label } = this.#notifyChoice();
    this.#ask(opener, {
      question: texts.replaceAsk(this.#recipient),
      choice: label,
      confirmText: texts.replaceConfirm,
      busyText: texts.replacing,
      act: async (share) => {
        const body = { notify: input.checked };
        const renewed = await this.#dialog.client.renew(this.#dialog.itemRef, share, body);
        return () => this.#on.onChange(renewed, undefined, texts.replaced(renewed.mail.state));
      },
    });
  }

  /**
   * Asks before an action that cannot be undone, or only as long as its result is shown.
   * @param {HTMLElement} opener
   * @param {object} form
   * @param {string} form.question
   * @param {Element} [form.choice]
   * @param {string} form.confirmText
   * @param {string} form.busyText
   * @param {(share: Share) => Promise<() => void>} form.act returns a function that shows the result
   */
  #ask(opener, { question, choice, confirmText, busyText, act }) {
    const dialog = this.#dialog;
    let share = this.#share;
    const alert = h("div");
    const id = `ask-${share.shareId}`;
    const onError = async (error) => {
      if (error.kind === "share-not-found") return this.#on.onMissing(share, error);
      if (error.kind !== "stale-version") return fill(alert, this.#errorBanner(error));
      try {
        const seen = share;
        share = await dialog.client.getShare(dialog.itemRef, share.shareId);
        fill(alert, this.#staleBanner(seen, share));
        confirm.focus();
      } catch (thrown) {
        fill(alert, this.#errorBanner(ApiError.from(thrown)));
      }
      return undefined;
    };
    const onCancel = () => this.#cancel({ share, isStale: share !== this.#share }, opener);
    const cancel = h("button", { type: "button", onclick: onCancel }, this.#language.texts.cancel);
    const onConfirm = async () => {
      let showResult;
      const action = async () => {
        showResult = await act(share);
      };
      if (await dialog.runAction(confirm, busyText, action, onError)) showResult();
    };
    const confirm = h("button", { type: "button", class: "danger primary", onclick: onConfirm }, confirmText);
    fill(this.#panel, h("div", { class: "panel", role: "group", "aria-labelledby": id },
      alert,
      h("p", { id }, question),
      choice,
      h("div", { class: "actions" }, cancel, confirm),
    ));
    // Revoking can be undone, but still asks first: rows move up when one leaves the list, so a second press
    // could revoke the next recipient's access. Focus the safe choice.
    cancel.focus();
  }

  async #resend(button) {
    const { texts } = this.#language;
    const dialog = this.#dialog;
    fill(this.#message);
    let resent;
    // Pressing the button again after a lost response must not send a second email.
    this.#resendKey ??= randomKey();
    const action = async () => {
      resent = await dialog.client.resend(dialog.itemRef, this.#share, this.#resendKey);
    };
    const onError = (error) => fill(this.#message, this.#errorBanner(error));
    const isDone = await dialog.runAction(button, texts.loading, action, onError);
    // Keep an open form. It is still valid, because a resend does not change the share's version.
    if (!isDone) return;
    this.#on.onUpdate(resent, true);
    this.#on.onStatus(texts.resent(this.#recipient));
    dialog.emit("sharelink-changed", { share: resent });
  }

  #copy(button) {
    const options = { dialog: this.#dialog, language: this.#language, onCopied: this.#on.onStatus };
    return copyLink(this.#share, { button, alert: this.#message, since: this.#since, ...options });
  }
}

/**
 * Returns the share as it is now: it may have expired since the API returned it.
 * @param {Share} share
 * @param {number} since when the API returned the share. The user's clock may be wrong, so an expiration that
 *   had already passed then is ignored.
 * @returns {Share}
 */
export function currentShare(share, since) {
  const end = Date.parse(share.expiresAt);
  const hasExpired = share.status === "active" && end > since && end <= Date.now();
  return hasExpired ? { ...share, status: "inactive", reason: "expired" } : share;
}

/**
 * Returns whether the recipient can get another email.
 * @param {Share} share
 */
export function mayResend({ mail, emailsStoppedAt }) {
  return mail.state !== "complained" && !emailsStoppedAt;
}

/**
 * Returns whether the recipient can get a reminder.
 * @param {Share} share
 */
function mayRemind(share) {
  const { mail, downloads, emailsStoppedAt } = share;
  return !downloads && !emailsStoppedAt && ["queued", "sent", "delivered"].includes(mail.state);
}

/**
 * Describes the state of the reminder, if there is one.
 * @param {Share} share
 * @param {Language} language
 */
function reminderText({ reminder }, language) {
  const { texts } = language;
  const describe = { planned: texts.reminderPlanned, sent: texts.reminderSent }[reminder?.state];
  return describe?.(language.formatTime(reminder.at));
}

/**
 * Copies a share's link, and says whether it works.
 * @param {Share} share
 * @param {object} options
 * @param {ItemDialog} options.dialog
 * @param {Language} options.language
 * @param {HTMLButtonElement} options.button
 * @param {Element} options.alert where to show an error, or the link if it cannot be copied
 * @param {number} options.since when the API returned the share
 * @param {(text: string) => void} options.onCopied called with a success message
 */
export async function copyLink(share, { dialog, language, button, alert, since, onCopied }) {
  const { texts } = language;
  let link;
  fill(alert);
  const action = async () => {
    link = await dialog.client.getLink(dialog.itemRef, share);
  };
  const show = (element) => {
    fill(alert, element);
    element.scrollIntoView({ block: "nearest" });
  };
  const onError = (error) => show(banner(language.describeError(error)));
  if (!(await dialog.runAction(button, texts.loading, action, onError))) return;
  const current = currentShare(share, since);
  const isActive = current.status === "active";
  const effect = isActive ? texts.anyone : texts.linkIsInactive(accessText(current, language));
  const recipient = isolate(share.recipient);
  try {
    await navigator.clipboard.writeText(link);
    onCopied(`${texts.copied(recipient)} ${effect}`);
  } catch {
    // The browser denied access to the clipboard, so let the user copy the link manually.
    const field = h("input", { id: `link-${share.shareId}`, part: "input", readonly: true });
    field.value = link;
    const label = h("label", { for: field.id }, `${texts.copyByHand(recipient)} ${effect}`);
    show(h("div", { class: "panel" }, label, field));
    field.focus({ preventScroll: true });
    field.select();
  }
}

/**
 * Creates the list of facts about a share: access, email, use and sharer.
 * @param {Share} share
 * @param {Language} language
 */
function factList(share, language) {
  const { createdAt, createdBy, mail, opens, downloads, archiveDownloads, lastOpenedAt, renewedAt } = share;
  const { texts } = language;
  const format = (time) => language.formatTime(time);
  const mailText = texts.mail[mail.state];
  const why = texts.mailReason[mail.reason] ?? mail.detail;
  const isMailWrong = ["failed", "bounced", "complained"].includes(mail.state);
  const ofAll = archiveDownloads < downloads ? "some" : "all";
  const downloaded = texts.downloads(downloads, archiveDownloads ? ofAll : "none", archiveDownloads);
  const use = opens || downloads ? `${texts.opens(opens)}, ${downloaded}` : texts.neverOpened;
  const sharer = createdBy.name ?? createdBy.email;
  const entries = [
    [accessText(share, language), "access"],
    [why ? mailText + texts.colon + why : mailText, isMailWrong && "wrong"],
    share.emailsStoppedAt && [texts.emailsStopped, "wrong"],
    [reminderText(share, language)],
    // An email from before then contains a link that no longer works.
    renewedAt && [texts.linkReplaced(format(renewedAt))],
    [lastOpenedAt ? `${use}, ${texts.lastUse(format(lastOpenedAt))}` : use],
    [sharer ? texts.sharedBy(isolate(sharer), format(createdAt)) : texts.sharedAt(format(createdAt))],
  ];
  return h("ul", { class: "facts" },
    entries.filter((entry) => entry?.[0])
      .map(([text, kind]) => h("li", { class: kind }, h("bdi", {}, text))));
}

/** The number of files whose names are always visible. */
const SHORT_LIST = 3;

/** The number of characters of a message that is always visible. */
const SHORT_MESSAGE = 200;

/**
 * Creates the list of the files that the link gives. A long list is folded.
 * @param {Share} share
 * @param {Language} language
 */
function files({ files }, language) {
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  const summary = language.texts.fileCount(files.length, language.formatSize(bytes));
  if (files.length <= SHORT_LIST)
    return h("p", { class: "given" },
      summary + language.texts.colon, files.flatMap(({ name }, i) => [i > 0 && ", ", bdi(name)]));
  const row = ({ name, size }) => h("li", {}, bdi(name), ` ${language.formatSize(size)}`);
  return h("details", { class: "given" }, h("summary", {}, summary), h("ul", {}, files.map(row)));
}

/**
 * Creates the message to the recipient, if there is one. A long message is folded.
 * @param {Share} share
 * @param {Language} language
 */
function message({ message: text }, { texts }) {
  if (!text) return undefined;
  const content = h("bdi", { class: "message" }, text);
  if (text.length <= SHORT_MESSAGE) return h("p", { class: "given" }, texts.message + texts.colon, content);
  return h("details", { class: "given" }, h("summary", {}, texts.message), content);
}

/**
 * Describes when the recipient's access ends, or when and why it ended.
 * @param {Share} share
 * @param {Language} language
 */
export function accessText({ status, reason, expiresAt, revokedAt }, language) {
  const { texts } = language;
  const format = (time) => {
    const date = new Date(time);
    return `${language.formatDateInWords(date)} (${language.formatDistance(date)})`;
  };
  if (status === "active") return texts.until(format(expiresAt));
  return reason === "revoked" ? texts.revoked(format(revokedAt)) : texts.expired(format(expiresAt));
}

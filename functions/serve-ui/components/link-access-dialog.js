// `<link-access-dialog module="jobs" item="1042">`: every link to an item's files, active and inactive.

import { ApiError } from "./api.js";
import { ItemDialog, banner } from "./dialog.js";
import { bdi, fill, h } from "./dom.js";
import { ExpirationField, rfc3339 } from "./expiration.js";
import { Language, isolated } from "./texts.js";

const TABS = ["active", "inactive"];

/** One tab: its shares, newest first, and where the next page of them begins. */
class Tab {
  shares = [];
  cursor;
  isWhole = false;

  constructor(status, texts, on) {
    this.status = status;
    this.count = h("span", { class: "count", hidden: true });
    this.button = h("button", {
      id: `${status}-tab`, type: "button", role: "tab", "aria-controls": `${status}-panel`,
      onclick: () => on.select(status), onkeydown: on.key,
    }, `${texts[status]} `, this.count);
    this.list = h("ul", { class: "shares" });
    this.end = h("div");
    this.panel = h("div", { id: `${status}-panel`, role: "tabpanel", "aria-labelledby": `${status}-tab`, tabindex: 0 },
      this.list, this.end);
  }

  /** Where a share belongs, if that much of the tab has been loaded. */
  place(share) {
    const place = this.shares.findIndex(({ createdAt }) => createdAt <= share.createdAt);
    if (place >= 0) return place;
    return this.isWhole ? this.shares.length : undefined;
  }

  showCount() {
    this.count.hidden = !this.isWhole && !this.shares.length;
    fill(this.count, this.isWhole ? `${this.shares.length}` : `${this.shares.length}+`);
  }
}

export class LinkAccessDialog extends ItemDialog {
  #language;
  #tabs;
  #selected;
  #marked;
  #news = h("div");
  #observer = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) if (isIntersecting) target.click();
  }, { rootMargin: "200px" });

  /** Opens the dialog with what is true now: on this tab, with this share marked. */
  open({ tab = "active", shareId } = {}) {
    this.#language = new Language(this);
    this.#marked = shareId;
    const on = { select: (status) => this.#select(status), key: (event) => this.#key(event) };
    this.#tabs = Object.fromEntries(TABS.map((status) => [status, new Tab(status, this.#language.texts, on)]));
    this.#selected = tab;
    fill(this.#news);
    this.#showTabs();
    this.reveal();
    this.#tabs[this.#selected].button.focus();
    for (const status of TABS) this.#load(this.#tabs[status]);
  }

  #showTabs() {
    const { texts } = this.#language;
    const tabs = Object.values(this.#tabs);
    this.show(this.#language, {
      heading: texts.manage,
      top: h("div", { class: "tabs", role: "tablist", "aria-label": texts.manage }, tabs.map(({ button }) => button)),
      body: [this.#news, ...tabs.map(({ panel }) => panel)],
      buttons: [
        h("button", { type: "button", class: "push", onclick: () => this.#showLog() }, texts.log),
        h("button", { type: "button", onclick: () => this.close() }, texts.close),
      ],
    });
    this.#select(this.#selected);
  }

  #select(status) {
    this.#selected = status;
    for (const tab of Object.values(this.#tabs)) {
      const isSelected = tab.status === status;
      tab.button.setAttribute("aria-selected", isSelected);
      tab.button.tabIndex = isSelected ? 0 : -1;
      tab.panel.hidden = !isSelected;
    }
  }

  #key(event) {
    const moves = { ArrowLeft: 1, ArrowRight: 1, Home: 0, End: 1 };
    if (!(event.key in moves)) return;
    event.preventDefault();
    const isArrow = event.key.startsWith("Arrow");
    const to = isArrow ? TABS.find((status) => status !== this.#selected) : TABS[moves[event.key]];
    this.#select(to);
    this.#tabs[to].button.focus();
  }

  /** Loads the next page of a tab. */
  async #load(tab) {
    const { texts } = this.#language;
    const hadFocus = tab.end.contains(this.shadowRoot.activeElement);
    fill(tab.end, h("p", { class: "empty" }, texts.loading));
    try {
      const { shares, nextCursor } = await this.api.shares(this.item, tab.status, tab.cursor);
      if (!tab.cursor && nextCursor) await this.#addMarked(tab, shares);
      tab.cursor = nextCursor;
      tab.isWhole = !nextCursor;
      const known = new Set(tab.shares.map(({ shareId }) => shareId));
      const news = shares.filter(({ shareId }) => !known.has(shareId));
      const rows = news.map((share) => this.#row(share));
      tab.shares.push(...news);
      tab.list.append(...rows);
      this.#showEnd(tab);
      if (hadFocus) (rows[0]?.querySelector("button") ?? tab.panel).focus();
    } catch (thrown) {
      const again = h("button", { type: "button", onclick: () => this.#load(tab) }, texts.tryAgain);
      fill(tab.end, banner(this.#language.error(ApiError.of(thrown)), again));
      if (hadFocus) again.focus();
    }
  }

  /** A share that was asked for comes first if it is on a later page. */
  async #addMarked(tab, shares) {
    if (!this.#marked || tab.status !== this.#selected) return;
    if (shares.some(({ shareId }) => shareId === this.#marked)) return;
    try {
      const share = await this.api.read(this.item, this.#marked);
      if (share.status === tab.status) shares.unshift(share);
    } catch (thrown) {
      // One that is not there any more keeps no other from being shown.
      if (ApiError.of(thrown).kind !== "share-not-found") throw thrown;
    }
  }

  /** What is below a tab's shares: nothing, another page to come, or that there are none. */
  #showEnd(tab) {
    const { texts } = this.#language;
    tab.showCount();
    const none = tab.status === "active" ? texts.noActive : texts.noInactive;
    const more = !tab.isWhole && h("button", { type: "button", class: "more", onclick: () => this.#load(tab) }, texts.more);
    fill(tab.end, more, tab.isWhole && !tab.shares.length && h("p", { class: "empty" }, none));
    // As one scrolls.
    if (more) this.#observer.observe(more);
  }

  /** A share with its actions; `panel` is what is open below it, a form or nothing. */
  #row(share, panel = h("div", { class: "open" })) {
    const { texts } = this.#language;
    const isActive = share.status === "active";
    const isMarked = share.shareId === this.#marked;
    const row = h("li", { class: isMarked && "marked", "aria-current": isMarked && "true", "data-share": share.shareId });
    const message = h("div");
    const action = (text, act, more = {}) => h("button", { type: "button", onclick: ({ currentTarget }) => act(share, panel, currentTarget), ...more }, text);
    const tell = (text, act) => action(text, (share, _, button) => act(share, message, button));
    row.append(
      h("h3", {}, bdi(share.recipient)),
      this.#facts(share),
      h("div", { class: "actions", role: "group", "aria-label": texts.actionsFor(share.recipient) },
        action(texts.change, (...of) => this.#askExpiration(...of), { "data-action": "change" }),
        isActive && action(texts.revoke, (...of) => this.#askRevoke(...of), { class: "danger" }),
        isActive && tell(texts.resend, (...of) => this.#resend(...of)),
        tell(texts.copy, (...of) => this.#copy(...of)),
      ),
      message,
      panel,
    );
    if (share.shareId === this.#marked) setTimeout(() => row.scrollIntoView({ block: "nearest" }));
    return row;
  }

  #facts({ status, reason, expiresAt, revokedAt, createdAt, createdBy, mail, opens, downloads, lastOpenedAt }) {
    const { texts } = this.#language;
    const time = (at) => this.#language.time(at);
    const access = status === "active" ? texts.until(time(expiresAt)) : reason === "revoked" ? texts.revoked(time(revokedAt)) : texts.expired(time(expiresAt));
    const use = opens || downloads ? `${texts.opens(opens)}, ${texts.downloads(downloads)}` : texts.neverOpened;
    const sharer = createdBy.name ?? createdBy.email;
    const isWrong = ["failed", "bounced", "complained"].includes(mail.state);
    const facts = [
      [access],
      [mail.detail ? `${texts.mail[mail.state]}: ${mail.detail}` : texts.mail[mail.state], isWrong && "wrong"],
      [lastOpenedAt ? `${use}, ${texts.lastUse(time(lastOpenedAt))}` : use],
      [sharer ? texts.sharedBy(isolated(sharer), time(createdAt)) : texts.sharedAt(time(createdAt))],
    ];
    return h("ul", { class: "facts" }, facts.map(([text, kind]) => h("li", { class: kind }, bdi(text))));
  }

  // --- Changing the expiration ---

  #askExpiration(share, panel, opener) {
    const { texts } = this.#language;
    const isActive = share.status === "active";
    const note = (isPast) => isPast ? (isActive ? texts.endsAtOnce : texts.staysInactive) : !isActive && texts.reactivates;
    const field = new ExpirationField(this.#language, { id: `expiration-${share.shareId}`, note });
    if (isActive) field.date = new Date(share.expiresAt);
    const trouble = h("div");
    const change = { share, field, trouble };
    const save = h("button", { type: "button", class: "primary", onclick: () => this.#change(change, save) }, texts.save);
    const cancel = h("button", { type: "button", onclick: () => this.#giveUp(change, panel, opener) }, texts.cancel);
    fill(panel, h("div", { class: "panel", role: "group", "aria-label": texts.changeOf(share.recipient) },
      trouble,
      field.element,
      h("div", { class: "row" }, save, cancel),
    ));
    field.input.focus();
  }

  /** Without a change; if somebody else has made one meanwhile, that is shown. */
  #giveUp({ share, isStale }, panel, opener) {
    if (isStale) {
      this.#settle(share);
    } else {
      fill(panel);
      opener.focus();
    }
  }

  async #change(change, save) {
    const { field, trouble } = change;
    fill(trouble);
    const error = field.check();
    if (error) {
      field.input.focus();
      this.say(error);
      return;
    }
    const { texts } = this.#language;
    let changed;
    const work = async () => {
      changed = await this.api.changeExpiration(this.item, change.share, rfc3339(field.date));
    };
    const failed = (error) => {
      if (error.kind === "stale-version") this.#askAgain(change, save);
      else if (error.kind === "share-not-found") this.#forget(change.share, error);
      else {
        field.show(error.pointers.includes("/expiresAt") ? texts.wrong.expiresAt : undefined);
        fill(trouble, banner(this.#language.error(error)));
      }
    };
    if (!(await this.during(save, texts.saving, work, failed))) return;
    const [who, until] = [isolated(changed.recipient), this.#language.time(changed.expiresAt)];
    this.#settle(changed, changed.status === "active" ? texts.changed(who, until) : texts.ended(who));
  }

  /** Somebody else was faster: shows what has changed. Saving once more is meant for the share as it is now. */
  async #askAgain(change, save) {
    const { texts } = this.#language;
    const seen = change.share;
    try {
      change.share = await this.api.read(this.item, seen.shareId);
    } catch (thrown) {
      fill(change.trouble, banner(this.#language.error(ApiError.of(thrown))));
      return;
    }
    change.isStale = true;
    const { expiresAt, revokedAt, status } = change.share;
    const changes = [
      expiresAt !== seen.expiresAt && texts.staleUntil(this.#language.time(expiresAt)),
      revokedAt && revokedAt !== seen.revokedAt && texts.staleRevoked,
      status === "active" && seen.status !== "active" && texts.staleActive,
    ].filter(Boolean);
    fill(change.trouble, banner(texts.stale(changes.join(", ") || texts.staleUntil(this.#language.time(expiresAt)))));
    save.focus();
  }

  // --- The other actions ---

  #askRevoke(share, panel, opener) {
    const { texts } = this.#language;
    const trouble = h("div");
    const question = `revoke-${share.shareId}`;
    const failed = (error) => {
      if (error.kind === "share-not-found") this.#forget(share, error);
      else fill(trouble, banner(this.#language.error(error)));
    };
    const cancel = h("button", { type: "button", onclick: () => this.#giveUp({ share }, panel, opener) }, texts.cancel);
    const revoke = h("button", { type: "button", class: "danger primary", onclick: async () => {
      let revoked;
      const work = async () => {
        revoked = await this.api.revoke(this.item, share);
      };
      if (await this.during(revoke, texts.revoking, work, failed)) this.#settle(revoked, texts.ended(isolated(share.recipient)));
    } }, texts.revokeConfirm);
    fill(panel, h("div", { class: "panel", role: "group", "aria-labelledby": question },
      trouble,
      h("p", { id: question }, texts.revokeAsk(isolated(share.recipient))),
      h("div", { class: "actions" }, cancel, revoke),
    ));
    // Not the one that cannot be taken back.
    cancel.focus();
  }

  async #resend(share, message, button) {
    const { texts } = this.#language;
    fill(message);
    let resent;
    // A press that got no answer and is repeated by hand asks for the same email.
    share.resendKey ??= crypto.randomUUID();
    const work = async () => {
      resent = await this.api.resend(this.item, share, share.resendKey);
    };
    const failed = (error) => fill(message, banner(this.#language.error(error)));
    const isDone = await this.during(button, texts.loading, work, failed);
    // A form that was opened meanwhile is for the same version still.
    if (isDone) this.#settle(resent, texts.resent(isolated(share.recipient)), this.#rowOf(share)?.querySelector(".open"));
  }

  async #copy(share, message, button) {
    const { texts } = this.#language;
    fill(message);
    let link;
    const work = async () => {
      link = await this.api.link(this.item, share);
    };
    const failed = (error) => fill(message, banner(this.#language.error(error)));
    if (!(await this.during(button, texts.loading, work, failed))) return;
    try {
      await navigator.clipboard.writeText(link);
      const copied = texts.copied(isolated(share.recipient));
      fill(message, h("p", { class: "banner good" }, copied));
      this.say(copied);
    } catch {
      // The browser does not let us: the user can.
      const field = h("input", { id: `link-${share.shareId}`, part: "input", readonly: true });
      field.value = link;
      fill(message, h("div", { class: "panel" }, h("label", { for: field.id }, texts.copyByHand(isolated(share.recipient))), field));
      field.select();
      field.focus();
    }
  }

  /** Shows a share as it has become, in its tab, and says what has happened; `panel` is what stays open below it. */
  #settle(share, text, panel) {
    const from = this.#tabs[this.#selected];
    const { activeElement } = this.shadowRoot;
    const hadFocus = !activeElement || this.#rowOf(share)?.contains(activeElement);
    const tab = this.#tabs[share.status];
    const before = tab.shares.findIndex(({ shareId }) => shareId === share.shareId);
    this.#remove(share);
    const place = before >= 0 ? before : tab.place(share);
    if (place !== undefined) {
      tab.shares.splice(place, 0, share);
      tab.list.insertBefore(this.#row(share, panel ?? undefined), tab.list.children[place] ?? null);
    }
    for (const each of Object.values(this.#tabs)) this.#showEnd(each);
    fill(this.#news, text && h("p", { class: "banner good" }, text));
    if (text) {
      this.say(text);
      this.tell("sharelink-changed", { share });
    }
    if (hadFocus) (from.list.querySelector(`[data-share="${share.shareId}"] [data-action]`) ?? from.panel).focus();
  }

  #rowOf({ shareId }) {
    return this.shadowRoot.querySelector(`[data-share="${shareId}"]`);
  }

  #remove({ shareId }) {
    for (const tab of Object.values(this.#tabs)) {
      tab.shares = tab.shares.filter((share) => share.shareId !== shareId);
      tab.list.querySelector(`[data-share="${shareId}"]`)?.remove();
    }
  }

  /** A share that does not exist any more. */
  #forget(share, error) {
    this.#remove(share);
    for (const tab of Object.values(this.#tabs)) this.#showEnd(tab);
    fill(this.#news, banner(this.#language.error(error)));
    this.#tabs[this.#selected].panel.focus();
  }

  // --- The share log ---

  #showLog() {
    const { texts } = this.#language;
    const list = h("ol", { class: "log", tabindex: 0, "aria-label": texts.log });
    const end = h("div");
    this.show(this.#language, {
      heading: texts.log,
      body: [list, end],
      buttons: [
        h("button", { type: "button", class: "push", onclick: () => {
          this.#showTabs();
          this.#tabs[this.#selected].button.focus();
        } }, texts.backToLinks),
        h("button", { type: "button", onclick: () => this.close() }, texts.close),
      ],
    });
    list.focus();
    this.#loadLog(list, end);
  }

  async #loadLog(list, end, cursor) {
    const { texts } = this.#language;
    const hadFocus = end.contains(this.shadowRoot.activeElement);
    fill(end, h("p", { class: "empty" }, texts.loading));
    if (hadFocus) list.focus();
    try {
      const { entries, nextCursor } = await this.api.log(this.item, cursor);
      list.append(...entries.map((entry) => this.#logged(entry)));
      const more = nextCursor && h("button", { type: "button", class: "more", onclick: () => this.#loadLog(list, end, nextCursor) }, texts.more);
      fill(end, more, !more && !list.children.length && h("p", { class: "empty" }, texts.noLog));
      if (more) this.#observer.observe(more);
    } catch (thrown) {
      const again = h("button", { type: "button", onclick: () => this.#loadLog(list, end, cursor) }, texts.tryAgain);
      fill(end, banner(this.#language.error(ApiError.of(thrown)), again));
    }
  }

  #logged({ at, event, recipient, by, from, to, detail }) {
    const { texts } = this.#language;
    const who = by && texts.by(isolated(by.name ?? by.email ?? by.sub));
    const change = to && texts.fromTo(this.#language.time(from), this.#language.time(to));
    const rest = [texts.event[event], change, detail, who].filter(Boolean).join(", ");
    return h("li", {}, h("time", { datetime: at }, this.#language.time(at)), bdi(recipient), `: ${rest}`);
  }
}

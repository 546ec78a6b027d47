// All text that users see, by language, and the formats for times and sizes.

/** @import { Problem } from "../types.d.ts" */

const en = {
  share: "Share",
  manage: "Manage Link Access",
  close: "Close",
  cancel: "Cancel",
  tryAgain: "Try again",
  loading: "Loading…",
  more: "Show more",
  waiting: (seconds) => `Trying again in ${seconds} s…`,

  // The form.
  recipients: "Recipients",
  recipientsHint: "Type or paste email addresses. Press Enter to add one.",
  recipientAdded: (n) => (n === 1 ? "1 recipient added" : `${n} recipients added`),
  notRead: (n) => `${n} could not be read`,
  recipientRemoved: (address) => `${address} removed`,
  recipientsRemoved: (n) => (n === 1 ? "1 recipient removed" : `${n} recipients removed`),
  recipientKeys: "Press Delete to remove it, Enter to edit it.",
  remove: (address) => `Remove ${address}`,
  notAnAddress: "not an email address",
  misleading: (domain) => `misleading domain: ${domain}`,
  duplicate: "already in the list",
  noRecipients: "Add at least one recipient.",
  wrongRecipients: (n) =>
    (n === 1 ? "Correct or remove the marked recipient." : `Correct or remove the ${n} marked recipients.`),
  removeWrong: (n) => `Remove ${n === 1 ? "it" : "them"}`,
  tooManyRecipients: (limit, n) => `At most ${limit} recipients at a time. Remove ${n}.`,
  files: "Files",
  allFiles: "All files",
  noFiles: "This item has no files to share.",
  noneChosen: "Choose at least one file.",
  filesLoading: "The files are still loading.",
  matchingFiles: (n) => (n === 1 ? "1 matching file" : `${n} matching files`),
  filterFiles: "Filter files",
  filesKeys: "Arrow keys move between files, and typing finds one.",
  allSelected: (count) => `${count} selected`,
  selected: (n, total, size) =>
    (n ? `${n} of ${total} files, ${size} selected` : `None of ${total} files selected`),
  filesMissing: (names) => `No longer available: ${names}.`,
  filesForbidden: (names) => `The service may not read these files, so they cannot be shared: ${names}.`,
  namesTooLong: "Together, the names of these files are too long for one link. Choose fewer files.",
  tooManyFiles: (limit) => `One link can hold at most ${limit} files.`,
  leftOut: "Files whose names cannot be shared are not shown.",
  archived: "archived",
  archivedHint: "Archived files cannot be downloaded until they are restored.",
  expiration: "Access expires",
  presets: "Choose a period",
  day: "1 day",
  week: "1 week",
  month: "1 month",
  timeZone: (zone) => `In your time zone, ${zone}`,
  clock: (time) => time,
  skippedTime: (time, used) =>
    `${time} does not exist on this day, because clocks are set forward. It becomes ${used}.`,
  repeatedTime: (time, isFirst, offset) =>
    `${time} occurs twice on this day, because clocks are set back. This is the`
      + ` ${isFirst ? "first" : "second"} time (UTC${offset}).`,
  noExpiration: "Choose a date and a time.",
  dayBeforeToday: "The date must not be before today.",
  tooLate: (years) => `At most ${years} years from now.`,
  alreadyPast: "This time has passed: the links will not work.",
  message: "Message",
  optional: "optional",
  counter: (left) => {
    const characters = Math.abs(left) === 1 ? "1 character" : `${Math.abs(left)} characters`;
    return left >= 0 ? `${characters} left` : `${characters} too many`;
  },
  messageTooLong: (limit) => `At most ${limit} characters.`,
  sendEmail: "Send email",
  noEmail: "Recipients get no email. Copy each link and send it yourself.",
  messageOnPage: "They see the message on the page with the files.",
  messageUnseen: "They may not see the message: a link to a single file usually downloads it at once.",
  sharing: "Sharing…",

  // The results.
  shared: (n) => (n === 1 ? "Shared with 1 recipient" : `Shared with ${n} recipients`),
  sharedNone: "No new recipients",
  outcome: {
    created: "A link is on its way by email",
    invalidRecipient: "Not an email address",
    misleading: "Misleading domain",
    duplicate: "Listed twice",
    failed: "Could not be added",
  },
  createdQuietly: "Link created, no email",
  createdExpired: "Shared, but access has already expired",
  alreadyGives: {
    active: (files, until) => ["Already has a link to ", files, ` until ${until}.`],
    inactive: (files) => ["Already has a link to ", files, ", which is inactive."],
  },
  canReactivate: " Change its expiration to make it work again.",
  notGiven: (files) => ["Not shared: ", files,
    ". The files of a link cannot be changed. To share them, use another email address of this recipient."],
  andMore: (n) => ` and ${n} more`,
  manageOne: "Manage",
  sharedArchived: "Some of these files are archived. They cannot be downloaded until they are restored.",
  openActive: "Show in Active",
  openInactive: "Show in Inactive",
  back: "Share with others",
  retryFailed: (n) => (n === 1 ? "Retry 1 recipient" : `Retry ${n} recipients`),
  done: "Done",

  // Manage Link Access.
  active: "Active",
  inactive: "Inactive",
  noActive: "No active links.",
  noInactive: "No inactive links.",
  until: (time) => `Active until ${time}`,
  expired: (time) => `Expired ${time}`,
  revoked: (time) => `Revoked ${time}`,
  opens: (n) => (n === 1 ? "Opened once" : `Opened ${n} times`),
  downloads: (n, all) =>
    (n === 1 ? "1 download" : `${n} downloads`) + (all ? ` (${all < n ? `${all} ` : ""}of all files)` : ""),
  neverOpened: "Not opened yet",
  useHint: "Mail scanners also open links, and a resumed download counts again.",
  lastUse: (time) => `last ${time}`,
  mail: {
    none: "No email",
    queued: "Email on its way",
    sent: "Email sent",
    delivered: "Email delivered",
    failed: "Email failed",
    bounced: "Email bounced",
    complained: "Marked as spam",
  },
  sharedBy: (name, time) => `Shared by ${name}, ${time}`,
  sharedAt: (time) => `Shared ${time}`,
  change: "Change Expiration",
  changeFor: (address) => `Change Expiration for ${address}`,
  save: "Save",
  saving: "Saving…",
  reactivates: "A time in the future makes the same link work again. No email is sent.",
  endsAtOnce: "This time has passed: access ends immediately.",
  staysInactive: "This time has passed: the link stays inactive.",
  changed: (address, time) => `${address} has access until ${time}.`,
  unchanged: (address) => `The expiration for ${address} is unchanged.`,
  ended: (address) => `${address} no longer has access.`,
  undo: "Undo",
  undoing: "Undoing…",
  undoKeys: "Press Ctrl+Z to undo.",
  fileCount: (n, size) => `${n === 1 ? "1 file" : `${n} files`}, ${size}`,
  revoke: "Revoke Access",
  revokeAsk: (address) => `Revoke access for ${address}? The link stops working immediately.`,
  revokeConfirm: "Yes, revoke",
  revoking: "Revoking…",
  replace: "Replace link",
  replaceAsk: (address) =>
    `Replace the link for ${address}? The current link stops working immediately and for good.`,
  replaceConfirm: "Yes, replace",
  replacing: "Replacing…",
  replaceToo: "Replace the link. Otherwise, anyone who has the old one gets access again.",
  sendNewLink: "Send the new link by email",
  replaced: ({ mail }) => "The link was replaced. "
    + (mail.state === "queued" ? "The new one will be emailed." : "Copy the new one and send it yourself."),
  linkReplaced: (time) => `Link replaced ${time}`,
  resend: "Resend email",
  resent: (address) => `Another email is on its way to ${address}.`,
  copy: "Copy link",
  copied: (address) => `Link for ${address} copied.`,
  copyByHand: (address) => `Copy the link for ${address}.`,
  anyone: "Anyone with this link can download the files.",
  linkIsInactive: (state) => `It does not work now: ${state}. To make it work again, change its expiration.`,
  actionsFor: (address) => `Actions for ${address}`,
  stale: (changes) => `Someone else has changed this link: ${changes}. Continue anyway?`,
  staleUntil: (time) => `it now expires ${time}`,
  staleRevoked: "access was revoked",
  staleActive: "it is active again",
  staleReplaced: "it was replaced",
  log: "Share log",
  backToLinks: "Back to the links",
  noLog: "No activity yet.",
  by: (name) => `by ${name}`,
  event: {
    created: "shared",
    emailed: "email sent",
    mailFailed: "email failed",
    delivered: "email delivered",
    bounced: "email bounced",
    complained: "marked as spam",
    opened: "link opened",
    downloaded: "file downloaded",
    downloadedAll: "all files downloaded",
    downloadFailed: "download failed",
    expirationChanged: "expiration changed",
    revoked: "access revoked",
    reactivated: "access reactivated",
    linkCopied: "link copied",
    linkRenewed: "link replaced",
    resent: "email resend requested",
    expired: "expired",
    purged: "deleted",
    restored: "restored from a backup",
  },
  times: (number) => `${number} in all`,
  // Browsers have the same names in every language.
  client: {
    browser: "other browser",
    bot: "automatic program",
    tool: "download program",
    unknown: "unknown program",
  },
  fromTo: (from, to) => `from ${from} to ${to}`,
  failure: {
    missing: "the file was moved or removed",
    archived: "the file is archived",
    forbidden: "the service may not read the file",
  },

  // Errors.
  invalid: {
    recipients: "These recipients cannot be used.",
    files: "These files cannot be shared.",
    expiresAt: "This time cannot be used.",
    message: "This message cannot be sent.",
  },
  busyFor: (seconds) => `The service is busy. Try again in ${seconds} s.`,
  errors: {
    offline: "You are offline. Nothing is lost: try again once you are online.",
    signedOut: "You are signed out. Sign in, then try again.",
    otherUser: "You are now signed in as a different user, so unsent input was discarded. To continue, close "
      + "this dialog and open it again.",
    forbidden: "You do not have permission to share this item.",
    busy: "The service is busy. Try again in a moment.",
    unavailable: "That did not work. Try again in a moment.",
    "temporarily-unavailable": "That did not work. Try again in a moment.",
    "idempotency-key-reused": "That did not work. Try again.",
    "share-permission-missing": "You do not have permission to share this item.",
    "item-access-denied": "The platform does not allow you to share this item.",
    "share-not-found": "This link no longer exists.",
    "share-inactive": "This link is inactive: change its expiration first.",
    "recipient-complained": "Reported as spam: no more emails are sent.",
    "sharer-limit-reached": "Too many emails for today. Try again tomorrow, or send the link yourself.",
    "mailbox-limit-reached":
      "Too many emails to this mailbox. Try again tomorrow, or send the link yourself.",
    "stale-version": "Someone else has changed this link.",
    "invalid-request": "Correct the marked fields.",
    "malformed-body": "The request could not be read.",
    "body-too-large": "The request is too large.",
    internal: "Something went wrong on our side. Please contact support.",
  },
  tooSoon: (minutes) =>
    `An email was sent recently. Another can be sent in ${minutes > 1 ? `${minutes} minutes` : "a minute"}.`,
};

/** @type {typeof en} */
const de = {
  share: "Teilen",
  manage: "Linkzugriff verwalten",
  close: "Schließen",
  cancel: "Abbrechen",
  tryAgain: "Noch einmal versuchen",
  loading: "Wird geladen …",
  more: "Mehr anzeigen",
  waiting: (seconds) => `Nächster Versuch in ${seconds} s …`,

  recipients: "Empfänger",
  recipientsHint: "E-Mail-Adressen eingeben oder einfügen. Die Eingabetaste fügt eine hinzu.",
  recipientAdded: (n) => `${n} Empfänger hinzugefügt`,
  notRead: (n) => `${n} nicht lesbar`,
  recipientRemoved: (address) => `${address} entfernt`,
  recipientsRemoved: (n) => `${n} Empfänger entfernt`,
  recipientKeys: "Entf entfernt die Adresse, mit der Eingabetaste lässt sie sich ändern.",
  remove: (address) => `${address} entfernen`,
  notAnAddress: "keine E-Mail-Adresse",
  misleading: (domain) => `irreführende Domain: ${domain}`,
  duplicate: "schon in der Liste",
  noRecipients: "Mindestens einen Empfänger hinzufügen.",
  wrongRecipients: (n) => `${n === 1 ? "Den" : `Die ${n}`} markierten Empfänger ändern oder entfernen.`,
  removeWrong: (n) => `${n === 1 ? "Markierten" : "Markierte"} entfernen`,
  tooManyRecipients: (limit, n) => `Höchstens ${limit} Empfänger auf einmal. ${n} bitte entfernen.`,
  files: "Dateien",
  allFiles: "Alle Dateien",
  noFiles: "Dieses Objekt hat keine Dateien zum Teilen.",
  noneChosen: "Mindestens eine Datei auswählen.",
  filesLoading: "Die Dateien werden noch geladen.",
  matchingFiles: (n) => (n === 1 ? "1 passende Datei" : `${n} passende Dateien`),
  filterFiles: "Dateien filtern",
  filesKeys: "Pfeiltasten wechseln zwischen den Dateien, Tippen findet eine.",
  allSelected: (count) => `${count} ausgewählt`,
  selected: (n, total, size) =>
    (n ? `${n} von ${total} Dateien, ${size} ausgewählt` : `Keine von ${total} Dateien ausgewählt`),
  filesMissing: (names) => `Nicht mehr verfügbar: ${names}.`,
  filesForbidden: (names) =>
    `Der Dienst darf diese Dateien nicht lesen, deshalb lassen sie sich nicht teilen: ${names}.`,
  namesTooLong:
    "Die Namen dieser Dateien sind zusammen zu lang für einen Link. Wählen Sie weniger Dateien aus.",
  tooManyFiles: (limit) => `Ein Link kann höchstens ${limit} Dateien enthalten.`,
  leftOut: "Dateien, deren Namen nicht geteilt werden können, fehlen hier.",
  archived: "archiviert",
  archivedHint: "Archivierte Dateien lassen sich erst nach ihrer Wiederherstellung herunterladen.",
  expiration: "Zugriff endet",
  presets: "Zeitraum wählen",
  day: "1 Tag",
  week: "1 Woche",
  month: "1 Monat",
  timeZone: (zone) => `In Ihrer Zeitzone, ${zone}`,
  clock: (time) => `${time} Uhr`,
  skippedTime: (time, used) =>
    `${time} gibt es an diesem Tag nicht, weil die Uhr vorgestellt wird. Es gilt ${used}.`,
  repeatedTime: (time, isFirst, offset) =>
    `${time} gibt es an diesem Tag zweimal, weil die Uhr zurückgestellt wird. Gemeint ist das`
      + ` ${isFirst ? "erste" : "zweite"} Mal (UTC${offset}).`,
  noExpiration: "Datum und Uhrzeit wählen.",
  dayBeforeToday: "Das Datum darf nicht vor heute liegen.",
  tooLate: (years) => `Höchstens ${years} Jahre ab jetzt.`,
  alreadyPast: "Dieser Zeitpunkt ist vorbei: Die Links werden nicht funktionieren.",
  message: "Nachricht",
  optional: "optional",
  counter: (left) => (left >= 0 ? `noch ${left} Zeichen` : `${-left} Zeichen zu viel`),
  messageTooLong: (limit) => `Höchstens ${limit} Zeichen.`,
  sendEmail: "E-Mail senden",
  noEmail: "Die Empfänger erhalten keine E-Mail. Kopieren Sie jeden Link und senden Sie ihn selbst.",
  messageOnPage: "Die Nachricht steht auf der Seite mit den Dateien.",
  messageUnseen:
    "Womöglich sehen sie die Nachricht nicht: "
    + "Ein Link auf eine einzelne Datei lädt diese meist sofort herunter.",
  sharing: "Wird geteilt …",

  shared: (n) => (n === 1 ? "Mit einem Empfänger geteilt" : `Mit ${n} Empfängern geteilt`),
  sharedNone: "Keine neuen Empfänger",
  outcome: {
    created: "Ein Link ist per E-Mail unterwegs",
    invalidRecipient: "Keine E-Mail-Adresse",
    misleading: "Irreführende Domain",
    duplicate: "Doppelt in der Liste",
    failed: "Konnte nicht hinzugefügt werden",
  },
  createdQuietly: "Link erstellt, keine E-Mail",
  createdExpired: "Geteilt, aber der Zugriff ist bereits abgelaufen",
  alreadyGives: {
    active: (files, until) => ["Hat bereits einen Link auf ", files, ` bis ${until}.`],
    inactive: (files) => ["Hat bereits einen Link auf ", files, ". Er ist inaktiv."],
  },
  canReactivate: " Ändern Sie seinen Ablauf, damit er wieder funktioniert.",
  notGiven: (files) => ["Nicht geteilt: ", files, ". Die Dateien eines Links lassen sich nicht ändern."
    + " Verwenden Sie zum Teilen eine andere E-Mail-Adresse dieser Person."],
  andMore: (n) => ` und ${n} weitere`,
  manageOne: "Verwalten",
  sharedArchived:
    "Einige dieser Dateien sind archiviert. Sie lassen sich erst nach ihrer Wiederherstellung herunterladen.",
  openActive: "Unter „Aktiv“ anzeigen",
  openInactive: "Unter „Inaktiv“ anzeigen",
  back: "Mit anderen teilen",
  retryFailed: (n) => `Mit ${n} Empfänger${n === 1 ? "" : "n"} noch einmal versuchen`,
  done: "Fertig",

  active: "Aktiv",
  inactive: "Inaktiv",
  noActive: "Keine aktiven Links.",
  noInactive: "Keine inaktiven Links.",
  until: (time) => `Aktiv bis ${time}`,
  expired: (time) => `Abgelaufen am ${time}`,
  revoked: (time) => `Entzogen am ${time}`,
  opens: (n) => (n === 1 ? "Einmal geöffnet" : `${n}-mal geöffnet`),
  downloads: (n, all) =>
    (n === 1 ? "1 Download" : `${n} Downloads`) + (all ? ` (${all < n ? `${all} ` : ""}mit allen Dateien)` : ""),
  neverOpened: "Noch nicht geöffnet",
  useHint: "Auch Mailscanner öffnen Links, und ein fortgesetzter Download zählt noch einmal.",
  lastUse: (time) => `zuletzt ${time}`,
  mail: {
    none: "Keine E-Mail",
    queued: "E-Mail unterwegs",
    sent: "E-Mail gesendet",
    delivered: "E-Mail zugestellt",
    failed: "E-Mail fehlgeschlagen",
    bounced: "E-Mail unzustellbar",
    complained: "Als Spam gemeldet",
  },
  sharedBy: (name, time) => `Geteilt von ${name}, ${time}`,
  sharedAt: (time) => `Geteilt ${time}`,
  change: "Ablauf ändern",
  changeFor: (address) => `Ablauf für ${address} ändern`,
  save: "Speichern",
  saving: "Wird gespeichert …",
  reactivates:
    "Mit einem Zeitpunkt in der Zukunft funktioniert derselbe Link wieder. Es wird keine E-Mail gesendet.",
  endsAtOnce: "Dieser Zeitpunkt ist vorbei: Der Zugriff endet sofort.",
  staysInactive: "Dieser Zeitpunkt ist vorbei: Der Link bleibt inaktiv.",
  changed: (address, time) => `${address} hat Zugriff bis ${time}.`,
  unchanged: (address) => `Der Ablauf für ${address} ist unverändert.`,
  ended: (address) => `${address} hat keinen Zugriff mehr.`,
  undo: "Rückgängig",
  undoing: "Wird rückgängig gemacht …",
  undoKeys: "Mit Strg+Z rückgängig machen.",
  fileCount: (n, size) => `${n === 1 ? "1 Datei" : `${n} Dateien`}, ${size}`,
  revoke: "Zugriff entziehen",
  revokeAsk: (address) => `${address} den Zugriff entziehen? Der Link funktioniert dann sofort nicht mehr.`,
  revokeConfirm: "Ja, entziehen",
  revoking: "Wird entzogen …",
  replace: "Link ersetzen",
  replaceAsk: (address) =>
    `Den Link für ${address} ersetzen? Der bisherige Link funktioniert dann sofort und endgültig nicht mehr.`,
  replaceConfirm: "Ja, ersetzen",
  replacing: "Wird ersetzt …",
  replaceToo: "Link ersetzen. Sonst erhalten alle, die den alten Link haben, wieder Zugriff.",
  sendNewLink: "Neuen Link per E-Mail senden",
  replaced: ({ mail }) => "Der Link wurde ersetzt. " + (mail.state === "queued"
    ? "Der neue wird per E-Mail gesendet." : "Kopieren Sie den neuen und senden Sie ihn selbst."),
  linkReplaced: (time) => `Link ersetzt ${time}`,
  resend: "E-Mail erneut senden",
  resent: (address) => `Eine weitere E-Mail an ${address} ist unterwegs.`,
  copy: "Link kopieren",
  copied: (address) => `Link für ${address} kopiert.`,
  copyByHand: (address) => `Link für ${address} zum Kopieren.`,
  anyone: "Wer diesen Link hat, kann die Dateien herunterladen.",
  linkIsInactive: (state) =>
    `Er funktioniert zurzeit nicht: ${state}. Ändern Sie seinen Ablauf, damit er wieder funktioniert.`,
  actionsFor: (address) => `Aktionen für ${address}`,
  stale: (changes) =>
    `Jemand anderes hat diesen Link geändert: ${changes}. Trotzdem fortfahren?`,
  staleUntil: (time) => `er läuft jetzt ${time} ab`,
  staleRevoked: "der Zugriff wurde entzogen",
  staleActive: "er ist wieder aktiv",
  staleReplaced: "er wurde ersetzt",
  log: "Verlauf",
  backToLinks: "Zurück zu den Links",
  noLog: "Noch keine Aktivität.",
  by: (name) => `von ${name}`,
  event: {
    created: "geteilt",
    emailed: "E-Mail gesendet",
    mailFailed: "E-Mail fehlgeschlagen",
    delivered: "E-Mail zugestellt",
    bounced: "E-Mail unzustellbar",
    complained: "als Spam gemeldet",
    opened: "Link geöffnet",
    downloaded: "Datei heruntergeladen",
    downloadedAll: "alle Dateien heruntergeladen",
    downloadFailed: "Download fehlgeschlagen",
    expirationChanged: "Ablauf geändert",
    revoked: "Zugriff entzogen",
    reactivated: "Zugriff reaktiviert",
    linkCopied: "Link kopiert",
    linkRenewed: "Link ersetzt",
    resent: "erneute E-Mail angefordert",
    expired: "abgelaufen",
    purged: "gelöscht",
    restored: "aus einer Sicherung wiederhergestellt",
  },
  times: (number) => `insgesamt ${number}`,
  client: {
    browser: "anderer Browser",
    bot: "automatisches Programm",
    tool: "Downloadprogramm",
    unknown: "unbekanntes Programm",
  },
  fromTo: (from, to) => `von ${from} auf ${to}`,
  failure: {
    missing: "die Datei wurde verschoben oder entfernt",
    archived: "die Datei ist archiviert",
    forbidden: "der Dienst darf die Datei nicht lesen",
  },

  invalid: {
    recipients: "Diese Empfänger sind nicht möglich.",
    files: "Diese Dateien können nicht geteilt werden.",
    expiresAt: "Dieser Zeitpunkt ist nicht möglich.",
    message: "Diese Nachricht kann nicht gesendet werden.",
  },
  busyFor: (seconds) => `Der Dienst ist ausgelastet. Versuchen Sie es in ${seconds} s noch einmal.`,
  errors: {
    offline: "Sie sind offline. Es geht nichts verloren: Versuchen Sie es später noch einmal.",
    signedOut: "Sie sind abgemeldet. Melden Sie sich an und versuchen Sie es noch einmal.",
    otherUser: "Sie sind jetzt mit einem anderen Konto angemeldet. Nicht gesendete Eingaben wurden deshalb "
      + "verworfen. Schließen Sie diesen Dialog und öffnen Sie ihn erneut.",
    forbidden: "Sie haben keine Berechtigung, dieses Objekt zu teilen.",
    busy: "Der Dienst ist ausgelastet. Versuchen Sie es gleich noch einmal.",
    unavailable: "Das hat nicht funktioniert. Versuchen Sie es gleich noch einmal.",
    "temporarily-unavailable": "Das hat nicht funktioniert. Versuchen Sie es gleich noch einmal.",
    "idempotency-key-reused": "Das hat nicht funktioniert. Versuchen Sie es noch einmal.",
    "share-permission-missing": "Sie haben keine Berechtigung, dieses Objekt zu teilen.",
    "item-access-denied": "Die Plattform erlaubt Ihnen nicht, dieses Objekt zu teilen.",
    "share-not-found": "Diesen Link gibt es nicht mehr.",
    "share-inactive": "Dieser Link ist inaktiv: Ändern Sie zuerst seinen Ablauf.",
    "recipient-complained": "Als Spam gemeldet: Es werden keine E-Mails mehr gesendet.",
    "sharer-limit-reached":
      "Zu viele E-Mails für heute. Versuchen Sie es morgen wieder, oder senden Sie den Link selbst.",
    "mailbox-limit-reached":
      "Zu viele E-Mails an dieses Postfach. Versuchen Sie es morgen wieder, oder senden Sie den Link selbst.",
    "stale-version": "Jemand anderes hat diesen Link geändert.",
    "invalid-request": "Korrigieren Sie die markierten Felder.",
    "malformed-body": "Die Anfrage konnte nicht gelesen werden.",
    "body-too-large": "Die Anfrage ist zu groß.",
    internal: "Bei uns ist etwas schiefgegangen. Bitte wenden Sie sich an den Support.",
  },
  tooSoon: (minutes) => {
    const wait = minutes > 1 ? `${minutes} Minuten` : "einer Minute";
    return `Vor Kurzem wurde eine E-Mail gesendet. Die nächste ist in ${wait} möglich.`;
  },
};

const languages = { en, de };

/**
 * Returns an element's `lang` attribute, or that of the nearest ancestor with one, across shadow trees.
 * @param {Element} element
 * @returns {string | undefined}
 */
function pageLanguage(element) {
  const closest = element.closest("[lang]");
  if (closest) return closest.getAttribute("lang");
  const { host } = /** @type {ShadowRoot} */ (element.getRootNode());
  return host ? pageLanguage(host) : document.documentElement.lang;
}

/**
 * Returns the valid part of a language tag, or an empty string. Accepts POSIX locales such as
 * `de_DE.UTF-8@euro`, which some browsers and content management systems use as language tags.
 * @param {unknown} tag
 * @returns {string}
 */
function parseTag(tag) {
  let valid = String(tag ?? "").trim().replace(/[.@].*/, "").replaceAll("_", "-");
  for (; valid; valid = valid.replace(/-?[^-]*$/, "")) {
    try {
      return Intl.getCanonicalLocales(valid)[0];
    } catch {
      // Try again without the last part.
    }
  }
  return "";
}

/** @param {string} tag */
function languageOf(tag) {
  return tag.split("-")[0];
}

/** Text and formats in the language of an element's page or, if that is not available, of the browser. */
export class Language {
  /** @param {Element} element */
  constructor(element) {
    const user = [navigator.languages, navigator.language].flat().map(parseTag);
    const tags = [parseTag(pageLanguage(element)), ...user];
    this.pageTag = tags.find((tag) => languages[languageOf(tag)]) ?? "en";
    const language = languageOf(this.pageTag);
    /** @type {typeof en} */
    this.texts = languages[language];
    // If the page's language has no region, format times for the user's region.
    const own = user.find((tag) => languageOf(tag) === language && tag !== language);
    this.tag = this.pageTag === language ? (own ?? language) : this.pageTag;
  }

  /** @param {string} time in RFC 3339 */
  formatTime(time) {
    const format = new Intl.DateTimeFormat(this.tag, { dateStyle: "medium", timeStyle: "short" });
    return format.format(new Date(time));
  }

  /**
   * Formats a time in words, such as "Thursday, 3 December, 23:59". Includes the year unless it is the
   * current one.
   * @param {Date} date
   */
  formatDateInWords(date) {
    const format = (options) => new Intl.DateTimeFormat(this.tag, options).format(date);
    const year = date.getFullYear() === new Date().getFullYear() ? undefined : "numeric";
    const day = format({ day: "numeric", month: "long", year });
    return `${format({ weekday: "long" })}, ${day}, ${this.formatClock(date)}`;
  }

  /**
   * Formats a time of day, such as "23:59".
   * @param {Date} date
   * @param {string} [timeZone] the user's, if omitted
   */
  formatClock(date, timeZone) {
    const format = new Intl.DateTimeFormat(this.tag, { timeStyle: "short", timeZone });
    return this.texts.clock(format.format(date));
  }

  /**
   * Formats how far away a time is, such as "in 7 days", "tomorrow" or "5 minutes ago". Days are calendar
   * days in the user's time zone.
   * @param {Date} date
   */
  formatDistance(date) {
    const now = new Date();
    const day = (time) => Date.UTC(time.getFullYear(), time.getMonth(), time.getDate()) / 86_400_000;
    const days = day(date) - day(now);
    const minutes = (date.getTime() - now.getTime()) / 60_000;
    const rounded = (n) => Math.sign(n) * Math.round(Math.abs(n));
    const format = (n, unit) => new Intl.RelativeTimeFormat(this.tag, { numeric: "auto" }).format(n, unit);
    if (Math.abs(days) >= 730) return format(rounded(days / 365.25), "year");
    if (Math.abs(days) >= 60) return format(rounded(days / 30.44), "month");
    if (days) return format(days, "day");
    if (Math.abs(minutes) >= 60) return format(rounded(minutes / 60), "hour");
    return format(rounded(minutes), "minute");
  }

  /** @param {number} bytes */
  formatSize(bytes) {
    const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
    const unit = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1);
    const format = new Intl.NumberFormat(this.tag, {
      style: "unit", unit: units[unit], unitDisplay: unit ? "short" : "long", maximumFractionDigits: 1,
    });
    return format.format(bytes / 1000 ** unit);
  }

  /**
   * Returns the message for an ApiError, or for a problem and its kind.
   * @param {{ kind: string, problem?: Problem, wait?: number }} error
   */
  describeError({ kind, problem, wait }) {
    const { errors, tooSoon, busyFor } = this.texts;
    if (kind === "resend-too-soon") return tooSoon(Math.ceil((wait ?? 60) / 60));
    if (kind === "busy" && wait) return busyFor(wait);
    return errors[kind] ?? problem?.title ?? errors.unavailable;
  }
}

/**
 * Isolates a name's text direction within a sentence, as `bdi` does in HTML.
 * @param {string} name
 */
export function isolate(name) {
  return `\u2068${name}\u2069`;
}

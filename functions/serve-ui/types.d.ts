// The elements, their events, and the API's JSON (infra/openapi.yaml). The API serves this file at
// `/ui/types.d.ts`. Only editors and TypeScript use it; browsers never load it.

// --- Configuration ---

/** Returns the user's token. `renew` is true if the API rejected the previous token. */
export type TokenProvider = (options: { renew: boolean }) => string | Promise<string>;

export interface Config {
  /** The API's base URL. */
  api: string;
  token: TokenProvider;
}

// --- The API ---

export interface Item {
  module: string;
  item: string;
}

export interface SharedFile {
  name: string;
  /** In bytes. */
  size: number;
}

export interface ItemFile extends SharedFile {
  /** Whether the file must be restored from an archive before it can be downloaded. */
  archived: boolean;
}

export interface FilePage {
  /** The item's title, if the platform's item resolver gave one. */
  title?: string;
  files: ItemFile[];
  /** Whether the page omits files because their names cannot be shared. */
  leftOut: boolean;
  nextCursor?: string;
}

export interface Sharer {
  sub: string;
  name?: string;
  email?: string;
}

export type Status = "active" | "inactive";

export interface Mail {
  state: "none" | "queued" | "sent" | "delivered" | "failed" | "bounced" | "complained";
  at?: string;
  /** Why the email failed, bounced or was never sent: in English, and as a code. */
  detail?: string;
  reason?: string;
}

/** The reminder to a recipient who has downloaded nothing. */
export interface Reminder {
  /** Before the expiration. */
  daysBefore: number;
  state: "planned" | "sent" | "none";
  /** When the reminder is due or was sent. */
  at?: string;
}

/** The recipient's requests for more time. */
export interface MoreTime {
  requests: number;
  requestedAt: string;
  /** Whether the last request is later than the last change of the recipient's access. */
  isOpen: boolean;
}

export type Language = "en" | "de" | "fr" | "es" | "da" | "nl" | "sv";

/** A recipient that the user has shared with before. */
export interface Suggestion {
  address: string;
  name?: string;
  /** In UTC, in RFC 3339 format. */
  lastSharedAt: string;
}

/** One recipient's access to an item's files. Times are in UTC, in RFC 3339 format. */
export interface Share {
  shareId: string;
  recipient: string;
  /** The recipient's name, if the sharer entered one with the address. */
  recipientName?: string;
  status: Status;
  /** Present on inactive shares. */
  reason?: "expired" | "revoked";
  expiresAt: string;
  createdAt: string;
  createdBy: Sharer;
  message?: string;
  /** The item's title, if the platform's item resolver gave one. */
  title?: string;
  files: SharedFile[];
  /** Of the emails, and of the pages unless the recipient's browser asks for another. */
  language: Language;
  mail: Mail;
  /** Present if a reminder was ever asked for. */
  reminder?: Reminder;
  notifyOnFirstDownload: boolean;
  moreTime?: MoreTime;
  /** Present if the recipient has stopped emails about the share. */
  emailsStoppedAt?: string;
  opens: number;
  downloads: number;
  /** How many of the `downloads` were of all files in one archive. */
  archiveDownloads: number;
  firstOpenedAt?: string;
  lastOpenedAt?: string;
  revokedAt?: string;
  renewedAt?: string;
  version: number;
}

/** A share in the list of all shares, with its item. */
export interface ListedShare extends Share, Item {}

export interface ListedSharePage {
  shares: ListedShare[];
  nextCursor?: string;
}

/** The result for one share of a bulk change. */
export interface BulkResult extends Item {
  shareId: string;
  outcome: "changed" | "unchanged" | "failed";
  share?: Share;
  /** Present if the outcome is `failed`. */
  problem?: Problem;
}

export interface SharePage {
  shares: Share[];
  nextCursor?: string;
}

/** The deployment's rules for shares. */
export interface ShareRules {
  /** The days of access to suggest. */
  defaultAccessDays: number;
  /** Access may end at the latest on this many days after the day of a request. */
  maxAccessDays?: number;
  linksWithoutEmail: boolean;
  /** Of one request. */
  maxRecipients: number;
  /** Of one share. */
  maxFiles: number;
  /** In ASCII, with their subdomains. Empty allows all. */
  allowedRecipientDomains: string[];
  blockedRecipientDomains: string[];
  /** Whether recipients are suggested. */
  suggestions: boolean;
  /** The days before the expiration at which recipients are reminded, by default. */
  reminderDays: number;
  /** The deployment's language. */
  language?: Language;
  /** The notices that sharers may get. */
  notices: NoticeKind[];
}

export type NoticeKind = "emailProblem" | "firstDownload" | "moreTime";

/** Which notices a user gets. */
export type NoticeSettings = Record<NoticeKind, boolean>;

/** The body of a request to share an item's files. */
export interface CreateShares {
  recipients: string[];
  expiresAt: string;
  message?: string;
  files?: string[];
  notify?: boolean;
  /** The default is the deployment's language. */
  language?: string;
  /** 0 for no reminder. The default is the deployment's. */
  remindDaysBefore?: number;
  notifyOnFirstDownload?: boolean;
}

export type Outcome =
  | "created" | "alreadyActive" | "alreadyInactive" | "invalidRecipient" | "duplicate" | "notAllowed"
  | "limitReached" | "failed";

export interface RecipientResult {
  /** The address as the user entered it. */
  recipient: string;
  outcome: Outcome;
  /** `shareId` and `share` are present if the outcome is `created`, `alreadyActive` or `alreadyInactive`. */
  shareId?: string;
  share?: Share;
  /** Present for every outcome except `created`. */
  problem?: Problem;
}

export interface CreateResults {
  results: RecipientResult[];
  warnings: { code: "alreadyExpired" | "filesLeftOut" | "filesArchived"; detail: string }[];
}

export type LogEvent =
  | "created" | "emailed" | "mailFailed" | "delivered" | "bounced" | "complained" | "opened" | "downloaded"
  | "downloadedAll" | "downloadFailed" | "expirationChanged" | "revoked" | "reactivated" | "linkCopied"
  | "linkRenewed" | "resent" | "reminded" | "reminderFailed" | "moreTimeRequested" | "emailsStopped"
  | "emailsAllowed" | "expired" | "purged" | "restored";

export interface LogEntry {
  at: string;
  event: LogEvent;
  shareId: string;
  recipient: string;
  /** The sharer who caused the event, if any. */
  by?: Sharer;
  /** Only for `expirationChanged`: the expiration before and after the change. */
  from?: string;
  to?: string;
  detail?: string;
  /** Why a download failed (`missing`, `archived` or `forbidden`), or a code for `detail`. */
  reason?: string;
  /** The number of opens, of downloads of any kind, or of requests for more time, so far. */
  number?: number;
  /** Only for uses of the link, if the deployment keeps where they came from. */
  source?: UseSource;
}

export interface UseSource {
  network?: string;
  client: "chrome" | "edge" | "firefox" | "safari" | "browser" | "bot" | "tool" | "unknown";
}

export interface LogPage {
  entries: LogEntry[];
  nextCursor?: string;
}

/** RFC 9457. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail?: string;
  errors?: FieldError[];
}

export interface FieldError {
  detail: string;
  pointer?: string;
  parameter?: string;
  header?: string;
  /** Why a file cannot be shared. */
  reason?: "missing" | "forbidden";
}

// --- Events ---

/** The type of each event's `detail`, by event name. */
export interface EventDetails {
  "sharelink-shared": { results: RecipientResult[] };
  "sharelink-manage": { tab: Status; shareId: string };
  "sharelink-changed": { share: Share };
  "sharelink-closed": Record<string, never>;
}

// --- Elements ---

/** The attributes of the dialogs, which are also properties. */
export interface DialogAttributes {
  module?: string | null;
  item?: string | number | null;
  /** The item's name, for the titles of the dialogs. */
  name?: string | null;
  /** The API's base URL. The default is the one passed to `configure`. */
  api?: string | null;
  /** A property only. The default is the one passed to `configure`. */
  token?: TokenProvider | null;
}

/** The attributes of `share-button`, which are also properties. */
export interface ButtonAttributes extends DialogAttributes {
  /** The dialog to open. The default is `share`. */
  action?: "share" | "manage" | null;
}

/** The attributes of `my-shares`, which are also properties. */
export interface MySharesAttributes {
  /** Lists only the links of this module. */
  module?: string | null;
  /** Lists the links of this recipient, whoever shared them. */
  recipient?: string | null;
  /** Lists the links that the user with this `sub` has shared. */
  sharer?: string | null;
  /** Lets the user switch to the links of any recipient or sharer. */
  everyone?: boolean | null;
  /** The API's base URL. The default is the one passed to `configure`. */
  api?: string | null;
  /** A property only. The default is the one passed to `configure`. */
  token?: TokenProvider | null;
}

/** What all elements have in common. A property that is set to null or undefined removes its attribute. */
export interface ItemElement extends HTMLElement {
  get module(): string;
  set module(value: string | null | undefined);
  get item(): string;
  set item(value: string | number | null | undefined);
  get name(): string;
  set name(value: string | null | undefined);
  get api(): string;
  set api(value: string | null | undefined);
  get token(): TokenProvider | undefined;
  set token(value: TokenProvider | null | undefined);
}

export interface ShareButton extends ItemElement {
  get action(): "share" | "manage";
  set action(value: "share" | "manage" | null | undefined);
  /** Opens the dialog. Any unsent input is still there. */
  open(): void;
  /** Closes the button's dialogs, discards unsent input and checks the permission again. */
  refresh(): void;
}

export interface ShareDialog extends ItemElement {
  readonly isOpen: boolean;
  /** Opens the dialog. Any unsent input is still there. */
  open(): void;
  close(): void;
}

export interface LinkAccessDialog extends ItemElement {
  readonly isOpen: boolean;
  /** Loads the links and opens the dialog. `shareId` is the share to highlight, in its tab if `tab` is missing. */
  open(options?: { tab?: Status; shareId?: string }): void;
  close(): void;
}

export interface MyShares extends HTMLElement {
  get module(): string;
  set module(value: string | null | undefined);
  get recipient(): string;
  set recipient(value: string | null | undefined);
  get sharer(): string;
  set sharer(value: string | null | undefined);
  get everyone(): boolean;
  set everyone(value: boolean | null | undefined);
  get api(): string;
  set api(value: string | null | undefined);
  get token(): TokenProvider | undefined;
  set token(value: TokenProvider | null | undefined);
  /** Discards the list and the selection, and loads the list again. */
  refresh(): void;
}

// --- Internal ---

/** Texts whose arguments are filled in by functions. */
export type Texts<T> = {
  [Name in keyof T]: T[Name] extends string ? any : Texts<T[Name]>;
};

/** A child of an element. Null, undefined and false are skipped. */
export type Child = Node | string | null | undefined | false | Child[];

declare global {
  interface HTMLElementTagNameMap {
    "share-button": ShareButton;
    "share-dialog": ShareDialog;
    "link-access-dialog": LinkAccessDialog;
    "my-shares": MyShares;
  }

  interface GlobalEventHandlersEventMap {
    "sharelink-shared": CustomEvent<EventDetails["sharelink-shared"]>;
    "sharelink-manage": CustomEvent<EventDetails["sharelink-manage"]>;
    "sharelink-changed": CustomEvent<EventDetails["sharelink-changed"]>;
    "sharelink-closed": CustomEvent<EventDetails["sharelink-closed"]>;
  }
}

// The deployment's rules for shares, as `GET /share-rules` returns them.

/** @import { Share, ShareRules } from "../types.d.ts" */

import { FILES_LIMIT, RECIPIENTS_LIMIT } from "./limits.js";

/** The rules of a deployment that restricts nothing. @type {ShareRules} */
export const DEFAULT_RULES = {
  defaultAccessDays: 7,
  maxAccessDays: undefined,
  linksWithoutEmail: true,
  maxRecipients: RECIPIENTS_LIMIT,
  maxFiles: FILES_LIMIT,
  allowedRecipientDomains: [],
  blockedRecipientDomains: [],
  suggestions: true,
  reminderDays: 0,
  notices: [],
};

/**
 * Returns whether the rules allow an address, whose domain is in ASCII.
 * @param {string} address
 * @param {ShareRules} rules
 */
export function isAllowed(address, { allowedRecipientDomains: allowed, blockedRecipientDomains: blocked }) {
  const domain = `.${address.slice(address.lastIndexOf("@") + 1)}`;
  const isCovered = (domains) => domains.some((name) => domain.endsWith(`.${name}`));
  return (!allowed.length || isCovered(allowed)) && !isCovered(blocked);
}

/**
 * Returns the problem type with which the API refuses to give a share more access, if it does.
 * @param {Share} share
 * @param {ShareRules} rules
 */
export function whyNotAllowed({ recipient, files }, rules) {
  if (!isAllowed(recipient, rules)) return "recipient-not-allowed";
  return files.length > rules.maxFiles ? "too-many-files" : undefined;
}

// The entry point: import this module, then use the elements.
//
// It imports every module, so that browsers request all of them at once.

import "./address-list.js";
import "./dom.js";
import "./element.js";
import "./expiration.js";
import "./files.js";
import "./limits.js";
import "./recipients.js";
import "./dialog.js";
import "./share-log.js";
import "./share-row.js";
import "./styles.js";
import "./texts.js";
import { configure, shared } from "./api.js";
import * as links from "./link-access-dialog.js";
import * as buttons from "./share-button.js";
import * as shares from "./share-dialog.js";

const isDefined = customElements.get("share-button");
if (isDefined) {
  const first = shared.url ?? "an earlier version";
  console.warn(`Sharelink: ${import.meta.url} does nothing, because ${first} has defined the elements already.`);
} else {
  shared.url = import.meta.url;
}

/**
 * Defines an element, unless another copy of this module has defined it already. Returns the defined class.
 * @template {typeof HTMLElement} T
 * @param {string} name
 * @param {T} element
 * @returns {T}
 */
function define(name, element) {
  if (!customElements.get(name)) customElements.define(name, element);
  return /** @type {T} */ (customElements.get(name));
}

const ShareDialog = define("share-dialog", shares.ShareDialog);
const LinkAccessDialog = define("link-access-dialog", links.LinkAccessDialog);
const ShareButton = define("share-button", buttons.ShareButton);

export { configure, LinkAccessDialog, ShareButton, ShareDialog };

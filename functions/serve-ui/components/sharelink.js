// The entry point: import this module, then use the elements.

import { configure, shared } from "./api.js";
import { LinkAccessDialog } from "./link-access-dialog.js";
import { ShareButton } from "./share-button.js";
import { ShareDialog } from "./share-dialog.js";

const isDefined = customElements.get("share-button");
if (isDefined) {
  const first = shared.url ?? "an earlier version";
  console.warn(
    `Sharelink: ${import.meta.url} does nothing, because ${first} has defined the elements already.`);
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

const DefinedShareDialog = define("share-dialog", ShareDialog);
const DefinedLinkAccessDialog = define("link-access-dialog", LinkAccessDialog);
const DefinedShareButton = define("share-button", ShareButton);

export {
  configure,
  DefinedLinkAccessDialog as LinkAccessDialog,
  DefinedShareButton as ShareButton,
  DefinedShareDialog as ShareDialog,
};

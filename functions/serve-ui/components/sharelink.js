// The entry point: import this module, then use the elements.

import { configure } from "./api.js";
import { LinkAccessDialog } from "./link-access-dialog.js";
import { ShareButton } from "./share-button.js";
import { ShareDialog } from "./share-dialog.js";

customElements.define("share-dialog", ShareDialog);
customElements.define("link-access-dialog", LinkAccessDialog);
customElements.define("share-button", ShareButton);

export { configure, LinkAccessDialog, ShareButton, ShareDialog };

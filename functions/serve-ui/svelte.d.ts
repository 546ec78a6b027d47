// The elements in markup, for Svelte 5.

import type { HTMLAttributes } from "svelte/elements";
import type {
  ButtonAttributes, DialogAttributes, EventDetails, LinkAccessDialog, MyShares, MySharesAttributes,
  ShareButton, ShareDialog,
} from "./types.js";

type Listeners = {
  [Name in keyof EventDetails as `on${Name}`]?: (event: CustomEvent<EventDetails[Name]>) => void;
};

type Props<Element extends EventTarget, Attributes> =
  Omit<HTMLAttributes<Element>, keyof Attributes> & Attributes & Listeners;

declare module "svelte/elements" {
  export interface SvelteHTMLElements {
    "share-button": Props<ShareButton, ButtonAttributes>;
    "share-dialog": Props<ShareDialog, DialogAttributes>;
    "link-access-dialog": Props<LinkAccessDialog, DialogAttributes>;
    "my-shares": Props<MyShares, MySharesAttributes>;
  }
}

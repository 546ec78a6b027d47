// The elements in templates, for Vue 3.

import type { HTMLAttributes, PublicProps } from "vue";
import type {
  ButtonAttributes, DialogAttributes, EventDetails, LinkAccessDialog, MyShares, MySharesAttributes,
  ShareButton, ShareDialog,
} from "./types.js";

type Listeners = {
  [Name in keyof EventDetails as `on${Capitalize<Name>}`]?: (event: CustomEvent<EventDetails[Name]>) => void;
};

type Component<Element, Attributes> = new () => Element & {
  /** @deprecated Only for the type checker. */
  $props: Omit<HTMLAttributes, keyof Attributes> & Attributes & Listeners & PublicProps;
};

declare module "vue" {
  interface GlobalComponents {
    "share-button": Component<ShareButton, ButtonAttributes>;
    "share-dialog": Component<ShareDialog, DialogAttributes>;
    "link-access-dialog": Component<LinkAccessDialog, DialogAttributes>;
    "my-shares": Component<MyShares, MySharesAttributes>;
  }
}

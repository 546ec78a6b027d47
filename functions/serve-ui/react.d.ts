// The elements in JSX, for React 19.

import type { DetailedHTMLProps, HTMLAttributes } from "react";
import type {
  ButtonAttributes, DialogAttributes, EventDetails, LinkAccessDialog, MyShares, MySharesAttributes,
  ShareButton, ShareDialog,
} from "./types.js";

type Listeners = {
  [Name in keyof EventDetails as `on${Name}`]?: (event: CustomEvent<EventDetails[Name]>) => void;
};

type Props<Element, Attributes> =
  Omit<DetailedHTMLProps<HTMLAttributes<Element>, Element>, keyof Attributes> & Attributes & Listeners;

declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
      "share-button": Props<ShareButton, ButtonAttributes>;
      "share-dialog": Props<ShareDialog, DialogAttributes>;
      "link-access-dialog": Props<LinkAccessDialog, DialogAttributes>;
      "my-shares": Props<MyShares, MySharesAttributes>;
    }
  }
}

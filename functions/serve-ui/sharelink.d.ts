// The modules, at any address: `import { configure } from "https://api.example.com/ui/sharelink.js"`.

declare module "*/sharelink.js" {
  /** Sets the default API and token provider for all elements. */
  export function configure(config: import("./types.js").Config): void;

  export const ShareButton: { new (): import("./types.js").ShareButton };
  export const ShareDialog: { new (): import("./types.js").ShareDialog };
  export const LinkAccessDialog: { new (): import("./types.js").LinkAccessDialog };
}

declare module "*/my-shares.js" {
  export const MyShares: { new (): import("./types.js").MyShares };
}

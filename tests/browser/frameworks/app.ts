// What the tests change in every framework's page.

import type { TokenProvider } from "./sharelink/types.js";

export interface State {
  isShown: boolean;
  key: number;
  item?: string | number | null;
  name?: string;
  action?: "share" | "manage";
  token?: TokenProvider;
  onEvent: (event: string) => void;
}

declare global {
  interface Window {
    events: string[];
    update: (changes: Partial<State>) => unknown;
  }
}

export function start(render: (state: State) => unknown) {
  window.events = [];
  let state: State = { isShown: false, key: 1, onEvent: (event) => window.events.push(event) };
  window.update = (changes) => {
    state = { ...state, ...changes };
    return render(state);
  };
}

// Only for the type checker: a page without a framework.
export async function plain() {
  const { configure, ShareButton } = await import("https://api.example.com/ui/sharelink.js");
  configure({ api: "https://api.example.com", token: async ({ renew }) => `token ${renew}` });
  const button = new ShareButton();
  button.item = 1042;
  button.addEventListener("sharelink-shared", ({ detail }) => detail.results.map(({ outcome }) => outcome));
  document.querySelector("link-access-dialog")?.open({ tab: "inactive" });
  // @ts-expect-error: the base URL is missing.
  configure({ token: () => "" });
}

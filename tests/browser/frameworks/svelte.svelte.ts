// A Svelte page with a share button.

import { flushSync, mount } from "svelte";
import type { SvelteHTMLElements } from "svelte/elements";
import { start, type State } from "./app.js";
import Page from "./Page.svelte";

const page = $state<{ state: Partial<State> }>({ state: {} });

mount(Page, { target: document.querySelector("main")!, props: { page } });
start((state) => flushSync(() => (page.state = { ...state })));

type Props = SvelteHTMLElements["share-button"];
export const right: Props = { item: 1042, action: "manage", "onsharelink-closed": () => {} };
// @ts-expect-error: there is no such action.
export const wrong: Props = { action: "delete" };

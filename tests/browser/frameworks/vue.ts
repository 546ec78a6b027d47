// A Vue page with a share button.

import { createApp, nextTick, reactive, type GlobalComponents } from "vue/dist/vue.esm-bundler.js";
import { start, type State } from "./app.js";

const page = reactive<{ state: Partial<State> }>({ state: {} });

const app = createApp({
  setup: () => ({ page }),
  template: `
    <share-button v-if="page.state.isShown" :key="page.state.key" module="jobs" :item="page.state.item"
      :name="page.state.name" :action="page.state.action"
      :token="page.state.token && ((options) => page.state.token(options))"
      @sharelink-shared="({ detail }) => page.state.onEvent('shared ' + detail.results.length)"
      @sharelink-closed="page.state.onEvent('closed')" />`,
});
app.config.compilerOptions.isCustomElement = (tag) =>
  ["share-button", "share-dialog", "link-access-dialog"].includes(tag);
app.mount("main");
start((state) => {
  page.state = { ...state };
  return nextTick();
});

type Props = InstanceType<GlobalComponents["share-button"]>["$props"];
export const right: Props = { item: 1042, action: "manage", "onSharelink-closed": () => {} };
// @ts-expect-error: there is no such action.
export const wrong: Props = { action: "delete" };

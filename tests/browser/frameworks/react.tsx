// A React page with a share button.

import { createRoot } from "react-dom/client";
import { flushSync } from "react-dom";
import { start, type State } from "./app.js";

function Page({ state }: { state: State }) {
  if (!state.isShown) return null;
  return (
    <share-button
      key={state.key}
      module="jobs"
      item={state.item}
      name={state.name}
      action={state.action}
      // A new function for each rendering, as in many pages.
      token={state.token && ((options) => state.token!(options))}
      onsharelink-shared={({ detail }) => state.onEvent(`shared ${detail.results.length}`)}
      onsharelink-closed={() => state.onEvent("closed")}
    />
  );
}

let root = createRoot(document.querySelector("main")!);
start((state) => flushSync(() => root.render(<Page state={state} />)));

// @ts-expect-error: there is no such action.
export const wrong = <share-button action="delete" />;

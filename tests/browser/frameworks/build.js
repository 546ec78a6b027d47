// Checks the types of the pages and of the components, and builds each one to `built/`.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { compile, compileModule } from "svelte/compiler";
import { build, transformSync } from "esbuild";

/** Runs the TypeScript compiler. Shows its errors. */
function checkTypes(...options) {
  execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", ...options], { stdio: ["ignore", 2, 2] });
}

checkTypes();
checkTypes("--ignoreConfig", "--noEmit", "--allowJs", "--checkJs", "--strict", "false", "--target", "es2024",
  "--module", "esnext", "--moduleResolution", "bundler", "--allowImportingTsExtensions",
  "sharelink/components/sharelink.js", "sharelink/components/my-shares.js");

/** Compiles Svelte's components and modules. */
const svelte = {
  name: "svelte",
  setup({ onLoad }) {
    onLoad({ filter: /\.svelte$/ }, ({ path: filename }) => ({
      contents: compile(readFileSync(filename, "utf8"), { filename }).js.code,
    }));
    onLoad({ filter: /\.svelte\.ts$/ }, ({ path: filename }) => {
      const { code } = transformSync(readFileSync(filename, "utf8"), { loader: "ts", target: "esnext" });
      return { contents: compileModule(code, { filename }).js.code };
    });
  },
};

await build({
  entryPoints: ["react.tsx", "vue.ts", "svelte.svelte.ts", "focus-trap.ts"],
  outdir: "built",
  bundle: true,
  format: "esm",
  jsx: "automatic",
  conditions: ["browser"],
  define: {
    "process.env.NODE_ENV": '"production"',
    __VUE_OPTIONS_API__: "true",
    __VUE_PROD_DEVTOOLS__: "false",
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "false",
  },
  plugins: [svelte],
});

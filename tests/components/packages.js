// The npm packages that the tests use. `cargo local node` installs them outside the source tree, where Node does
// not look for them.

export { default as fc } from "../../target/local/components/node_modules/fast-check/lib/fast-check.js";

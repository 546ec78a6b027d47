// The style sheet of `my-shares`, in addition to that of all elements.

import { css } from "./styles.js";

export const mySharesStyles = css`
.page { container-type: inline-size; color: var(--text); }
.filters { display: flex; flex-wrap: wrap; gap: .6em; align-items: end; margin-bottom: .9em; }
.filters label { flex: 0 1 auto; font-size: .875em; }
.filters label.wide { flex: 1 1 18em; }
.filters :is(input, select) {
  display: block; width: 100%; height: 2.6em; margin-top: .2em; font-size: 1.143em; font-weight: 400;
}
.summary {
  display: flex; flex-wrap: wrap; gap: .3em 1.2em; align-items: center; min-height: 2.2em;
  padding-bottom: .6em;
}
.summary .check { margin: 0; }
.summary .unseen { white-space: normal; }
.grid { border-top: 1px solid var(--line); }
.grid [role="row"] {
  display: grid; grid-template-columns: 1em minmax(0, 5fr) minmax(0, 4fr) minmax(0, 3fr) 6.5em; gap: .2em 1em;
  align-items: start; padding: .7em .5em; border-bottom: 1px solid var(--line); overflow-wrap: anywhere;
}
/* Rows that are out of view are not laid out. */
.rows > [role="row"] { content-visibility: auto; contain-intrinsic-size: auto 5em; }
.rows > [role="row"]:hover { background: var(--sunken); }
.rows > [role="row"]:focus-visible { outline-offset: -2px; }
.rows > [aria-selected="true"] { background: var(--sunken); box-shadow: inset 3px 0 var(--accent); }
.heads { color: var(--soft); font-weight: 600; }
.heads span { font-size: .9375em; }
.rows strong { display: block; font-weight: 600; }
.rows .soft { display: block; color: var(--soft); font-size: .9em; }
.rows input[type="checkbox"] { margin: .25em 0 0; }
.rows button { padding: .25em .6em; font-size: .9em; }
.bar {
  position: sticky; bottom: 0; z-index: 1; margin-top: .8em; border: 1px solid var(--line);
  border-radius: var(--radius); background: var(--surface); color: var(--text);
}
/* The bar must not cover the row that has the focus. */
.rows :is([role="row"], button) { scroll-margin-bottom: 9em; }
.page:has(.results) .rows :is([role="row"], button) { scroll-margin-bottom: min(24em, 50vh); }
.bar:not(:has(> :not(:empty))), .bar > :empty { display: none; }
.bar > div:not(:empty) ~ div { border-top: 1px solid var(--line); }
.bar > div > .actions { padding: .7em .9em; }
.bar .actions { margin: 0; align-items: center; }
.bar .actions .text { flex: 1 1 12em; }
.bar .banner { margin: 0; overflow-wrap: anywhere; }
.bar .results { max-height: min(14em, 25vh); margin-top: .4em; overflow-y: auto; }
.bar .results li { padding: .4em 0; }
.bar .panel { margin: 0; border-radius: 0; }
@container (max-width: 44em) {
  .heads { clip-path: inset(50%); position: absolute; height: 1px; overflow: hidden; }
  .rows > [role="row"] { grid-template-columns: 1em minmax(0, 1fr) auto; }
  .rows .cell-check { grid-row: 1; }
  .rows :is(.cell-who, .cell-access) { grid-column: 2 / 4; }
  .rows .cell-use { grid-column: 2; }
  .filters label { flex: 1 1 8em; }
}
@media (forced-colors: active) {
  .rows > [aria-selected="true"] { border-inline-start: 3px solid Highlight; }
}
`;

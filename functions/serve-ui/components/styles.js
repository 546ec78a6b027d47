// The style sheet for all elements. README.md lists the custom properties that a frontend can set.
//
// Lengths are in `em`, and the host has the user's default font size, `medium`. With `rem`, a page whose root
// element has another font size would shrink the dialogs.

/** Creates a style sheet. */
export const css = (strings) => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(strings.raw[0]);
  return sheet;
};

/**
 * Gives a dialog the custom properties and the color scheme of the element that opens it, because the dialog
 * is elsewhere in the page. The page's own rules for the dialog take precedence.
 * @param {Element} opener
 * @param {ShadowRoot} root the dialog's shadow root
 */
export function copyTheme(opener, root) {
  const theme = css`:host {}`;
  const { style } = /** @type {CSSStyleRule} */ (theme.cssRules[0]);
  const computed = getComputedStyle(opener);
  for (const name of styles.cssRules[0].cssText.match(/--sharelink-[a-z-]+/g))
    style.setProperty(name, computed.getPropertyValue(name));
  style.colorScheme = computed.colorScheme;
  root.adoptedStyleSheets = [styles, theme];
}

const styles = css`
:host {
  --accent: var(--sharelink-accent, light-dark(#1a56c4, #8ab4ff));
  --on-accent: var(--sharelink-on-accent, light-dark(#fff, #12161d));
  --text: var(--sharelink-text, light-dark(#1c2430, #e8ecf2));
  --soft: var(--sharelink-soft-text, light-dark(#566172, #a3aec0));
  --surface: var(--sharelink-surface, light-dark(#fff, #1b212b));
  --field: var(--sharelink-field, light-dark(#fff, #12161d));
  --sunken: var(--sharelink-sunken, light-dark(#f4f6f9, #12161d));
  --line: var(--sharelink-line, light-dark(#dbe1ea, #313a48));
  --edge: var(--sharelink-edge, light-dark(#7a8698, #77849a));
  --danger: var(--sharelink-danger, light-dark(#b3261e, #ff9d94));
  --on-danger: var(--sharelink-on-danger, light-dark(#fff, #12161d));
  --danger-surface: var(--sharelink-danger-surface, light-dark(#fdecea, #3a1e1c));
  --good: var(--sharelink-good, light-dark(#1a6b3c, #7fd6a2));
  --radius: var(--sharelink-radius, 8px);
  --font: var(--sharelink-font, system-ui, sans-serif);
  font: medium/1.5 var(--font);
}
/* The page's rules for its own elements must not change a dialog's text or hide the dialog. */
:host(:not(share-button)) { display: contents !important; }
dialog {
  all: initial; position: fixed; inset: 0; height: fit-content; margin: auto; box-sizing: border-box;
  color-scheme: inherit; font: medium/1.5 var(--font); -webkit-text-size-adjust: 100%;
}
dialog:not([open]) { display: none; }
:host([hidden]), [hidden] { display: none !important; }
*, ::before, ::after { box-sizing: border-box; }
h2, h3, p, ul, ol, dl, dd, fieldset { margin: 0; padding: 0; border: 0; }
ul, ol { list-style: none; }
button, input, textarea, select { font: inherit; color: inherit; }

button {
  padding: .4em .8em; border: 1px solid var(--edge); border-radius: var(--radius); background: transparent;
  color: var(--text); cursor: pointer;
}
button:hover { background: var(--sunken); }
button.primary {
  border-color: var(--accent); background: var(--accent); color: var(--on-accent); font-weight: 600;
}
button.danger { border-color: var(--danger); color: var(--danger); }
button.danger.primary { background: var(--danger); color: var(--on-danger); }
button.plain { padding-inline: .3em; border-color: transparent; color: var(--accent); }
button[aria-disabled="true"] { opacity: .65; cursor: default; }
:is(button, input, textarea, select, summary, [tabindex]):focus-visible {
  outline: 2px solid var(--accent); outline-offset: 2px;
}

/* Percentages instead of viewport units, because the page may have the property zoom. */
dialog {
  width: min(44em, 100% - 1.5em); max-height: calc(100% - 1.5em);
  border: 1px solid var(--line); border-radius: calc(var(--radius) * 1.5); background: var(--surface);
  color: var(--text); overflow: hidden;
}
dialog[open] { display: flex; flex-direction: column; }
.content { display: contents; }
dialog::backdrop { background: rgb(10 14 20 / .55); }
.head {
  display: flex; gap: 1em; align-items: center; padding: 1em 1.25em; border-bottom: 1px solid var(--line);
}
.head h2 { flex: 1; font-size: 1.2em; line-height: 1.4; overflow-wrap: anywhere; }
.head bdi {
  display: -webkit-box; overflow: hidden; -webkit-box-orient: vertical; -webkit-line-clamp: 2;
  color: var(--soft); font-size: .8em; font-weight: 400;
}
.body { flex: 1; min-height: 0; padding: 1.25em; overflow-y: auto; overscroll-behavior: contain; }
.foot {
  display: flex; flex-wrap: wrap; gap: .6em; justify-content: end; padding: .9em 1.25em;
  border-top: 1px solid var(--line);
}
.foot .push { margin-inline-end: auto; }
.foot .end { margin-inline-start: auto; }

.field { margin-bottom: 1.25em; }
[inert] { opacity: .6; }
label, legend { font-weight: 600; padding: 0; }
label .hint, legend .hint { display: inline; font-weight: 400; }
label + :is(input, textarea, select, .row) { margin-top: .3em; }
input:not([type="checkbox"]), textarea, select {
  width: 100%; padding: .5em .65em; border: 1px solid var(--edge); border-radius: var(--radius);
  background: var(--field); color: var(--text); color-scheme: inherit;
}
textarea {
  min-height: 5.5em; max-height: 60vh; resize: vertical; unicode-bidi: plaintext; field-sizing: content;
}
[aria-invalid="true"] { border-color: var(--danger) !important; }
.hint, .note, .counter { color: var(--soft); font-size: .875em; }
.field > .hint { margin-top: .25em; }
.note:not(:empty) { margin-top: .3em; color: var(--text); }
.counter { text-align: end; }
.counter.over, .error { color: var(--danger); }
.error { font-size: .9em; font-weight: 600; }
.row { display: flex; flex-wrap: wrap; gap: .6em; align-items: center; }
.row > input { flex: 1 1 14em; }
.presets { display: flex; flex-wrap: wrap; gap: .4em; }

.combobox { position: relative; margin-top: .3em; }
.suggestions {
  position: absolute; z-index: 1; inset: calc(100% + 5px) 0 auto; max-height: 15em; overflow-y: auto;
  border: 1px solid var(--edge); border-radius: var(--radius); background: var(--surface);
  box-shadow: 0 .5em 1.5em rgb(10 14 20 / .25);
}
.suggestions li { padding: .5em .65em; overflow-wrap: anywhere; cursor: pointer; }
.suggestions li:is([aria-selected="true"], :hover) { background: var(--sunken); }
.suggestions li[aria-selected="true"] { outline: 2px solid var(--accent); outline-offset: -2px; }

.chips {
  display: flex; flex-wrap: wrap; gap: .4em; margin-top: .5em; max-height: 9em; overflow-y: auto;
  padding: 3px;
}
.chip {
  display: flex; max-width: 100%; border: 1px solid var(--line); border-radius: 1em;
  background: var(--sunken);
}
.chip button { border: 0; border-radius: 1em; background: none; }
.chip-text { min-width: 0; padding: .15em 0 .15em .7em; text-align: start; overflow-wrap: anywhere; }
.chip-remove { padding: .15em .6em; color: var(--soft); }
.chip.wrong { border-color: var(--danger); background: var(--danger-surface); }
.chips ~ .error:not(:empty) { margin-top: .5em; }
.chip .fault { margin-inline-start: .4em; color: var(--danger); font-size: .85em; }
.chip .fault::before { content: "⚠ "; }

.files {
  max-height: 12em; overflow-y: auto; border: 1px solid var(--line); border-radius: var(--radius);
  margin-top: .3em;
}
input[type="search"] { margin-top: .3em; }
.check { display: flex; gap: .4em; align-items: center; margin-bottom: .6em; font-weight: 400; }
.words { display: flex; flex-wrap: wrap; gap: 0 .6em; margin-top: .3em; font-size: .9em; }
.words .hint { font-size: 1em; }
.preset[aria-pressed="true"] {
  border-color: var(--accent); background: var(--accent); color: var(--on-accent); font-weight: 600;
}
.files label { display: flex; gap: .6em; align-items: baseline; padding: .4em .7em; font-weight: 400; }
.files label + label, .files li + li { border-top: 1px solid var(--line); }
.files .name { flex: 1; overflow-wrap: anywhere; }
.files .size { color: var(--soft); font-size: .875em; white-space: nowrap; }
input[type="checkbox"] { accent-color: var(--accent); width: 1em; height: 1em; flex: none; }

.banner {
  margin-bottom: 1em; padding: .65em .9em; border-inline-start: 4px solid var(--danger);
  border-radius: 4px; background: var(--danger-surface);
}
.banner.good { border-color: var(--good); background: var(--sunken); }
.banner .row { margin-top: .5em; }
.status .banner {
  display: flex; flex-wrap: wrap; gap: .2em 1em; align-items: center; margin: 0; padding-inline: 1.25em;
  border-radius: 0; border-top: 1px solid var(--line); overflow-wrap: anywhere;
}
.status p { flex: 1 1 10em; }
.status .row { margin: 0; }

.results li {
  display: flex; flex-wrap: wrap; gap: .2em .8em; align-items: baseline; padding: .7em 0;
  border-bottom: 1px solid var(--line);
}
.results .who { flex: 1 1 14em; font-weight: 600; overflow-wrap: anywhere; }
.results :is(.what, .alert) { order: 1; flex-basis: 100%; overflow-wrap: anywhere; }
.results .what { color: var(--soft); }
.results .actions { margin-top: 0; }
.results .created .what { color: var(--good); }
.results :is(.failed, .limitReached, .notAllowed, .invalidRecipient) .what { color: var(--danger); }

.tabs { display: flex; gap: .25em; padding: 0 1.25em; border-bottom: 1px solid var(--line); }
.tabs button {
  border: 0; border-bottom: 3px solid transparent; border-radius: 0; background: none; color: var(--soft);
  font-weight: 600;
}
.tabs button[aria-selected="true"] { border-color: var(--accent); color: var(--text); }
.count, .badge {
  display: inline-block; min-width: 1.6em; margin-inline-start: .4em; padding: 0 .4em; border-radius: 1em;
  background: var(--sunken); font-size: .85em; text-align: center;
}
.badge { margin: 0; padding-inline: .7em; background: var(--accent); color: var(--on-accent); }
.options[open] summary { margin-bottom: .6em; }

.shares > li { padding: .9em 0; border-bottom: 1px solid var(--line); }
.shares > li.marked {
  margin-inline: -.75em; padding-inline: .75em; border-radius: var(--radius); background: var(--sunken);
}
/* Rows that are out of view are not laid out. The padding leaves room for the outline of a focused button. */
.shares.long > li {
  content-visibility: auto; contain-intrinsic-size: auto 9em; margin-inline: -5px; padding-inline: 5px;
}
.finder {
  position: sticky; top: -1.25em; z-index: 1; display: flex; gap: .6em; margin: -1.25em -1.25em 0;
  padding: .75em 1.25em; background: var(--surface);
}
.finder input[type="search"] { flex: 1; min-width: 0; margin: 0; }
.finder select { width: auto; }
.body:has(.finder:not([hidden])) { scroll-padding-top: 4em; }
.shares h3 { font-size: 1em; overflow-wrap: anywhere; }
.facts { display: flex; flex-wrap: wrap; gap: 0 1em; color: var(--soft); font-size: .9em; }
:is(.facts, .results) .wrong { color: var(--danger); }
.actions { display: flex; flex-wrap: wrap; gap: .4em; margin-top: .5em; }
.actions button { padding: .25em .6em; font-size: .9em; }
.given { margin-top: .2em; font-size: .9em; overflow-wrap: anywhere; }
.given .message { white-space: pre-wrap; }
details.given > :not(summary) { display: block; padding-inline-start: 1.2em; }
summary { width: fit-content; padding-block: .1em; border-radius: 4px; cursor: pointer; }
.panel { margin-top: .7em; padding: .9em; border-radius: var(--radius); background: var(--sunken); }
.panel .field { margin-bottom: .75em; }
.more { margin: 1em auto 0; display: block; }
.log li { padding: .45em 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
.log time { display: block; color: var(--soft); font-size: .85em; }
.empty { padding: 1.5em 0; color: var(--soft); text-align: center; }
.unseen {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
}

@media (max-width: 32em) {
  dialog { width: 100%; max-height: 100%; height: 100%; border: 0; border-radius: 0; }
  .foot button { flex: 1 1 auto; }
}
/* An on-screen keyboard covers part of the screen. */
dialog.covered { inset-block: var(--top) auto; max-height: var(--height); margin-block: 0; }
/* On a low screen, as after zooming in, everything scrolls but the status. */
@media (max-height: 30em) {
  dialog[open] { display: block; max-height: 100%; overflow-y: auto; scroll-padding-bottom: 5em; }
  .body { overflow: visible; }
  .finder { position: static; }
  .head, .body, .foot, .status .banner { padding: .5em .8em; }
  .tabs { padding-inline: .4em; }
  .status { position: sticky; bottom: 0; }
  .status:has(.banner + .banner) { max-height: 6em; overflow-y: auto; }
}
@media (prefers-reduced-motion: no-preference) {
  dialog[open] { animation: rise .15s ease-out; }
  @keyframes rise { from { opacity: 0; transform: translateY(.5em); } }
}
@media (forced-colors: active) {
  .tabs button { border-color: Canvas; }
  .tabs button[aria-selected="true"] { border-color: Highlight; }
  .chip.wrong { border-style: dashed; }
  .preset[aria-pressed="true"] { border-color: Highlight; }
}
`;

export default styles;

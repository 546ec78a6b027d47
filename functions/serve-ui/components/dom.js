// Builds elements. Text is never parsed as markup, and styles are never inline, so the components work with a
// strict Content-Security-Policy.

/** @import { Child } from "../types.d.ts" */

/**
 * Creates an element with attributes, listeners (such as `onclick`) and children. Skips children that are
 * null, undefined or false.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {object} attributes
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== null && value !== false)
      element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...present(children));
  return element;
}

/**
 * Replaces an element's children.
 * @param {Element} element
 * @param {...Child} children
 */
export function fill(element, ...children) {
  element.replaceChildren(...present(children));
}

/**
 * @param {Child[]} children
 * @returns {(Node | string)[]}
 */
function present(children) {
  const isPresent = (child) => child !== undefined && child !== null && child !== false;
  return /** @type {(Node | string)[]} */ (children.flat(2).filter(isPresent));
}

/**
 * Creates an element for a name. A right-to-left name does not change the order of the text around it, and
 * the browser's translation does not change the name.
 * @param {string} [text]
 */
export function bdi(text) {
  return h("bdi", { translate: "no" }, text);
}

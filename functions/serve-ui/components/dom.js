// Building elements. Text is always text and never markup, and no style is inline: a strict
// Content-Security-Policy has nothing to object to.

/** An element with attributes, listeners (`onclick`) and children; what is null or false is left out. */
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

/** Puts these children into an element in place of those that it has. */
export function fill(element, ...children) {
  element.replaceChildren(...present(children));
}

function present(children) {
  return children.flat(2).filter((child) => child !== undefined && child !== null && child !== false);
}

/** Text in a direction of its own, so that a name in another script does not turn what is around it. */
export function bdi(text) {
  return h("bdi", {}, text);
}

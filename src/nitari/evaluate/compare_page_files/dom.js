/** Making elements. Texts only ever become text nodes. */

function byId(id) {
  return document.getElementById(id);
}

/** An element with attributes; `text` is its text, `class` its classes; what is false, null or empty is left out. */
function make(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined) continue;
    if (name === "class") element.className = value.trim();
    else if (name === "text") element.textContent = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child || child === 0));
  return element;
}

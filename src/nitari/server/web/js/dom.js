/** Small helpers for building the page. Text from the server only ever becomes text nodes. */

import { shape } from "./icons.js";

/**
 * Make an element.
 *
 * `class`, `text`, `data` (object of data attributes), `on` (object of listeners) and `style` (object, set through
 * CSSOM because the content security policy allows no style attributes) are special; of the rest, booleans become
 * present or absent attributes, `null` and `undefined` are left out, anything else is an attribute's value. A `hidden`,
 * `checked`, `disabled` or `value` is set as a property.
 *
 * @param {string} tag
 * @param {Record<string, any>} [props]
 * @param {...(Node|string|number|null|undefined|false|Array<any>)} children
 * @returns {HTMLElement}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined) continue;
    if (name === "class") element.className = value;
    else if (name === "text") element.textContent = value;
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "style") setStyle(element, value);
    else if (name === "on") for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
    else if (["hidden", "checked", "disabled", "value", "muted"].includes(name)) element[name] = value;
    else if (typeof value === "boolean") element.toggleAttribute(name, value);
    else element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/**
 * Set style properties, custom ones (`--x`) included.
 *
 * @param {HTMLElement} element
 * @param {Record<string, string>} style
 */
export function setStyle(element, style) {
  for (const [name, value] of Object.entries(style)) element.style.setProperty(name, value);
}

const SVG = "http://www.w3.org/2000/svg";

/**
 * An icon that takes the text's color and is silent to screen readers.
 *
 * @param {string} name One of `icons.js`.
 * @returns {SVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  for (const d of shape(name)) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

/**
 * A button. `label` is what is read; with `iconOnly` it is not shown.
 *
 * @param {{label: string, icon?: string, iconOnly?: boolean, kind?: string, onClick?: (event: Event) => void}
 *         & Record<string, any>} props
 * @returns {HTMLButtonElement}
 */
export function button({ label, icon: name, iconOnly = false, kind = "", onClick, ...rest }) {
  return h(
    "button",
    {
      type: "button",
      ...rest,
      class: `button ${kind} ${iconOnly ? "icon-only" : ""}`.trim(),
      "aria-label": iconOnly ? label : rest["aria-label"],
      title: iconOnly ? label : rest.title,
      on: onClick && { click: onClick },
    },
    name && icon(name),
    !iconOnly && h("span", { text: label }),
  );
}

/**
 * A box (shares of width and height) as style properties in percent.
 *
 * @param {number[]} box `[x1, y1, x2, y2]`.
 * @returns {Record<string, string>}
 */
export function boxStyle([x1, y1, x2, y2]) {
  const percent = (share) => `${(share * 100).toFixed(3)}%`;
  return { left: percent(x1), top: percent(y1), width: percent(x2 - x1), height: percent(y2 - y1) };
}

/**
 * Call `action` once nobody has asked for `wait` ms.
 *
 * @param {(...args: any[]) => void} action
 * @param {number} wait
 * @returns {((...args: any[]) => void) & {cancel: () => void}}
 */
export function debounce(action, wait) {
  let timer = 0;
  const later = (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...args), wait);
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}

/**
 * Say something to screen readers.
 *
 * @param {string} text
 */
export function announce(text) {
  const region = document.getElementById("live");
  region.textContent = "";
  // An empty moment between two texts makes screen readers speak the same text again.
  setTimeout(() => (region.textContent = text), 60);
}

/**
 * Rebuild part of the page, and put the focus back on the control that had it, found by `data-key`.
 *
 * @param {HTMLElement} container
 * @param {() => void} rebuild
 * @param {() => (HTMLElement|null|undefined)} [otherwise] What to focus where that control is gone.
 */
export function keepFocus(container, rebuild, otherwise) {
  const active = document.activeElement;
  const held = active instanceof HTMLElement && container.contains(active) ? active : null;
  const key = held?.dataset.key;
  rebuild();
  if (!held || document.activeElement === held) return;
  if (held.isConnected) return held.focus({ preventScroll: true });
  const again = key && container.querySelector(`[data-key="${CSS.escape(key)}"]`);
  (again || otherwise?.())?.focus({ preventScroll: true });
}

/** One number on a line: what is shown while it moves, and what is reported once it rests. */

import { debounce, h } from "./dom.js";

const REST = 250;

/**
 * A slider over one entry of the state.
 *
 * @param {{id: string, max: number, step: number, read: () => number, write: (value: number) => void,
 *          paint: (value: number, input: HTMLInputElement) => void} & Record<string, any>} props `read` and `write` are
 *   the state's, `paint` shows a value; from 0 to `max`.
 * @returns {{input: HTMLInputElement, update: () => void, set: (value: number) => void}}
 */
export function slider({ id, max, step, read, write, paint, ...rest }) {
  let shown = null;
  const send = debounce((value) => {
    shown = value;
    write(value);
  }, REST);
  const input = h("input", {
    id, type: "range", class: "slider", min: "0", max: String(max), step: String(step), "data-testid": id, "data-key": id, ...rest,
    on: { input: () => (show(Number(input.value)), send(Number(input.value))) },
  });
  const show = (value) => {
    paint(value, input);
    input.style.setProperty("--share", String(value / max));
  };
  return {
    input,
    update() {
      // Only what has changed elsewhere is shown: an answer that comes in must not pull back a thumb on its way.
      if (read() === shown) return;
      shown = read();
      input.value = String(shown);
      show(shown);
    },
    set(value) {
      input.value = String(value);
      show(value);
      send(value);
    },
  };
}

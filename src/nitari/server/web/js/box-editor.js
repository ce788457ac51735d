/** The box on the photo: moved and resized by mouse, touch and keyboard. */

import { announce, boxStyle, debounce, h, setStyle } from "./dom.js";
import { number, t } from "./i18n/index.js";

const SMALLEST = 0.04;
const STEP = 0.02;
const BIG_STEP = 0.1;
// A pointer that moved less than this was a tap, not a drag.
const SLACK_PX = 6;
// Which edges each handle moves: [x, y], -1 for left or top, 1 for right or bottom.
const HANDLES = { nw: [-1, -1], n: [0, -1], ne: [1, -1], e: [1, 0], se: [1, 1], s: [0, 1], sw: [-1, 1], w: [-1, 0] };
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * Put a box editor onto a photo.
 *
 * @param {HTMLElement} stage The element that has exactly the photo's extent.
 * @param {{onChange: (box: number[], done: boolean) => void}} props Called while the box changes, and when it has.
 * @returns {{set: (box: number[]|null) => void, focus: () => void}}
 */
export function boxEditor(stage, { onChange }) {
  let box = null;
  const say = debounce(() => box && announce(describe(box)), 500);
  const body = h("button", {
    type: "button", class: "box-body", "data-testid": "region-box", "data-key": "box", "aria-describedby": "box-hint",
    on: { keydown: (event) => onKey(event, event.shiftKey ? resize : move) },
  });
  const handles = Object.entries(HANDLES).map(([name, [x, y]]) =>
    h("button", {
      type: "button", class: `box-handle handle-${name}`, "data-testid": `handle-${name}`, "data-key": `handle-${name}`,
      "aria-label": t(`handle.${name}`), "aria-describedby": "box-hint",
      on: { keydown: (event) => onKey(event, (dx, dy) => drag(x, y, dx, dy)) },
    }));
  const frame = h("div", { class: "box", role: "group", "aria-label": t("box.label"), hidden: true },
    body, handles,
    h("p", { id: "box-hint", class: "sr-only", text: t("box.hint") }));
  // The shade around the box is cut off where the photo ends; the handles at its edge are not.
  const shade = h("div", { class: "shade" });
  stage.append(h("div", { class: "shade-clip", "aria-hidden": "true" }, shade), frame);

  function show(next, done) {
    box = next;
    paint();
    onChange(box, done);
    say();
  }

  function paint() {
    frame.hidden = box === null;
    stage.classList.toggle("has-box", box !== null);
    if (box === null) return;
    setStyle(frame, boxStyle(box));
    setStyle(shade, boxStyle(box));
    body.setAttribute("aria-label", describe(box));
  }

  const move = (dx, dy, from = box) => {
    const [x1, y1, x2, y2] = from;
    const x = clamp(dx, -x1, 1 - x2);
    const y = clamp(dy, -y1, 1 - y2);
    return [x1 + x, y1 + y, x2 + x, y2 + y];
  };
  const resize = (dx, dy) => drag(1, 1, dx, dy);
  const drag = (x, y, dx, dy, from = box) => {
    const next = [...from];
    if (x < 0) next[0] = clamp(next[0] + dx, 0, next[2] - SMALLEST);
    if (x > 0) next[2] = clamp(next[2] + dx, next[0] + SMALLEST, 1);
    if (y < 0) next[1] = clamp(next[1] + dy, 0, next[3] - SMALLEST);
    if (y > 0) next[3] = clamp(next[3] + dy, next[1] + SMALLEST, 1);
    return next;
  };

  function onKey(event, change) {
    const arrow = ARROWS[event.key];
    if (!arrow || event.altKey || event.metaKey) return;
    event.preventDefault();
    const step = event.ctrlKey ? BIG_STEP : STEP;
    show(change(arrow[0] * step, arrow[1] * step), true);
  }

  /** Follow a pointer until it is let go; Escape puts the box back. */
  function follow(event, target, change) {
    if (event.button !== 0 || !event.isPrimary) return;
    // A small handle is left behind by a quick hand at once; the stage waits, as a tap on a region inside it is a click.
    if (target !== stage) target.setPointerCapture(event.pointerId);
    const { width, height } = stage.getBoundingClientRect();
    const before = box;
    let dragging = false;
    const onMove = (now) => {
      const [dx, dy] = [now.clientX - event.clientX, now.clientY - event.clientY];
      if (!dragging && Math.hypot(dx, dy) < SLACK_PX) return;
      if (!dragging) target.setPointerCapture(event.pointerId);
      dragging = true;
      stage.classList.add("is-dragging");
      show(change(dx / width, dy / height), false);
    };
    const stop = (restore) => {
      target.removeEventListener("pointermove", onMove);
      target.removeEventListener("pointerup", onUp);
      target.removeEventListener("pointercancel", onCancel);
      document.removeEventListener("keydown", onEscape, true);
      stage.classList.remove("is-dragging");
      if (!dragging) return;
      // The click that follows a drag is not meant for what lies under the pointer.
      stage.addEventListener("click", swallow, { capture: true, once: true });
      setTimeout(() => stage.removeEventListener("click", swallow, { capture: true }), 50);
      if (restore) {
        box = before;
        paint();
      } else show(box, true);
    };
    const onUp = () => stop(false);
    const onCancel = () => stop(true);
    const onEscape = (key) => {
      if (key.key !== "Escape") return;
      key.stopPropagation();
      key.preventDefault();
      stop(true);
    };
    target.addEventListener("pointermove", onMove);
    target.addEventListener("pointerup", onUp);
    target.addEventListener("pointercancel", onCancel);
    document.addEventListener("keydown", onEscape, true);
  }

  body.addEventListener("pointerdown", (event) => {
    event.stopPropagation();
    const from = box;
    follow(event, body, (dx, dy) => move(dx, dy, from));
  });
  handles.forEach((handle, at) => {
    const [x, y] = Object.values(HANDLES)[at];
    handle.addEventListener("pointerdown", (event) => {
      event.stopPropagation();
      const from = box;
      follow(event, handle, (dx, dy) => drag(x, y, dx, dy, from));
    });
  });
  // A new box is drawn with the mouse or a pen; a finger on the photo scrolls the page, as it does everywhere.
  stage.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "touch") return;
    const area = stage.getBoundingClientRect();
    const x = clamp((event.clientX - area.left) / area.width, 0, 1 - SMALLEST);
    const y = clamp((event.clientY - area.top) / area.height, 0, 1 - SMALLEST);
    follow(event, stage, (dx, dy) => {
      const [toX, toY] = [clamp(x + dx, 0, 1), clamp(y + dy, 0, 1)];
      return widen([Math.min(x, toX), Math.min(y, toY), Math.max(x, toX), Math.max(y, toY)]);
    });
    event.preventDefault();
  });

  return {
    set(next) {
      box = next;
      paint();
    },
    focus: () => body.focus({ preventScroll: true }),
  };
}

const swallow = (event) => {
  event.stopPropagation();
  event.preventDefault();
};
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const widen = ([x1, y1, x2, y2]) => [
  Math.min(x1, 1 - SMALLEST), Math.min(y1, 1 - SMALLEST),
  Math.min(1, Math.max(x2, x1 + SMALLEST)), Math.min(1, Math.max(y2, y1 + SMALLEST)),
];
const share = (value) => number(value, { style: "percent" });
const describe = ([x1, y1, x2, y2]) => t("box.at", { left: share(x1), top: share(y1), width: share(x2 - x1), height: share(y2 - y1) });

/** The ways a photo comes in: dropped, pasted, chosen, taken. */

import { h, icon } from "./dom.js";
import { hasCamera, openCamera } from "./camera.js";
import { t } from "./i18n/index.js";
import { mayBePhoto } from "./photos.js";
import { toast } from "./toast.js";

/**
 * Take photos from anywhere on the page: dropped onto it, or pasted.
 *
 * @param {{onPhoto: (file: Blob) => void, onLink: (url: string) => void, onRefused: () => void}} props
 */
export function listenForPhotos({ onPhoto, onLink, onRefused }) {
  let veil = null;
  let depth = 0;
  const hide = () => {
    depth = 0;
    veil?.remove();
    veil = null;
  };
  const brings = (event) => [...(event.dataTransfer?.types ?? [])].some((type) => type === "Files" || type === "text/uri-list");
  addEventListener("dragenter", (event) => {
    if (!brings(event) || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    depth++;
    if (veil) return;
    veil = h("div", { class: "veil" }, h("div", { class: "veil-inner" }, icon("photo"), h("p", { text: t("drop.here") })));
    document.body.append(veil);
  });
  addEventListener("dragleave", () => --depth <= 0 && hide());
  addEventListener("dragover", (event) => brings(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    hide();
    if (!brings(event)) return;
    event.preventDefault();
    take(event.dataTransfer);
  });
  addEventListener("paste", (event) => {
    const typing = event.target instanceof HTMLInputElement && !["checkbox", "radio", "range", "file"].includes(event.target.type);
    const files = [...(event.clipboardData?.files ?? [])];
    if (document.querySelector("dialog[open]") || (typing && files.length === 0)) return;
    take(event.clipboardData);
  });

  function take(data) {
    const files = [...(data?.files ?? [])];
    if (files.length > 0) {
      const photo = files.find(mayBePhoto);
      return photo ? onPhoto(photo) : onRefused();
    }
    const text = (data?.getData("text/uri-list") || data?.getData("text/plain") || "").trim().split("\n")[0];
    if (/^https?:\/\/\S+$/i.test(text)) onLink(text);
  }
}

/**
 * The hidden file fields behind "choose" and "take": one for files, one that phones answer with their camera.
 *
 * @param {{onPhoto: (file: Blob) => void, onRefused: () => void}} props
 * @returns {{element: HTMLElement, choose: () => void, take: () => void}}
 */
export function photoInputs({ onPhoto, onRefused }) {
  const field = (props) => h("input", {
    type: "file", accept: "image/*,.heic,.heif,.tif,.tiff,.avif", class: "file-input", tabindex: "-1", ...props,
    on: { change: (event) => {
      const [file] = event.target.files;
      event.target.value = "";
      if (file) mayBePhoto(file) ? onPhoto(file) : onRefused();
    } },
  });
  const files = field({ "data-testid": "file-input", "aria-label": t("start.choose") });
  const capture = field({ capture: "environment", accept: "image/*", "aria-label": t("start.take") });
  const withoutCamera = () => {
    toast(t("camera.none"));
    capture.click();
  };
  return {
    element: h("div", { class: "file-inputs" }, files, capture),
    choose: () => files.click(),
    take: () => (hasCamera() ? openCamera({ onPhoto, onFail: withoutCamera }) : capture.click()),
  };
}

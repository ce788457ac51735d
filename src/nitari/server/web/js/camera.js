/** Taking a photo: a live picture with a shutter. */

import { button, h } from "./dom.js";
import { openDialog } from "./dialog.js";
import { t } from "./i18n/index.js";

/**
 * Whether a live picture may be had here (browsers allow it on HTTPS and on this machine only).
 *
 * @returns {boolean}
 */
export const hasCamera = () => Boolean(navigator.mediaDevices?.getUserMedia);

/**
 * Let the visitor take a photo.
 *
 * @param {{onPhoto: (photo: Blob) => void, onFail: () => void}} props `onFail` where there is no camera, or no leave to
 *   use it: another way to a photo should then be offered.
 */
export async function openCamera({ onPhoto, onFail }) {
  let stream = null;
  let facing = "environment";
  const video = h("video", { class: "camera-video", autoplay: true, playsinline: true, muted: true, "aria-label": t("camera.live") });
  const stop = () => stream?.getTracks().forEach((track) => track.stop());
  const flip = button({ label: t("camera.switch"), icon: "swap", iconOnly: true, kind: "round", hidden: true, onClick: () => {
    facing = facing === "environment" ? "user" : "environment";
    start();
  } });
  const shutter = h("button", { type: "button", class: "shutter", "aria-label": t("camera.shutter"), title: t("camera.shutter"), disabled: true, "data-testid": "shutter", on: { click: take } });
  const status = h("p", { class: "camera-status", role: "status", text: t("camera.starting") });
  const dialog = openDialog({
    title: t("camera.title"),
    className: "dialog-camera",
    content: [
      h("div", { class: "camera-frame" }, video, status),
      h("div", { class: "camera-actions" }, h("span"), shutter, flip),
    ],
    onClose: stop,
  });
  await start();

  async function start() {
    stop();
    shutter.disabled = true;
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        audio: false,
        video: { facingMode: { ideal: facing }, width: { ideal: 1920 }, height: { ideal: 1440 } },
      });
    } catch {
      dialog.close();
      return onFail();
    }
    // Closed while the browser was asking for leave: nobody would turn the camera off again.
    if (!dialog.isConnected) return stop();
    video.srcObject = stream;
    video.classList.toggle("is-mirrored", stream.getVideoTracks()[0]?.getSettings().facingMode === "user");
    await video.play().catch(() => {});
    status.textContent = "";
    shutter.disabled = false;
    shutter.focus();
    const cameras = (await navigator.mediaDevices.enumerateDevices()).filter((device) => device.kind === "videoinput");
    flip.hidden = cameras.length < 2;
  }

  function take() {
    const canvas = h("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d").drawImage(video, 0, 0);
    canvas.toBlob((photo) => {
      dialog.close();
      if (photo) onPhoto(photo);
    }, "image/jpeg", 0.92);
  }
}

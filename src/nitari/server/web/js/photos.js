/** Photos on their way to the server: made small where they are big, and shown where the browser can show them. */

const BIG_BYTES = 1.5 * 2 ** 20;
const LONGEST_SIDE = 1600;
const QUALITY = 0.9;
const MOST_KEPT = 20;
// What browsers may have no type for, and the server can read all the same.
const OTHER_NAMES = /\.(heic|heif|tiff?|avif|jxl|bmp|webp|jpe?g|png|gif)$/i;

/**
 * A photo of this tab.
 *
 * @typedef {{blob: Blob, preview: string|null, keptId: string|null}} TabPhoto
 *   `preview` is an object URL, `null` where the browser cannot show the format.
 */

// Phones drop a page that is not looked at, and people reload: the newest photo lasts as long as its tab, and on this
// device only.
const STORED = "nitari.photo";
const LONGEST_STORED = 3_000_000;

/** @type {Map<string, TabPhoto>} */
const photos = new Map();
let count = 0;
// Keys of another visit must not find photos of this one.
const visit = Date.now().toString(36);

/**
 * Whether a file may be a photo at all.
 *
 * @param {File|Blob} file
 * @returns {boolean}
 */
export function mayBePhoto(file) {
  if (file.type.startsWith("image/")) return file.type !== "image/svg+xml";
  return file.type === "" || OTHER_NAMES.test(file.name ?? "");
}

/**
 * Make a photo ready to be searched with.
 *
 * @param {Blob} file
 * @returns {Promise<string>} The key to find it by.
 */
export async function addPhoto(file) {
  const { blob, shown } = await prepare(file);
  const key = `${visit}-${++count}`;
  photos.set(key, { blob, preview: shown ? URL.createObjectURL(blob) : null, keptId: null });
  for (const old of photos.keys()) {
    if (photos.size <= MOST_KEPT) break;
    URL.revokeObjectURL(photos.get(old).preview ?? "");
    photos.delete(old);
  }
  store(key, blob);
  return key;
}

function store(key, blob) {
  const reader = new FileReader();
  reader.addEventListener("load", () => {
    try {
      if (reader.result.length > LONGEST_STORED) sessionStorage.removeItem(STORED);
      else sessionStorage.setItem(STORED, JSON.stringify({ key, data: reader.result }));
    } catch {
      // No room, or storage is switched off: a reload then loses the photo, and says so.
    }
  });
  reader.readAsDataURL(blob);
}

/** Bring back the photo of this tab's earlier visit, if there is one. */
export async function restorePhoto() {
  try {
    const { key, data } = JSON.parse(sessionStorage.getItem(STORED));
    const [head, text] = data.split(",");
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const blob = new Blob([bytes], { type: head.slice("data:".length).split(";")[0] });
    const { shown } = await prepare(blob);
    photos.set(key, { blob, preview: shown ? URL.createObjectURL(blob) : null, keptId: null });
  } catch {
    // There is none, or it cannot be read.
  }
}

/**
 * The photo behind a key.
 *
 * @param {string} key
 * @returns {TabPhoto|undefined}
 */
export const photoOf = (key) => photos.get(key);

async function prepare(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return { blob: file, shown: false };
  }
  try {
    if (file.size <= BIG_BYTES) return { blob: file, shown: true };
    return { blob: (await shrink(bitmap)) ?? file, shown: true };
  } finally {
    bitmap.close();
  }
}

async function shrink(bitmap) {
  const scale = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  if (!context) return null;
  // JPEG has no transparency: what was see-through becomes white, as on a shop's page, not black.
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
}

// Photo files as pixels, on a canvas. The browser decodes them, upright.

import { make } from "./dom.mjs";

const MOST_PIXELS = 16e6; // of a canvas, which phones limit; larger photos are read smaller
const EXPECTED = "expected JPEG, PNG, WebP, GIF or another that this browser shows";

export function sized(canvas, width, height) {
  return Object.assign(canvas, { width, height });
}

// A canvas with the photo. Throws an Error that says what is wrong.
export async function readPhoto(blob) {
  if (!blob.size) throw new Error(`It has 0 bytes; ${EXPECTED}.`);
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob, { imageOrientation: "from-image" });
  } catch {
    throw new Error(`It is damaged, or no picture; ${EXPECTED}.`);
  }
  const { width, height } = bitmap;
  const scale = Math.min(1, Math.sqrt(MOST_PIXELS / (width * height)));
  const side = (length) => Math.max(1, Math.floor(length * scale));
  const canvas = sized(make("canvas"), side(width), side(height));
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  [pen.fillStyle, pen.imageSmoothingQuality] = ["white", "high"];
  pen.fillRect(0, 0, canvas.width, canvas.height); // below what is transparent
  pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas;
}

// The pixels of a canvas as the recogniser takes them.
export function pixelsOf(canvas) {
  const { width, height } = canvas;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  return { data: pen.getImageData(0, 0, width, height).data, width, height };
}

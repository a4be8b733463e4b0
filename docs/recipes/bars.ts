/**
 * Draws bars as a PNG, with nothing but zlib.
 *
 * @module
 */
import { crc32, deflateSync } from "node:zlib";

const HEIGHT = 64;
const BAR = 16;
const GAP = 4;

/** A PNG with one bar for each value, from 0 to 1. */
export function drawBars(values: readonly number[]): Uint8Array {
  const width = Math.max(1, values.length * (BAR + GAP) - GAP);
  const pixels = new Uint8Array(HEIGHT * (width + 1)).fill(255);
  for (let y = 0; y < HEIGHT; y++) {
    pixels[y * (width + 1)] = 0; // Each row begins with its filter: none.
    values.forEach((value, index) => {
      if (HEIGHT - y > value * HEIGHT) return;
      const x = y * (width + 1) + 1 + index * (BAR + GAP);
      pixels.fill(64, x, x + BAR);
    });
  }
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, HEIGHT);
  header[8] = 8; // Bits of a grey pixel.
  const parts = [chunk("IHDR", header), chunk("IDAT", deflateSync(pixels)), chunk("IEND", new Uint8Array())];
  return Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, ...parts.flatMap((part) => [...part])]);
}

function chunk(name: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(new TextEncoder().encode(name), 4);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

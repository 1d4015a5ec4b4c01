// The kernel (kernel.wasm, from kernel/*.c): its functions, and the memory that they work in.

import { UnsupportedError, WeightsError } from "./errors.mjs";

// (module (func (drop (i8x16.splat (i32.const 0)))))
const NEEDS_SIMD = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 9, 1, 7, 0, 65, 0, 253, 15, 26,
  11,
];

// Whether this browser runs the kernel: WebAssembly with 128-bit SIMD, in all browsers since 2023.
export const isSupported = () =>
  typeof WebAssembly === "object" && WebAssembly.validate(new Uint8Array(NEEDS_SIMD));

export class Kernel {
  // bytes: of kernel.wasm. Throws UnsupportedError, or WeightsError where they are none.
  static async open(bytes) {
    if (!isSupported()) {
      throw new UnsupportedError("no WebAssembly SIMD here; expected a browser from 2023 or later");
    }
    let module;
    try {
      module = await WebAssembly.instantiate(bytes);
    } catch (error) {
      throw new WeightsError(`kernel.wasm: damaged, or none (${error.message})`);
    }
    return new Kernel(module.instance.exports);
  }

  // call: the functions of kernel/*.c by name; pointers are numbers.
  constructor(exported) {
    this.call = exported;
  }

  // Bytes that are taken from the browser: as many as the largest picture has needed.
  get size() {
    return this.call.memory.buffer.byteLength;
  }

  // Views of memory, good until more is taken.
  floats(address, count) {
    return new Float32Array(this.call.memory.buffer, address, count);
  }

  bytes(address, count) {
    return new Uint8Array(this.call.memory.buffer, address, count);
  }

  // The address of so many bytes, with anything in them. Throws UnsupportedError where none are
  // left.
  take(bytes) {
    const address = this.call.take(bytes) >>> 0;
    if (!address) {
      throw new UnsupportedError(`no ${Math.ceil(bytes / 1e6)} MB of memory left for the picture`);
    }
    return address;
  }

  takeFloats(count) {
    return this.take(4 * count);
  }

  // The address of a copy of an array of numbers.
  put(array) {
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    const address = this.take(bytes.length);
    this.bytes(address, bytes.length).set(bytes);
    return address;
  }

  // What `work()` gives; all memory that it took is free again.
  within(work) {
    const mark = this.call.mark();
    try {
      return work();
    } finally {
      this.call.release(mark);
    }
  }
}

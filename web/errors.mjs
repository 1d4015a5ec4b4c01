// The kinds of error that a caller may tell apart. Every message says what was got and what was
// expected.

// Base of all that these modules raise on purpose.
export class FerError extends Error {
  get name() {
    return this.constructor.name;
  }
}

// A picture that is none, or is too large, or a face without extent.
export class ImageError extends FerError {}

// Weights that are damaged, or not those of a network that is known here.
export class WeightsError extends FerError {}

// A browser that lacks what is needed.
export class UnsupportedError extends FerError {}

// A mix of labels that is expected and does not fit the labels.
export class PriorError extends FerError {}

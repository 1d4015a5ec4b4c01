// As Python's round(): halves to the even neighbour.
export function round(x) {
  const low = Math.floor(x);
  if (x - low !== 0.5) return Math.round(x);
  return low % 2 ? low + 1 : low;
}

export const clip = (x, low, high) => Math.min(Math.max(x, low), high);

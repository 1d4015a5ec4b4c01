// From what a network gives to maps that can be laid over a face: rectified, upsampled, scaled, as
// fer_cbam/saliency.py does. Maps are square, row by row.

// Evidence for a class, [from][from], of any scale and sign -> Float32Array [side][side] in [0, 1]:
// 0 is no evidence, 1 the most in the map.
export function saliencyMap(evidence, from, side) {
  const map = upsample(evidence.map((value) => Math.max(value, 0)), from, side);
  const most = Math.max(largest(map), 1e-12);
  return map.map((value) => value / most);
}

// A spatial gate [from][from] -> Float32Array [side][side] in [0, 1]. neutral: the value of a gate
// that changes nothing: 0 is what is weighted with it or less, 1 with the double, or with the most
// in the map if that is more. null: stretched from the least to the most.
export function attentionMap(gate, from, side, neutral = null) {
  const map = upsample(gate, from, side);
  if (neutral !== null) {
    const above = map.map((value) => Math.max(value / neutral - 1, 0));
    const most = Math.max(largest(above), 1);
    return above.map((value) => value / most);
  }
  const least = map.reduce((low, value) => Math.min(low, value), Infinity);
  const range = Math.max(largest(map) - least, 1e-12);
  return map.map((value) => (value - least) / range);
}

const largest = (map) => map.reduce((high, value) => Math.max(high, value), -Infinity);

// Bilinear; what lies outside repeats the edge.
export function upsample(map, from, side) {
  const places = Array.from({ length: side }, (_, i) => {
    const place = Math.min(Math.max(((i + 0.5) * from) / side - 0.5, 0), from - 1);
    const low = Math.min(Math.floor(place), Math.max(from - 2, 0));
    return { low, high: Math.min(low + 1, from - 1), part: place - low };
  });
  const out = new Float32Array(side * side);
  places.forEach((y, row) => {
    places.forEach((x, column) => {
      const at = (line) =>
        map[line * from + x.low] * (1 - x.part) + map[line * from + x.high] * x.part;
      out[row * side + column] = at(y.low) * (1 - y.part) + at(y.high) * y.part;
    });
  });
  return out;
}

// Wording and numbers as the page writes them. Pure functions: `percent` is held against Python's.

// "97 %"; at the ends "< 1 %" and "> 99 %", as no answer is certain.
export function percent(prob) {
  if (prob < 0.01) return "< 1 %";
  return prob >= 0.995 ? "> 99 %" : `${Math.floor(100 * prob + 0.5)} %`;
}

// 75 -> "1:15"
export function clock(seconds) {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

// Why a file of so many bytes is not sent; null if it may be.
export function tooLarge(bytes, most) {
  if (bytes <= most) return null;
  return `This file has ${(bytes / 1e6).toFixed(0)} MB; at most ${most / 1e6} MB can be read.`;
}

// A sentence as lines of at most `width`; measure: text -> width. A longer word has its own line.
export function wrap(sentence, width, measure) {
  const lines = [""];
  for (const word of sentence.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (!lines.at(-1) || measure(longer) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

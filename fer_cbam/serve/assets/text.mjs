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

// Why a question had no answer. status: of HTTP; 0 where nobody answered, null where unknown.
export function whyUnanswered(status) {
  if (status === 413) {
    return "This is more than the server, or a proxy before it, takes at once (413).";
  }
  if (status === 401 || status === 403) return "You are not signed in any more. Reload the page.";
  if (status === 429 || status === 503) return "Many people ask at once. Try again in a moment.";
  if (status === 502 || status === 504) {
    return `The app behind this address does not answer (${status}).`;
  }
  if (status >= 400) return `The server failed over it (${status}).`;
  return "The server does not answer. Does it still run? Try again in a moment.";
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

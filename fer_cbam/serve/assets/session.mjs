// What all parts of the page share: who asks, and with which weights.

// A name for this page, so that the server can share its time fairly. It says nothing about anyone.
const visitor = [...crypto.getRandomValues(new Uint32Array(4))].join("-");
let weights = ""; // empty: the server's default
let picked = null; // what the server said of them

export const asker = () => ({ visitor, weights });

export const pickedWeights = () => weights;

// answer: of the server, with the labels of these weights and their colours.
export function pickWeights(source, answer) {
  [weights, picked] = [source, answer];
  document.dispatchEvent(new CustomEvent("fer-weights", { detail: answer }));
}

// A part of the page that starts later than weights were picked hears of them at once.
export function onWeights(heard) {
  document.addEventListener("fer-weights", (event) => heard(event.detail));
  if (picked) heard(picked);
}

// gradio gives no reason for a question without an answer, so the likely ones are said.
export const UNANSWERED = "The server does not answer, or is too busy. Try again in a moment.";

// What all parts of the page share: who asks, with which weights, and why there was no answer.

import { whyUnanswered } from "./text.mjs";

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

// gradio drops why a question was refused, so its status is noted on the way.
let status = null;

export function noteRefusals(page = window) {
  const ask = page.fetch;
  page.fetch = async (address, ...more) => {
    const isQuestion = /\/(component_server|upload|file)\b/.test(String(address));
    try {
      const response = await ask(address, ...more);
      if (isQuestion) status = response.ok ? null : response.status;
      return response;
    } catch (error) {
      if (isQuestion) status = 0;
      throw error;
    }
  };
}

// Why the last question had no answer.
export const unanswered = () => whyUnanswered(status);

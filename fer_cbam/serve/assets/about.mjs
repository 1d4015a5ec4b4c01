// The About tab: its own words, and what is said there of the weights in use.

import { onWeights } from "./session.mjs";

export function start({ element, props, reader }) {
  const find = (selector) => element.querySelector(selector);

  // What answers say of weights, see serve/page.py.
  function show({ weights, title, labels, card }) {
    find(".fer-count").textContent = labels.length;
    find(".fer-labels").textContent = labels.join(", ");
    find(".fer-title").textContent = title;
    find(".fer-source-name").textContent = weights;
    const link = find(".fer-card-link");
    link.hidden = !card;
    link.href = reader.cardOf(weights);
    find(".fer-no-card").hidden = card;
  }

  show(props);
  onWeights(show);
}

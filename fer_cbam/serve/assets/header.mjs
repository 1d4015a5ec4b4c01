// The weights picker. A choice belongs to this page: it travels with every question.

import { make, say } from "./dom.mjs";
import { asker, pickWeights } from "./session.mjs";

const inWords = (labels) => `${labels.length} expressions: ${labels.join(", ")}`;

// Where pictures may be read. where: [name, address] of each place; without an address it is here.
function fillWhere(nav, where) {
  nav.hidden = where.length < 2;
  nav.replaceChildren(
    ...where.map(([name, address]) => {
      const place = make(address ? "a" : "span", "", name);
      if (address) place.href = address;
      else place.setAttribute("aria-current", "page");
      return place;
    }),
  );
}

// props: what answers say of weights (serve/page.py), their source, and choices of [source, title]
// with or without a note.
export function start({ element, props, reader }) {
  const find = (selector) => element.querySelector(selector);
  const details = find(".fer-weights");
  let current = props.source;

  async function pick(wanted) {
    if (!wanted) return say(element, "Enter a folder or hf-hub:user/name.", true);
    details.dataset.state = "busy";
    say(element, "Checking and loading…");
    try {
      const answer = await reader.pick({ ...asker(), weights: wanted });
      say(element, answer.message, answer.failed);
      if (answer.failed) return;
      current = wanted;
      find(".fer-weights-name").textContent = answer.title;
      find(".fer-weights-labels").textContent = inWords(answer.labels);
      pickWeights(wanted, answer);
    } catch {
      say(element, reader.unanswered(), true);
    } finally {
      mark();
      details.dataset.state = "ready";
    }
  }

  function mark() {
    const radios = element.querySelectorAll('[name="fer-weights"]');
    for (const radio of radios) radio.checked = radio.value === current;
  }

  function close() {
    if (details.open && details.contains(document.activeElement)) find("summary").focus();
    details.open = false;
  }

  for (const [source, title, note] of props.choices) {
    const label = make("label");
    const radio = make("input");
    Object.assign(radio, { type: "radio", name: "fer-weights", value: source });
    radio.addEventListener("change", () => pick(source));
    const words = make("span", "fer-weights-choice");
    words.append(make("b", "", title));
    if (title !== source) words.append(make("small", "", source));
    if (note) words.append(make("small", "", note));
    label.append(radio, words);
    find(".fer-weights-list").append(label);
  }
  fillWhere(find(".fer-where"), reader.where);
  find(".fer-weights-elsewhere").hidden = !props.elsewhere;
  find(".fer-weights-labels").textContent = inWords(props.labels);
  mark();
  find("form").addEventListener("submit", (event) => {
    event.preventDefault();
    pick(find("#fer-weights-source").value.trim());
  });
  document.addEventListener("click", (event) => {
    if (!details.contains(event.target)) details.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
  });
}

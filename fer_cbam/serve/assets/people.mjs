// Live cards: one for each person in view, with the same card for as long as the person stays.

import { fillBar, make, makeBar } from "./dom.mjs";
import { percent } from "./text.mjs";
import { WIDTH, drawTimeline, makeTimeline } from "./timeline.mjs";

const HISTORY = 30; // seconds of the timeline
const TICK = 0.1; // seconds between two points of the timeline
const GAP = 1; // seconds without a face after which its timeline is interrupted,
const MISSED_FRAMES = 2.5; // or so many frames, where they come seldom
const STAYS = 4; // seconds that a card stays after its face was last seen
const MOST_CARDS = 3;

export class People {
  #people = new Map(); // track -> card and history
  #last = null; // seconds; when faces were shown before

  // cards: the element they are put into. colors: label -> CSS colour, in the order of the bars.
  constructor(cards, colors) {
    this.cards = cards;
    this.colors = colors;
    cards.replaceChildren();
  }

  // now: seconds. explained: the label that is explained, of all faces; null: of each its own.
  show(faces, now, explained) {
    const gap = Math.max(GAP, MISSED_FRAMES * (now - (this.#last ?? now)));
    this.#last = now;
    for (const face of faces.slice(0, MOST_CARDS)) {
      if (!this.#people.has(face.track)) this.#people.set(face.track, this.#makeCard());
      const person = this.#people.get(face.track);
      person.seen = now;
      remember(person.history, { time: now, probs: face.probs });
      fillCard(person, face, explained ?? face.label);
    }
    for (const [track, person] of this.#people) {
      const gone = now - person.seen;
      person.card.classList.toggle("fer-away", gone > gap);
      if (gone > Math.max(STAYS, gap)) {
        person.card.remove();
        this.#people.delete(track);
      } else if (now - person.drawn >= TICK) {
        person.drawn = now;
        const across = (time) => WIDTH * (1 - (now - time) / HISTORY);
        drawTimeline(person.timeline, person.history, this.colors, across, gap);
      }
    }
    const people = [...this.#people.values()];
    people.forEach(({ who }, i) => {
      who.textContent = people.length === 1 ? "Your expression" : `Face ${i + 1}`;
    });
  }

  #makeCard() {
    const card = make("section", "fer-card fer-live-card");
    const [title, who, verdict] = [make("h3"), make("span", "fer-who"), make("b", "fer-verdict")];
    title.append(who, verdict);
    const list = make("ul", "fer-bars");
    const bars = new Map();
    for (const [label, color] of Object.entries(this.colors)) {
      const row = make("li");
      bars.set(label, makeBar(label, color));
      row.append(bars.get(label));
      list.append(row);
    }
    const described = `Shares of the expressions over the last ${HISTORY} seconds`;
    const timeline = makeTimeline("fer-timeline", described);
    const axis = make("p", "fer-axis");
    axis.append(make("span", "", `${HISTORY} s ago`), make("span", "", "now"));
    const [body, past] = [make("div", "fer-now"), make("div", "fer-past")];
    past.append(timeline, axis);
    body.append(list, past);
    card.append(title, body);
    this.cards.append(card);
    return { card, who, verdict, bars, timeline, history: [], seen: 0, drawn: 0 };
  }
}

// A point at most every TICK; those older than HISTORY are forgotten.
export function remember(history, moment) {
  const last = history.at(-1);
  if (!last || moment.time - last.time >= TICK) history.push(moment);
  while (moment.time - history[0].time > HISTORY) history.shift();
}

function fillCard({ verdict, bars }, face, explained) {
  verdict.textContent = face.caption;
  for (const [label, bar] of bars) {
    fillBar(bar, face.probs[label], percent(face.probs[label]));
    bar.setAttribute("aria-pressed", label === explained);
  }
}

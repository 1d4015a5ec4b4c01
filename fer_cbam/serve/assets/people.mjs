// Live cards: one for each person in view, with the same card and number for as long as the person
// stays. One card is open, with bars and timeline; of the others the verdict is shown.

import { fillBar, make, makeBar, write } from "./dom.mjs";
import { percent } from "./text.mjs";
import { WIDTH, drawTimeline, makeTimeline } from "./timeline.mjs";

const HISTORY = 30; // seconds of the timeline
const TICK = 0.1; // seconds between two points of the timeline
const REDRAWN = 0.2; // seconds between two drawings of it
const GAP = 1; // seconds without a face after which its timeline is interrupted,
const MISSED_FRAMES = 2.5; // or so many frames, where they come seldom
const STAYS = 4; // seconds that a card stays after its face was last seen
const MOST_CARDS = 4;

export class People {
  #people = new Map(); // track -> card, number and history
  #last = null; // seconds; when faces were shown before
  #open = null; // track of the card that is open
  #present = new Set(); // tracks of those in view, or missed for a moment only

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
    for (const face of faces) this.#see(face, now, explained);
    this.#present.clear();
    for (const [track, person] of this.#people) {
      const gone = now - person.seen;
      if (gone <= gap) this.#present.add(track);
      person.card?.classList.toggle("fer-away", gone > gap);
      if (gone > Math.max(STAYS, gap)) {
        person.card?.remove();
        this.#people.delete(track);
      } else if (person.card && now - person.drawn >= REDRAWN) {
        person.drawn = now;
        const across = (time) => WIDTH * (1 - (now - time) / HISTORY);
        drawTimeline(person.timeline, person.history, this.colors, across, gap);
      }
    }
    this.#arrange();
  }

  // The number of a face; null where only one person is in view.
  numberOf(track) {
    return this.#present.size > 1 ? (this.#people.get(track)?.number ?? null) : null;
  }

  // Open the card of a person, by the track.
  open(track) {
    this.#open = track;
    this.#arrange();
  }

  #see(face, now, explained) {
    if (!this.#people.has(face.track)) this.#people.set(face.track, this.#makePerson(face.track));
    const person = this.#people.get(face.track);
    person.seen = now;
    if (!person.card && this.#withCards().length < MOST_CARDS) {
      Object.assign(person, this.#makeCard(face.track));
    }
    if (!person.card) return;
    remember(person.history, { time: now, probs: face.probs });
    fillCard(person, face, explained ?? face.label);
  }

  #arrange() {
    const shown = this.#withCards();
    const present = shown.filter(({ track }) => this.#present.has(track));
    if (present.length && !present.some(({ track }) => track === this.#open)) {
      this.#open = present[0].track; // of whom is gone there is nothing new
    }
    for (const { track, card, who, pick, body, noFace } of shown) {
      const number = this.numberOf(track);
      write(who, number ? String(number) : "");
      card.classList.toggle("fer-alone", !number && this.#present.has(track));
      body.hidden = track !== this.#open || noFace;
      pick.setAttribute("aria-expanded", track === this.#open);
    }
  }

  #withCards() {
    return [...this.#people.values()].filter(({ card }) => card);
  }

  #makePerson(track) {
    const taken = new Set([...this.#people.values()].map(({ number }) => number));
    let number = 1;
    while (taken.has(number)) number += 1;
    return { track, number, card: null, seen: 0, drawn: 0 };
  }

  #makeCard(track) {
    const card = make("section", "fer-card fer-live-card");
    const [title, pick] = [make("h2"), make("button", "fer-pick")];
    const [who, verdict] = [make("span", "fer-who"), make("b", "fer-verdict")];
    Object.assign(pick, { type: "button" }).dataset.track = track;
    pick.append(who, verdict);
    title.append(pick);
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
    const note = make("p", "fer-subdued");
    card.append(title, note, body);
    this.cards.append(card);
    return { card, pick, who, verdict, note, body, bars, timeline, history: [] };
  }
}

// A point at most every TICK; those older than HISTORY are forgotten.
export function remember(history, moment) {
  const last = history.at(-1);
  if (!last || moment.time - last.time >= TICK) history.push(moment);
  while (moment.time - history[0].time > HISTORY) history.shift();
}

function fillCard(person, face, explained) {
  const { card, verdict, note, bars } = person;
  person.noFace = face.no_face;
  write(verdict, face.caption);
  write(note, face.note);
  card.style.borderInlineStartColor = face.color;
  for (const [label, bar] of bars) {
    fillBar(bar, face.probs[label], percent(face.probs[label]));
    bar.classList.toggle("fer-said", label === face.label);
    bar.setAttribute("aria-pressed", label === explained);
  }
}

// What the microphone hears, beside the live picture: the voice of the last two seconds, and what
// face and voice say together. Off until it is asked for.

import { write } from "./dom.mjs";
import { openMicrophone, refusal } from "./microphone.mjs";
import { whoDisagrees } from "./modalities.mjs";
import { remember } from "./people.mjs";
import { inBase64 } from "./resampler.mjs";
import { asker } from "./session.mjs";
import { percent } from "./text.mjs";
import { WIDTH, drawTimeline, makeTimeline } from "./timeline.mjs";

const HISTORY = 30; // seconds of the timeline
const GAP = 1.5; // seconds without an answer after which it is interrupted
const MOST_WAITING = 4; // pieces: two seconds, all that an answer is from
const START = "Hear the voice too";
const STOP = "Stop the microphone";

function joined(pieces) {
  const all = new Float32Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

// part: the element that it is shown in. missing: why there is no microphone, empty or undefined
// where it cannot be had at all.
export function startVoice({ part, reader, missing }) {
  const find = (selector) => part.querySelector(selector);
  const button = find('[data-do="listen"]');
  const timeline = makeTimeline("fer-timeline", `The voice over the last ${HISTORY} seconds`);
  find(".fer-voice-past").prepend(timeline);
  let close = null; // closes the microphone; null: it is not open
  let asked = 0; // how often it was opened or closed
  let memory = null; // the server's ticket for the last two seconds
  let asking = false;
  let waiting = []; // pieces that came while others were being answered
  let history = [];
  part.hidden = missing !== "";

  const isOpen = () => close !== null;

  function say(text, isError = false) {
    write(find(".fer-voice-message"), text);
    find(".fer-voice-message").classList.toggle("fer-error", isError);
  }

  const forget = (ticket) => {
    if (ticket) reader.voice({ ...asker(), memory: ticket, stop: true }).catch(() => {});
  };

  async function start() {
    asked += 1;
    const mine = asked;
    button.disabled = true;
    say("Waiting for the microphone…");
    try {
      const opened = await openMicrophone(hear, () => stop("The microphone was disconnected."));
      if (mine !== asked) return opened(); // the camera was stopped meanwhile
      close = opened;
      write(button, STOP);
      find(".fer-voice-card").hidden = false;
      say("Listening…");
    } catch (error) {
      if (mine === asked) say(refusal(error), true);
    } finally {
      button.disabled = false;
      button.setAttribute("aria-pressed", isOpen());
    }
  }

  function stop(why = "") {
    asked += 1;
    close?.();
    forget(memory);
    [close, memory, history, waiting] = [null, null, [], []];
    find(".fer-voice-card").hidden = true;
    write(button, START);
    button.setAttribute("aria-pressed", false);
    for (const name of [".fer-verdict", ".fer-joint", ".fer-differ"]) write(find(name), "");
    find(".fer-differ").hidden = true;
    timeline.replaceChildren();
    say(why);
  }

  // While the page is not seen nothing is sent.
  function hear(samples) {
    waiting = document.hidden ? [] : [...waiting, samples].slice(-MOST_WAITING);
    if (!asking && isOpen() && waiting.length) ask();
  }

  async function ask() {
    const mine = close;
    asking = true;
    try {
      const sound = `data:audio/l16;base64,${inBase64(joined(waiting.splice(0)))}`;
      const answer = await reader.voice({ ...asker(), sound, memory });
      if (close === mine) show(answer);
      else forget(answer.memory);
    } catch {
      if (close === mine) say(reader.unanswered(), true);
    } finally {
      asking = false;
    }
  }

  function show({ failed, message, memory: ticket, voice, colors }) {
    if (ticket) memory = ticket;
    say(message, failed);
    const now = performance.now() / 1000;
    const { label, probs } = voice ?? { label: null, probs: null };
    write(find(".fer-verdict"), label ? `${label} ${percent(probs[label])}` : "–");
    if (!colors) return;
    remember(history, { time: now, probs });
    drawTimeline(timeline, history, colors, (time) => WIDTH * (1 - (now - time) / HISTORY), GAP);
  }

  // together: of the only face in view, {label, prob, disagree}; null where nothing is known.
  function tell(together) {
    if (!isOpen()) return;
    const joint = together ? `${together.label} ${percent(together.prob)}` : "";
    write(find(".fer-joint"), joint && `Face and voice together: ${joint}`);
    const told = together?.disagree ? whoDisagrees(together.disagree) : "";
    find(".fer-differ").hidden = !told;
    write(find(".fer-differ"), told && `They disagree. ${told}.`);
  }

  button.addEventListener("click", () => (isOpen() ? stop() : start()));
  return { stop, tell, ticket: () => memory };
}

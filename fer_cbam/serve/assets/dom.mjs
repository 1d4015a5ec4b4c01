// Small pieces of a page: elements, messages, files.

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export function make(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

export function svg(tag, attributes = {}, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// A text, where it is another one: whatever is written is laid out anew.
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// The line under a part that says what happens, or what is wrong.
export function say(part, text, isError = false) {
  const message = part.querySelector(".fer-message");
  write(message, text);
  message.classList.toggle("fer-error", isError);
}

// One bar of a label: its name, a bar in its colour, and room for a percentage.
export function makeBar(label, color) {
  const bar = make("button", "fer-bar");
  bar.type = "button";
  bar.dataset.emotion = label;
  bar.setAttribute("aria-pressed", "false");
  const track = make("span", "fer-track");
  const fill = make("span", "fer-fill");
  fill.style.background = color;
  track.append(fill);
  bar.append(make("span", "fer-name", label), track, make("span", "fer-percent"));
  return bar;
}

export function fillBar(bar, prob, text) {
  bar.querySelector(".fer-fill").style.width = `${(100 * prob).toFixed(1)}%`;
  write(bar.querySelector(".fer-percent"), text);
}

// choices: [value, title] of each, the default first.
export function fillSelect(select, choices) {
  select.replaceChildren(...choices.map(([value, title]) => new Option(title, value)));
}

export function download(blob, name) {
  const link = make("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export const jsonBlob = (value) =>
  new Blob([JSON.stringify(value, null, 2)], { type: "application/json" });

// An image that can be drawn at once.
export async function loadImage(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}

// `read(file)` for a file that is chosen with the input, or dropped anywhere on the page while this
// part of it is seen.
export function takeFiles(input, part, read) {
  input.addEventListener("change", () => {
    read(input.files[0]);
    input.value = ""; // so that the same file can be chosen again
  });
  for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (event) => {
      if (part.offsetParent === null) return;
      event.preventDefault();
      // A drag leaves the page where it comes to no other element of it.
      const over = name === "dragenter" || name === "dragover" || event.relatedTarget;
      part.classList.toggle("fer-over", Boolean(over) && name !== "drop");
      if (name === "drop") read(event.dataTransfer.files[0]);
    });
  }
}

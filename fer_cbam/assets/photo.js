// The photo tab: the picture goes to server.photo and comes back as HTML with every face and
// every explanation in it; picking one is done here.
const root = element.querySelector(".fer-photo");
const find = (selector) => root.querySelector(selector);
const findAll = (selector) => [...root.querySelectorAll(selector)];
const drop = find(".fer-drop");
const result = find(".fer-result");
const input = find("#fer-file");
const LARGEST = 25e6; // bytes

function say(text, isError = false) {
  const message = find(".fer-message");
  message.textContent = text;
  message.classList.toggle("fer-error", isError);
}

async function ask(question) {
  if (root.dataset.state === "busy") return;
  root.dataset.state = "busy";
  result.replaceChildren();
  say("Looking for faces…");
  try {
    const answer = await question();
    result.innerHTML = answer.result;
    say(answer.message, answer.failed);
    root.dataset.state = answer.failed ? "failed" : "done";
  } catch (error) {
    say("The server does not answer. Try again in a moment.", true);
    root.dataset.state = "failed";
  }
}

function read(file) {
  if (!file) return;
  if (file.size > LARGEST) {
    say(`This file has ${(file.size / 1e6).toFixed(0)} MB; at most ${LARGEST / 1e6} MB can be read.`, true);
    return;
  }
  const reader = new FileReader();
  reader.onload = () => {
    // An empty file gives "data:", without a type or a comma.
    const url = reader.result.includes(",") ? reader.result : "data:;base64,";
    ask(() => server.photo({ image: url }));
  };
  reader.onerror = () => say("This file cannot be read.", true);
  reader.readAsDataURL(file);
}

function pickFace(number) {
  findAll(".fer-face").forEach((b) => b.setAttribute("aria-pressed", b.dataset.face === number));
  findAll(".fer-panel").forEach((panel) => (panel.hidden = panel.dataset.face !== number));
}

function pickEmotion(panel, emotion) {
  panel.querySelectorAll("button[data-emotion]").forEach((b) => b.setAttribute("aria-pressed", b.dataset.emotion === emotion));
  panel.querySelectorAll("img[data-emotion]").forEach((img) => (img.hidden = img.dataset.emotion !== emotion));
  panel.querySelector(".fer-picked").textContent = emotion;
}

input.addEventListener("change", () => {
  read(input.files[0]);
  input.value = ""; // so that the same file can be chosen again
});
find('[data-do="example"]').addEventListener("click", () => ask(() => server.example_photo({})));
result.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.face) pickFace(button.dataset.face);
  if (button?.dataset.emotion) pickEmotion(button.closest(".fer-panel"), button.dataset.emotion);
});
for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle("fer-over", name === "dragenter" || name === "dragover");
    if (name === "drop") read(event.dataTransfer.files[0]);
  });
}
document.addEventListener("paste", (event) => {
  if (element.offsetParent !== null) read(event.clipboardData?.files[0]);
});

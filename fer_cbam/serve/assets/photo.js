// The photo tab: the picture goes to server.photo and comes back as HTML with every face and every
// explanation in it; picking one, the strength of the overlay and the downloads are done here.
const root = find(".fer-photo");
const drop = find(".fer-drop");
const result = find(".fer-result");
const input = find("#fer-file");
const shutter = find(".fer-shutter");
const view = find(".fer-view");
const LARGEST = 25e6; // bytes
let stream = null;
let numbers = null; // of the photo that is shown
let last = null; // how to ask about it again, with other weights

async function ask(question) {
  if (root.dataset.state === "busy") return;
  last = question;
  numbers = null;
  root.dataset.state = "busy";
  result.replaceChildren();
  say("Looking for faces…");
  try {
    const answer = await question();
    result.innerHTML = answer.result;
    numbers = answer.numbers;
    say(answer.message, answer.failed);
    root.dataset.state = answer.failed ? "failed" : "done";
  } catch (error) {
    say(UNANSWERED, true);
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
    const image = reader.result.includes(",") ? reader.result : "data:;base64,";
    ask(() => server.photo({ ...asker(), image }));
  };
  reader.onerror = () => say("This file cannot be read.", true);
  reader.readAsDataURL(file);
}

async function openShutter() {
  try {
    stream = await openCamera(view, { facingMode: "user" });
  } catch (error) {
    closeShutter();
    return say(refusal(error), true);
  }
  say("");
  shutter.hidden = false;
  const source = stream;
  while (stream === source) {
    if (element.offsetParent === null) closeShutter(); // the visitor went to another tab
    await pause(300);
  }
}

function closeShutter() {
  closeCamera(view, stream);
  stream = null;
  shutter.hidden = true;
}

function takePhoto() {
  const canvas = document.createElement("canvas");
  drawCamera(view, stream, canvas, 1280);
  const image = canvas.toDataURL("image/jpeg", 0.95);
  closeShutter();
  ask(() => server.photo({ ...asker(), image }));
}

function pickFace(number) {
  findAll(".fer-face").forEach((b) => b.setAttribute("aria-pressed", b.dataset.face === number));
  findAll(".fer-panel").forEach((panel) => (panel.hidden = panel.dataset.face !== number));
}

function pickEmotion(panel, emotion) {
  panel.querySelectorAll("button[data-emotion]").forEach((b) => b.setAttribute("aria-pressed", b.dataset.emotion === emotion));
  panel
    .querySelectorAll("image[data-emotion], p[data-emotion]")
    .forEach((shown) => shown.toggleAttribute("hidden", shown.dataset.emotion !== emotion));
  panel.querySelector(".fer-picked").textContent = emotion;
}

// The figure of one face as it is on the screen: title, sentence, views, bars.
async function drawFigure(panel) {
  const [side, gap, margin] = [288, 18, 28];
  const views = [...panel.querySelectorAll("figure")];
  const bars = [...panel.querySelectorAll(".fer-bar")];
  const width = 2 * margin + views.length * side + (views.length - 1) * gap;
  const canvas = document.createElement("canvas");
  const pen = canvas.getContext("2d");
  const text = (size, weight = 400) => `${weight} ${size}px system-ui, sans-serif`;
  pen.font = text(17);
  const lines = wrap(pen, panel.querySelector(".fer-words p:not([hidden])").textContent, width - 2 * margin);
  const top = margin + 44 + 24 * lines.length + 10;
  const barsTop = top + side + 44;
  canvas.width = width;
  canvas.height = barsTop + 28 * bars.length + margin + 18;
  pen.fillStyle = "white";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = "#1e293b";
  pen.textBaseline = "middle";
  pen.font = text(24, 600);
  pen.fillText(panel.querySelector("h3").textContent, margin, margin + 14);
  pen.font = text(17);
  lines.forEach((line, i) => pen.fillText(line, margin, margin + 52 + 24 * i));
  for (const [i, figure] of views.entries()) {
    const left = margin + i * (side + gap);
    await drawView(pen, figure, left, top, side);
    pen.fillStyle = "#475569";
    pen.font = text(15);
    pen.textAlign = "center";
    pen.fillText(figure.querySelector("figcaption").textContent, left + side / 2, top + side + 18);
    pen.textAlign = "left";
  }
  bars.forEach((bar, i) => drawBar(pen, bar, margin, barsTop + 28 * i + 14, width - 2 * margin, text(16)));
  pen.fillStyle = "#64748b";
  pen.font = text(13);
  pen.fillText(`FER-CBAM, ${numbers.weights}. Expressions, not feelings.`, margin, canvas.height - margin + 6);
  return canvas;
}

async function drawView(pen, figure, left, top, side) {
  const opacity = Number(getComputedStyle(figure.querySelector(".fer-heat")).opacity);
  for (const layer of figure.querySelectorAll("image:not([hidden])")) {
    const image = await picture(layer.getAttribute("href"));
    const matrix = layer.getAttribute("transform")?.match(/-?[\d.]+/g).map(Number) ?? [1, 0, 0, 1, 0, 0];
    pen.save();
    pen.beginPath();
    pen.rect(left, top, side, side);
    pen.clip();
    pen.translate(left, top);
    pen.transform(...matrix);
    pen.globalAlpha = layer.parentElement.matches(".fer-heat") ? opacity : 1;
    pen.drawImage(image, 0, 0);
    pen.restore();
  }
}

function drawBar(pen, bar, left, middle, width, font) {
  const fill = bar.querySelector(".fer-fill");
  const [start, length] = [left + 120, width - 120 - 80];
  pen.font = font;
  pen.fillStyle = "#1e293b";
  pen.fillText(bar.querySelector(".fer-name").textContent, left, middle);
  pen.textAlign = "right";
  pen.fillText(bar.querySelector(".fer-percent").textContent, left + width, middle);
  pen.textAlign = "left";
  pen.fillStyle = "#e2e8f0";
  pen.fillRect(start, middle - 7, length, 14);
  pen.fillStyle = fill.style.backgroundColor;
  pen.fillRect(start, middle - 7, (length * parseFloat(fill.style.width)) / 100, 14);
}

function wrap(pen, sentence, width) {
  const lines = [""];
  for (const word of sentence.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (pen.measureText(longer).width <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

async function save(kind, panel) {
  if (kind === "numbers") {
    download(new Blob([JSON.stringify(numbers, null, 2)], { type: "application/json" }), "fer-cbam.json");
    return;
  }
  const canvas = await drawFigure(panel);
  canvas.toBlob((blob) => download(blob, `fer-cbam-face-${Number(panel.dataset.face) + 1}.png`), "image/png");
}

input.addEventListener("change", () => {
  read(input.files[0]);
  input.value = ""; // so that the same file can be chosen again
});
find('[data-do="example"]').addEventListener("click", () => ask(() => server.example_photo(asker())));
find('[data-do="camera"]').addEventListener("click", openShutter);
find('[data-do="take"]').addEventListener("click", takePhoto);
find('[data-do="close"]').addEventListener("click", closeShutter);
result.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const panel = button.closest(".fer-panel");
  if (button.dataset.face) pickFace(button.dataset.face);
  else if (button.dataset.emotion) pickEmotion(panel, button.dataset.emotion);
  else if (button.dataset.do) save(button.dataset.do, panel);
});
result.addEventListener("input", (event) => {
  if (event.target.dataset.do === "opacity") {
    result.style.setProperty("--fer-heat", event.target.value / 100);
    findAll('[data-do="opacity"]').forEach((slider) => (slider.value = event.target.value));
  }
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
document.addEventListener("fer-weights", () => {
  if (last && root.dataset.state !== "idle") ask(last); // the same photo, by the new weights
});

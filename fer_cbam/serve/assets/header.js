// The weights picker. A choice belongs to this page: it travels with every question.
const details = find(".fer-weights");
const source = find("#fer-weights-source");
let current = props.name;

async function pick(wanted) {
  if (!wanted) return say("Enter a folder or hf-hub:user/name.", true);
  details.dataset.state = "busy";
  say("Checking and loading…");
  try {
    const answer = await server.pick({ ...asker(), weights: wanted });
    if (answer.failed) {
      say(answer.message, true);
      return mark();
    }
    say("");
    current = wanted;
    window.ferWeights = wanted;
    show(answer);
    document.dispatchEvent(new CustomEvent("fer-weights", { detail: answer }));
  } catch (error) {
    say(UNANSWERED, true);
    mark();
  } finally {
    details.dataset.state = "ready";
  }
}

function show(answer) {
  find(".fer-weights-name").textContent = answer.weights;
  find(".fer-weights-labels").textContent = `${answer.labels.length} expressions: ${answer.labels.join(", ")}`;
  mark();
}

function mark() {
  for (const radio of findAll('[name="fer-weights"]')) radio.checked = radio.value === current;
}

for (const name of props.names) {
  const label = make("label");
  const radio = make("input");
  Object.assign(radio, { type: "radio", name: "fer-weights", value: name });
  radio.addEventListener("change", () => pick(name));
  label.append(radio, make("span", "", name));
  find(".fer-weights-list").append(label);
}
find(".fer-weights-elsewhere").hidden = !props.elsewhere;
find(".fer-weights-labels").textContent = `${props.labels.length} expressions: ${props.labels.join(", ")}`;
mark();
find("form").addEventListener("submit", (event) => {
  event.preventDefault();
  pick(source.value.trim());
});
document.addEventListener("click", (event) => {
  if (!details.contains(event.target)) details.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") details.open = false;
});

// The cards of opened studies and of files that could not be opened. All text goes in as text, never as HTML.

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function button(words, name, pressed, kind) {
  const made = make("button", { type: "button", class: kind, "aria-label": name }, words);
  made.addEventListener("click", pressed);
  return made;
}

// A study: what it is, and its privacy receipt. `on` has remove(card) and show(card).
export function studyCard(card, number, base, on) {
  const name = `Image ${number}: ${card.kind}`;
  const address = `${base}/studies/${card.handle}/thumbnail.png`;
  const picture = make("img", { src: address, alt: "", width: 72, height: 72 });
  const parts = [
    button(picture, `Show ${name}`, () => on.show(card), "look"),
    make("p", { class: "kind" }, make("b", {}, name), card.waiting ? "" : " (asked about)"),
    button("Remove", `Remove ${name}`, () => on.remove(card), "remove"),
  ];
  // Of one that was asked about, the picture beside the conversation tells the rest.
  if (card.waiting) {
    const facts = make("p", {}, card.facts.join(", "));
    parts.push(make("div", { class: "told" }, facts, make("p", { class: "receipt" }, `Privacy: ${card.receipt}.`)));
  }
  return make("li", { class: card.waiting ? "study" : "study asked", "data-handle": card.handle }, ...parts);
}

// A file, or the files of one study, that could not be opened. Names are not shown: they may hold a patient's.
export function faultCard({ what, todo }, which) {
  const item = make(
    "li",
    { class: "unopened" },
    make("p", { class: "kind" }, make("b", {}, which)),
    button("Dismiss", `Dismiss: ${which}`, () => item.remove(), "remove"),
    make("div", { class: "told" }, make("p", {}, what), make("p", { class: "todo" }, `What to do: ${todo}`)),
  );
  return item;
}

// Bytes as the server says them: "512 MB".
export function sizeWords(count) {
  let size = Math.max(count / 1024, 1);
  let unit = "kB";
  for (const larger of ["MB", "GB"]) {
    if (size >= 1000) [size, unit] = [size / 1024, larger];
  }
  return `${Number(size.toPrecision(3))} ${unit}`;
}

// "File 3 of 5 (2.1 MB)", or "30 of the 31 files". `numbers` are places in `files`.
export function whichFiles(numbers, files) {
  if (files.length === 1) return `The file (${sizeWords(files[0].file.size)})`;
  if (numbers.length === 1) {
    const [number] = numbers;
    return `File ${number + 1} of ${files.length} (${sizeWords(files[number].file.size)})`;
  }
  return numbers.length === files.length
    ? `The ${files.length} files`
    : `${numbers.length} of the ${files.length} files`;
}

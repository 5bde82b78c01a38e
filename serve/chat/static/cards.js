// The cards of opened studies and of files that could not be opened. All text goes in as text, never as HTML.

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// A study: what it is, and its privacy receipt. `on` has remove(card) and show(card).
export function studyCard(card, number, base, on) {
  const [kind, ...facts] = card.facts;
  const name = `Image ${number}: ${kind}`;
  const picture = make("img", {
    src: `${base}/studies/${card.handle}/thumbnail.png`,
    alt: "",
    width: 96,
    height: 96,
    loading: "lazy",
  });
  const look = make("button", { type: "button", class: "look", "aria-label": `Show ${name}` }, picture);
  look.addEventListener("click", () => on.show(card));
  const remove = make("button", { type: "button", class: "remove", "aria-label": `Remove ${name}` }, "Remove");
  remove.addEventListener("click", () => on.remove(card));
  return make(
    "li",
    { class: card.waiting ? "study" : "study asked", "data-handle": card.handle },
    look,
    make(
      "div",
      { class: "told" },
      make("p", { class: "kind" }, make("b", {}, name), make("span", {}, card.waiting ? "" : " (asked about)")),
      make("p", {}, facts.join(", ")),
      make("p", { class: "receipt" }, `Privacy: ${card.receipt}.`),
    ),
    remove,
  );
}

// A file, or the files of one study, that could not be opened. Names are not shown: they may hold a patient's.
export function faultCard({ what, todo }, which) {
  const dismiss = make("button", { type: "button", class: "remove", "aria-label": `Dismiss: ${which}` }, "Dismiss");
  const item = make(
    "li",
    { class: "fault" },
    make(
      "div",
      { class: "told" },
      make("p", { class: "kind" }, make("b", {}, which)),
      make("p", {}, what),
      make("p", { class: "todo" }, `What to do: ${todo}`),
    ),
    dismiss,
  );
  dismiss.addEventListener("click", () => item.remove());
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

// "File 3 of 5 (2.1 MB)", or "Files 2 to 31, one study".
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

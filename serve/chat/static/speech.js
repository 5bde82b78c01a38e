// What a screen reader is told while an answer comes: steps and whole sentences, never letters, and not too often.

const GAP_MS = 1500;
const TOLD = ".step, .sentence, .withheld, .refusal, .fault, .sure, .waiting, .notice";

let pending = [];
let timer = null;

export function tell(text) {
  if (text) pending.push(text);
  if (!timer) timer = setTimeout(flush, 50);
}

/** Tell of elements that have just changed, where they are of a kind that is told. */
export function tellOf(elements) {
  for (const element of elements) {
    if (element.matches(TOLD)) tell(words(element));
  }
}

function words(element) {
  const copy = element.cloneNode(true);
  for (const silent of copy.querySelectorAll("[aria-hidden=true], .when, .more")) silent.remove();
  return copy.textContent.replace(/\s+/g, " ").trim();
}

function flush() {
  timer = null;
  const place = document.getElementById("said");
  if (!place || pending.length === 0) return;
  place.textContent = pending.join(". ");
  pending = [];
  timer = setTimeout(flush, GAP_MS);
}

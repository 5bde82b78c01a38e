// An evidence chip opens what it stands for: a source at the sentence that is quoted, a finding in the image.

export function show(chip) {
  const { ref, claim, study, frame } = chip.dataset;
  const shown = nearest(ref, chip.closest(".turn"));
  const detail = { study: study ?? shown?.dataset.study ?? null, frame: Number(frame ?? shown?.dataset.frame ?? 0), ref };
  if (detail.study) document.dispatchEvent(new CustomEvent("overread:show", { detail }));
  for (const lit of document.querySelectorAll(".lit")) lit.classList.remove("lit");
  if (!shown) return;
  if (shown.tagName === "DETAILS") shown.open = true;
  const quoted = [...shown.querySelectorAll("mark")].find((mark) => mark.dataset.claims.split(" ").includes(claim));
  const target = quoted ?? shown;
  target.classList.add("lit");
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  target.scrollIntoView({ block: "center", behavior: calm ? "instant" : "smooth" });
  (shown.querySelector("blockquote") ?? shown).focus({ preventScroll: true });
}

/** The evidence of that id: in the same answer, or the last one before it. */
function nearest(ref, turn) {
  const all = [...document.querySelectorAll(`[data-ev="${CSS.escape(ref)}"]`)];
  return all.find((one) => turn?.contains(one)) ?? all.at(-1);
}

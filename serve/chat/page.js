// An evidence chip opens and shows what it stands for. Chips are made anew while an answer streams,
// so one listener on the document serves them all.
() => {
  document.addEventListener("click", (event) => {
    const chip = event.target.closest("[data-ref]");
    if (!chip) return;
    const shown = document.getElementById("ev-" + chip.dataset.ref);
    if (!shown) return;
    const folded = shown.closest("details");
    if (folded) folded.open = true;
    shown.scrollIntoView({ block: "center" });
    shown.classList.add("lit");
    setTimeout(() => shown.classList.remove("lit"), 2500);
  });
}

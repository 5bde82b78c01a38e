// Gradio's own fields: wait until they are there, and give them what keyboards and screen readers need.

/** Resolves when Gradio has drawn the page. */
export async function whenReady() {
  await until(() => document.querySelector("button#ask") && document.getElementById("talk-welcome"));
  skipTo();
  sendByEnter();
}

function until(there) {
  return new Promise((done) => {
    if (there()) return done();
    const watch = new MutationObserver(() => {
      if (!there()) return;
      watch.disconnect();
      done();
    });
    watch.observe(document.documentElement, { childList: true, subtree: true });
  });
}

function skipTo() {
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    document.querySelector("#question textarea").focus();
  });
}

/** Enter sends, Shift and Enter begins a line. */
function sendByEnter() {
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "Enter" || event.isComposing || !event.target.matches?.("#question textarea")) return;
      event.stopPropagation();
      if (event.shiftKey) return;
      event.preventDefault();
      if (!document.body.hasAttribute("data-busy")) document.querySelector("button#ask").click();
    },
    true,
  );
}

// Begins the viewer once the page is there, and tells it when there is something new to show. The server says so in
// an element of the page: its key, and a version that changes with what can be seen.

import { Viewer } from "./viewer.js";

let viewer = null;

function look() {
  const root = document.getElementById("overread-viewer"), told = document.getElementById("viewer-seen")?.dataset;
  if (!root || !told?.key) return;
  if (viewer?.root !== root || viewer.key !== told.key) {
    viewer = new Viewer(root, `/page/${told.key}`);
    Object.assign(viewer, { key: told.key, version: null });
  }
  if (viewer.version === told.version) return;
  viewer.version = told.version;
  viewer.update();
}

new MutationObserver(look).observe(document.documentElement, {
  subtree: true, childList: true, attributes: true, attributeFilter: ["data-key", "data-version"],
});
document.addEventListener("overread:studies", () => viewer?.update());
document.addEventListener("overread:show", async ({ detail }) => {
  if (viewer && !viewer.show(detail)) {
    await viewer.update();
    viewer.show(detail);
  }
});
look();

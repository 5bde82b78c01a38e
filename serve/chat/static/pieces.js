// Puts pieces of the page into their places. What did not change is left alone, so that what is open stays
// open and what has the focus keeps it.

const shown = new Map();

/** Apply a list of changes. `whole`: the list is all there is; what is not in it goes. The changed elements. */
export function apply(changes, whole = false) {
  if (whole) dropOthers(new Set(changes.map((change) => change.id)));
  return changes.map(applyOne).filter(Boolean);
}

function dropOthers(kept) {
  for (const id of [...shown.keys()]) {
    if (!kept.has(id)) drop(id);
  }
}

function drop(id) {
  shown.delete(id);
  document.getElementById(id)?.remove();
}

function applyOne(change) {
  if (change.gone) {
    drop(change.id);
    return null;
  }
  let element = document.getElementById(change.id);
  const other = change.html !== undefined && !(element && shown.get(change.id) === change.html);
  if (other) element = redraw(change, element);
  if (!element) return null;
  if (change.box !== undefined) place(element, change);
  for (const [name, value] of Object.entries(change.attrs ?? {})) {
    if (value === null) element.removeAttribute(name);
    else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  }
  return other ? element : null;
}

function redraw(change, old) {
  const template = document.createElement("template");
  template.innerHTML = change.html;
  const made = template.content.firstElementChild;
  shown.set(change.id, change.html);
  if (!old) return made;
  if (old.open && made.tagName === "DETAILS") made.open = true;
  const path = pathTo(document.activeElement, old);
  old.replaceWith(made);
  if (path) path.reduce((at, n) => at?.children[n], made)?.focus({ preventScroll: true });
  return made;
}

/** The way from `top` down to `element`, as places among siblings; null where it is not inside. */
function pathTo(element, top) {
  if (!element || !top.contains(element)) return null;
  const path = [];
  for (let at = element; at !== top; at = at.parentElement) {
    path.unshift([...at.parentElement.children].indexOf(at));
  }
  return path;
}

function place(element, change) {
  const box = document.getElementById(change.box);
  if (!box) return;
  const before = change.after ? document.getElementById(change.after) : null;
  const next = before && before.parentElement === box ? before.nextElementSibling : firstPiece(box, change.after);
  if (next !== element && !(element.parentElement === box && element.previousElementSibling === before)) {
    box.insertBefore(element, next);
  }
}

function firstPiece(box, after) {
  return after ? null : box.firstElementChild;
}

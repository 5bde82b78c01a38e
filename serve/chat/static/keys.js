// Every key of the viewer, what it does, and the help that lists them. Keys work while the image has the focus.

const FAR = 10;

/** Keys in the order of the help. `in` names the tools a key is for; without it, all. */
export const KEYS = [
  { keys: ["ArrowUp", "ArrowDown"], in: ["look"], help: "look: previous, next slice", does: (v, e) => v.step(e.key === "ArrowUp" ? -1 : 1) },
  { keys: ["ArrowLeft", "ArrowRight"], in: ["look"], help: "look: previous, next image", does: (v, e) => v.turn(e.key === "ArrowLeft" ? -1 : 1) },
  { keys: ["PageUp", "PageDown"], help: "previous, next slice, with every tool", does: (v, e) => v.step(e.key === "PageUp" ? -1 : 1) },
  { keys: ["Home", "End"], help: "first, last slice", does: (v, e) => v.goTo(e.key === "Home" ? 0 : Infinity) },
  { keys: ["+", "=", "-"], help: "zoom in, out", does: (v, e) => v.zoom(e.key === "-" ? 1 / 1.25 : 1.25) },
  { keys: ["0"], help: "fit the image", does: (v) => v.fit() },
  { keys: ["1"], help: "one image pixel a screen pixel", does: (v) => v.oneToOne() },
  { keys: ["Shift+ArrowUp", "Shift+ArrowDown", "Shift+ArrowLeft", "Shift+ArrowRight"], in: ["look", "window"], help: "look or window: move the image", does: (v, e) => v.pan(...arrow(e, 40)) },
  { keys: ["v"], help: "tool: look", does: (v) => v.use("look") },
  { keys: ["w"], help: "tool: window; then arrows: up, down brightness, left, right contrast", does: (v) => v.use("window") },
  { keys: ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"], in: ["window"], does: (v, e) => v.dragWindow(...arrow(e, 0.04)) },
  { keys: ["["], help: "previous preset", does: (v) => v.nextPreset(-1) },
  { keys: ["]"], help: "next preset", does: (v) => v.nextPreset(1) },
  { keys: ["i"], help: "invert", does: (v) => v.invert() },
  { keys: ["r"], help: "tool: ruler", does: (v) => v.use("ruler") },
  { keys: ["b"], help: "tool: box to outline", does: (v) => v.use("box") },
  { keys: ["p"], help: "tool: point inside the object", does: (v) => v.use("add") },
  { keys: ["n"], help: "tool: point outside the object", does: (v) => v.use("remove") },
  { keys: ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"], in: ["ruler", "box", "add", "remove"], help: "ruler, box or point: move the cross-hair; with Shift ten pixels", does: (v, e) => v.hand.moveCross(...arrow(e, 1)) },
  { keys: ["Shift+ArrowUp", "Shift+ArrowDown", "Shift+ArrowLeft", "Shift+ArrowRight"], in: ["ruler", "box", "add", "remove"], does: (v, e) => v.hand.moveCross(...arrow(e, FAR)) },
  { keys: ["Enter"], in: ["ruler", "box", "add", "remove"], help: "set an end, a corner or a point at the cross-hair", does: (v) => v.hand.set() },
  { keys: ["o"], help: "overlays on, off", does: (v) => v.toggleLayers() },
  { keys: [",", "."], help: "overlays fainter, stronger", does: (v, e) => v.setOpacity(v.layers.opacity + (e.key === "," ? -0.1 : 0.1)) },
  { keys: ["Delete", "Backspace"], help: "clear rulers and prompts of this slice", does: (v) => v.clear() },
  { keys: ["Escape"], help: "stop drawing; then back to looking", does: (v) => v.escape() },
  { keys: ["t"], help: "three planes of a volume, and back", does: (v) => v.togglePlanes() },
  { keys: ["?"], help: "this list", does: (v) => v.help() },
];

const NAMES = { ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→" };

function arrow(event, step) {
  const [x, y] = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
  return [x * step, y * step];
}

/** Let the keys work on an element. */
export function listen(element, viewer) {
  element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const named = event.key.length === 1 ? event.key.toLowerCase() : (event.shiftKey ? "Shift+" : "") + event.key;
    const found = KEYS.find((one) => one.keys.includes(named) && (!one.in || one.in.includes(viewer.tool)));
    if (!found || !viewer.study) return;
    event.preventDefault();
    found.does(viewer, event);
  });
}

/** Fill the list of keys in the help. */
export function list(element) {
  element.replaceChildren(
    ...KEYS.filter((one) => one.help).flatMap((one) => {
      const keys = document.createElement("dt"), what = document.createElement("dd");
      for (const key of one.keys.filter((name) => name !== "=")) {
        const cap = document.createElement("kbd");
        const parts = key.length > 1 ? key.split("+") : [key];
        cap.textContent = parts.map((part) => NAMES[part] ?? part).join(" ");
        keys.append(cap, " ");
      }
      what.textContent = one.help;
      return [keys, what];
    }),
  );
}

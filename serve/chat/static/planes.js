// Three planes of a volume, drawn by Niivue out of an installed package. It wants WebGL 2; without it there is no button.

const ID = "planes";

/** Whether this browser can draw them. */
export function possible() {
  const context = document.createElement("canvas").getContext("webgl2");
  context?.getExtension("WEBGL_lose_context")?.loseContext();
  return Boolean(context);
}

/** What Niivue's notebook widget takes for its model: values that are set and read; nothing is sent anywhere. */
class Model {
  constructor(values, models = {}) {
    Object.assign(this, { values, heard: new Map() });
    this.widget_manager = { get_model: async (id) => models[id] };
    this._comm_live = false; // with nobody to send to, it does not pack up the voxels again
  }

  get(name) {
    return this.values[name];
  }

  set(name, value) {
    this.values[name] = value;
    this.heard.get(`change:${name}`)?.forEach((one) => one());
  }

  on(name, one) {
    this.heard.set(name, [...(this.heard.get(name) ?? []), one]);
  }

  off(name, one) {
    this.heard.set(name, one ? (this.heard.get(name) ?? []).filter((other) => other !== one) : []);
  }

  save_changes() {}

  send() {}

  send_sync_message() {
    return "";
  }
}

function volumeModel(id, bytes, low, high) {
  return new Model({
    id, data: new Uint8Array(bytes), name: "volume.nii", path: {}, url: "", paired_img_path: {}, paired_img_url: "",
    colormap: "gray", colormap_negative: "", colormap_type: 0, colormap_invert: false, colormap_label: null, opacity: 1,
    cal_min: low, cal_max: high, cal_min_neg: null, cal_max_neg: null, frame_4d: 0, colorbar_visible: false,
    modulation_image: null, modulate_alpha: 0,
  });
}

let widget = null;

export class Planes {
  /** `place` is the element they are drawn in; `base` the address of the conversation. */
  constructor(place, base) {
    Object.assign(this, { place, base, count: 0 });
  }

  /** Show a study between two values. Throws when it cannot be fetched or drawn. */
  async show(address, low, high) {
    this.hide();
    const answer = await fetch(address);
    if (!answer.ok) throw new Error("the volume could not be fetched");
    const bytes = await answer.arrayBuffer();
    const quiet = console.log;
    console.log = () => {}; // the widget tells every step
    try {
      widget ??= (await import(`${this.base}/planes.js`)).default;
      const id = `${ID}-${++this.count}`;
      const model = new Model(
        {
          // Which side is the patient's left is not known here, so no letters say it.
          opts: { sliceType: 3, multiplanarForceRender: false, multiplanarShowRender: 0, isOrientationTextVisible: false,
            isColorbar: false, backColor: [0, 0, 0, 1], crosshairColor: [0.5, 0.96, 1, 0.8], show3Dcrosshair: false,
            dragAndDropEnabled: false, loadingText: "", isOrientCube: false },
          volumes: [`IPY_MODEL_${id}`], meshes: [], height: this.place.clientHeight, draw_opacity: 0, draw_lut: null,
          draw_fill_overwrites: false, graph: null, scene: null, background_masks_overlays: 0, overlay_outline_width: 0,
          overlay_alpha_shader: 1, this_model_id: "",
        },
        { [id]: volumeModel(id, bytes, low, high) },
      );
      this.dispose = await widget.initialize({ model });
      this.leave = await widget.render({ model, el: this.place });
    } finally {
      console.log = quiet;
    }
  }

  hide() {
    this.leave?.();
    this.dispose?.();
    this.leave = this.dispose = null;
    this.place.replaceChildren();
  }
}

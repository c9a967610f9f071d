// The latent explorer: puts map, pictures and views together. In a notebook anywidget calls `render`; an exported page
// calls `openPage`. `model.get("scene")` holds everything; docs/developing.md explains its keys.

import { BrowserEngine, kernelEngine, workerEngine } from "./engine.js";
import { LatentMap } from "./map.js";
import { axisCount, mapped, nearestShown, sameStanding } from "./space.js";
import { button, choice, COLOURS, element, errorColours, inWords, picture, squaredError, traceMarker, uniqueId } from "./parts.js";
import { slidersView } from "./sliders.js";
import { morphView } from "./morph.js";
import { sampleView } from "./sample.js";
import { drawView } from "./draw.js";
import { timeView } from "./time.js";

const PICTURE = 196; // CSS pixels; half of it where two models share the room
const SPOKEN_AFTER = 500; // ms without a change

const floats = (data) => new Float32Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength));

/** A snapshot of the scene with typed arrays in place of bytes; its weights stay packed until they are needed. */
function readSnapshot(raw) {
  const { codes, mean, spread, directions, direction_spread: directionSpread, cholesky, ...rest } = raw;
  const arrays = { codes, mean, spread, directions, directionSpread, cholesky };
  for (const [name, data] of Object.entries(arrays)) arrays[name] = floats(data);
  return { ...rest, ...arrays };
}

function readAlignment(align) {
  if (!align) return null;
  const part = ({ matrix, offset, r2 }) => ({ matrix: floats(matrix), offset: floats(offset), r2 });
  return { forward: part(align.forward), backward: part(align.backward) };
}

/** The state of one view of the explorer and what the views may do with it. */
class App {
  constructor(scene, root) {
    this.scene = scene;
    this.root = root;
    this.shape = scene.shape;
    this.pixels = scene.shape.reduce((product, size) => product * size, 1);
    this.classes = scene.classes;
    const { labels, images } = scene;
    const raw = labels.buffer.slice(labels.byteOffset, labels.byteOffset + labels.byteLength);
    this.labels = scene.label_bytes === 4 ? new Int32Array(raw) : new Uint8Array(raw);
    this.images = new Uint8Array(images.buffer, images.byteOffset, images.byteLength);
    this.count = this.labels.length;
    this.models = scene.models.map((model, index) => this.readModel(model, index));
    this.align = readAlignment(scene.align);
    this.aligned = Boolean(this.align && scene.aligned);
    this.selected = -1;
    this.moment = 0;
    this.following = true;
    this.training = { running: false };
    this.counters = { inputs: 0, draws: 0, frames: 0 };
    this.layers = { pictures: false, empty: true, prior: true };
    this.hidden = new Set();
    const first = this.models.find((model) => model.decodes);
    this.plane = { basis: first && first.size > 2 ? "directions" : "values", a: 0, b: 1 };
    this.listeners = [];
    this.trainingListeners = [];
    this.reducedMotion = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  }

  readModel(raw, index) {
    const snapshots = raw.snapshots.map(readSnapshot);
    const run = (what, rows, slot, done) =>
      this.engine.run(index, this.models[index].number, what, rows, `${slot} ${index}`, done);
    return {
      index,
      name: raw.name,
      size: raw.size,
      decodes: raw.decodes && !raw.problem,
      encodes: raw.encodes && !raw.problem,
      prior: raw.prior,
      problem: raw.problem,
      noMap: raw.no_map,
      coordinates: raw.coordinates,
      programs: raw.programs,
      pixels: this.pixels,
      snapshots,
      number: 0,
      snapshot: snapshots[0],
      code: Float32Array.from(snapshots[0].mean),
      decode: (rows, slot, done) => run("decode", rows, slot, done),
      encode: (rows, slot, done) => run("encode", rows, slot, (bytes, codes) => done(codes)),
      reconstruct: (rows, slot, done) => run("reconstruct", rows, slot, done),
    };
  }

  onChange(listener) {
    this.listeners.push(listener);
  }

  onTraining(listener) {
    this.trainingListeners.push(listener);
  }

  /** Paint in the next animation frame, however many inputs come before it. */
  changed() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.counters.frames += 1;
      for (const listener of this.listeners) listener(this);
    });
  }

  /** The code of `to` for the same drag: the affine map where they are aligned, the same standing elsewhere. */
  counterpart(from, to, code) {
    if (from === to) return code;
    if (this.aligned) return mapped(from.index === 0 ? this.align.forward : this.align.backward, code);
    return sameStanding(from, to, this.plane.basis, code);
  }

  move(index, code) {
    const from = this.models[index];
    const target = Float32Array.from(code);
    for (const model of this.models) if (model.decodes) model.code = this.counterpart(from, model, target);
    this.selected = -1;
    this.changed();
  }

  select(image) {
    this.selected = this.count ? image : -1;
    if (this.selected >= 0) this.goToSelected();
    this.changed();
  }

  goToSelected() {
    for (const model of this.models) {
      const { codes } = model.snapshot;
      if (model.decodes && codes.length) model.code = codes.slice(this.selected * model.size, (this.selected + 1) * model.size);
    }
  }

  reset() {
    for (const model of this.models) model.code = Float32Array.from(model.snapshot.mean);
    if (this.aligned) this.models[1].code = this.counterpart(...this.models, this.models[0].code);
    this.selected = -1;
    this.changed();
  }

  setPlane(plane) {
    this.plane = { ...this.plane, ...(plane.basis ? { a: 0, b: 1 } : {}), ...plane };
    this.refresh();
  }

  /** Show snapshot `number` (of every model, or its last). */
  async showMoment(number) {
    const numbers = this.models.map((model) => Math.min(number, model.snapshots.length - 1));
    await Promise.all(this.models.map((model, i) => model.problem || this.engine.prepare(i, numbers[i])));
    this.moment = number;
    this.models.forEach((model, i) => {
      const before = { ...model };
      model.number = numbers[i];
      model.snapshot = model.snapshots[numbers[i]];
      if (model.decodes && before.snapshot !== model.snapshot) {
        model.code = this.selected < 0 ? sameStanding(before, model, this.plane.basis, model.code) : model.code;
      }
    });
    if (this.selected >= 0) this.goToSelected();
    this.refresh();
  }

  refresh() {
    this.onRefresh?.();
    this.changed();
  }

  /** Say it politely, once nothing has changed for a while; what several `speakers` say stands together. */
  announce(speaker, text = speaker) {
    this.said = text === speaker ? { "": text } : { ...this.said, [speaker]: text };
    clearTimeout(this.speech);
    this.speech = setTimeout(() => {
      this.spoken.textContent = Object.values(this.said).join(" ");
    }, SPOKEN_AFTER);
  }
}

/** One model's part of the stage: map, picture, and for a chosen image its original and its error. */
function stage(app, model) {
  const heading = uniqueId();
  const section = element("section", { class: "stage", "aria-labelledby": heading });
  section.append(element("p", { class: "name", id: heading }, model.name));
  if (model.problem) {
    section.append(element("p", { class: "problem", role: "alert" }, model.problem));
    return { section };
  }
  if (model.noMap) section.append(element("p", { class: "notice" }, model.noMap));
  if (model.coordinates) section.append(element("p", { class: "notice" }, model.coordinates));
  if (!model.decodes) return { section };

  const map = new LatentMap(app, model.index);
  const two = app.models.length > 1;
  const shown = picture(app.shape, "Decoded picture", two ? PICTURE / 2 : PICTURE);
  shown.canvas.classList.add("decoded");
  const original = picture(app.shape, "Chosen image", PICTURE / 2);
  const error = picture(app.shape, "Its error", PICTURE / 2);
  const figure = (part, caption) => element("figure", {}, part.canvas, element("figcaption", {}, caption));
  const chosen = element("div", { class: "chosen" }, figure(original, "original"), figure(error, "error"));
  const readout = element("p", { class: "readout" });
  const [channels, height, width] = app.shape;

  const show = (bytes) => {
    shown.draw(bytes);
    app.counters.draws += 1;
    app.root.dataset.ready = "true";
    const j = app.selected;
    const offset = j * app.pixels;
    chosen.classList.toggle("none", j < 0);
    if (j >= 0) {
      original.draw(app.images, offset);
      error.drawColours(errorColours(app.images, offset, bytes, 0, channels, height * width));
    }
    const text = describe(bytes, j, offset);
    readout.textContent = text;
    shown.describe(`Picture decoded by ${model.name}. ${text}`);
    app.announce(model.index, two ? `${model.name}: ${text}` : text);
  };
  const describe = (bytes, j, offset) => {
    const values = Array.from(model.code.subarray(0, 6), (value) => inWords(value));
    const code = `Code (${values.join(", ")}${model.size > 6 ? ", …" : ""}).`;
    if (j >= 0) {
      const mse = squaredError(app.images, offset, bytes, 0, app.pixels).toFixed(4);
      return `Image ${j}: ${app.classes[app.labels[j]]}, squared error per pixel ${mse}. ${code}`;
    }
    const { image, distance } = nearestShown(model.snapshot.codes, model.size, model.code);
    return image < 0 ? code : `Nearest image: ${app.classes[app.labels[image]]}, ${distance.toFixed(2)} away. ${code}`;
  };
  const pictures = element("div", { class: two ? "row" : "" }, figure(shown, "decoded"), chosen);
  section.append(element("div", { class: two ? "" : "row" }, map.canvas, pictures), readout);
  const paint = () => {
    map.paint();
    model.decode(model.code, "stage", show);
  };
  return { section, map, paint };
}

/** Buttons that hide and show classes; each carries its marker, so that the legend needs no colour. */
function legend(app) {
  const row = element("div", { class: "legend", role: "group", "aria-label": "Classes on the map" });
  const present = [...new Set(app.labels)].sort((a, b) => a - b);
  if (present.length > 20) return row;
  for (const k of present) {
    const sample = element("canvas", { width: 32, height: 32, "aria-hidden": "true" });
    const one = button("", () => {
      if (!app.hidden.delete(k)) app.hidden.add(k);
      one.setAttribute("aria-pressed", String(!app.hidden.has(k)));
      app.refresh();
    }, { "aria-pressed": "true" });
    one.append(sample, app.classes[k]);
    row.append(one);
    app.onTheme(() => {
      const context = sample.getContext("2d");
      context.clearRect(0, 0, 32, 32);
      traceMarker(context, k, 16, 16, 9);
      context.fillStyle = COLOURS[k % 10] === "#000000" ? getComputedStyle(app.root).getPropertyValue("--ink") : COLOURS[k % 10];
      context.fill();
    });
  }
  return row;
}

/** What the map shows: its plane, its layers, the alignment of two models. */
function mapControls(app) {
  const row = element("div", { class: "row" });
  const first = app.models.find((model) => model.decodes);
  if (!first) return row;
  const check = (text, on, change) => {
    const box = element("input", { type: "checkbox", checked: on, onchange: () => change(box.checked) });
    row.append(element("label", { class: "check" }, box, text));
  };
  if (first.size > 2) {
    const axes = ["across", "up"].map((text, i) => {
      const one = choice(`Axis ${text}`, [], (value) => app.setPlane({ [i ? "b" : "a"]: Number(value) }));
      row.append(one.element);
      return one.select;
    });
    app.onPlane(() => {
      const count = Math.min(...app.models.filter((model) => model.decodes).map((model) => axisCount(model, app.plane.basis)));
      const name = app.plane.basis === "values" ? "value" : "direction";
      axes.forEach((select, i) => {
        select.replaceChildren(...Array.from({ length: count }, (_, k) => element("option", { value: k }, `${name} ${k + 1}`)));
        select.value = String(i ? app.plane.b : app.plane.a);
      });
    });
  }
  const layer = (name) => (on) => {
    app.layers[name] = on;
    app.refresh();
  };
  if (app.count && first.encodes) check("Hatch empty regions", app.layers.empty, layer("empty"));
  if (app.models.some((model) => model.prior)) check("Prior (1, 2, 3 σ)", app.layers.prior, layer("prior"));
  check("Pictures on the map", app.layers.pictures, layer("pictures"));
  if (app.align) {
    const share = Math.floor(1000 * app.align.forward.r2) / 10;
    check(`Align: lay the second code on the first by the best affine map (explains ${share.toFixed(1)} % of it)`, app.aligned, (on) => {
      app.aligned = on;
      app.move(0, app.models[0].code);
      app.refresh();
    });
  }
  return row;
}

/** Tabs after the pattern of the ARIA Authoring Practices: arrow keys move between them. */
function tabs(views) {
  const bar = element("div", { role: "tablist", "aria-label": "Tools", class: "tabs" });
  const panels = element("div");
  const parts = views.map((view) => {
    const [id, panelId] = [uniqueId(), uniqueId()];
    const tab = element("button", { type: "button", role: "tab", id, "aria-controls": panelId }, view.title);
    const panel = element("div", { role: "tabpanel", id: panelId, "aria-labelledby": id, class: "panel" }, view.element);
    bar.append(tab);
    panels.append(panel);
    return { view, tab, panel };
  });
  let open = null;
  const show = (part) => {
    if (open && open !== part) open.view.hide?.();
    const fresh = open !== part;
    open = part;
    for (const { tab, panel } of parts) {
      tab.setAttribute("aria-selected", String(tab === part.tab));
      tab.tabIndex = tab === part.tab ? 0 : -1;
      panel.hidden = tab !== part.tab;
    }
    if (fresh) part.view.show?.();
  };
  parts.forEach((part, i) => {
    part.tab.addEventListener("click", () => show(part));
    part.tab.addEventListener("keydown", (event) => {
      const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: parts.length - 1 }[event.key];
      if (to === undefined) return;
      const target = parts[(to + parts.length) % parts.length];
      show(target);
      target.tab.focus();
      event.preventDefault();
    });
  });
  return { element: element("div", {}, bar, panels), start: () => show(parts[0]), close: () => open?.view.hide?.() };
}

/** Build the explorer in `host`; resolves to a function that takes it down. `makeEngine(app, say)` says who computes. */
async function build(scene, host, makeEngine) {
  const root = element("div", { class: "autoencoder-lab-explorer", role: "group", "aria-label": scene.title });
  root.dataset.lmSuppressShortcuts = "true"; // JupyterLab must not take our arrow keys for its own
  root.dataset.engine = scene.engine;
  host.replaceChildren(root);
  const app = new App(scene, root);
  root.explorer = app;
  const [themed, planed, maps] = [[], [], []];
  app.onTheme = (draw) => themed.push(draw);
  app.onPlane = (draw) => planed.push(draw);
  app.onRefresh = () => {
    for (const draw of [...themed, ...planed]) draw();
    for (const map of maps) map.refresh();
  };
  app.spoken = element("div", { role: "status", "aria-live": "polite", class: "spoken" });
  const state = element("p", { class: "notice state" });
  const say = (text) => {
    if (state.textContent !== text) state.textContent = text;
    state.hidden = !text;
  };
  say("");
  app.engine = makeEngine(app, say);
  await Promise.all(app.models.map((model, i) => model.problem || app.engine.prepare(i, 0)));

  const notices = [...scene.notices, ...(scene.why ? [scene.why] : [])].map((text) => element("p", { class: "notice" }, text));
  app.dropNotices = () => notices.forEach((notice) => notice.remove());
  const stages = element("div", { class: "stages" });
  root.append(...notices, state, stages);
  const paints = [];
  for (const model of app.models) {
    const { section, map, paint } = stage(app, model);
    stages.append(section);
    if (map) maps.push(map);
    if (paint) paints.push(paint);
  }
  app.onChange(() => paints.forEach((paint) => paint()));
  if (maps.length && app.models.some((model) => model.encodes)) root.append(legend(app));
  const controls = mapControls(app);
  const tools = tabs([slidersView, morphView, sampleView, drawView, timeView].map((view) => view(app)));
  if (app.models.some((model) => !model.problem)) root.append(controls, tools.element);
  root.append(app.spoken);
  app.onRefresh();
  if (maps.length) tools.start();
  else {
    root.dataset.ready = "true";
    [...root.querySelectorAll("[role=tab]")].find((tab) => tab.textContent === "Draw")?.click();
  }
  app.changed();

  const light = window.matchMedia("(prefers-color-scheme: dark)");
  const theme = new MutationObserver(() => app.refresh());
  theme.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "class"] });
  const repaint = () => app.refresh();
  light.addEventListener("change", repaint);
  return () => {
    theme.disconnect();
    light.removeEventListener("change", repaint);
    cancelAnimationFrame(app.frame);
    clearTimeout(app.speech);
    tools.close();
    app.engine.close();
  };
}

/** What the kernel sends while a model trains. */
function listenToTraining(app, view, message, buffers) {
  if (message.kind === "training") {
    app.training = message;
    for (const listener of app.trainingListeners) listener();
    return;
  }
  if (message.kind !== "snapshot" || (message.view && message.view !== view)) return;
  const model = app.models[message.model];
  if (model.snapshots.length > message.number) return; // this view has it
  const names = [...message.arrays, ...(message.forward === undefined ? [] : ALIGNMENT), ...message.weights];
  const parts = Object.fromEntries(names.map((name, i) => [name, buffers[i]]));
  const pick = (from) => Object.fromEntries(from.map((name) => [name, parts[name]]));
  const raw = { ...message.values, ...pick(message.arrays), weights: pick(message.weights) };
  if (message.forward !== undefined) {
    const part = (way) => ({ matrix: parts[`${way} matrix`], offset: parts[`${way} offset`], r2: message[way] });
    app.align = readAlignment({ forward: part("forward"), backward: part("backward") });
  }
  model.snapshots.push(readSnapshot(raw));
  app.dropNotices();
  if (app.following) app.showMoment(message.number);
  else app.changed();
}

const ALIGNMENT = ["forward matrix", "forward offset", "backward matrix", "backward offset"];

/** anywidget's entry. */
async function render({ model, el }) {
  const view = uniqueId() + Math.random().toString(36).slice(2);
  const scene = model.get("scene");
  let app = null;
  const close = await build(scene, el, (made, say) => {
    app = made;
    return scene.engine === "kernel" ? kernelEngine(model, view, say) : new BrowserEngine(made.models);
  });
  const send = (message) => {
    try {
      model.send({ ...message, view });
    } catch {
      // the kernel is gone: nothing trains there either
    }
  };
  app.steer = (action) => send({ kind: "training", action });
  const listen = (message, buffers) => listenToTraining(app, view, message, buffers);
  model.on("msg:custom", listen);
  send({ kind: "ready" }); // also wakes the way to the kernel before it is needed
  return () => {
    model.off("msg:custom", listen);
    close();
  };
}

/** An exported page's entry. `scene`: bytes stand in it as {base64: text}; `code`: the address of this file. */
async function openPage(scene, host, code) {
  const revive = (value) => {
    if (value === null || typeof value !== "object") return value;
    if (typeof value.base64 === "string") {
      const binary = atob(value.base64);
      return new DataView(Uint8Array.from(binary, (character) => character.charCodeAt(0)).buffer);
    }
    if (Array.isArray(value)) return value.map(revive);
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, revive(part)]));
  };
  const ready = revive(scene);
  await build(ready, host, (app, say) => {
    app.steer = () => {};
    return scene.engine === "worker" ? workerEngine(transferable(app.models), code, say) : new BrowserEngine(app.models);
  });
}

/** What the worker needs of the models, without functions. */
function transferable(models) {
  return models.map(({ programs, snapshots, size, pixels }) => ({
    programs,
    size,
    pixels,
    snapshots: snapshots.map(({ weights }) => ({ weights })),
  }));
}

export default { render, openPage };

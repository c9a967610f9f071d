// "Draw": what the models make of a picture that somebody draws or loads, whole or damaged.

import { button, choice, element, errorColours, normalNumbers, picture } from "./parts.js";
import { slider, squaredError, uniformNumbers } from "./parts.js";
import { livePainter, modelPart, numberField, row, usable } from "./morph.js";
import { nearestShown } from "./space.js";

/** The box round what is at least a quarter bright, its longer side, and the centre of mass (x, y). */
export function inkBox(data, stride, width) {
  let [left, right, top, bottom, mass, x, y] = [width, 0, Infinity, 0, 1e-9, 0, 0];
  for (let i = 0; i * stride < data.length; i += 1) {
    const [light, column, line] = [data[i * stride], i % width, Math.floor(i / width)];
    mass += light;
    x += light * (column + 0.5);
    y += light * (line + 0.5);
    if (light < 64) continue;
    [left, right] = [Math.min(left, column), Math.max(right, column + 1)];
    [top, bottom] = [Math.min(top, line), line + 1];
  }
  return { left, right, top, bottom, side: Math.max(0, right - left, bottom - top), x: x / mass, y: y / mass };
}

/** Mean `inkBox` of the shown images: for MNIST a side of 20 pixels in the middle of 28. */
export function usualPlace({ images, pixels, count, shape }) {
  const place = { side: 0, x: 0, y: 0 };
  for (let j = 0; j < count; j += 1) {
    const box = inkBox(images.subarray(j * pixels, (j + 1) * pixels), 1, shape[2]);
    for (const name of Object.keys(place)) place[name] += box[name] / count;
  }
  return place;
}

/** A drawing (ImageData) as bytes of `shape`: means over pixels; first scaled and moved to a `place`, if any. */
export function inkToBytes({ data, width: wide, height: high }, [channels, height, width], place) {
  const zoom = wide / width;
  const box = place && inkBox(data, 4, wide);
  let [scale, dx, dy] = [1, 0, 0];
  if (box?.side) {
    scale = (zoom * place.side) / box.side;
    const inside = (to, centre, low, end, whole) => // so that no ink is lost
      Math.max(-low * scale, Math.min(whole - end * scale, zoom * to - centre * scale));
    dx = inside(place.x, box.x, box.left, box.right, wide);
    dy = inside(place.y, box.y, box.top, box.bottom, high);
  }
  const sums = new Float32Array(channels * height * width);
  for (let i = 0; i < wide * high; i += 1) {
    const [u, v] = [i % wide, Math.floor(i / wide)];
    const [x, y] = [Math.floor((u + 0.5 - dx) / scale), Math.floor((v + 0.5 - dy) / scale)];
    if (x < 0 || y < 0 || x >= wide || y >= high) continue;
    const at = 4 * (y * wide + x);
    const grey = 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];
    const pixel = Math.floor(v / zoom) * width + Math.floor(u / zoom);
    for (let c = 0; c < channels; c += 1) sums[c * height * width + pixel] += channels === 3 ? data[at + c] : grey;
  }
  return new Uint8ClampedArray(sums.map((sum) => sum / zoom ** 2));
}

const DAMAGES = [["none", "nothing"], ["gaussian", "Gaussian noise"], ["salt_pepper", "salt and pepper"],
  ["pixel_mask", "missing pixels"], ["box_mask", "a hole"], ["downsample", "coarse pixels"]];

/** Damaged `x` in [0, 1], as corruptions.py does it; `amount`: σ, share or pixels; `hole`: its column and row. */
export function damageImage(kind, x, [, height, width], amount, seed, hole) {
  const [area, uniform] = [height * width, uniformNumbers(seed)];
  const [normal, dice] = [normalNumbers(uniform), Array.from({ length: area }, uniform)];
  const [column, line] = [(i) => i % width, (i) => Math.floor((i % area) / width)];
  const within = (place, start) => place >= start && place < start + amount;
  const block = (i) => [i / area, line(i) / amount, column(i) / amount].map(Math.floor).join();
  const blocks = {};
  if (kind === "downsample") x.forEach((value, i) => (blocks[block(i)] ??= []).push(value));
  const mean = (values) => values.reduce((sum, value) => sum + value) / values.length;
  const rules = {
    none: (value) => value,
    gaussian: (value) => Math.max(0, Math.min(1, value + amount * normal())),
    salt_pepper: (value, i) => (dice[i % area] < amount / 2 ? 0 : dice[i % area] > 1 - amount / 2 ? 1 : value),
    pixel_mask: (value, i) => (dice[i % area] < amount ? 0 : value),
    box_mask: (value, i) => (within(column(i), hole[0]) && within(line(i), hole[1]) ? 0 : value),
    downsample: (_, i) => mean(blocks[block(i)]),
  };
  return x.map(rules[kind]);
}

/** The choice of a damage with its strength, noise and the hole's place; `apply(x)` does it. */
function damageControls({ shape }, change) {
  const [, height, width] = shape;
  let seed = 1;
  const pixels = (share) => Math.max(1, Math.round(share * Math.min(height, width)));
  const amount = (v) => ({ box_mask: pixels(v), downsample: pixels(v / 2) })[what.select.value] ?? v;
  const say = (v) => (amount(v) === v ? `${v}` : `${amount(v)} pixels`);
  const range = { min: 0, max: 1, step: 0.05, value: 0.3, input: change };
  const show = () => {
    strength.value = strength.range.value; // its words depend on the damage
    strength.element.hidden = again.hidden = what.select.value === "none";
    for (const place of places) place.element.hidden = what.select.value !== "box_mask";
    change();
  };
  const what = choice("Damage", DAMAGES, show);
  const strength = slider("Strength", { ...range, say });
  const places = ["left", "top"].map((side) => slider(`Hole from ${side}`, range));
  const again = button("New noise", () => {
    const dice = uniformNumbers((seed += 1));
    for (const place of places) place.value = dice();
    change();
  });
  show();
  const apply = (x) => {
    const size = amount(strength.value);
    const hole = places.map((place, i) => Math.round(place.value * ([width, height][i] - size)));
    return damageImage(what.select.value, x, shape, size, seed, hole);
  };
  return { apply, element: row(...[what, strength, ...places].map((part) => part.element), again) };
}

const PAD_TEXT = "Drawing pad. Arrow keys move the pen, Space lowers and lifts it, Delete clears, Control Z undoes.";
const PEN_KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** White ink on a black canvas, `zoom`² points a pixel, with undo; `change()` follows every change. */
function makePaper([, height, width], change) {
  const zoom = Math.max(1, Math.round(280 / Math.max(height, width)));
  const [wide, high] = [width * zoom, height * zoom];
  const use = { tabindex: 0, role: "application", "aria-label": PAD_TEXT };
  const canvas = element("canvas", { width: wide, height: high, ...use });
  const ink = canvas.getContext("2d", { willReadFrequently: true });
  const history = [];
  const read = () => ink.getImageData(0, 0, wide, high);
  const fill = (colour, how = "source-over") => {
    Object.assign(ink, { fillStyle: colour, globalCompositeOperation: how });
    ink.fillRect(0, 0, wide, high);
    ink.globalCompositeOperation = "source-over";
  };
  const edit = (work) => {
    history.push(read());
    if (history.length > 50) history.shift();
    work();
    change();
  };
  const undo = () => {
    if (history.length) ink.putImageData(history.pop(), 0, 0);
    change();
  };
  const line = (x, y, toX, toY) => {
    ink.beginPath();
    ink.moveTo(x, y);
    ink.lineTo(toX, toY + 0.01); // so that a tap leaves a dot
    ink.stroke();
    change();
  };
  /** Cover all of it with a picture, cut to its form; `smooth`: its pixels blend. */
  const put = (image, smooth) => {
    const scale = Math.max(wide / image.width, high / image.height);
    const [w, h] = [image.width * scale, image.height * scale];
    fill("#fff"); // behind what is transparent
    ink.imageSmoothingEnabled = smooth;
    ink.drawImage(image, (wide - w) / 2, (high - h) / 2, w, h);
  };
  Object.assign(ink, { lineCap: "round", strokeStyle: "#fff", imageSmoothingQuality: "high" });
  fill("#000");
  const clear = () => edit(() => fill("#000"));
  return { canvas, ink, zoom, wide, high, change, read, fill, edit, undo, clear, line, put };
}

/** Drawing on the paper by pointer, or by keys with a mark where the pen is. */
function drawingPad(app, paper) {
  const { canvas, wide, high, zoom } = paper;
  const mark = element("i");
  let [x, y, down, moved] = [wide / 2, high / 2, false, false];
  const go = (toX, toY) => {
    app.counters.inputs += 1;
    if (down) paper.line(x, y, toX, toY);
    [x, y, moved] = [toX, toY, true];
    Object.assign(mark.style, { left: `${(100 * x) / wide}%`, top: `${(100 * y) / high}%` });
  };
  const set = (lowered) => {
    [down, moved] = [lowered, false];
    if (down) paper.edit(() => paper.line(x, y, x, y));
    mark.className = down ? "down" : "";
  };
  const follow = ({ clientX, clientY }) => {
    const box = canvas.getBoundingClientRect();
    go(((clientX - box.left) / box.width) * wide, ((clientY - box.top) / box.height) * high);
  };
  const on = {
    pointerdown(event) {
      if (!event.isPrimary || event.button) return;
      canvas.setPointerCapture(event.pointerId);
      down = false;
      follow(event);
      set(true);
    },
    pointermove(event) {
      const parts = event.getCoalescedEvents?.() ?? [];
      if (event.isPrimary && event.buttons) (parts.length ? parts : [event]).forEach(follow);
    },
    keydown(event) {
      const { key } = event;
      const step = PEN_KEYS[key]?.map((d) => d * zoom);
      if (step) go(Math.max(0, Math.min(wide, x + step[0])), Math.max(0, Math.min(high, y + step[1])));
      else if (key === " ") event.repeat || set(!down);
      else if (key === "Delete" || key === "Backspace") paper.clear();
      else if (key === "z" && (event.ctrlKey || event.metaKey)) paper.undo();
      else return;
      event.preventDefault();
      app.announce(`Pen ${down ? "down" : "up"}, column ${Math.round(x / zoom)}, row ${Math.round(y / zoom)}`);
    },
    keyup: ({ key }) => key === " " && moved && set(false), // held while it moved, not tapped
  };
  for (const name of ["pointerup", "pointercancel", "blur"]) on[name] = () => set(false);
  for (const [name, listener] of Object.entries(on)) canvas.addEventListener(name, listener);
  return element("div", { class: "draw-pad" }, canvas, mark);
}

/** What stands below the pad. `centre`: the box that asks for the drawing to be centred. */
function drawingControls(app, { ink, wide, high, change, edit, undo, clear, fill, put }) {
  const input = (text, attributes) => {
    const field = element("input", attributes);
    return [field, element("label", {}, text, field)];
  };
  const negate = () => fill("#fff", "difference");
  const centring = { type: "checkbox", checked: app.shape[0] === 1, onchange: change };
  const [centre, centreLabel] = input("Centre the drawing", centring);
  const [invert, invertLabel] = input("Invert", { type: "checkbox", onchange: () => edit(negate) });
  const widen = (v) => (ink.lineWidth = (v / 28) * Math.max(wide, high));
  const pen = slider("Pen", { min: 0.5, max: 6, step: 0.5, value: 2, say: (v) => `${v}/28 wide`, input: widen });
  widen(2);
  const note = element("p");
  const load = async () => {
    if (!file.files.length) return;
    const image = await createImageBitmap(file.files[0]).catch(() => null);
    note.textContent = image ? "" : "This file is no picture that the browser can read.";
    if (!image) return;
    edit(() => {
      put(image, true);
      if (invert.checked) negate();
    });
  };
  const [file, fileLabel] = input("Load a picture", { type: "file", accept: "image/*", onchange: load });
  const number = numberField("Image", app.count - 1, (index) => (number.input.value = index));
  app.onChange(() => app.selected >= 0 && (number.input.value = app.selected));
  const start = button("Start from it", () => {
    const real = picture(app.shape, "", 28);
    real.draw(app.images, number.input.value * app.pixels);
    centre.checked = false; // it is in its place
    edit(() => put(real.canvas, false));
  });
  const first = row(button("Clear", clear), button("Undo", undo), centreLabel, pen.element);
  const parts = [first, row(number.element, start), row(fileLabel, invertLabel), note];
  return { centre, element: element("div", {}, ...parts) };
}

/** What one model makes of the picture, and where its code lies. */
function drawnOutcome(app, model) {
  const [channels, height, width] = app.shape;
  const rebuilt = picture(app.shape, `Reconstruction by ${model.name}`, 112);
  const error = picture(app.shape, "Its error, bright is large", 112);
  const text = element("p");
  let code;
  const go = button("Go there", () => app.move(model.index, code));
  const paint = (clean) => (bytes, codes) => {
    rebuilt.draw(bytes);
    error.drawColours(errorColours(clean, 0, bytes, 0, channels, height * width));
    code = codes?.length ? codes.slice() : [];
    go.hidden = !code.length || !model.decodes;
    const { image, distance } = nearestShown(code.length ? model.snapshot.codes : [], model.size, code);
    const near = image < 0 ? "" : ` Nearest code: ${app.classes[app.labels[image]]}, ${distance.toFixed(2)} away.`;
    text.textContent = `Squared error per pixel ${squaredError(clean, 0, bytes, 0, app.pixels).toFixed(4)}.${near}`;
    app.announce(`${model.name}: ${text.textContent}`);
  };
  const update = (clean, given) => model.reconstruct(given, "draw", paint(clean));
  return { update, element: modelPart(model, row(rebuilt.canvas, error.canvas, go), text) };
}

/** "Draw": the pad, the damage, and every model's reconstruction, live. */
export function drawView(app) {
  const why = ({ name }) => `${name} has no encoder: there is nothing to draw for.`;
  const [able, sorry] = usable(app, (model) => model.encodes, why);
  if (!able.length) return { title: "Draw", element: element("div", {}, ...sorry) };
  const [drawn, damaged] = ["Drawn", "Given to the models"].map((text) => picture(app.shape, text, 112));
  const figure = (part, text) => element("figure", {}, part.canvas, element("figcaption", {}, text));
  const pictures = row(figure(drawn, "drawn"), figure(damaged, "given to the models"));
  const outcomes = able.map((model) => drawnOutcome(app, model));
  const empty = element("p", { class: "name" }, "Draw something.");
  const results = element("div", {}, pictures, ...outcomes.map((outcome) => outcome.element));
  let place;
  const { request, show, hide } = livePainter(app, () => able.map((model) => model.snapshot), () => {
    place ??= usualPlace(app);
    const clean = inkToBytes(paper.read(), app.shape, controls.centre.checked && place);
    empty.hidden = clean.some((byte) => byte);
    results.hidden = !empty.hidden;
    if (results.hidden) return;
    const given = damage.apply(Float32Array.from(clean, (byte) => byte / 255));
    drawn.draw(clean);
    damaged.draw(Uint8ClampedArray.from(given, (value) => 255 * value));
    for (const outcome of outcomes) outcome.update(clean, given);
  });
  const paper = makePaper(app.shape, request);
  const controls = drawingControls(app, paper);
  const damage = damageControls(app, request);
  const left = element("div", {}, drawingPad(app, paper), controls.element);
  const right = element("div", {}, damage.element, empty, results, ...sorry);
  return { title: "Draw", element: element("div", { class: "row draw" }, left, right), show, hide };
}

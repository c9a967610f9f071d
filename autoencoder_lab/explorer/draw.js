// "Draw": what the models make of a picture that somebody draws or loads, whole or damaged.

import { button, choice, element, errorColours, normalNumbers, picture } from "./parts.js";
import { inWords, slider, squaredError, uniformNumbers } from "./parts.js";
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

/** Mean `inkBox` of the shown images, in pixels: for MNIST a side of 20 in the middle of 28. */
export function usualPlace({ images, pixels, count, shape }) {
  const place = { side: 0, x: 0, y: 0 };
  for (let j = 0; j < count; j += 1) {
    const box = inkBox(images.subarray(j * pixels, (j + 1) * pixels), 1, shape[2]);
    for (const name in place) place[name] += box[name] / count;
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
    // the centre of mass where it should be, but all ink inside
    const move = (centre, low, end, to, whole) =>
      Math.max(-low * scale, Math.min(whole - end * scale, zoom * to - centre * scale));
    dx = move(box.x, box.left, box.right, place.x, wide);
    dy = move(box.y, box.top, box.bottom, place.y, high);
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
  const placeOf = (i) => [i % width, Math.floor((i % area) / width)]; // column, row
  const blockOf = (i) => [Math.floor(i / area), ...placeOf(i).map((at) => Math.floor(at / amount))].join();
  const blocks = {};
  if (kind === "downsample") x.forEach((value, i) => (blocks[blockOf(i)] ??= []).push(value));
  const rules = {
    none: (value) => value,
    gaussian: (value) => Math.max(0, Math.min(1, value + amount * normal())),
    salt_pepper: (value, i) => (dice[i % area] < amount / 2 ? 0 : dice[i % area] > 1 - amount / 2 ? 1 : value),
    pixel_mask: (value, i) => (dice[i % area] < amount ? 0 : value),
    box_mask: (value, i) => (placeOf(i).every((at, d) => at >= hole[d] && at < hole[d] + amount) ? 0 : value),
    downsample: (_, i, __, block = blocks[blockOf(i)]) => block.reduce((a, b) => a + b) / block.length,
  };
  return x.map(rules[kind]);
}

/** The choice of a damage with its strength, noise and the hole's place; `apply(x)` does it. */
function damageControls({ shape }, change) {
  const sides = [shape[2], shape[1]];
  let seed = 1;
  const pixels = (share) => Math.max(1, Math.round(share * Math.min(...sides)));
  const amount = (v) => ({ box_mask: pixels(v), downsample: pixels(v / 2) })[what.select.value] ?? v;
  const say = (v) => (amount(v) === v ? inWords(v) : `${amount(v)} pixels`);
  const range = { step: 0.05, value: 0.3, input: change };
  const show = () => {
    const kind = what.select.value;
    strength.value = strength.range.value; // in other words now
    strength.element.hidden = again.hidden = kind === "none";
    for (const place of places) place.element.hidden = kind !== "box_mask";
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
    const hole = places.map((place, d) => Math.round(place.value * (sides[d] - size)));
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
  const invert = () => {
    const image = read();
    image.data.forEach((byte, i) => i % 4 < 3 && (image.data[i] = 255 - byte));
    ink.putImageData(image, 0, 0);
  };
  /** Cover all of it with a picture, cut to its form. */
  const put = (image) => {
    const scale = Math.max(wide / image.width, high / image.height);
    const [w, h] = [image.width * scale, image.height * scale];
    ink.fillRect(0, 0, wide, high); // black paper behind what is transparent
    ink.imageSmoothingEnabled = scale < zoom; // a shown image keeps its pixels
    ink.drawImage(image, (wide - w) / 2, (high - h) / 2, w, h);
  };
  const clear = () => edit(() => ink.fillRect(0, 0, wide, high));
  Object.assign(ink, { lineCap: "round", strokeStyle: "#fff", imageSmoothingQuality: "high" });
  ink.fillRect(0, 0, wide, high);
  return { canvas, ink, zoom, wide, high, change, read, edit, undo, line, invert, put, clear };
}

/** Drawing on the paper by pointer, or by keys with a mark where the pen is. */
function drawingPad(app, { canvas, zoom, wide, high, edit, undo, line, clear }) {
  const mark = element("i");
  let [x, y, down, moved] = [wide / 2, high / 2, false, false];
  const go = (toX, toY) => {
    app.counters.inputs += 1;
    if (down) line(x, y, toX, toY);
    [x, y, moved] = [toX, toY, true];
    Object.assign(mark.style, { left: `${(100 * x) / wide}%`, top: `${(100 * y) / high}%` });
  };
  const set = (lowered) => {
    [down, moved, mark.className] = [lowered, false, lowered ? "down" : ""];
    if (down) edit(() => line(x, y, x, y));
  };
  const follow = ({ clientX, clientY }) => {
    const box = canvas.getBoundingClientRect();
    go(((clientX - box.left) / box.width) * wide, ((clientY - box.top) / box.height) * high);
  };
  const lift = () => set(false);
  const on = {
    pointerdown(event) {
      if (!event.isPrimary || event.button) return;
      canvas.setPointerCapture(event.pointerId);
      lift();
      follow(event);
      set(true);
    },
    pointermove(event) {
      if (event.isPrimary && event.buttons) (event.getCoalescedEvents?.() ?? [event]).forEach(follow);
    },
    pointerup: lift,
    pointercancel: lift,
    blur: lift,
    keydown(event) {
      const { key } = event;
      const step = PEN_KEYS[key]?.map((d) => d * zoom);
      if (step) go(Math.max(0, Math.min(wide, x + step[0])), Math.max(0, Math.min(high, y + step[1])));
      else if (key === " ") event.repeat || set(!down);
      else if (key === "Delete" || key === "Backspace") clear();
      else if (key === "z" && (event.ctrlKey || event.metaKey)) undo();
      else return;
      event.preventDefault();
      app.announce(`Pen ${down ? "down" : "up"}, column ${Math.round(x / zoom)}, row ${Math.round(y / zoom)}`);
    },
    keyup: ({ key }) => key === " " && moved && lift(), // held while it moved, not tapped
  };
  for (const [name, listener] of Object.entries(on)) canvas.addEventListener(name, listener);
  return element("div", { class: "draw-pad" }, canvas, mark);
}

/** What stands below the pad. `centre`: the box that asks for the drawing to be centred. */
function drawingControls(app, { ink, wide, high, change, edit, undo, clear, invert, put }) {
  const field = (text, attributes) => {
    const input = element("input", attributes);
    return { input, element: element("label", {}, text, input) };
  };
  const centre = field("Centre the drawing", { type: "checkbox", checked: app.shape[0] === 1, onchange: change });
  const negate = field("Invert", { type: "checkbox", onchange: () => edit(invert) });
  const widen = (v) => (ink.lineWidth = (v / 28) * Math.max(wide, high));
  const pen = slider("Pen", { min: 0.5, max: 6, step: 0.5, value: 2, say: (v) => `${v}/28 wide`, input: widen });
  widen(2);
  const note = element("p");
  const load = async () => {
    const [chosen] = file.input.files;
    const image = chosen && (await createImageBitmap(chosen).catch(() => null));
    note.textContent = image === null ? `${chosen.name} is no picture that the browser can read.` : "";
    if (!image) return;
    edit(() => {
      put(image);
      if (negate.input.checked) invert();
    });
  };
  const file = field("Load a picture", { type: "file", accept: "image/*", onchange: load });
  const number = numberField("Image", app.count - 1, (index) => (number.input.value = index));
  app.onChange(() => app.selected >= 0 && (number.input.value = app.selected));
  const start = button("Start from it", () => {
    const real = picture(app.shape, "", 28);
    real.draw(app.images, number.input.value * app.pixels);
    centre.input.checked = false; // it is in its place
    edit(() => put(real.canvas));
  });
  const first = row(button("Clear", clear), button("Undo", undo), centre.element, pen.element);
  const parts = [first, row(number.element, start), row(file.element, negate.element), note];
  return { centre: centre.input, element: element("div", {}, ...parts) };
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
    code = codes?.slice() ?? [];
    go.hidden = !code.length || !model.decodes;
    const { image, distance } = nearestShown(code.length ? model.snapshot.codes : [], model.size, code);
    const near = image < 0 ? "" : ` Nearest code: ${app.classes[app.labels[image]]}, ${inWords(distance)} away.`;
    text.textContent = `Squared error per pixel ${inWords(squaredError(clean, 0, bytes, 0, app.pixels), 4)}.${near}`;
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
  const [drawn, damaged] = ["Drawn", "Given to the models"].map((text) => {
    const { canvas, draw } = picture(app.shape, text, 112);
    return { draw, element: element("figure", {}, canvas, element("figcaption", {}, text)) };
  });
  const outcomes = able.map((model) => drawnOutcome(app, model));
  const empty = element("p", { class: "name" }, "Draw something.");
  const pictures = row(drawn.element, damaged.element);
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

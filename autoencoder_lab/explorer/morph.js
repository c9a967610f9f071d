// "Morph": from one image to another through the codes between theirs. First, what the views that compute share.

import { button, choice, element, picture, slider, squaredError } from "./parts.js";

/** `paint()` once a frame at most, only while shown: when asked to, and when a value of `inputs()` is another one. */
export function livePainter(app, inputs, paint) {
  let [frame, before] = [null, []]; // null: hidden
  const run = () => {
    [frame, before] = [0, inputs()];
    app.counters.draws += 1;
    paint();
  };
  const request = () => {
    if (frame === 0) frame = requestAnimationFrame(run);
  };
  const show = () => {
    frame ??= 0;
    request();
  };
  const hide = () => (frame = cancelAnimationFrame(frame) ?? null);
  app.onChange(() => inputs().some((value, i) => value !== before[i]) && request());
  return { request, show, hide };
}

export const row = (...parts) => element("div", { class: "row" }, ...parts);

/** What a view shows of one model, under its name. */
export function modelPart({ name }, ...parts) {
  return element("div", { role: "group", "aria-label": name }, element("p", { class: "name" }, name), ...parts);
}

/** The models that a view can use, and a paragraph for each of the others. */
export function usable(app, fits, why) {
  const rest = app.models.filter((model) => !fits(model));
  return [app.models.filter(fits), rest.map((model) => element("p", {}, model.problem || why(model)))];
}

/** A labelled whole number; `change` gets it brought into 0 … max. */
export function numberField(text, max, change) {
  const set = () => change(Math.max(0, Math.min(max, Math.round(input.value))));
  const input = element("input", { type: "number", min: 0, max, value: 0, onchange: set });
  return { element: element("label", {}, text, input), input };
}

/**
 * From code a to code b: straight, or round `centre` (slerp: Shoemake, 1985; for codes: White, 2016). `arc` is false
 * where there is none: without a centre, with a code on it, or at an angle of 0 or π.
 */
export function codePath(a, b, centre) {
  const dot = (x, y) => x.reduce((sum, _, d) => sum + (x[d] - centre[d]) * (y[d] - centre[d]), 0);
  const angle = centre ? Math.acos(dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))) : 0;
  const arc = Math.sin(angle) > 1e-3;
  const at = (t) => {
    const [u, v] = arc ? [1 - t, t].map((s) => Math.sin(s * angle) / Math.sin(angle)) : [1 - t, t];
    return a.map((x, d) => u * x + v * b[d] + (arc && (1 - u - v) * centre[d]));
  };
  return { arc, at };
}

const STEPS = Array.from({ length: 9 }, (_, i) => i / 8);

/** One end of the path: an image by number. */
function morphEnd(app, name, change) {
  const small = picture(app.shape, "", 56);
  const field = numberField(`Image ${name}`, app.count - 1, (index) => end.set(index));
  const chosen = button(`${name} = chosen image`, () => end.set(app.selected), { disabled: true });
  app.onChange(() => (chosen.disabled = app.selected < 0));
  const end = {
    element: row(small.canvas, field.element, chosen),
    set(index) {
      end.index = field.input.value = index;
      small.draw(app.images, index * app.pixels);
      small.describe(`Image ${name}: ${app.classes[app.labels[index]]}`);
      change();
    },
  };
  return end;
}

/** A model's pictures at nine places of the path, and how far neighbours lie apart. */
function filmstrip(app, model, choose) {
  const place = (column) => ({ style: `grid-column: ${column} / span 2` });
  const frames = STEPS.map((t) => picture(app.shape, "t =", 56));
  const buttons = STEPS.map((t, i) => button(`${t}`, () => choose(t, strip), place(2 * i + 1)));
  buttons.forEach((node, i) => node.prepend(frames[i].canvas));
  const gaps = STEPS.slice(1).map((_, i) => element("span", place(2 * i + 2)));
  const text = element("p");
  const paint = (bytes) => {
    const n = app.pixels;
    const jumps = gaps.map((_, i) => n * squaredError(bytes, i * n, bytes, (i + 1) * n, n));
    frames.forEach((frame, i) => frame.draw(bytes, i * n));
    gaps.forEach((gap, i) => {
      gap.textContent = Number(jumps[i].toPrecision(2));
      gap.style.borderTopWidth = `${(20 * jumps[i]) / Math.max(1e-9, ...jumps)}px`;
    });
  };
  const strip = {
    model,
    element: modelPart(model, element("div", { class: "morph-strip" }, ...buttons, ...gaps), text),
    mark: (t) => buttons.forEach((node, i) => node.setAttribute("aria-current", i === Math.round(8 * t))),
    update(a, b, round) {
      const { size, snapshot, prior } = model;
      const [from, to] = [a, b].map((j) => snapshot.codes.subarray(j * size, (j + 1) * size));
      const path = codePath(from, to, round && (prior ? new Float32Array(size) : snapshot.mean));
      const centre = prior ? "the prior's mean, 0" : "the mean of the codes";
      const way = path.arc ? `An arc round ${centre}. ` : `Straight: the codes lie in line with ${centre}. `;
      text.textContent = `${round ? way : ""}Bars: squared distance of neighbours, summed over the pixels.`;
      strip.at = path.at;
      model.decode(Float32Array.from(STEPS.flatMap((t) => [...path.at(t)])), "morph", paint);
    },
  };
  return strip;
}

/** Runs `go(t)` from 0 to 1 and back; where motion is unwelcome, each press goes one frame further. */
function morphPlayer(app, go) {
  let [frame, before] = [0, 0];
  const player = { place: 0 };
  const advance = (by) => {
    player.place = (player.place + by) % 2;
    go(1 - Math.abs(1 - player.place));
  };
  const run = (time) => {
    frame = requestAnimationFrame(run);
    advance(Math.min(50, time - before) / 4000); // 4 s each way
    before = time;
  };
  player.stop = () => {
    frame = cancelAnimationFrame(frame) ?? 0;
    player.press.textContent = app.reducedMotion ? "Step" : "Play";
  };
  player.press = button("", () => {
    if (frame) return player.stop();
    if (app.reducedMotion) return advance(1 / 8);
    player.press.textContent = "Stop";
    frame = requestAnimationFrame(run);
  });
  player.stop();
  return player;
}

/** "Morph": two images, a path between their codes, and what each model decodes on it. */
export function morphView(app) {
  const why = ({ name, noMap }) => noMap || `${name} has no codes of images to go between.`;
  const [able, sorry] = usable(app, (model) => model.decodes && model.snapshot.codes.length, why);
  if (!able.length) return { title: "Morph", element: element("div", {}, ...sorry) };

  const inputs = () => [a.index, b.index, path.select.value, ...able.map((model) => model.snapshot)];
  const { request, show, hide } = livePainter(app, inputs, () => {
    for (const strip of strips) strip.update(a.index, b.index, path.select.value === "round");
  });
  const go = (value, lead = strips[0]) => {
    t.value = value;
    app.move(lead.model.index, lead.at(value));
    for (const strip of strips) {
      strip.mark(value);
      if (!app.aligned) strip.model.code = strip.at(value); // each on its own path
    }
  };
  const input = (value, strip) => {
    app.counters.inputs += 1;
    player.stop();
    player.place = value;
    go(value, strip);
  };
  const path = choice("Path", ["straight", ["round", "spherical (slerp)"]], request);
  const t = slider("From A to B", { min: 0, max: 1, step: 0.005, value: 0, say: (v) => `t = ${v}`, input });
  const strips = able.map((model) => filmstrip(app, model, input));
  const player = morphPlayer(app, go);
  const [a, b] = ["A", "B"].map((name) => morphEnd(app, name, request));
  a.set(0);
  b.set(Math.max(0, app.labels.findIndex((label) => label !== app.labels[0])));
  const swap = button("Swap", () => {
    const index = a.index;
    a.set(b.index);
    b.set(index);
  });
  const top = row(a.element, b.element, swap, path.element);
  const parts = [top, row(t.element, player.press), ...strips.map((strip) => strip.element), ...sorry];
  const stop = () => {
    player.stop();
    hide();
  };
  return { title: "Morph", element: element("div", {}, ...parts), show, hide: stop };
}

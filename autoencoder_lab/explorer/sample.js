// "Sample": pictures of codes drawn at random, and how near they come to real ones.

import { button, choice, element, normalNumbers, picture, slider, uniformNumbers } from "./parts.js";
import { livePainter, modelPart, numberField, row, usable } from "./morph.js";
import { nearestShown } from "./space.js";

/** `count` codes mean + temperature · L ε with ε from N(0, I); L: `cholesky`, row by row, or I without one. */
export function drawCodes(count, seed, temperature, mean, cholesky) {
  const [size, normal] = [mean.length, normalNumbers(uniformNumbers(seed))];
  const codes = new Float32Array(count * size);
  for (let at = 0; at < codes.length; at += size) {
    const noise = Array.from(mean, () => temperature * normal());
    const mixed = (d) => noise.reduce((sum, x, e) => (e > d ? sum : sum + cholesky[d * size + e] * x), 0);
    codes.set(mean.map((centre, d) => centre + (cholesky ? mixed(d) : noise[d])), at);
  }
  return codes;
}

/** Squared distance a pixel of each picture to the nearest shown image (not itself), averaged; on the scale [0, 1]. */
export function distanceToImages({ images, pixels }, bytes, count) {
  let total = 0;
  for (let i = 0; i < count * pixels; i += pixels) {
    let best = Infinity;
    for (let j = 0; j < images.length; j += pixels) {
      let sum = bytes === images && i === j ? best : 0;
      for (let p = 0; p < pixels && sum < best; p += 1) sum += (images[j + p] - bytes[i + p]) ** 2;
      best = Math.min(best, sum);
    }
    total += best;
  }
  return total / (count * pixels * 255 ** 2);
}

/** The drawn pictures of one model. `settings`: count, seed, temperature, law. */
function sampleGrid(app, model, settings) {
  const { index, size } = model;
  const [from, grid, near] = [element("p"), element("div", { class: "sample-grid" }), element("p")];
  const cells = [];
  let later;
  const addCell = () => {
    const cell = { image: picture(app.shape, `Sample ${cells.length + 1}`, 56), text: element("span") };
    cell.node = button("", () => app.move(index, cell.code));
    cell.node.append(cell.image.canvas, cell.text);
    grid.append(cell.node);
    cells.push(cell);
  };
  const measure = (bytes, count) => {
    const distance = (pictures, n) => distanceToImages(app, pictures, n).toFixed(4);
    near.textContent =
      `Mean squared distance per pixel to the nearest shown image: ${distance(bytes, count)}; of real images to the ` +
      `next one: ${distance(app.images, Math.min(48, app.count))}. Blur brings pictures nearer.`;
  };
  const paint = (codes) => (bytes) => {
    const count = codes.length / size;
    while (cells.length < count) addCell();
    cells.forEach((cell, i) => {
      cell.node.hidden = i >= count;
      if (i >= count) return;
      cell.code = codes.slice(i * size, (i + 1) * size);
      cell.image.draw(bytes, i * app.pixels);
      const { image } = nearestShown(model.snapshot.codes, size, cell.code);
      cell.text.textContent = image < 0 ? "" : `near ${app.classes[app.labels[image]]}`;
    });
    clearTimeout(later);
    later = setTimeout(measure, 200, bytes, count); // once the slider rests
  };
  const update = () => {
    const { codes, mean, cholesky } = model.snapshot;
    const fitted = codes.length && !(model.prior && settings.law === "prior");
    from.textContent = fitted ? "From a Gaussian fitted to the shown codes." : "From the prior, N(0, I).";
    const law = fitted ? [mean, cholesky] : [new Float32Array(size)];
    const drawn = drawCodes(Number(settings.count), settings.seed, settings.temperature, ...law);
    model.decode(drawn, "sample", paint(drawn));
  };
  return { update, element: modelPart(model, from, grid, near) };
}

/** "Sample": codes from the prior, or from a Gaussian fitted to the shown codes, decoded by each model. */
export function sampleView(app) {
  const [able, sorry] = usable(app, (model) => model.decodes, ({ noMap }) => noMap);
  const settings = { count: "12", seed: 0, temperature: 1, law: "prior" };
  const grids = able.map((model) => sampleGrid(app, model, settings));
  const inputs = () => [...Object.values(settings), ...able.map((model) => model.snapshot)];
  const { request, show, hide } = livePainter(app, inputs, () => grids.forEach((grid) => grid.update()));
  const set = (name) => (value) => {
    settings[name] = value;
    seed.input.value = settings.seed;
    app.counters.inputs += 1;
    request();
  };
  const laws = [["prior", "the prior where there is one"], ["codes", "a Gaussian fitted to the codes"]];
  const law = choice("Codes from", laws, set("law"));
  law.element.hidden = !able.some((model) => model.prior);
  const count = choice("How many", ["12", "24", "48"], set("count"));
  const seed = numberField("Seed", 9999, set("seed"));
  const next = button("Next seed", () => set("seed")(settings.seed + 1));
  const heat = slider("Temperature", { min: 0, max: 2, step: 0.05, value: 1, input: set("temperature") });
  const bar = able.length ? [row(law.element, count.element, seed.element, next, heat.element)] : [];
  const all = element("div", {}, ...bar, ...grids.map((grid) => grid.element), ...sorry);
  return { title: "Sample", element: all, show, hide };
}

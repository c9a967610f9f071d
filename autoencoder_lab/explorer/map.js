// The map of one model: codes of real images in a plane of the code space, a point to drag, and what stands round it.

import { along, axisCount, axisOf, mapped, movedAlong, rangeOf } from "./space.js";
import { colourOf, element, toRgba, traceMarker } from "./parts.js";

const SIDE = 320; // CSS pixels
const TILES = 14; // decoded pictures in a row of the background
const NEAR = 20; // CSS pixels: further from every code a place counts as empty
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

export class LatentMap {
  constructor(app, model) {
    Object.assign(this, { app, model, background: element("canvas"), tiles: element("canvas") });
    this.canvas = element("canvas", {
      class: "map",
      tabindex: "0",
      role: "application",
      "aria-roledescription": "map of codes",
      onpointerdown: (event) => this.press(event),
      onpointermove: (event) => this.drag(event),
      onpointerup: (event) => this.release(event),
      onkeydown: (event) => this.key(event),
    });
    this.context = this.canvas.getContext("2d");
  }

  /** Everything but the point: after a new snapshot, another plane, other layers, another theme. */
  refresh() {
    const { app, model } = this;
    const { basis, a, b } = app.plane;
    const frame = this.frameModel();
    const last = axisCount(frame, basis) - 1;
    this.axes = [axisOf(frame, basis, Math.min(a, last)), frame.size > 1 ? axisOf(frame, basis, Math.min(b, last)) : null];
    const [low, high] = rangeOf(frame, this.axes[0]);
    const lanes = [-1, app.classes.length];
    const [bottom, top] = this.axes[1] ? rangeOf(frame, this.axes[1]) : lanes;
    // one unit is equally long both ways, so that circles are circles; a one-dimensional code has lanes of classes
    const span = Math.max(high - low, this.axes[1] ? top - bottom : 0);
    const middle = [(low + high) / 2, (bottom + top) / 2];
    this.low = [middle[0] - span / 2, this.axes[1] ? middle[1] - span / 2 : bottom];
    this.span = [span, this.axes[1] ? span : top - bottom];
    const whose = frame === model ? "" : `${frame.name}’s `;
    const named = (i) => `${whose}${basis === "values" ? "code value" : "principal direction"} ${i + 1}`;
    this.names = [named(Math.min(a, last)), this.axes[1] ? named(Math.min(b, last)) : "class"];
    this.canvas.setAttribute(
      "aria-label",
      `Map of ${model.name}: ${this.names.join(" across, ")} up. Arrow keys move the point, with Shift further; ` +
        "Enter chooses the nearest image, N and P the next and the previous one, Home returns to the middle.",
    );
    this.places = this.placesOfCodes();
    this.tilesDone = false;
    this.drawBackground();
    this.paint();
  }

  /** The model whose coordinates the map is drawn in: the first one's, where the second is aligned with it. */
  frameModel() {
    return this.app.aligned && this.model.index === 1 ? this.app.models[0] : this.model;
  }

  placesOfCodes() {
    const { app, model } = this;
    const { codes } = model.snapshot;
    return Array.from({ length: codes.length / model.size }, (_, j) => {
      const code = codes.subarray(j * model.size, (j + 1) * model.size);
      return this.placeOf(this.frameModel() === model ? code : mapped(app.align.backward, code), j);
    });
  }

  /** CSS pixels of a code; `image` tells its lane where the code is one number. */
  placeOf(code, image = -1) {
    const lane = image < 0 ? this.app.classes.length / 2 : this.app.labels[image] + ((image * 7) % 11) / 16 - 0.3;
    const values = [along(this.axes[0], code), this.axes[1] ? along(this.axes[1], code) : lane];
    return [((values[0] - this.low[0]) / this.span[0]) * SIDE, SIDE - ((values[1] - this.low[1]) / this.span[1]) * SIDE];
  }

  /** The present code moved to a place of the map. */
  codeAt(x, y) {
    const frame = this.frameModel();
    let code = movedAlong(this.axes[0], frame.code, this.low[0] + (x / SIDE) * this.span[0]);
    if (this.axes[1]) code = movedAlong(this.axes[1], code, this.low[1] + ((SIDE - y) / SIDE) * this.span[1]);
    return code;
  }

  scaled(canvas, context) {
    const ratio = window.devicePixelRatio || 1;
    canvas.width = canvas.height = Math.round(SIDE * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  drawBackground() {
    const { app } = this;
    const context = this.background.getContext("2d");
    const style = getComputedStyle(app.root);
    const [ink, paper, muted] = ["--ink", "--paper", "--muted"].map((name) => style.getPropertyValue(name).trim());
    this.scaled(this.background, context);
    this.scaled(this.canvas, this.context);
    context.fillStyle = paper;
    context.fillRect(0, 0, SIDE, SIDE);
    if (app.layers.pictures && this.tilesDone) context.drawImage(this.tiles, 0, 0, SIDE, SIDE);
    const pictures = app.layers.pictures && this.tilesDone;
    if (app.layers.empty && this.places.length && !pictures) this.hatchEmptyRegions(context, muted);
    if (this.frameModel().prior && app.layers.prior) this.drawPrior(context, ink);
    this.places.forEach(([x, y], j) => {
      const k = app.labels[j];
      if (app.hidden.has(k)) return;
      traceMarker(context, k, x, y, 3.2);
      context.globalAlpha = 0.75;
      context.fillStyle = colourOf(k, ink);
      context.fill();
      context.globalAlpha = 1;
      context.strokeStyle = pictures ? "#fff" : paper;
      context.lineWidth = 0.5 + pictures;
      context.stroke();
    });
    context.font = "12px system-ui, sans-serif";
    context.textAlign = "right";
    const write = (text, x, y) => {
      context.strokeStyle = paper;
      context.lineWidth = 4;
      context.strokeText(text, x, y);
      context.fillStyle = ink;
      context.fillText(text, x, y);
    };
    write(`${this.names[0]} →`, SIDE - 6, SIDE - 6);
    context.save();
    context.translate(14, 6);
    context.rotate(-Math.PI / 2);
    write(`${this.names[1]} →`, 0, 0);
    context.restore();
    if (app.layers.pictures && !this.tilesDone) this.drawTiles();
  }

  /** Diagonal lines where no shown image has its code. */
  hatchEmptyRegions(context, muted) {
    const cell = 10;
    context.save();
    context.beginPath();
    for (let x = 0; x < SIDE; x += cell) {
      for (let y = 0; y < SIDE; y += cell) {
        if (!this.places.some(([px, py]) => (px - x - cell / 2) ** 2 + (py - y - cell / 2) ** 2 < NEAR * NEAR)) {
          context.rect(x, y, cell, cell);
        }
      }
    }
    context.clip();
    context.beginPath();
    for (let d = -SIDE; d < SIDE; d += 8) {
      context.moveTo(d, SIDE);
      context.lineTo(d + SIDE, 0);
    }
    context.strokeStyle = muted;
    context.globalAlpha = 0.45;
    context.lineWidth = 1;
    context.stroke();
    context.restore();
  }

  /** Circles at one, two and three standard deviations of the standard normal prior. */
  drawPrior(context, ink) {
    const [x, y] = this.placeOf(new Float32Array(this.frameModel().size));
    context.strokeStyle = ink;
    context.setLineDash([4, 3]);
    for (const deviations of [1, 2, 3]) {
      context.beginPath();
      context.arc(x, y, (deviations / this.span[0]) * SIDE, 0, 7);
      context.stroke();
    }
    context.setLineDash([]);
  }

  /** What the places of a grid decode to, a row at a time, so that a drag is never held up. */
  drawTiles() {
    const { app, model } = this;
    const [channels, height, width] = app.shape;
    const job = (this.tileJob = {});
    const context = this.tiles.getContext("2d");
    [this.tiles.width, this.tiles.height] = [TILES * width, TILES * height];
    const image = context.createImageData(width, height);
    const middle = (i) => ((i + 0.5) / TILES) * SIDE;
    const row = (r) => {
      if (this.tileJob !== job || !app.layers.pictures) return;
      const codes = new Float32Array(TILES * model.size);
      for (let c = 0; c < TILES; c += 1) {
        codes.set(app.counterpart(this.frameModel(), model, this.codeAt(middle(c), middle(r))), c * model.size);
      }
      model.decode(codes, "tiles", (bytes) => {
        for (let c = 0; c < TILES; c += 1) {
          toRgba(bytes, c * app.pixels, channels, height * width, image.data);
          context.putImageData(image, c * width, r * height);
        }
        if (r + 1 < TILES) setTimeout(() => row(r + 1));
        else {
          this.tilesDone = true;
          this.drawBackground();
          this.paint();
        }
      });
    };
    row(0);
  }

  /** The background and the point. */
  paint() {
    const { context, app } = this;
    context.drawImage(this.background, 0, 0, SIDE, SIDE);
    if (app.selected >= 0 && this.places[app.selected]) this.ring(this.places[app.selected], 9, [3, 2]);
    this.ring(this.placeOf(this.frameModel().code), 7, []);
  }

  ring([x, y], radius, dash) {
    const { context } = this;
    context.setLineDash(dash);
    for (const [colour, width] of [["#000", 4], ["#fff", 1.6]]) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.beginPath();
      context.arc(x, y, radius, 0, 7);
      context.stroke();
    }
    context.setLineDash([]);
  }

  // --- pointer and keys ---

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const inside = (value) => Math.max(0, Math.min(SIDE, value));
    return [inside(((event.clientX - box.left) / box.width) * SIDE), inside(((event.clientY - box.top) / box.height) * SIDE)];
  }

  goTo([x, y]) {
    this.app.move(this.frameModel().index, this.codeAt(x, y));
  }

  press(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.pressed = this.at(event);
    this.goTo(this.pressed);
  }

  drag(event) {
    if (event.buttons && this.pressed) this.goTo(this.at(event));
  }

  release(event) {
    const [x, y] = this.at(event);
    if (this.pressed && Math.hypot(x - this.pressed[0], y - this.pressed[1]) < 4) {
      const image = this.imageAt(x, y, 8);
      if (image >= 0) this.app.select(image);
    }
    this.pressed = null;
  }

  /** The shown image within `reach` CSS pixels of a place, or −1. */
  imageAt(x, y, reach) {
    let [image, best] = [-1, reach];
    this.places.forEach(([px, py], j) => {
      const distance = Math.hypot(px - x, py - y);
      if (distance < best && !this.app.hidden.has(this.app.labels[j])) [image, best] = [j, distance];
    });
    return image;
  }

  key(event) {
    const { app } = this;
    const { key, shiftKey } = event;
    const [x, y] = this.placeOf(this.frameModel().code);
    const step = shiftKey ? 24 : 4;
    if (KEYS[key]) this.goTo([x + step * KEYS[key][0], y - step * KEYS[key][1]]);
    else if (key === "Home") app.reset();
    else if (key === "Enter" || key === " ") app.select(this.imageAt(x, y, Infinity));
    else if (/^[np]$/i.test(key) && app.count) app.select((app.selected + (/n/i.test(key) ? 1 : -1) + app.count) % app.count);
    else if (key === "Escape") app.select(-1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

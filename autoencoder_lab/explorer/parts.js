// Small parts that every view of the explorer uses: elements, pictures, colours and markers.

/** An element with attributes and children. `on…` attributes are listeners; text goes in as text, never as HTML. */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** A number with a true minus, and no minus before 0.00. */
export function inWords(value, digits = 2) {
  return value.toFixed(digits).replace(/^-(?=0\.?0*$)/, "").replace("-", "−");
}

let names = 0;

/** An id of its own for each call, for labels and descriptions. */
export function uniqueId() {
  return `autoencoder-lab-${(names += 1)}`;
}

/** A slider with its own label and its value spoken and shown; `say` turns the number into text. */
export function slider(text, { min, max, step, value, say = (v) => inWords(v), input }) {
  const output = element("output", { "aria-hidden": "true" });
  const range = element("input", { type: "range", min, max, step, value });
  const show = () => {
    output.textContent = say(Number(range.value));
    range.setAttribute("aria-valuetext", output.textContent);
  };
  range.addEventListener("input", () => {
    show();
    input(Number(range.value));
  });
  const label = element("label", { class: "slider" }, element("span", {}, text), range, output);
  show();
  return {
    element: label,
    range,
    refresh: show,
    get value() {
      return Number(range.value);
    },
    set value(number) {
      if (range.value === String(number)) return;
      range.value = String(number);
      show();
    },
  };
}

/** A labelled choice; options are texts, or [value, text] pairs. */
export function choice(text, options, change) {
  const select = element("select", { onchange: () => change(select.value) });
  for (const option of options) {
    const [value, shown] = Array.isArray(option) ? option : [option, option];
    select.append(element("option", { value }, shown));
  }
  return { element: element("label", { class: "choice" }, element("span", {}, text), select), select };
}

/** A button that does one thing. */
export function button(text, click, attributes = {}) {
  return element("button", { type: "button", onclick: click, ...attributes }, text);
}

/** A canvas of one image of `shape` (C, H, W), `side` CSS pixels wide or high, whichever is the longer. */
export function picture(shape, label, side) {
  const [channels, height, width] = shape;
  const scale = side / Math.max(height, width);
  const canvas = element("canvas", { class: "picture", width, height, role: "img", "aria-label": label });
  canvas.style.width = `${Math.max(24, Math.round(width * scale))}px`; // a one-line signal still shows
  canvas.style.height = `${Math.max(24, Math.round(height * scale))}px`;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const image = context.createImageData(width, height);
  const area = height * width;
  return {
    canvas,
    /** bytes: 0 … 255, channel by channel, of the picture that starts at `offset`. */
    draw(bytes, offset = 0) {
      toRgba(bytes, offset, channels, area, image.data);
      context.putImageData(image, 0, 0);
    },
    /** colours: RGBA bytes, 4 a pixel. */
    drawColours(colours) {
      image.data.set(colours);
      context.putImageData(image, 0, 0);
    },
    clear() {
      context.clearRect(0, 0, width, height);
    },
    describe(text) {
      canvas.setAttribute("aria-label", text);
    },
  };
}

/** Channel-by-channel bytes to RGBA: one channel is grey, three are red, green and blue, others show their mean. */
export function toRgba(bytes, offset, channels, area, into) {
  for (let i = 0, j = 0; i < area; i += 1, j += 4) {
    if (channels === 3) {
      for (let c = 0; c < 3; c += 1) into[j + c] = bytes[offset + c * area + i];
    } else {
      let sum = 0;
      for (let c = 0; c < channels; c += 1) sum += bytes[offset + c * area + i];
      into[j] = into[j + 1] = into[j + 2] = sum / channels;
    }
    into[j + 3] = 255;
  }
}

/** |a − b| averaged over channels as RGBA, black (equal) over violet and orange to pale yellow (`limit` of 255). */
export function errorColours(a, aOffset, b, bOffset, channels, area, limit = 128) {
  const colours = new Uint8ClampedArray(4 * area);
  for (let i = 0; i < area; i += 1) {
    let sum = 0;
    for (let c = 0; c < channels; c += 1) sum += Math.abs(a[aOffset + c * area + i] - b[bOffset + c * area + i]);
    const t = Math.min(1, sum / channels / limit) * (ERROR_RAMP.length - 1);
    const low = Math.min(Math.floor(t), ERROR_RAMP.length - 2);
    for (let c = 0; c < 3; c += 1) {
      colours[4 * i + c] = ERROR_RAMP[low][c] + (t - low) * (ERROR_RAMP[low + 1][c] - ERROR_RAMP[low][c]);
    }
    colours[4 * i + 3] = 255;
  }
  return colours;
}

// "inferno", every fourth part of it; its brightness grows evenly, so it reads in grey too
const ERROR_RAMP = [[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]];

/** Mean squared error a pixel of two pictures in bytes, on the scale [0, 1]. */
export function squaredError(a, aOffset, b, bOffset, pixels) {
  let sum = 0;
  for (let i = 0; i < pixels; i += 1) sum += ((a[aOffset + i] - b[bOffset + i]) / 255) ** 2;
  return sum / pixels;
}

/** A seeded stream of numbers in [0, 1): mulberry32. The same seed gives the same pictures everywhere. */
export function uniformNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Standard normal numbers from uniform ones (Box and Muller, 1958). */
export function normalNumbers(uniform) {
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

const COLOURS = "#0072B2 #D55E00 #009E73 #CC79A7 #56B4E9 #E69F00 #000000 #8A6D00 #7F3C8D #666666".split(" ");

/** The colour of class k; black is `ink`, which shows on a dark page too. */
export const colourOf = (k, ink) => (k % 10 === 6 ? ink : COLOURS[k % 10]);

const PLUS = "-4-11 4-11 4-4 11-4 11 4 4 4 4 11-4 11-4 4-11 4-11-4-4-4"; // tenths of a radius
const MARKERS = [
  "", "-9-9 9-9 9 9-9 9", "0-11 10 8-10 8", "0-13 10 0 0 13-10 0", "0 11 10-8-10-8", PLUS, PLUS,
  "0-13 3-4 12-4 5 2 7 10 0 5-7 10-5 2-12-4-3-4", "-11 0 8-10 8 10", "11 0-8-10-8 10",
].map((text) => text.match(/-?\d+/g)?.map((tenths) => tenths / 10) ?? []);

/** Trace the marker of class k round (x, y): ten shapes, so that colour is never alone. Fill or stroke it yourself. */
export function traceMarker(context, k, x, y, r) {
  const points = MARKERS[k % 10];
  const turn = k % 10 === 6 ? Math.SQRT1_2 : 0; // the second plus stands on its corner
  context.beginPath();
  if (!points.length) context.arc(x, y, r, 0, 7);
  for (let i = 0; i < points.length; i += 2) {
    const [u, v] = turn ? [(points[i] - points[i + 1]) * turn, (points[i] + points[i + 1]) * turn] : points.slice(i);
    context.lineTo(x + r * u, y + r * v);
  }
  context.closePath();
}

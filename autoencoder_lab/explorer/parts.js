// Small parts that every view of the explorer uses: elements, pictures, colours and markers.

import { COLOURS, MARKERS } from "./palette.js";

/** An element. Attributes that begin with "on" are listeners; text goes in as text, never as HTML. */
export function element(tag, attributes = {}, ...children) {
	const node = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes)) {
		if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
		else if (value !== undefined) node.setAttribute(name, value);
	}
	node.append(...children);
	return node;
}

/** A number with a true minus, and no minus before 0.00. */
export function inWords(value, digits = 2) {
	return (Math.round(value * 10 ** digits) / 10 ** digits + 0).toFixed(digits).replace("-", "−");
}

/** A labelled slider; `say` turns its number into text, shown and spoken. */
export function slider(text, { min = 0, max = 1, step = 1, value = 0, say = (v) => inWords(v), input = () => {} }) {
	const output = element("output", { "aria-hidden": "true" });
	const range = element("input", { type: "range", min, max, step, value });
	const one = {
		element: element("label", {}, element("span", {}, text), range, output),
		range,
		get value() {
			return Number(range.value);
		},
		set value(number) {
			range.value = number;
			range.setAttribute("aria-valuetext", (output.textContent = say(one.value)));
		},
	};
	range.addEventListener("input", () => {
		one.value = range.value;
		input(one.value);
	});
	one.value = value;
	return one;
}

/** A labelled choice; options are texts, or [value, text] pairs. */
export function choice(text, options, change) {
	const select = element("select", { onchange: () => change(select.value) });
	for (const option of options) {
		const [value, shown = option] = [option].flat();
		select.append(element("option", { value }, shown));
	}
	return { element: element("label", {}, element("span", {}, text), select), select };
}

/** A button that does one thing. */
export function button(text, click, attributes) {
	return element("button", { type: "button", onclick: click, ...attributes }, text);
}

/** A canvas of one image of `shape` (C, H, W), its longer side `side` CSS pixels. */
export function picture([channels, height, width], label, side) {
	const canvas = element("canvas", { class: "picture", width, height, role: "img", "aria-label": label });
	const css = (size) => `${Math.max(24, Math.round((size * side) / Math.max(height, width)))}px`; // a signal has one row
	[canvas.style.width, canvas.style.height] = [css(width), css(height)];
	const context = canvas.getContext("2d", { willReadFrequently: true });
	const image = context.createImageData(width, height);
	return {
		canvas,
		/** bytes: channel by channel, of the picture that starts at `offset`. */
		draw(bytes, offset = 0) {
			toRgba(bytes, offset, channels, height * width, image.data);
			context.putImageData(image, 0, 0);
		},
		describe: (text) => canvas.setAttribute("aria-label", text),
	};
}

/** A picture in a `figure` with its caption. */
export function captioned(shape, text, side) {
	const one = picture(shape, text, side);
	return { ...one, figure: element("figure", {}, one.canvas, element("figcaption", {}, text)) };
}

/** Channel-by-channel bytes to RGBA: three channels are red, green and blue, others show their mean. */
export function toRgba(bytes, offset, channels, area, into) {
	for (let i = 0; i < area; i += 1) {
		let sum = 0;
		for (let c = 0; c < channels; c += 1) sum += bytes[offset + c * area + i];
		for (let c = 0; c < 3; c += 1) into[4 * i + c] = channels === 3 ? bytes[offset + c * area + i] : sum / channels;
		into[4 * i + 3] = 255;
	}
}

/** 2 |a − b| as bytes: black where two pictures are equal. */
export function errorBytes(a, aOffset, b, bOffset, pixels) {
	return Uint8ClampedArray.from({ length: pixels }, (_, i) => 2 * Math.abs(a[aOffset + i] - b[bOffset + i]));
}

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

/** The colour of class k; black is `ink`, which shows on a dark page too. */
export function colourOf(k, ink) {
	const colour = COLOURS[k % COLOURS.length];
	return colour === "#000000" ? ink : colour;
}

// corners of matplotlib's markers, x and y in tenths of a radius; the circle has none
const PLUS = "-4-11 4-11 4-4 11-4 11 4 4 4 4 11-4 11-4 4-11 4-11-4-4-4";
const CORNERS = {
	o: "", s: "-9-9 9-9 9 9-9 9", "^": "0-11 10 8-10 8", D: "0-13 10 0 0 13-10 0", v: "0 11 10-8-10-8", P: PLUS, X: PLUS,
	"*": "0-13 3-4 12-4 5 2 7 10 0 5-7 10-5 2-12-4-3-4", "<": "-11 0 8-10 8 10", ">": "11 0-8-10-8 10",
};
const OUTLINES = MARKERS.map((marker) => CORNERS[marker].match(/-?\d+/g)?.map((tenths) => tenths / 10) ?? []);

/** Trace the marker of class k round (x, y): ten shapes, so that colour is never alone. Fill or stroke it yourself. */
export function traceMarker(context, k, x, y, r) {
	const points = OUTLINES[k % OUTLINES.length];
	const turn = MARKERS[k % MARKERS.length] === "X" ? Math.SQRT1_2 : 0; // a plus that stands on its corner
	context.beginPath();
	if (!points.length) context.arc(x, y, r, 0, 7);
	for (let i = 0; i < points.length; i += 2) {
		const [u, v] = turn ? [(points[i] - points[i + 1]) * turn, (points[i] + points[i + 1]) * turn] : points.slice(i);
		context.lineTo(x + r * u, y + r * v);
	}
	context.closePath();
}

// "Draw": what the models make of a picture that somebody draws or loads, whole or damaged.

import { button, captioned, choice, element, errorBytes, normalNumbers, picture } from "./parts.js";
import { slider, squaredError, uniformNumbers } from "./parts.js";
import { imageField, liveView, modelPart, nearestClass, row } from "./morph.js";
import { withModifier } from "./widget.js";

/** Across and down: where what is a quarter bright begins and ends, centre of mass; `side`: the longer extent. */
function inkBox(data, stride, width) {
	const spans = [(i) => i % width, (i) => Math.floor(i / width)].map((at) => {
		let [low, end, mass, sum] = [Infinity, 0, 1e-9, 0];
		for (let i = 0; i * stride < data.length; i += 1) {
			const light = data[i * stride];
			mass += light;
			sum += light * (at(i) + 0.5);
			if (light >= 64) [low, end] = [Math.min(low, at(i)), Math.max(end, at(i) + 1)];
		}
		return { low, end, centre: sum / mass };
	});
	return { spans, side: Math.max(0, ...spans.map(({ low, end }) => end - low)) };
}

/** Mean {side, centre: [x, y]} of the shown images, in pixels: for MNIST a side of 20 in the middle of 28. */
export function usualPlace({ images, pixels, count, shape: [, height, width] }) {
	const place = { side: 0, centre: [0, 0] };
	for (let at = 0; at < images.length; at += pixels) {
		const { side, spans } = inkBox(images.subarray(at, at + height * width), 1, width);
		place.side += side / count;
		spans.forEach(({ centre }, k) => (place.centre[k] += centre / count));
	}
	return place;
}

/** A drawing (ImageData) as bytes of `shape`: means over pixels; first scaled and moved to a `place`, if any. */
export function inkToBytes({ data, width: wide, height: high }, [channels, height, width], place) {
	const [zoom, area] = [wide / width, height * width];
	const { side, spans } = inkBox(data, 4, wide);
	const fit = place && side;
	const scale = fit ? (zoom * place.side) / side : 1;
	// the centre of mass where it should be, but all ink inside
	const [dx, dy] = spans.map(({ low, end, centre }, k) => fit &&
		Math.max(-low * scale, Math.min([wide, high][k] - end * scale, zoom * place.centre[k] - centre * scale)));
	const sums = new Float32Array(channels * area);
	for (let i = 0; i < wide * high; i += 1) {
		const [u, v] = [i % wide, Math.floor(i / wide)];
		const [x, y] = [Math.floor((u + 0.5 - dx) / scale), Math.floor((v + 0.5 - dy) / scale)];
		if (x < 0 || y < 0 || x >= wide || y >= high) continue;
		const at = 4 * (y * wide + x);
		const grey = 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];
		const pixel = Math.floor(v / zoom) * width + Math.floor(u / zoom);
		for (let c = 0; c < channels; c += 1) sums[c * area + pixel] += (channels === 3 ? data[at + c] : grey) / zoom ** 2;
	}
	return new Uint8ClampedArray(sums);
}

/**
 * What each damage makes of value i of an image in [0, 1], as corruptions.py does it. `amount`: σ, share of the pixels
 * (all channels of one alike), or side of the hole as a share of the shorter side.
 */
export function damages([, height, width], amount, seed) {
	const uniform = uniformNumbers(seed);
	const [normal, dice] = [normalNumbers(uniform), Array.from({ length: height * width }, uniform)];
	const die = (i) => dice[i % dice.length];
	const side = Math.ceil(amount * Math.min(height, width));
	const inHole = (i) => {
		const at = [i % width, Math.floor((i % dice.length) / width)];
		const [u, v] = [width, height].map((length, k) => at[k] - Math.floor(dice[k] * (length - side + 1)));
		return Math.min(u, v) >= 0 && Math.max(u, v) < side;
	};
	return {
		none: (value) => value,
		"Gaussian noise": (value) => Math.max(0, Math.min(1, value + amount * normal())),
		"salt and pepper": (value, i) => (die(i) < amount / 2 ? 0 : die(i) > 1 - amount / 2 ? 1 : value),
		"missing pixels": (value, i) => (die(i) < amount ? 0 : value),
		"a hole": (value, i) => (inHole(i) ? 0 : value),
	};
}

/** White ink on a black canvas, in pixels of the image, with undo; `change()` follows every change. */
function makePaper(canvas, [, height, width], change) {
	const ink = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
	ink.scale(canvas.width / width, canvas.height / height);
	ink.strokeStyle = ink.fillStyle = "#fff";
	ink.lineCap = "round";
	ink.lineWidth = Math.max(width, height) / 14;
	// a shown image keeps its pixels
	ink.imageSmoothingEnabled = false;
	const history = [];
	const read = () => ink.getImageData(0, 0, canvas.width, canvas.height);
	const edit = (work) => {
		if (history.push(read()) > 50) history.shift();
		work();
		change();
	};
	const wipe = () => ink.clearRect(0, 0, width, height);
	return {
		read,
		edit,
		clear: () => edit(wipe),
		undo() {
			if (history.length) ink.putImageData(history.pop(), 0, 0);
			change();
		},
		invert: () => edit(() => {
			ink.globalCompositeOperation = "difference";
			ink.fillRect(0, 0, width, height);
			ink.globalCompositeOperation = "source-over";
		}),
		/** Cover all of it with a picture, cut to its form. */
		put: (image) => edit(() => {
			const scale = Math.max(width / image.width, height / image.height);
			const [w, h] = [scale * image.width, scale * image.height];
			wipe();
			ink.drawImage(image, (width - w) / 2, (height - h) / 2, w, h);
		}),
		line(x, y, toX, toY) {
			ink.beginPath();
			ink.moveTo(x, y);
			// so that a tap leaves a dot
			ink.lineTo(toX, toY + 0.001);
			ink.stroke();
			change();
		},
	};
}

/** A paper to draw on by pointer, or by keys with a mark where the pen is. */
function drawingPad(app, change) {
	const [, height, width] = app.shape;
	// points a pixel
	const zoom = Math.max(1, Math.round(280 / Math.max(height, width)));
	const mark = element("i");
	let [x, y, down] = [width / 2, height / 2, false];
	const go = (toX, toY) => {
		app.counters.inputs += 1;
		if (down) paper.line(x, y, toX, toY);
		[x, y] = [toX, toY];
		mark.style = `left: ${(100 * x) / width}%; top: ${(100 * y) / height}%`;
	};
	const lift = () => (down = false);
	const lower = () => {
		down = true;
		paper.edit(() => go(x, y));
	};
	const follow = ({ offsetX, offsetY }) =>
		go((offsetX / canvas.offsetWidth) * width, (offsetY / canvas.offsetHeight) * height);
	const canvas = element("canvas", {
		width: width * zoom,
		height: height * zoom,
		tabindex: 0,
		role: "application",
		"aria-label": "Drawing pad. Arrow keys move the pen, Space lowers and lifts it, Delete clears.",
		onpointerdown(event) {
			if (!event.isPrimary || event.button) return;
			canvas.setPointerCapture(event.pointerId);
			lift();
			follow(event);
			lower();
		},
		onpointermove: (event) => canvas.hasPointerCapture(event.pointerId) && follow(event),
		onlostpointercapture: lift,
		onblur: lift,
		onkeydown(event) {
			if (withModifier(event)) return;
			const act = {
				ArrowLeft: () => go(x - 1, y),
				ArrowRight: () => go(x + 1, y),
				ArrowUp: () => go(x, y - 1),
				ArrowDown: () => go(x, y + 1),
				" ": () => event.repeat || (down ? lift() : lower()),
				Delete: paper.clear,
			}[event.key];
			if (!act) return;
			act();
			event.preventDefault();
			app.announce(`Pen ${down ? "down" : "up"} at ${Math.round(x)}, ${Math.round(y)}`);
		},
	});
	const paper = makePaper(canvas, app.shape, change);
	return { ...paper, element: element("div", { class: "draw-pad" }, canvas, mark) };
}

/** What the models are given; after an update `clean`: the drawing in bytes, `given`: damaged, in [0, 1]. */
function drawnSheet(app, pad, centre, request) {
	let [place, seed] = [null, 1];
	const damage = choice("Damage", Object.keys(damages(app.shape)), request);
	const strength = slider("Strength", { step: 0.05, value: 0.3, input: request });
	const again = button("New noise", () => request((seed += 1)));
	const drawn = captioned(app.shape, "Drawn", 112);
	const damaged = captioned(app.shape, "Given to the models", 112);
	const controls = row(damage.element, strength.element, again);
	const pictures = row(drawn.figure, damaged.figure);
	const sheet = {
		element: element("div", {}, controls, element("p", {}, "Draw something."), pictures),
		update() {
			place ??= usualPlace(app);
			const clean = inkToBytes(pad.read(), app.shape, centre.checked && place);
			const rule = damages(app.shape, strength.value, seed)[damage.select.value];
			const given = Float32Array.from(clean, (byte, i) => rule(byte / 255, i));
			drawn.draw(clean);
			damaged.draw(given.map((value) => 255 * value));
			sheet.element.className = clean.some(Boolean) ? "" : "empty";
			Object.assign(sheet, { clean, given });
		},
	};
	return sheet;
}

/** What one model makes of the picture, and where its code lies. */
function drawnOutcome(app, model, sheet) {
	const rebuilt = captioned(app.shape, "Reconstruction", 112);
	const error = captioned(app.shape, "Error", 112);
	const text = element("p");
	let code;
	const go = button("Go there", () => app.move(model.index, code));
	const update = () => {
		const { clean, given } = sheet;
		if (!clean.some(Boolean)) return;
		model.reconstruct(given, "draw", (bytes, codes) => {
			rebuilt.draw(bytes);
			error.draw(errorBytes(clean, 0, bytes, 0, app.pixels));
			code = codes?.slice();
			go.hidden = !code;
			const near = code ? ` Nearest code: ${nearestClass(app, model, code)}.` : "";
			const mse = squaredError(clean, 0, bytes, 0, app.pixels);
			text.textContent = `Squared error per pixel ${mse.toFixed(4)}.${near}`;
			app.announce(model.index, `${model.name}: ${text.textContent}`);
		});
	};
	return { update, element: modelPart(model, row(rebuilt.figure, error.figure, go), text) };
}

/** "Draw": the pad, the damage, and every model's reconstruction, live. */
export function drawView(app) {
	return liveView(app, "Draw", ({ reconstructs }) => reconstructs, (models, request) => {
		const pad = drawingPad(app, request);
		const centre = element("input", { type: "checkbox", onchange: request });
		centre.checked = app.shape[0] === 1;
		const real = picture(app.shape, "", 28);
		const start = imageField(app, "Start image", () => {
			real.draw(app.images, start.value * app.pixels);
			// it is in its place
			centre.checked = false;
			pad.put(real.canvas);
		});
		const note = element("p");
		const load = async ({ target }) => {
			const image = await createImageBitmap(target.files[0]).catch(() => null);
			note.textContent = image ? "" : "This is no picture that the browser can read.";
			if (image) pad.put(image);
		};
		const controls = [
			pad.element,
			button("Clear", pad.clear),
			button("Undo", pad.undo),
			button("Invert", pad.invert),
			element("label", {}, "Centre the drawing", centre),
			start.element,
			element("label", {}, "Load a picture", element("input", { type: "file", accept: "image/*", onchange: load })),
			note,
		];
		const sheet = drawnSheet(app, pad, centre, request);
		return { controls, outcomes: [sheet, ...models.map((model) => drawnOutcome(app, model, sheet))] };
	});
}

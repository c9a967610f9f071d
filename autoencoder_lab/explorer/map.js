// The map of one model: codes of real images in a plane of the code space, a point to drag, and what stands round it.

import { along, axisCount, axisOf, mapped, movedAlong, nearestShown, trailOf } from "./space.js";
import { colourOf, element, toRgba, traceMarker } from "./parts.js";
import { withModifier } from "./widget.js";

const SIDE = 320; // CSS pixels
const TILES = 14; // decoded pictures in a row of the background
const CELL = 10; // CSS pixels a side of the squares that are hatched …
const NEAR = 20; // … where every code is further away than this
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const HELP =
	"Arrow keys move, with Shift further; Enter chooses the nearest image, N and P the next and previous one, " +
	"Escape none; Home is the middle; A encodes the picture again, where the model can.";

export function latentMap(app, model) {
	const canvas = element("canvas", { class: "map", tabindex: 0, role: "application" });
	const background = element("canvas");
	let [tiles, fresh] = [element("canvas"), element("canvas")];
	const context = canvas.getContext("2d");
	let frame, axes, names, low, span, places, pressed, painted, job, standing;

	/** CSS pixels of a code. A code of one number has lanes of classes for its second axis; `image` tells which. */
	const placeOf = (code, image) => {
		const lane = image === undefined ? app.classes.length / 2 : app.labels[image] + ((image * 7) % 11) / 16 - 0.3;
		const at = [along(axes[0], code), axes[1] ? along(axes[1], code) : lane].map((v, i) => ((v - low[i]) / span[i]) * SIDE);
		return [at[0], SIDE - at[1]];
	};
	/** A code of this model in the coordinates of the map. */
	const inFrame = (code) => (frame === model ? code : mapped(app.align.backward, code));
	// after Again each point goes its own way
	const point = () => (trailOf(model)[1] ? inFrame(model.code) : frame.code);
	const here = () => placeOf(point());
	/** A code moved to a place of the map. */
	const codeAt = (place, from = frame.code) => {
		const move = (code, axis, i) => axis
			? movedAlong(axis, code, low[i] + ((i ? SIDE - place[1] : place[0]) / SIDE) * span[i])
			: code;
		return axes.reduce(move, from);
	};
	/** Whether the plane that the tiles show no longer holds the point: it left it by another way than this map. */
	const leftTheirPlane = () => {
		const [there, now] = [standing, point()].map((code) => codeAt([0, 0], code));
		return nearestShown(there, frame.size, now).distance > 1e-3 * Math.hypot(...frame.snapshot.spread);
	};

	/** Everything but the point: after a new snapshot, another plane, other layers, another theme. */
	function refresh() {
		frame = app.aligned ? app.models[0] : model; // whose coordinates the map is drawn in
		const { basis, a, b } = app.plane;
		const last = axisCount(frame, basis) - 1;
		const chosen = [Math.min(a, last), Math.min(b, last)];
		axes = chosen.map((i, k) => (k && frame.size < 2 ? null : axisOf(frame, basis, i)));
		const whose = frame === model ? "" : `${frame.name}’s `;
		const kind = basis === "values" ? "code value" : "principal direction";
		names = axes.map((axis, k) => (axis ? `${whose}${kind} ${chosen[k] + 1}` : "class"));
		const ranges = axes.map((axis) => (axis ? [axis.low, axis.high] : [-1, app.classes.length]));
		// one unit is equally long both ways, so that circles are circles
		const widest = Math.max(...ranges.map(([from, to], k) => (axes[k] ? to - from : 0)));
		span = ranges.map(([from, to], k) => (axes[k] ? widest : to - from));
		low = ranges.map(([from, to], k) => (from + to - span[k]) / 2);
		canvas.setAttribute("aria-label", `Map of ${model.name}: ${names.join(" across, ")} up. ${HELP}`);
		const { codes } = model.snapshot;
		places = Array.from({ length: codes.length / model.size }, (_, j) => {
			const code = codes.subarray(j * model.size, (j + 1) * model.size);
			return placeOf(inFrame(code), j);
		});
		painted = false;
		job = null;
		if (app.tiled) paintTiles();
		drawBackground();
		paint();
	}

	function drawBackground() {
		const pen = background.getContext("2d");
		const ratio = devicePixelRatio;
		for (const one of [background, canvas]) {
			one.width = one.height = SIDE * ratio;
			one.getContext("2d").scale(ratio, ratio);
		}
		const [ink, paper, muted] = ["ink", "paper", "muted"].map((name) => getComputedStyle(app.root).getPropertyValue(`--${name}`));
		pen.fillStyle = paper;
		pen.fillRect(0, 0, SIDE, SIDE);
		if (painted) pen.drawImage(tiles, 0, 0, SIDE, SIDE);
		else if (places.length) hatchEmptyRegions(pen, muted);
		if (frame.prior) drawPrior(pen, ink);
		places.forEach((place, j) => {
			const k = app.labels[j];
			if (app.hidden.has(k)) return;
			traceMarker(pen, k, ...place, 3.2);
			Object.assign(pen, { globalAlpha: 0.75, fillStyle: colourOf(k, ink) });
			pen.fill();
			Object.assign(pen, { globalAlpha: 1, strokeStyle: painted ? "#fff" : paper, lineWidth: painted ? 0.9 : 0.5 });
			pen.stroke();
		});
		Object.assign(pen, { font: "12px system-ui, sans-serif", textAlign: "right", strokeStyle: paper, fillStyle: ink, lineWidth: 4 });
		names.forEach((name, k) => {
			pen.save();
			if (k) pen.rotate(-Math.PI / 2);
			const place = k ? [-6, 14] : [SIDE - 6, SIDE - 6];
			pen.strokeText(`${name} →`, ...place);
			pen.fillText(`${name} →`, ...place);
			pen.restore();
		});
	}

	/** Diagonal lines where no shown image has its code. */
	function hatchEmptyRegions(pen, colour) {
		const empty = (x, y) => !places.some(([u, v]) => Math.hypot(u - x, v - y) < NEAR);
		pen.save();
		pen.beginPath();
		for (let x = 0; x < SIDE; x += CELL) {
			for (let y = 0; y < SIDE; y += CELL) if (empty(x + CELL / 2, y + CELL / 2)) pen.rect(x, y, CELL, CELL);
		}
		pen.clip();
		pen.beginPath();
		for (let d = -SIDE; d < SIDE; d += 8) {
			pen.moveTo(d, SIDE);
			pen.lineTo(d + SIDE, 0);
		}
		Object.assign(pen, { strokeStyle: colour, globalAlpha: 0.45, lineWidth: 1 });
		pen.stroke();
		pen.restore();
	}

	/** Circles at one, two and three standard deviations of the prior. */
	function drawPrior(pen, colour) {
		pen.strokeStyle = colour;
		pen.setLineDash([4, 3]);
		for (const deviations of [1, 2, 3]) {
			pen.beginPath();
			pen.arc(...placeOf(new Float32Array(frame.size)), (deviations / span[0]) * SIDE, 0, 7);
			pen.stroke();
		}
		pen.setLineDash([]);
	}

	/** What the places of a grid decode to, a row at a time, so that a drag is never held up; anew if it left the plane. */
	function paintTiles(mine = (job = {}), r = 0) {
		const [channels, height, width] = app.shape;
		if (!r) {
			standing = point();
			[fresh.width, fresh.height] = [TILES * width, TILES * height];
		}
		const pen = fresh.getContext("2d");
		const image = pen.createImageData(width, height);
		const codes = Array.from({ length: TILES }, (_, c) => {
			const place = [c, r].map((i) => ((i + 0.5) / TILES) * SIDE);
			return [...app.counterpart(frame, model, codeAt(place, standing))];
		});
		model.decode(Float32Array.from(codes.flat()), "tiles", (bytes) => {
			if (job !== mine) return;
			for (let c = 0; c < TILES; c += 1) {
				toRgba(bytes, c * app.pixels, channels, height * width, image.data);
				pen.putImageData(image, c * width, r * height);
			}
			if (r + 1 < TILES) return setTimeout(() => job === mine && paintTiles(mine, r + 1));
			[tiles, fresh, job, painted] = [fresh, tiles, null, true];
			drawBackground();
			paint();
		});
	}

	/** The background, the trail and the point. */
	function paint() {
		if (painted && !job && leftTheirPlane()) paintTiles();
		const outline = (trace, dash = []) => {
			context.setLineDash(dash);
			for (const [strokeStyle, lineWidth] of [["#000", 4], ["#fff", 1.6]]) {
				Object.assign(context, { strokeStyle, lineWidth });
				context.beginPath();
				trace();
				context.stroke();
			}
		};
		const ring = (place, radius, dash) => outline(() => context.arc(...place, radius, 0, 7), dash);
		context.drawImage(background, 0, 0, SIDE, SIDE);
		if (places[app.selected]) ring(places[app.selected], 9, [3, 2]);
		const trail = trailOf(model).map((code) => placeOf(inFrame(code)));
		trail.slice(1).forEach(([x, y], i) => outline(() => {
			const [dx, dy] = [x - trail[i][0], y - trail[i][1]];
			const head = Math.min(0.5, 8 / Math.hypot(dx, dy)); // of its length
			context.moveTo(...trail[i]);
			for (const turn of [0, -0.5, 0, 0.5]) {
				context.lineTo(x - (turn && head * (dx + turn * dy)), y - (turn && head * (dy - turn * dx)));
			}
		}));
		ring(here(), 7);
	}

	/** The shown image within `reach` CSS pixels of a place, or −1. */
	const imageAt = (place, reach) => {
		const away = places.map(([x, y], j) => (app.hidden.has(app.labels[j]) ? Infinity : Math.hypot(x - place[0], y - place[1])));
		const best = Math.min(...away);
		return best < reach ? away.indexOf(best) : -1;
	};
	const goTo = (place) => app.move(frame.index, codeAt(place));
	const at = ({ clientX, clientY }) => {
		const box = canvas.getBoundingClientRect();
		return [(clientX - box.left) / box.width, (clientY - box.top) / box.height].map((v) => SIDE * Math.max(0, Math.min(1, v)));
	};
	Object.assign(canvas, {
		onpointerdown(event) {
			canvas.setPointerCapture(event.pointerId);
			goTo((pressed = at(event)));
		},
		onpointermove: (event) => event.buttons && pressed && goTo(at(event)),
		onpointerup(event) {
			const [x, y] = at(event);
			const image = imageAt([x, y], 8);
			if (pressed && Math.hypot(x - pressed[0], y - pressed[1]) < 4 && image >= 0) app.select(image);
			pressed = null;
		},
		onkeydown(event) {
			const { key, shiftKey } = event;
			if (withModifier(event) || (shiftKey && key === "Enter")) return;
			const direction = KEYS[key];
			const next = { n: 1, p: -1 }[key.toLowerCase()];
			if (direction) goTo(here().map((v, k) => v + (shiftKey ? 24 : 4) * direction[k]));
			else if (key === "Home") app.reset();
			else if (key === "Enter" || key === " ") app.select(imageAt(here(), Infinity));
			else if (key === "a") app.again();
			else if (key === "Escape") app.select(-1);
			else if (next && app.count) app.select((Math.max(app.selected, next < 0 ? 0 : -1) + next + app.count) % app.count);
			else return;
			event.preventDefault();
		},
	});
	return { canvas, refresh, paint };
}

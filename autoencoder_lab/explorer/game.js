// The game in the plane, recorded: the critic's belief, real points and the generator's, a moment at a time.

import { button, choice, element, slider } from "./parts.js";
import { keepKeys, leaveAtRest } from "./widget.js";
import { MADE_POINT, MADE_UP, REAL, REAL_POINT, UNDECIDED, UNSURE } from "./belief.js";

const SIDE = 840; // backing pixels of the picture, drawn at half that size
const PAUSES = [["1200", "slow"], ["500", "normal"], ["150", "fast"]]; // ms a moment

/** Red, green and blue of "#rrggbb". */
const channelsOf = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));

const fromBase64 = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

/** Points as they were packed: pairs of int16, 1/5000 each, little-endian whatever the machine. */
function unpackPoints(text) {
	const view = new DataView(fromBase64(text).buffer);
	return Array.from({ length: view.byteLength / 4 }, (_, i) => [0, 2].map((k) => view.getInt16(4 * i + k, true) / 5000));
}

/** Segments [x, y, x, y] in cells along which a field of `cells` × `cells` bytes crosses one half (marching squares). */
function undecided(field, cells) {
	const segments = [];
	for (let i = 0; i + 1 < cells; i += 1) {
		for (let j = 0; j + 1 < cells; j += 1) {
			const corners = [[j, i], [j + 1, i], [j + 1, i + 1], [j, i + 1]];
			const values = corners.map(([x, y]) => field[y * cells + x] - 127.5);
			const crossed = [];
			for (let k = 0; k < 4; k += 1) {
				const [a, b] = [values[k], values[(k + 1) % 4]];
				if (a > 0 === b > 0) continue;
				const share = a / (a - b);
				crossed.push([0, 1].map((axis) => corners[k][axis] + share * (corners[(k + 1) % 4][axis] - corners[k][axis])));
			}
			for (let k = 0; k + 1 < crossed.length; k += 2) segments.push([...crossed[k], ...crossed[k + 1]]);
		}
	}
	return segments;
}

/** The picture of one moment. */
function drawGame(context, heat, scene, moment) {
	const { cells, edge } = scene;
	const place = ([x, y]) => [((x + edge) / (2 * edge)) * SIDE, ((edge - y) / (2 * edge)) * SIDE];
	const belief = scene.beliefs[moment.belief];
	const [madeUp, unsure, real] = [MADE_UP, UNSURE, REAL].map(channelsOf);
	const image = heat.createImageData(cells, cells);
	for (let i = 0; i < cells * cells; i += 1) {
		const p = belief[(cells - 1 - Math.floor(i / cells)) * cells + (i % cells)] / 255; // its rows go upwards
		const share = Math.abs(2 * p - 1) ** 0.6; // a faint belief should show
		const end = p > 0.5 ? real : madeUp;
		for (let c = 0; c < 3; c += 1) image.data[4 * i + c] = unsure[c] + share * (end[c] - unsure[c]);
		image.data[4 * i + 3] = 255;
	}
	heat.putImageData(image, 0, 0);
	context.imageSmoothingEnabled = true;
	context.drawImage(heat.canvas, 0, 0, SIDE, SIDE);
	const cell = SIDE / cells;
	context.strokeStyle = UNDECIDED;
	context.lineWidth = 3;
	context.beginPath();
	for (const [x, y, u, v] of undecided(belief, cells)) {
		context.moveTo((x + 0.5) * cell, SIDE - (y + 0.5) * cell);
		context.lineTo((u + 0.5) * cell, SIDE - (v + 0.5) * cell);
	}
	context.stroke();
	for (const point of scene.real) traceCross(context, ...place(point));
	for (const point of scene.points[moment.points]) traceDot(context, ...place(point));
}

function traceCross(context, x, y) {
	context.strokeStyle = REAL_POINT;
	context.lineWidth = 2;
	context.beginPath();
	context.moveTo(x - 6, y - 6);
	context.lineTo(x + 6, y + 6);
	context.moveTo(x - 6, y + 6);
	context.lineTo(x + 6, y - 6);
	context.stroke();
}

function traceDot(context, x, y) {
	context.fillStyle = MADE_POINT;
	context.strokeStyle = "#fff";
	context.lineWidth = 2;
	context.beginPath();
	context.arc(x, y, 7, 0, 7);
	context.fill();
	context.stroke();
}

const HAPPENED = {
	neither: "Before the first round: both networks are as they were made.",
	critic: "Step 4: the critic D was trained. The generator’s points stand still.",
	generator: "Step 5: the generator G was trained against the frozen D. The map stands still.",
};

/** What a moment shows, in words; `outside`: how many points the picture leaves out. */
function gameInWords(scene, moment) {
	const made = scene.points[moment.points];
	const outside = made.filter((point) => point.some((value) => Math.abs(value) > scene.edge)).length;
	return [
		["Round", `${moment.round} of ${scene.rounds}`],
		["What just happened", HAPPENED[moment.part]],
		["D is right about", `${Math.round(100 * moment.accuracy)} % of points; guessing gives 50 %`],
		["Modes covered", `${moment.covered} of ${scene.modes}${outside ? `; ${outside} of ${made.length} points lie outside the picture` : ""}`],
	];
}

/** A sample of a marker for the legend. */
function sampleOf(trace) {
	const canvas = element("canvas", { width: 32, height: 32, "aria-hidden": "true", style: "width: 16px; height: 16px" });
	trace(canvas.getContext("2d"), 16, 16);
	return canvas;
}

const swatch = (colour, text) =>
	element("span", { class: "swatch", style: `background: ${colour}; color: #000; border-color: ${UNDECIDED}` }, text);

function renderGame(packed, el) {
	const scene = {
		...packed,
		real: unpackPoints(packed.real),
		points: packed.points.map(unpackPoints),
		beliefs: packed.beliefs.map(fromBase64),
	};
	const { moments } = scene;
	let [now, timer, pause] = [0, 0, 500];
	const canvas = element("canvas", { width: SIDE, height: SIDE, role: "img", class: "plane" });
	const context = canvas.getContext("2d", { willReadFrequently: true });
	const heat = element("canvas", { width: scene.cells, height: scene.cells }).getContext("2d");
	const facts = element("dl", { class: "facts" });
	const spoken = element("p", { class: "spoken", role: "status" });

	const show = (index) => {
		now = Math.min(Math.max(index, 0), moments.length - 1);
		drawGame(context, heat, scene, moments[now]);
		const words = gameInWords(scene, moments[now]);
		facts.replaceChildren(...words.flatMap(([name, text]) => [element("dt", {}, name), element("dd", {}, text)]));
		const sentence = words.map(([name, text]) => `${name}: ${text}`).join(". ");
		canvas.setAttribute("aria-label", `Real points in a ring of ${scene.modes} heaps, the generator’s points, and where the critic believes that points are real. ${sentence}`);
		if (!timer) spoken.textContent = sentence; // who listens to a film wants no comment on each picture
		scrub.value = now;
		back.disabled = now === 0;
		forward.disabled = now === moments.length - 1;
		root.game.draws += 1;
		root.game.now = now;
	};
	const halt = () => {
		timer = clearInterval(timer);
		play.textContent = "Play";
	};
	const start = () => {
		play.textContent = "Pause";
		timer = setInterval(() => (now < moments.length - 1 ? show(now + 1) : halt()), pause);
		if (now === moments.length - 1) show(0);
	};
	const move = (index) => {
		halt();
		const focused = document.activeElement;
		show(index);
		if (focused?.disabled) play.focus(); // a button that is switched off would drop the focus
	};
	const play = button("Play", () => (timer ? halt() : start()));
	const back = button("Back", () => move(now - 1));
	const forward = button("Forward", () => move(now + 1));
	const speed = choice("Speed", PAUSES, (value) => {
		pause = Number(value);
		if (timer) {
			halt();
			start();
		}
	});
	speed.select.value = String(pause);
	const say = (index) => {
		const { round, part } = moments[index];
		return `round ${round}${{ critic: ", D trained", generator: ", G trained" }[part] ?? ""}`;
	};
	const scrub = slider("Moment", { max: moments.length - 1, say, input: move });
	const root = element(
		"div", { class: "autoencoder-lab-explorer autoencoder-lab-game", role: "group", "aria-label": scene.title },
		element("p", { class: "name" }, scene.title),
		element("div", { class: "stages" },
			element("figure", {}, canvas, element("figcaption", { class: "row" },
				element("span", {}, sampleOf(traceCross), " real points"), element("span", {}, sampleOf(traceDot), " made by G"),
				swatch(REAL, "D: real"), swatch(MADE_UP, "D: made up"), element("span", {}, "line: D is undecided"))),
			element("div", { class: "controls" }, element("div", { class: "row" }, play, back, forward, speed.element), scrub.element, facts, spoken)),
	);
	keepKeys(root);
	root.game = { draws: 0, now };
	el.append(root);
	show(0);
	root.dataset.ready = "true";
	return halt;
}

function initialize({ model }) {
	leaveAtRest(model);
}

function render({ model, el }) {
	const halt = renderGame(model.get("scene"), el);
	return () => {
		halt();
		el.replaceChildren(); // JupyterLab holds on to `el` for good
	};
}

export default { initialize, render, renderGame };

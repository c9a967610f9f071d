// "Morph": from one image to another through the codes between theirs. First, what the views that compute share.

import { button, choice, element, picture, slider } from "./parts.js";
import { nearestShown } from "./space.js";

export const row = (...parts) => element("div", { class: "row" }, ...parts);

/** What a view shows of one model, under its name. */
export function modelPart({ name }, ...parts) {
	return element("div", { role: "group", "aria-label": name }, element("p", { class: "name" }, name), ...parts);
}

/**
 * A view of the models that it `fits`, with a sentence on every other one. `build(models, request)` returns its controls
 * and its outcomes: elements with `update`, which runs once a frame at most, only while visible, after `request()`.
 */
export function liveView(app, title, fits, why, build) {
	const models = app.models.filter(fits);
	const others = app.models.filter((model) => !fits(model));
	const sorry = others.map((model) => element("p", {}, model.problem || why(model)));
	if (!models.length) return { title, element: element("div", {}, ...sorry) };
	let frame;
	const paint = () => {
		frame = 0;
		if (!view.offsetParent) return;
		app.counters.draws += 1;
		for (const { update } of outcomes) update();
	};
	const request = () => (frame ||= requestAnimationFrame(paint));
	const { controls, outcomes } = build(models, request);
	const parts = outcomes.map((outcome) => outcome.element);
	const view = element("div", { class: title }, element("div", { class: "row" }, ...controls), ...parts, ...sorry);
	app.onRefresh(request); // there may be a new snapshot
	return { title, element: view, show: request };
}

/** A labelled whole number from 0 to `max`: its `value`, and `set`, which `change()` follows. */
export function numberField(text, max, change) {
	const input = element("input", { type: "number", min: 0, max, onchange: () => field.set(input.value) });
	const field = {
		element: element("label", {}, text, input),
		set(value) {
			input.value = field.value = Math.max(0, Math.min(max, Math.round(value)));
			change();
		},
	};
	return field;
}

/** A number field for an image, with a button that takes the chosen one. */
export function imageField(app, text, change) {
	const field = numberField(text, app.count - 1, change);
	const take = button(`${text} = chosen image`, () => field.set(app.selected), { disabled: true });
	app.onChange(() => (take.disabled = app.selected < 0));
	field.element = row(field.element, take);
	return field;
}

/** The class of the shown image whose code is nearest; undefined where there are no codes. */
export function nearestClass(app, { size, snapshot }, code) {
	return app.classes[app.labels[nearestShown(snapshot.codes, size, code).image]];
}

/** Pictures that a model decodes, as buttons. `next()`: their codes, a note, and `say(code, i)`, the text under each. */
export function pictureButtons(app, model, slot, count, next, click) {
	const note = element("p");
	let codes;
	const codeOf = (i) => codes.slice(i * model.size, (i + 1) * model.size);
	const cells = Array.from({ length: count }, (_, i) => {
		const [{ canvas, draw }, text] = [picture(app.shape, `Picture ${i + 1}`, 56), element("span")];
		const node = button(canvas, () => codes && click(codeOf(i), i));
		node.append(text);
		return { node, draw, text };
	});
	const update = () => {
		const [rows, words, say] = next();
		model.decode(rows, slot, (bytes) => {
			codes = rows;
			note.textContent = words;
			cells.forEach(({ draw, text }, i) => {
				draw(bytes, i * app.pixels);
				text.textContent = say(codeOf(i), i);
			});
		});
	};
	const nodes = cells.map(({ node }) => node);
	return { nodes, update, element: modelPart(model, note, element("div", { class: "pictures" }, ...nodes)) };
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
		const [u, v] = [1 - t, t].map((s) => (arc ? Math.sin(s * angle) / Math.sin(angle) : s));
		return a.map((x, d) => u * x + v * b[d] + (arc && (1 - u - v) * centre[d]));
	};
	return { arc, at };
}

const TIMES = Array.from({ length: 9 }, (_, i) => i / 8);

/** "Morph": two images, a path between their codes, and what each model decodes on it. */
export function morphView(app) {
	const fits = ({ decodes, snapshot }) => decodes && snapshot.codes.length;
	const why = ({ name, noMap }) => noMap || `${name} has no codes of images to go between.`;
	return liveView(app, "Morph", fits, why, (models, request) => {
		const [a, b] = ["Image A", "Image B"].map((text) => imageField(app, text, request));
		a.set(0);
		b.set(app.labels.findIndex((label) => label !== app.labels[0]));
		const path = choice("Path", ["straight", "spherical"], request);
		const pathOf = ({ size, snapshot, prior }) => {
			const [from, to] = [a, b].map(({ value }) => snapshot.codes.slice(value * size, (value + 1) * size));
			const centre = prior ? new Float32Array(size) : snapshot.mean;
			return codePath(from, to, path.select.value === "spherical" && centre);
		};
		const go = (t, lead = models[0]) => {
			place.value = t;
			app.move(lead.index, pathOf(lead).at(t));
			models.forEach((model, i) => {
				outcomes[i].nodes.forEach((node, k) => node.setAttribute("aria-current", k === Math.round(8 * t)));
				if (!app.aligned) model.code = pathOf(model).at(t); // each on its own path
			});
		};
		const place = slider("From A to B", { step: 0.005, say: (t) => `t = ${t}`, input: (t) => go(t) });
		const outcomes = models.map((model) => {
			const next = () => {
				const { arc, at } = pathOf(model);
				const note = arc ? `An arc round ${model.prior ? "the prior's mean" : "the mean of the codes"}.` : "A straight line.";
				return [Float32Array.from(TIMES.flatMap((t) => [...at(t)])), note, (_, i) => `t = ${TIMES[i]}`];
			};
			return pictureButtons(app, model, "morph", 9, next, (_, i) => go(TIMES[i], model));
		});
		return { controls: [a.element, b.element, path.element, place.element], outcomes };
	});
}

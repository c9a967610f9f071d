// "Morph": from one image to another through the codes between theirs. First, what the views that compute share.

import { button, choice, element, picture, slider } from "./parts.js";
import { nearestShown } from "./space.js";

export const row = (...parts) => element("div", { class: "row" }, ...parts);

/** What a view shows of one model, under its name. */
export function modelPart({ name }, ...parts) {
	return element("div", { role: "group", "aria-label": name }, element("p", { class: "name" }, name), ...parts);
}

/**
 * A view of the models that it `fits`; of the others it says why. `build(models, request)` returns its controls and its
 * outcomes: elements with `update`, which runs once a frame at most, only while visible, after `request()`.
 */
export function liveView(app, title, fits, build) {
	const models = app.models.filter(fits);
	const others = app.models.filter((model) => !fits(model));
	const sorry = others.map(({ problem, noMap }) => element("p", {}, problem || noMap));
	if (!models.length) return { title, element: element("div", {}, ...sorry) };
	let frame;
	const request = () => (frame ??= requestAnimationFrame(paint));
	const paint = () => {
		frame = null;
		if (!view.offsetParent) return;
		app.counters.draws += 1;
		for (const { update } of outcomes) update();
	};
	const { controls, outcomes } = build(models, request);
	const view = element("div", { class: title }, row(...controls), ...outcomes.map((one) => one.element), ...sorry);
	// there may be a new snapshot
	app.onRefresh(request);
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

/** Pictures that a model decodes, as buttons. `next()`: their codes, a note, and `say(code, i)`, the text below. */
export function pictureButtons(app, model, count, next, click) {
	const text = element("p");
	let shown;
	const codeOf = (i) => shown.slice(i * model.size, (i + 1) * model.size);
	const cells = Array.from({ length: count }, (_, i) => {
		const [{ canvas, draw }, words] = [picture(app.shape, `Picture ${i + 1}`, 56), element("span")];
		const node = button(canvas, () => shown && click(codeOf(i), i));
		node.append(words);
		return { node, draw, words };
	});
	const update = () => {
		const { codes, note, say } = next();
		model.decode(Float32Array.from(codes), `pictures ${count}`, (bytes) => {
			shown = codes;
			text.textContent = note;
			cells.forEach(({ draw, words }, i) => {
				draw(bytes, i * app.pixels);
				words.textContent = say(codeOf(i), i);
			});
		});
	};
	const nodes = cells.map(({ node }) => node);
	return { update, element: modelPart(model, text, element("div", { class: "pictures" }, ...nodes)) };
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
	return liveView(app, "Morph", ({ decodes, encodes }) => decodes && encodes, (models, request) => {
		const [a, b] = ["Image A", "Image B"].map((text) => imageField(app, text, request));
		a.set(0);
		b.set(app.labels.findIndex((label) => label !== app.labels[0]));
		const path = choice("Path", ["straight", "spherical"], request);
		const pathOf = ({ size, prior, snapshot: { codes, mean } }) => {
			const ends = [a, b].map(({ value }) => codes.slice(value * size, (value + 1) * size));
			return codePath(...ends, path.select.value === "spherical" && (prior ? new Float32Array(size) : mean));
		};
		const go = (t, lead = models[0]) => {
			place.value = t;
			app.move(lead.index, pathOf(lead).at(t));
			// each on its own path
			if (!app.aligned) for (const model of models) model.code = pathOf(model).at(t);
		};
		const place = slider("From A to B", { step: 0.005, say: (t) => `t = ${t}`, input: go });
		const outcomes = models.map((model) => {
			const next = () => {
				const { arc, at } = pathOf(model);
				const centre = model.prior ? "prior's mean" : "mean of the codes";
				const note = arc ? `An arc round the ${centre}.` : "A straight line.";
				return { codes: TIMES.flatMap((t) => [...at(t)]), note, say: (_, i) => `t = ${TIMES[i]}` };
			};
			return pictureButtons(app, model, 9, next, (_, i) => go(TIMES[i], model));
		});
		return { controls: [a.element, b.element, path.element, place.element], outcomes };
	});
}

// The latent explorer: map, pictures and views put together. anywidget calls `initialize` and `render`, an exported page
// `openPage`. `scene` holds everything; scene_keys.py explains its keys.

import { browserEngine, floats, kernelEngine, tellKernel, toBytes, workerEngine } from "./engine.js";
import { latentMap } from "./map.js";
import { inflated } from "./network.js";
import { axisCount, mapped, nearestShown, sameStanding, trailOf } from "./space.js";
import { button, captioned, choice, colourOf, element, errorBytes, inWords, squaredError, traceMarker } from "./parts.js";
import { keepKeys, leaveAtRest, uniqueId, withModifier } from "./widget.js";
import { slidersView } from "./sliders.js";
import { morphView, row } from "./morph.js";
import { sampleView } from "./sample.js";
import { drawView } from "./draw.js";
import { timeView } from "./time.js";

const PICTURE = 196; // CSS pixels; half of it where two models share the room
const SPOKEN_AFTER = 500; // ms without a change

/** An object of the scene with Float32Arrays in place of bytes; weights stay packed until they are needed. */
function withFloats(raw) {
	return Object.fromEntries(Object.entries(raw).map(([key, value]) => [key, value instanceof DataView ? floats(value) : value]));
}

const readAlign = (align) => align && { forward: withFloats(align.forward), backward: withFloats(align.backward) };

/** The state of one view of the explorer, and what its parts may do with it. */
class App {
	constructor(scene, root) {
		const { shape, classes, labelBytes } = scene;
		const labels = new (labelBytes === 4 ? Int32Array : Uint8Array)(toBytes(scene.labels));
		Object.assign(this, {
			root, scene, shape, classes, labels,
			pixels: shape.reduce((a, b) => a * b),
			images: new Uint8Array(toBytes(scene.images)),
			count: labels.length,
			align: readAlign(scene.align),
			aligned: Boolean(scene.align && scene.aligned),
			selected: -1, // image
			moment: 0, // which snapshot is shown …
			following: true, // … and each new one as it comes
			training: {},
			counters: { inputs: 0, draws: 0, frames: 0 },
			tiled: false, // pictures on the map
			hidden: new Set(), // classes
			listeners: [],
			draws: [],
			reducedMotion: matchMedia("(prefers-reduced-motion: reduce)").matches,
		});
		this.models = scene.models.map((model, index) => this.readModel(model, index));
		this.movable = this.models.filter((model) => model.decodes);
		this.plane = { basis: this.movable[0]?.size > 2 ? "directions" : "values", a: 0, b: 1 };
	}

	readModel(raw, index) {
		const snapshots = raw.snapshots.map(withFloats);
		const ask = (what) => (rows, slot, done) =>
			this.engine.run(index, model.number, what, rows, `${slot} ${index}`, done);
		const model = {
			...raw,
			index,
			snapshots,
			decodes: raw.decodes && !raw.problem,
			encodes: raw.encodes && !raw.problem,
			reconstructs: raw.reconstructs && !raw.problem,
			pixels: this.pixels,
			number: 0,
			snapshot: snapshots[0],
			code: snapshots[0].mean,
			decode: ask("decode"),
			reconstruct: ask("reconstruct"),
		};
		return model;
	}

	/** `listener` runs in the next animation frame after a change, … */
	onChange(listener) {
		this.listeners.push(listener);
	}

	/** … `draw` when all must be drawn anew, also what a drag leaves alone. */
	onRefresh(draw) {
		this.draws.push(draw);
	}

	changed() {
		this.frame ??= requestAnimationFrame(() => {
			this.frame = null;
			this.counters.frames += 1;
			for (const listener of this.listeners) listener(this);
		});
	}

	refresh() {
		for (const draw of this.draws) draw();
		this.changed();
	}

	/** The code of `to` for the same drag: the affine map where they are aligned, the same standing elsewhere. */
	counterpart(from, to, code) {
		if (from === to) return code;
		if (this.aligned) return mapped(from.index ? this.align.backward : this.align.forward, code);
		return sameStanding(from, to, this.plane.basis, code);
	}

	move(index, code) {
		this.counters.inputs += 1;
		const target = Float32Array.from(code);
		for (const model of this.movable) model.code = this.counterpart(this.models[index], model, target);
		this.select(-1);
	}

	/** Choose an image (−1: none) and stand at its codes. */
	select(image) {
		this.selected = this.count ? image : -1;
		for (const model of this.movable) {
			const { codes } = model.snapshot;
			if (this.selected >= 0 && codes.length) model.code = codes.slice(image * model.size, (image + 1) * model.size);
		}
		this.changed();
	}

	reset() {
		const { index, snapshot } = this.movable[0];
		this.move(index, snapshot.mean);
	}

	/** z → z′ = encode(decode(z)), each model by its own decoder and encoder; nothing where it is moved meanwhile. */
	again() {
		for (const model of this.movable.filter(({ encodes }) => encodes)) {
			const { code } = model;
			const end = (_, codes) => {
				if (model.code !== code) return;
				model.trail = [...trailOf(model), codes];
				model.code = codes;
				this.changed();
			};
			model.decode(code, "again", (bytes, pictures) =>
				model.reconstruct(pictures ?? Float32Array.from(bytes, (v) => v / 255), "again", end));
		}
	}

	setPlane(plane) {
		Object.assign(this.plane, plane.basis && { a: 0, b: 1 }, plane);
		this.refresh();
	}

	/** Show snapshot `number` of every model, or its last. */
	async showMoment(number) {
		const numbers = this.models.map((model) => Math.min(number, model.snapshots.length - 1));
		await Promise.all(this.models.map((model, i) => model.problem || this.engine.prepare(i, numbers[i])));
		this.moment = number;
		for (const model of this.models) {
			const before = { ...model };
			model.number = numbers[model.index];
			model.snapshot = model.snapshots[model.number];
			if (model.decodes) model.code = sameStanding(before, model, this.plane.basis, model.code);
		}
		this.select(this.selected);
		this.refresh();
	}

	/** A new snapshot from a training. */
	take({ model, snapshot, align }) {
		const { snapshots } = this.models[model];
		snapshots.push(withFloats(snapshot));
		this.align = readAlign(align) ?? this.align;
		for (const notice of this.root.querySelectorAll(".untrained")) notice.remove();
		if (this.following) this.showMoment(snapshots.length - 1);
		else this.changed();
	}

	/** Say it politely, once nothing has changed for a while; what several speakers say stands together. */
	announce(speaker, text = speaker) {
		this.said = text === speaker ? { text } : { ...this.said, [speaker]: text };
		clearTimeout(this.speech);
		this.speech = setTimeout(() => (this.spoken.textContent = Object.values(this.said).join(" ")), SPOKEN_AFTER);
	}
}

/** One model's part: map, picture, and for a chosen image its original and its error. */
function stage(app, model) {
	const id = uniqueId();
	const section = element("section", { "aria-labelledby": id }, element("p", { class: "name", id }, model.name));
	const note = (text, attributes) => text && section.append(element("p", attributes, text));
	note(model.problem, { class: "problem", role: "alert" });
	if (model.problem) return section;
	note(model.noMap, { class: "notice" });
	note(model.coordinates, { class: "notice" });
	if (!model.decodes) return section;

	const map = latentMap(app, model);
	const two = app.models.length > 1;
	const shown = captioned(app.shape, "decoded", two ? PICTURE / 2 : PICTURE);
	shown.canvas.classList.add("decoded");
	const [original, error] = ["original", "error"].map((text) => captioned(app.shape, text, PICTURE / 2));
	const chosen = element("div", { class: "chosen" }, original.figure, error.figure);
	const readout = element("p", { class: "readout" });
	const pictures = element("div", { class: two ? "row" : "" }, shown.figure, chosen);
	section.append(element("div", { class: two ? "" : "row" }, map.canvas, pictures), readout);

	/** How far Again went, in standard deviations √(Σ spread²): the same however the axes are turned. */
	const step = () => {
		const [to, from] = trailOf(model).slice(-2).reverse();
		if (!from) return "";
		const deviations = nearestShown(from, model.size, to).distance / Math.hypot(...model.snapshot.spread) || 0;
		return `z → z′: ${inWords(deviations, 3)} standard deviations. `;
	};
	const describe = (bytes) => {
		const values = Array.from(model.code.subarray(0, 6), (value) => inWords(value));
		const code = `Code (${values.join(", ")}${model.size > 6 ? ", …" : ""}).`;
		const j = app.selected;
		if (j >= 0) {
			const mse = squaredError(app.images, j * app.pixels, bytes, 0, app.pixels);
			return `Image ${j}: ${app.classes[app.labels[j]]}, squared error per pixel ${mse.toFixed(4)}. ${code}`;
		}
		const { image, distance } = nearestShown(model.snapshot.codes, model.size, model.code);
		return image < 0 ? code : `Nearest image: ${app.classes[app.labels[image]]}, ${distance.toFixed(2)} away. ${code}`;
	};
	const show = (bytes) => {
		shown.draw(bytes);
		app.counters.draws += 1;
		app.root.dataset.ready = "true";
		chosen.classList.toggle("none", app.selected < 0);
		if (app.selected >= 0) {
			const offset = app.selected * app.pixels;
			original.draw(app.images, offset);
			error.draw(errorBytes(app.images, offset, bytes, 0, app.pixels));
		}
		const text = step() + describe(bytes);
		readout.textContent = text;
		shown.describe(`Decoded by ${model.name}. ${text}`);
		app.announce(model.index, two ? `${model.name}: ${text}` : text);
	};
	app.onChange(() => {
		map.paint();
		model.decode(model.code, "stage", show);
	});
	app.onRefresh(map.refresh);
	return section;
}

/** Buttons that hide and show classes; each carries its marker, so the legend needs no colour. */
function legend(app) {
	const shown = app.movable[0].encodes ? [...new Set(app.labels)].sort((a, b) => a - b) : [];
	const samples = shown.map(() => element("canvas", { width: 32, height: 32, "aria-hidden": "true" }));
	const buttons = shown.map((k, i) => {
		const toggle = () => {
			if (!app.hidden.delete(k)) app.hidden.add(k);
			one.setAttribute("aria-pressed", !app.hidden.has(k));
			app.refresh();
		};
		const one = button(app.classes[k], toggle, { "aria-pressed": "true" });
		one.prepend(samples[i]);
		return one;
	});
	app.onRefresh(() => samples.forEach((sample, i) => {
		const pen = sample.getContext("2d");
		pen.clearRect(0, 0, 32, 32);
		traceMarker(pen, shown[i], 16, 16, 9);
		pen.fillStyle = colourOf(shown[i], getComputedStyle(app.root).color);
		pen.fill();
	}));
	return element("div", { class: "row legend", role: "group", "aria-label": "Classes on the map" }, ...buttons);
}

/** What the map shows: its plane, its layers, the alignment of two models. */
function mapControls(app) {
	const controls = row();
	const title = "Encode the picture again: z → z′ (key A on the map)";
	if (app.movable.some(({ encodes }) => encodes)) {
		controls.append(button("Again: z → z′", () => app.again(), { class: "again", title }));
	}
	if (app.movable.some(({ size }) => size > 2)) {
		for (const [key, text] of [["a", "Axis across"], ["b", "Axis up"]]) {
			const axis = choice(text, [], (value) => app.setPlane({ [key]: Number(value) }));
			controls.append(axis.element);
			app.onRefresh(() => {
				const { basis } = app.plane;
				const count = Math.min(...app.movable.map((model) => axisCount(model, basis)));
				const name = basis === "values" ? "value" : "direction";
				const option = (_, k) => element("option", { value: k }, `${name} ${k + 1}`);
				axis.select.replaceChildren(...Array.from({ length: count }, option));
				axis.select.value = app.plane[key];
			});
		}
	}
	const check = (text, on, change) => {
		const box = element("input", { type: "checkbox", onchange: () => change(box.checked) });
		box.checked = on;
		controls.append(element("label", {}, box, text));
	};
	check("Pictures on the map", false, (on) => app.refresh((app.tiled = on)));
	if (app.align) {
		const share = inWords(Math.floor(1000 * app.align.forward.r2) / 10, 1);
		check(`Align: lay the second code on the first (the best affine map explains ${share} % of it)`, app.aligned, (on) => {
			app.aligned = on;
			app.move(0, app.models[0].code);
			app.refresh();
		});
	}
	return controls;
}

/** Tabs after the pattern of the ARIA Authoring Practices: arrow keys move between them. */
function tabs(views) {
	let open = -1;
	const show = (i) => {
		if (i === open) return;
		views[open]?.hide?.();
		open = i;
		parts.forEach(({ tab, panel }, j) => {
			tab.setAttribute("aria-selected", i === j);
			tab.tabIndex = i === j ? 0 : -1;
			panel.hidden = i !== j;
		});
		views[i].show?.();
	};
	const key = (event, i) => {
		const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: -1 }[event.key];
		if (to === undefined || withModifier(event)) return;
		event.preventDefault();
		const target = (to + views.length) % views.length;
		show(target);
		parts[target].tab.focus();
	};
	const parts = views.map((view, i) => {
		const [id, own] = [uniqueId(), uniqueId()];
		const use = { role: "tab", id, "aria-controls": own, onkeydown: (event) => key(event, i) };
		const panel = element("div", { role: "tabpanel", id: own, "aria-labelledby": id, class: "panel" }, view.element);
		return { tab: button(view.title, () => show(i), use), panel };
	});
	const bar = element("div", { role: "tablist", "aria-label": "Tools", class: "row tabs" }, ...parts.map(({ tab }) => tab));
	return { elements: [bar, ...parts.map(({ panel }) => panel)], show, close: () => views[open]?.hide?.() };
}

/** Build the explorer in `host`; makeEngine(app, say) decides who computes. */
async function build(scene, host, makeEngine) {
	const root = element("div", { class: "autoencoder-lab-explorer", role: "group", "aria-label": scene.title });
	root.dataset.engine = scene.engine;
	keepKeys(root);
	const app = (root.explorer = new App(scene, root));
	const notice = (text, kind) => element("p", { class: `notice ${kind}` }, text);
	const state = notice("", "");
	const say = (text) => {
		state.textContent = text;
		state.hidden = !text;
	};
	say("");
	app.engine = makeEngine(app, say);
	await Promise.all(app.models.map((model, i) => model.problem || app.engine.prepare(i, 0)));

	host.replaceChildren(root);
	app.spoken = element("div", { role: "status", class: "spoken" });
	root.append(...[...scene.notices, scene.why].filter(Boolean).map((text) => notice(text, "")));
	root.append(...scene.untrained.map((text) => notice(text, "untrained")));
	const stages = element("div", { class: "stages" }, ...app.models.map((model) => stage(app, model)));
	root.append(state, stages, app.spoken);
	const views = [slidersView, morphView, sampleView, drawView, timeView].map((view) => view(app));
	const tools = tabs(views);
	if (app.movable.length) root.append(legend(app), mapControls(app));
	else root.dataset.ready = true;
	if (app.models.some((model) => !model.problem)) root.append(...tools.elements);
	app.refresh();
	tools.show(app.movable.length ? 0 : views.findIndex(({ title }) => title === "Draw"));
	await app.showMoment(Math.max(...app.models.map(({ snapshots }) => snapshots.length)) - 1);

	const dark = matchMedia("(prefers-color-scheme: dark)");
	const theme = new MutationObserver((dark.onchange = () => app.refresh()));
	theme.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
	app.close = () => {
		theme.disconnect();
		dark.onchange = null;
		cancelAnimationFrame(app.frame);
		clearTimeout(app.speech);
		tools.close();
		app.engine.close();
		host.replaceChildren(); // JupyterLab holds some for good
		root.replaceChildren();
		root.explorer = null;
	};
	return app;
}

/** anywidget's first entry, once a widget: snapshots join the scene, so that views opened later have them too. */
function initialize({ model }) {
	leaveAtRest(model);
	model.on("change:news", () => {
		const { model: index, snapshot } = model.get("news");
		model.get("scene").models[index].snapshots.push(snapshot);
	});
}

/** anywidget's second entry, once a view. */
async function render({ model, el }) {
	const view = uniqueId();
	const scene = model.get("scene");
	const app = await build(scene, el, (made, say) =>
		scene.engine === "kernel" ? kernelEngine(model, view, say) : browserEngine(made.models),
	);
	app.steer = (action) => tellKernel(model, { kind: "training", action });
	const take = () => app.take(model.get("news"));
	const steered = () => {
		app.training = model.get("training");
		app.changed();
	};
	model.on("change:news", take);
	model.on("change:training", steered);
	tellKernel(model, { kind: "ready" }); // wakes the way to the kernel before it is needed: the first message may be held up
	return () => {
		model.off("change:news", take);
		model.off("change:training", steered);
		app.close();
	};
}

/** An exported page's entry. `scene`: JSON that says where its bytes stand in `data`; `address`: this code for a worker. */
async function openPage(scene, data, host, address) {
	const packed = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
	const buffer = await inflated(packed);
	const revive = (key, value) => (value?.bytes ? new DataView(buffer, ...value.bytes) : value);
	await build(JSON.parse(scene, revive), host, (app, say) =>
		app.scene.engine === "worker" ? workerEngine(app.models, address, say) : browserEngine(app.models),
	);
}

export default { initialize, render, openPage };

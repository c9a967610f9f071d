// A setting that is dragged, such as β: the means of some images with their ellipses of one σ, a trained model each.

import { button, captioned, colourOf, element, inWords, slider, traceMarker } from "./parts.js";
import { keepKeys, leaveAtRest } from "./widget.js";

const FIELD = 840; // backing pixels of the map, drawn at half that size
const DECIMALS = 2;

const asBytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

/** The map of one setting; `reach`: what it shows on each side of 0. */
function drawPosteriors(context, root, scene, setting, reach, selected) {
	const place = (x, y) => [((x + reach) / (2 * reach)) * FIELD, ((reach - y) / (2 * reach)) * FIELD];
	const unit = FIELD / (2 * reach);
	const [ink, paper] = ["ink", "paper"].map((name) => getComputedStyle(root).getPropertyValue(`--${name}`));
	context.fillStyle = paper;
	context.fillRect(0, 0, FIELD, FIELD);
	context.strokeStyle = ink;
	context.lineWidth = 2;
	context.setLineDash([10, 8]);
	for (const deviations of [1, 2]) {
		context.beginPath();
		context.arc(...place(0, 0), deviations * unit, 0, 7);
		context.stroke();
	}
	context.setLineDash([]);
	setting.means.forEach(([x, y], j) => {
		const [wide, high] = setting.sigmas[j];
		const colour = colourOf(scene.labels[j], ink);
		context.strokeStyle = colour;
		context.lineWidth = j === selected ? 7 : 2;
		context.beginPath();
		context.ellipse(...place(x, y), wide * unit, high * unit, 0, 0, 7);
		context.stroke();
		traceMarker(context, scene.labels[j], ...place(x, y), j === selected ? 11 : 6);
		context.fillStyle = colour;
		context.fill();
	});
}

/** The standard deviation of all draws together, and the mean σ of one image, over both code values. */
function spreads({ means, sigmas }) {
	const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
	const ofAll = [0, 1].map((k) => {
		const middle = mean(means.map((code) => code[k]));
		return mean(means.map((code) => (code[k] - middle) ** 2)) + mean(sigmas.map((sigma) => sigma[k] ** 2));
	});
	return [Math.sqrt(mean(ofAll)), mean(sigmas.flat())];
}

function renderPosteriors(packed, el) {
	const scene = {
		...packed,
		originals: asBytes(packed.originals),
		settings: packed.settings.map((one) => ({ ...one, pictures: asBytes(one.pictures) })),
	};
	const { settings, shape } = scene;
	const pixels = shape[0] * shape[1] * shape[2];
	let [now, selected] = [0, 0];
	const farthest = settings.flatMap(({ means, sigmas }) => means.flatMap((code, j) => code.map((v, k) => Math.abs(v) + sigmas[j][k])));
	const reach = Math.max(2.2, ...farthest) * 1.03;
	const canvas = element("canvas", { width: FIELD, height: FIELD, role: "img", class: "plane" });
	const context = canvas.getContext("2d", { willReadFrequently: true });
	const [original, restored] = ["image", "what μ decodes to"].map((text) => captioned(shape, text, 84));
	const facts = element("dl", { class: "facts" });
	const spoken = element("p", { class: "spoken", role: "status" });

	const show = () => {
		const setting = settings[now];
		drawPosteriors(context, root, scene, setting, reach, selected);
		original.draw(scene.originals, selected * pixels);
		restored.draw(setting.pictures, selected * pixels);
		const [together, alone] = spreads(setting);
		const words = [
			[scene.setting, setting.value],
			["σ of one image, on average", inWords(alone, DECIMALS)],
			["All draws together, standard deviation", inWords(together, DECIMALS)],
			["KL of these images", `${inWords(setting.rate, DECIMALS)} nats`],
			["Squared error a pixel", inWords(setting.error, 4)],
			["Chosen", `image ${selected + 1} of ${scene.labels.length}, ${scene.classes[scene.labels[selected]]}`],
		];
		facts.replaceChildren(...words.flatMap(([name, text]) => [element("dt", {}, name), element("dd", {}, text)]));
		const sentence = words.map(([name, text]) => `${name}: ${text}`).join(". ");
		canvas.setAttribute("aria-label", `Means of ${scene.labels.length} images with ellipses of one σ, and circles of N(0, I) at one and two standard deviations. ${sentence}`);
		spoken.textContent = sentence;
		root.posteriors.draws += 1;
		Object.assign(root.posteriors, { now, selected });
	};
	const choose = (j) => {
		selected = (j + scene.labels.length) % scene.labels.length;
		show();
	};
	canvas.onclick = ({ clientX, clientY }) => {
		const box = canvas.getBoundingClientRect();
		const [x, y] = [((clientX - box.left) / box.width) * 2 - 1, 1 - ((clientY - box.top) / box.height) * 2].map((v) => v * reach);
		const away = settings[now].means.map(([u, v]) => Math.hypot(u - x, v - y));
		choose(away.indexOf(Math.min(...away)));
	};
	const drag = slider(scene.setting, {
		max: settings.length - 1,
		say: (index) => settings[index].value,
		input: (index) => {
			now = index;
			show();
		},
	});
	const root = element(
		"div", { class: "autoencoder-lab-explorer autoencoder-lab-posteriors", role: "group", "aria-label": scene.title },
		element("p", { class: "name" }, scene.title),
		element("div", { class: "stages" },
			element("figure", { class: "plot" }, canvas, element("figcaption", {}, "markers: μ of each image; ellipses: 1 σ; dashed: N(0, I) at 1 and 2 standard deviations. Click an image to choose it.")),
			element("div", { class: "controls" }, drag.element,
				element("div", { class: "row" }, button("Previous image", () => choose(selected - 1)), button("Next image", () => choose(selected + 1))),
				element("div", { class: "row" }, original.figure, restored.figure), facts, spoken)),
	);
	keepKeys(root);
	root.posteriors = { draws: 0, now, selected };
	el.append(root);
	show();
	root.dataset.ready = "true";
}

function initialize({ model }) {
	leaveAtRest(model);
}

function render({ model, el }) {
	renderPosteriors(model.get("scene"), el);
	return () => el.replaceChildren(); // JupyterLab holds on to `el` for good
}

export default { initialize, render, renderPosteriors };

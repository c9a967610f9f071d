// "Sample": pictures of codes drawn at random.

import { button, choice, normalNumbers, uniformNumbers } from "./parts.js";
import { liveView, nearestClass, numberField, pictureButtons } from "./morph.js";

/** `count` codes mean + L ε with ε from N(0, I); L: `cholesky`, row by row, or I without one. */
export function drawCodes(count, seed, mean, cholesky) {
	const [size, normal] = [mean.length, normalNumbers(uniformNumbers(seed))];
	const codes = new Float32Array(count * size);
	for (let at = 0; at < codes.length; at += size) {
		const noise = Array.from(mean, normal);
		const row = (d) => (cholesky ? noise.reduce((sum, x, e) => sum + cholesky[d * size + e] * x, 0) : noise[d]);
		codes.set(mean.map((centre, d) => centre + row(d)), at);
	}
	return codes;
}

/** "Sample": codes from the prior, or from a Gaussian fitted to the shown codes, decoded by each model. */
export function sampleView(app) {
	return liveView(app, "Sample", ({ decodes }) => decodes, (models, request) => {
		const laws = ["the prior, if there is one", "a Gaussian fitted to the codes"];
		const law = choice("Codes from", laws, request);
		const seed = numberField("Seed", 9999, request);
		seed.set(0);
		const outcomes = models.map((model) => {
			const next = () => {
				const { codes, mean, cholesky } = model.snapshot;
				const fitted = codes.length && (law.select.selectedIndex || !model.prior);
				const from = fitted ? [mean, cholesky] : [new Float32Array(model.size)];
				const note = `From ${fitted ? laws[1] : "the prior, N(0, I)"}.`;
				const say = (code) => (codes.length ? `near ${nearestClass(app, model, code)}` : "");
				return { codes: drawCodes(12, seed.value, ...from), note, say };
			};
			return pictureButtons(app, model, 12, next, (code) => app.move(model.index, code));
		});
		const again = () => seed.set(seed.value + 1);
		return { controls: [law.element, seed.element, button("Next seed", again)], outcomes };
	});
}

// Sliders: any code value, or any principal direction of the codes, with the range that real images fill.

import { along, axisCount, axisOf, movedAlong } from "./space.js";
import { row } from "./morph.js";
import { button, choice, element, inWords, slider } from "./parts.js";

export function slidersView(app) {
	const list = element("div", { class: "sliders" });
	const { movable } = app;
	let [model, parts, seen] = [movable[0], [], []];
	if (!model) return { title: "Sliders", element: element("p", {}, app.models.map(({ noMap }) => noMap).join(" ")) };

	const bases = [["directions", "principal directions"], ["values", "single code values"]];
	const basis = choice("Move along", bases, (value) => app.setPlane({ basis: value }));
	const which = choice("Model", movable.map(({ index, name }) => [index, name]), (value) => {
		model = app.models[value];
		app.changed();
	});
	which.element.hidden = movable.length < 2;
	const controls = row(basis.element, which.element, button("Back to the mean", () => app.reset()));

	function build() {
		seen = [model, model.snapshot, app.plane.basis];
		basis.select.value = app.plane.basis;
		parts = Array.from({ length: axisCount(model, app.plane.basis) }, (_, i) => {
			const axis = axisOf(model, app.plane.basis, i);
			const { low: min, high: max } = axis;
			const input = (value) => app.move(model.index, movedAlong(axis, model.code, value));
			const text = `${app.plane.basis === "values" ? "value" : "direction"} ${i + 1}`;
			const part = slider(text, { min, max, step: (max - min) / 400, input });
			// the band holds the middle 95 % of normally distributed codes
			const typical = [axis.mean - 2 * axis.spread, axis.mean + 2 * axis.spread];
			typical.forEach((end, k) => {
				const share = Math.max(0, Math.min(100, (100 * (end - min)) / (max - min)));
				part.range.style.setProperty(k ? "--to" : "--from", `${share}%`);
			});
			part.element.append(element("small", {}, `typical ${typical.map((end) => inWords(end, 1)).join(" … ")}`));
			part.follow = () => (part.value = along(axis, model.code));
			return part;
		});
		list.replaceChildren(...parts.map((part) => part.element));
	}

	const follow = () => {
		if (!list.offsetParent) return;
		if ([model, model.snapshot, app.plane.basis].some((value, i) => value !== seen[i])) build();
		for (const part of parts) part.follow();
	};
	app.onChange(follow);
	return { title: "Sliders", element: element("div", {}, controls, list), show: follow };
}

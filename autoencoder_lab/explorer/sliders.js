// Sliders: any code value, or any principal direction of the codes, with the range that real images fill.

import { along, axisCount, axisOf, movedAlong } from "./space.js";
import { button, choice, element, inWords, slider } from "./parts.js";

const SHOWN = 8; // at first

export function slidersView(app) {
	const list = element("div", { class: "sliders" });
	const controls = element("div", { class: "row" });
	const view = { title: "Sliders", element: element("div", {}, controls, list) };
	const { movable } = app;
	let [model, all, rows, seen] = [movable[0], false, [], []];
	if (!model) {
		list.append(...app.models.map(({ noMap }) => element("p", {}, noMap)));
		return view;
	}
	const bases = [["directions", "principal directions of the codes"], ["values", "single code values"]];
	const basis = choice("Move along", bases, (value) => app.setPlane({ basis: value }));
	const which = choice("Model", movable.map(({ index, name }) => [index, name]), (value) => {
		model = app.models[value];
		build();
	});
	controls.append(basis.element, ...(movable.length > 1 ? [which.element] : []), button("Back to the mean", () => app.reset()));

	function build() {
		seen = [model.snapshot, app.plane.basis];
		basis.select.value = app.plane.basis;
		const count = axisCount(model, app.plane.basis);
		rows = Array.from({ length: all ? count : Math.min(SHOWN, count) }, (_, i) => {
			const axis = axisOf(model, app.plane.basis, i);
			const { low: min, high: max } = axis;
			const input = (value) => app.move(model.index, movedAlong(axis, model.code, value));
			const text = `${app.plane.basis === "values" ? "value" : "direction"} ${i + 1}`;
			const row = slider(text, { min, max, step: (max - min) / 400, value: along(axis, model.code), input });
			// the band holds the middle 95 % of normally distributed codes
			const typical = [axis.mean - 2 * axis.spread, axis.mean + 2 * axis.spread];
			typical.forEach((end, k) => {
				const share = Math.max(0, Math.min(100, (100 * (end - min)) / (max - min)));
				row.range.style.setProperty(k ? "--to" : "--from", `${share}%`);
			});
			row.element.append(element("small", {}, `typical ${typical.map((end) => inWords(end, 1)).join(" … ")}`));
			row.follow = () => (row.value = along(axis, model.code));
			return row;
		});
		list.replaceChildren(...rows.map((row) => row.element));
		if (count <= SHOWN) return;
		const more = button(all ? `Show the first ${SHOWN} only` : `Show all ${count}`, () => {
			all = !all;
			build();
			list.lastChild.focus();
		});
		list.append(more);
	}

	app.onChange(() => {
		if (!list.offsetParent) return;
		if (seen[0] !== model.snapshot || seen[1] !== app.plane.basis) build();
		for (const row of rows) row.follow();
	});
	return { ...view, show: build };
}

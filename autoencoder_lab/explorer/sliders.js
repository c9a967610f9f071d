// Sliders: any code value, or any principal direction of the codes, with the range that real images fill.

import { along, axisCount, axisOf, movedAlong, rangeOf } from "./space.js";
import { button, choice, element, inWords, slider } from "./parts.js";

const SHOWN = 8; // at first

export function slidersView(app) {
  const list = element("div", { class: "sliders" });
  const controls = element("div", { class: "row" });
  const content = element("div", {}, controls, list);
  const view = { title: "Sliders", element: content };
  const { movable } = app;
  let [model, all, rows, seen] = [movable[0], false, [], []];
  if (!model) {
    content.append(...app.models.map(({ noMap }) => element("p", {}, noMap)));
    return view;
  }

  const basis = choice("Move along", [["directions", "principal directions of the codes"], ["values", "single code values"]], (value) =>
    app.setPlane({ basis: value }),
  );
  const which = choice("Model", movable.map((one) => [String(one.index), one.name]), (value) => {
    model = app.models[Number(value)];
    build();
  });
  controls.append(basis.element, ...(movable.length > 1 ? [which.element] : []), button("Back to the mean", () => app.reset()));

  function build() {
    const count = axisCount(model, app.plane.basis);
    const shown = all ? count : Math.min(SHOWN, count);
    const text = app.plane.basis === "values" ? "value" : "direction";
    basis.select.value = app.plane.basis;
    rows = Array.from({ length: shown }, (_, i) => {
      const axis = axisOf(model, app.plane.basis, i);
      const [low, high] = rangeOf(model, axis);
      const one = slider(`${text} ${i + 1}`, {
        min: low,
        max: high,
        step: (high - low) / 400,
        value: along(axis, model.code),
        input: (value) => {
          app.counters.inputs += 1;
          app.move(model.index, movedAlong(axisOf(model, app.plane.basis, i), model.code, value));
        },
      });
      // the band holds the middle 95 % of normally distributed codes
      const [from, to] = [-2, 2].map((d) => axis.mean + d * axis.spread);
      const share = (value) => `${Math.max(0, Math.min(100, (100 * (value - low)) / (high - low)))}%`;
      one.range.style.setProperty("--from", share(from));
      one.range.style.setProperty("--to", share(to));
      one.element.append(element("small", {}, `typical ${inWords(from, 1)} … ${inWords(to, 1)}`));
      return one;
    });
    list.replaceChildren(...rows.map((one) => one.element));
    if (count > SHOWN) {
      list.append(
        button(all ? `Show the first ${SHOWN} only` : `Show all ${count}`, () => {
          all = !all;
          build();
          list.querySelector("button").focus();
        }),
      );
    }
    seen = [model.snapshot, app.plane.basis];
  }

  app.onChange(() => {
    if (!content.offsetParent) return;
    if (seen[0] !== model.snapshot || seen[1] !== app.plane.basis) build();
    rows.forEach((one, i) => (one.value = along(axisOf(model, app.plane.basis, i), model.code)));
  });
  return { ...view, show: build };
}

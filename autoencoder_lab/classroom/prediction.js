// The form of one prediction: native radio buttons under a legend, and a line that says what was recorded.
// Reads and sets the traits of the widget in prediction.py; all text goes in as text, never as HTML.

import { keepKeys, leaveAtRest, uniqueId } from "../explorer/widget.js";

const LOST = "The kernel was restarted or has stopped: run this cell again to record or change your guess.";

/** One question: a radio button an option; `show` follows the trait, `change` sets it. */
function questionGroup(title, options, trait, model) {
	const name = uniqueId();
	const fieldset = document.createElement("fieldset");
	fieldset.appendChild(document.createElement("legend")).textContent = title;
	for (const option of options) {
		const label = fieldset.appendChild(document.createElement("label"));
		const radio = label.appendChild(document.createElement("input"));
		Object.assign(radio, { type: "radio", name, value: option });
		label.append(option);
		radio.addEventListener("change", () => {
			model.set(trait, option);
			model.save_changes();
		});
	}
	const show = (live) => {
		for (const radio of fieldset.querySelectorAll("input")) {
			radio.checked = radio.value === model.get(trait);
		}
		fieldset.disabled = !live || model.get("locked");
	};
	return { fieldset, show };
}

function initialize({ model }) {
	leaveAtRest(model);
}

function render({ model, el }) {
	el.classList.add("autoencoder-lab-prediction");
	el.setAttribute("role", "group");
	el.setAttribute("aria-label", model.get("question"));
	keepKeys(el);
	const status = document.createElement("p");
	status.setAttribute("role", "status");
	const groups = [
		questionGroup(model.get("question"), model.get("options"), "guess", model),
		questionGroup("How sure are you?", model.get("levels"), "confidence", model),
	];
	let live = true;
	const show = () => {
		for (const group of groups) group.show(live);
		status.textContent = live ? model.get("status") : LOST;
	};
	// a kernel that restarts or dies takes all comms with it: what is chosen then would reach nobody
	const lose = () => {
		live = false;
		show();
	};
	const on = { comm_live_update: lose };
	for (const trait of ["guess", "confidence", "locked", "status"]) on[`change:${trait}`] = show;
	for (const [name, listener] of Object.entries(on)) model.on(name, listener);
	el.append(...groups.map(({ fieldset }) => fieldset), status);
	show();
	return () => {
		for (const [name, listener] of Object.entries(on)) model.off(name, listener);
		el.replaceChildren(); // JupyterLab holds on to `el` for good
	};
}

export default { initialize, render };

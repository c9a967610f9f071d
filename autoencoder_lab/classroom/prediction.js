// The form of one prediction: native radio buttons under a legend, and a line that says what was recorded.
// Reads and sets the traits of the widget in classroom.py; all text goes in as text, never as HTML.

let forms = 0;

function group(title, options, trait, model) {
	const name = `prediction-${(forms += 1)}`;
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
	const show = () => {
		for (const radio of fieldset.querySelectorAll("input")) {
			radio.checked = radio.value === model.get(trait);
		}
		fieldset.disabled = model.get("locked");
	};
	model.on(`change:${trait}`, show);
	model.on("change:locked", show);
	show();
	return fieldset;
}

function render({ model, el }) {
	el.classList.add("autoencoder-lab-prediction");
	const status = document.createElement("p");
	status.setAttribute("role", "status");
	const say = () => {
		status.textContent = model.get("status");
	};
	model.on("change:status", say);
	el.append(
		group(model.get("question"), model.get("options"), "guess", model),
		group("How sure are you?", model.get("levels"), "confidence", model),
		status,
	);
	say();
}

export default { render };

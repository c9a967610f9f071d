// What every widget of the course shares: names of its own, keys of its own, and what it leaves in a saved notebook.

/** A name that nothing else in the page has: every widget loads a copy of this code, so none may count. */
export const uniqueId = () => `autoencoder-lab-${Math.random().toString(36).slice(2)}`;

// with Ctrl or ⌘, a notebook moves, merges, splits, folds or undoes its cells by these
const OF_CELLS = /^(Arrow\w+|Backspace|Delete|[-_mzy])$/i;

/** Whether a key comes with one that makes it the browser's or the front end's. */
export const withModifier = ({ ctrlKey, metaKey, altKey }) => ctrlKey || metaKey || altKey;

/** Whether a notebook gets a key that is pressed in a widget: Shift+Enter, and with a modifier what touches no cell. */
function goesOn({ key, shiftKey, ctrlKey, metaKey, altKey }) {
	return ctrlKey || metaKey ? !OF_CELLS.test(key) : altKey || (shiftKey && key === "Enter");
}

/**
 * Keys pressed in `root` are the widget's and the browser's. A notebook listens further out, and takes single letters and
 * arrows for its own: X cuts a cell. JupyterLab hears of a key after the widget. Notebook 7 hears of it before, and
 * passes over an element that bears a mark at that moment.
 */
export function keepKeys(root) {
	root.dataset.keepsKeys = "";
	root.addEventListener("keydown", (event) => goesOn(event) || event.stopPropagation());
	if (window.autoencoderLabMarks) return; // another widget's copy of this code sees to all of them
	window.autoencoderLabMarks = true;
	window.addEventListener(
		"keydown",
		(event) =>
			event.target.closest?.("[data-keeps-keys]") &&
			event.target.toggleAttribute("data-lm-suppress-shortcuts", !goesOn(event)),
		true,
	);
}

const WIDGETS = "application/vnd.jupyter.widget-state+json"; // where a notebook keeps widgets …
const VIEW = "application/vnd.jupyter.widget-view+json"; // … and where an output names one

/** The ids of the widgets that the outputs of a notebook name. */
function widgetsShown(notebook) {
	const ids = new Set();
	for (const { outputs } of notebook.cells) {
		for (let j = 0; j < (outputs?.length ?? 0); j += 1) ids.add(outputs.get(j).data?.[VIEW]?.model_id);
	}
	return ids;
}

/**
 * Keep `at_rest` {id, html} in the notebook as the state of the widget `id`: without one, a notebook that is opened after
 * its kernel has ended shows "model not found" in its place. JupyterLab and Notebook 7 have such a notebook.
 */
export function leaveAtRest(model) {
	const manager = model.widget_manager;
	const leave = () => {
		const { id, html } = model.get("at_rest");
		const notebook = manager?.context?.model;
		if (!id || !notebook?.setMetadata || !notebook.cells) return;
		const shown = widgetsShown(notebook);
		const stored = notebook.getMetadata("widgets")?.[WIDGETS]?.state ?? {};
		const gone = ([other, { state }]) =>
			String(state?.value).includes("autoencoder-lab-at-rest") && !shown.has(other) && !manager.has_model(other);
		const state = Object.fromEntries(Object.entries(stored).filter((entry) => !gone(entry)));
		state[id] = {
			model_module: "@jupyter-widgets/controls",
			model_module_version: "2.0.0",
			model_name: "HTMLModel",
			state: { value: html },
		};
		notebook.setMetadata("widgets", { [WIDGETS]: { version_major: 2, version_minor: 0, state } });
	};
	model.on("change:at_rest", leave);
	leave();
}

// A widget without a view, for one that has no script of ours, as in plain.py: it leaves a picture in a saved notebook,
// and lets that widget have its keys.

import { keepKeys, leaveAtRest } from "./widget.js";

function initialize({ model }) {
	leaveAtRest(model);
	const kept = new WeakSet();
	const keep = ({ target }) => {
		const box = target.closest?.(".autoencoder-lab-plain");
		if (!box || kept.has(box)) return;
		kept.add(box);
		keepKeys(box);
	};
	document.addEventListener("focusin", keep); // comes before the first key
	return () => document.removeEventListener("focusin", keep);
}

export default { initialize };

// A widget without a view that leaves in a saved notebook what stands for another one, which has no script of ours.

import { leaveAtRest } from "./widget.js";

function initialize({ model }) {
	leaveAtRest(model);
}

export default { initialize };

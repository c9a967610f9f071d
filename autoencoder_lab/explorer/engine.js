// Where pictures are computed: in the page, in a worker beside it, or in the kernel; one call for all three:
// engine.run(model, snapshot, what, rows, slot, done). `what` is "decode" (rows: m codes) or "reconstruct" (m images
// in [0, 1]); done(bytes, numbers) gets m pictures as Uint8ClampedArray and, where it may have them, the Float32Array of
// their codes for images, for codes what the bytes were rounded from: PCA's pictures leave [0, 1] (the kernel: null).

import { makeNetwork, unpackWeights } from "./network.js";

const IN_FLIGHT = 2; // requests of a slot on their way at a time; of those that wait, only the newest is sent
const BUSY_AFTER = 700; // ms without an answer until that is said

/** The networks of one model of the scene; those of the last few snapshots are kept. */
class Networks {
	constructor(model) {
		this.model = model;
		this.made = new Map();
	}

	/** Unpack a snapshot's weights: then `run` may be called for it. */
	async prepare(number) {
		if (this.made.has(number)) return;
		const { programs, snapshots } = this.model;
		const networks = {};
		for (const name of Object.keys(programs)) {
			const [packed, last] = [snapshots[number], snapshots.at(-1)].map(({ weights }) => weights[name]);
			networks[name] = makeNetwork(programs[name], await unpackWeights(packed, last));
		}
		this.made.set(number, networks);
		if (this.made.size > 4) this.made.delete([...this.made.keys()].find((other) => other !== number));
	}

	run(number, what, rows) {
		const { decode, encode, reconstruct } = this.made.get(number);
		const { size, pixels } = this.model;
		const all = (network, inputs, from, to) => {
			const outputs = new Float32Array((inputs.length / from) * to);
			for (let i = 0; i * from < inputs.length; i += 1) outputs.set(network(inputs.subarray(i * from, (i + 1) * from)), i * to);
			return outputs;
		};
		const bytes = (pictures) => new Uint8ClampedArray(pictures.map((v) => 255 * v));
		if (reconstruct && what === "reconstruct") return [bytes(all(reconstruct, rows, pixels, pixels)), null];
		const codes = what === "decode" ? rows : all(encode, rows, pixels, size);
		const pictures = all(decode, codes, size, pixels);
		return [bytes(pictures), codes === rows ? pictures : codes];
	}
}

/** Computes at once, in the page. */
export function browserEngine(models) {
	const networks = models.map((model) => new Networks(model));
	return {
		prepare: (model, number) => networks[model].prepare(number),
		run: (model, number, what, rows, slot, done) => done(...networks[model].run(number, what, rows)),
		close() {},
	};
}

/** Asks somebody else: post(request, rows) sends; `say` tells the user about the way there, "" that all is well. */
function remoteEngine(post, say, who) {
	const slots = new Map();
	let [requests, silence] = [0, `${who} is busy: the picture follows.`];
	const send = (slot) => {
		const { flying, waiting } = slots.get(slot);
		if (!waiting || flying.size >= IN_FLIGHT) return;
		slots.get(slot).waiting = null;
		const id = (requests += 1);
		const late = setTimeout(() => say(silence), BUSY_AFTER);
		flying.set(id, { done: waiting.done, late });
		post({ kind: "run", slot, id, ...waiting.request }, waiting.rows);
	};
	return {
		async prepare() {},
		run(model, snapshot, what, rows, slot, done) {
			if (!slots.has(slot)) slots.set(slot, { flying: new Map() });
			slots.get(slot).waiting = { request: { model, snapshot, what }, rows: rows.slice(), done };
			send(slot);
		},
		receive({ slot, id, error }, bytes, codes) {
			const flight = slots.get(slot)?.flying.get(id);
			if (!flight) return;
			slots.get(slot).flying.delete(id);
			clearTimeout(flight.late);
			say(error ? `No picture: ${error}` : "");
			if (!error) flight.done(bytes, codes);
			send(slot);
		},
		lose(text) {
			this.close();
			say((silence = text));
		},
		close() {
			for (const { flying } of slots.values()) for (const { late } of flying.values()) clearTimeout(late);
			slots.clear();
		},
	};
}

/** A message to the kernel; without one it is lost. */
export function tellKernel(model, message, buffers) {
	try {
		model.send(message, undefined, buffers);
	} catch {}
}

/** The kernel, through the widget's messages. */
export function kernelEngine(model, view, say) {
	const post = (request, rows) => tellKernel(model, { ...request, view }, [rows.buffer]);
	const engine = remoteEngine(post, say, "The kernel");
	const on = {
		"msg:custom": (message, [pixels, codes] = []) => {
			if (message.view !== view) return;
			engine.receive(message, pixels && new Uint8ClampedArray(toBytes(pixels)), codes?.byteLength ? floats(codes) : null);
		},
		// a kernel that restarts or dies takes all comms with it
		comm_live_update: () => engine.lose("The kernel was restarted or has stopped: run the cell again."),
	};
	for (const [name, listener] of Object.entries(on)) model.on(name, listener);
	const close = () => {
		for (const [name, listener] of Object.entries(on)) model.off(name, listener);
		engine.close();
	};
	return { ...engine, close };
}

/** A copy of what a DataView or buffer holds. */
export function toBytes(data) {
	return data.buffer ? data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength) : data.slice(0);
}

export const floats = (data) => new Float32Array(toBytes(data));

/** A worker that runs this same code (`address`), for models too large for a frame. */
export function workerEngine(models, address, say) {
	const worker = new Worker(address);
	const engine = remoteEngine((request, rows) => worker.postMessage({ request, rows }), say, "The worker");
	const needed = ({ programs, snapshots, size, pixels }) => {
		return { programs, size, pixels, snapshots: snapshots.map(({ weights }) => ({ weights })) };
	};
	worker.postMessage({ models: models.map(needed) });
	worker.onmessage = ({ data: [request, ...results] }) => engine.receive(request, ...results);
	return { ...engine, close: () => worker.terminate() };
}

/** The worker's side. */
function serveAsWorker() {
	let networks = [];
	let queue = Promise.resolve();
	const answer = async ({ model, snapshot, what }, rows) => {
		await networks[model].prepare(snapshot);
		return networks[model].run(snapshot, what, rows);
	};
	self.onmessage = ({ data: { models, request, rows } }) => {
		if (models) networks = models.map((model) => new Networks(model));
		else {
			queue = queue
				.then(() => answer(request, rows))
				.then((results) => self.postMessage([request, ...results]))
				.catch((error) => self.postMessage([{ ...request, error: String(error) }]));
		}
	};
}

if (!globalThis.document) serveAsWorker();

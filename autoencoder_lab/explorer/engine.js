// Where pictures are computed: in the page, in a worker beside it, or in the kernel; one call for all three:
// engine.run(model, snapshot, what, rows, slot, done). `what` is "decode", "encode" or "reconstruct", rows: m inputs;
// done(bytes, codes) gets m pictures as Uint8ClampedArray and m codes, as far as there are any.

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
      networks[name] = makeNetwork(programs[name], await unpackWeights(snapshots[number].weights[name]));
    }
    this.made.set(number, networks);
    if (this.made.size > 4) this.made.delete([...this.made.keys()].find((other) => other !== number));
  }

  run(number, what, rows) {
    const networks = this.made.get(number);
    const { size, pixels } = this.model;
    const all = (network, inputs, sizeIn, output) => {
      const count = inputs.length / sizeIn;
      const sizeOut = output.length / count;
      for (let i = 0; i < count; i += 1) {
        const result = network(inputs.subarray(i * sizeIn, (i + 1) * sizeIn));
        if (output instanceof Float32Array) output.set(result, i * sizeOut);
        else for (let j = 0; j < sizeOut; j += 1) output[i * sizeOut + j] = 255 * result[j];
      }
      return output;
    };
    const pictures = (network, inputs, sizeIn) =>
      all(network, inputs, sizeIn, new Uint8ClampedArray((inputs.length / sizeIn) * pixels));
    if (what === "decode") return [pictures(networks.decode, rows, size)];
    if (networks.reconstruct) return [pictures(networks.reconstruct, rows, pixels), null];
    const codes = all(networks.encode, rows, pixels, new Float32Array((rows.length / pixels) * size));
    return [what === "encode" ? null : pictures(networks.decode, codes, size), codes];
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
  let requests = 0;
  const send = (slot) => {
    const { flying, waiting } = slots.get(slot);
    if (!waiting || flying.size >= IN_FLIGHT) return;
    slots.get(slot).waiting = null;
    const id = (requests += 1);
    const late = setTimeout(() => say(`${who} is busy or gone: the picture follows when it answers.`), BUSY_AFTER);
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
      say(error ? `The picture could not be computed: ${error}` : "");
      if (!error) flight.done(bytes, codes);
      send(slot);
    },
    close() {
      for (const { flying } of slots.values()) for (const { late } of flying.values()) clearTimeout(late);
      slots.clear();
    },
  };
}

/** The kernel, through the widget's messages. */
export function kernelEngine(model, view, say) {
  const engine = remoteEngine(
    (request, rows) => {
      const gone = "The kernel was restarted or has stopped. Run the cell again to go on.";
      if (model.comm_live === false) return say(gone);
      try {
        model.send({ ...request, view }, undefined, [rows.buffer]);
      } catch {
        say(gone);
      }
    },
    say,
    "The kernel",
  );
  const listen = (message, [pixels, codes] = []) => {
    if (message.view !== view) return;
    engine.receive(message, pixels && new Uint8ClampedArray(toBytes(pixels)), codes?.byteLength ? floats(codes) : null);
  };
  model.on("msg:custom", listen);
  return {
    ...engine,
    close() {
      model.off("msg:custom", listen);
      engine.close();
    },
  };
}

/** A copy of what a DataView or buffer holds. */
export function toBytes(data) {
  return data.buffer ? data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength) : data.slice(0);
}

export const floats = (data) => new Float32Array(toBytes(data));

/** A worker that runs this same file (`address`), for models too large for a frame. */
export function workerEngine(models, address, say) {
  const worker = new Worker(address, { type: "module" });
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

if (typeof document === "undefined" && typeof self !== "undefined") serveAsWorker();

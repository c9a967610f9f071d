// Where pictures are computed: here, in a worker beside the page, or in the kernel; one call for all three.
//
// engine.run(model, snapshot, what, rows, slot, done): `what` is "decode", "encode" or "reconstruct"; rows: Float32Array
// of m inputs; done(bytes, codes) gets m pictures as Uint8ClampedArray and, for "encode" and "reconstruct", m codes.
// Where the answer takes time, at most two requests of a slot are on their way and only the newest one waits.

import { makeNetwork, unpackWeights } from "./network.js";

const IN_FLIGHT = 2;
const BUSY_AFTER = 700; // ms without an answer until the page says that the kernel is busy

/** Networks of one model of the scene, made when first needed; the last few snapshots stay. */
class Networks {
  constructor(model) {
    this.model = model;
    this.made = new Map();
  }

  /** Unpack a snapshot's weights; resolves when `run` may be called for it. */
  async prepare(number) {
    if (this.made.has(number)) return;
    const networks = {};
    for (const [name, program] of Object.entries(this.model.programs)) {
      networks[name] = makeNetwork(program, await unpackWeights(this.model.snapshots[number].weights[name], program));
    }
    this.made.set(number, networks);
    for (const other of this.made.keys()) if (this.made.size > 4 && other !== number) this.made.delete(other);
  }

  run(number, what, rows) {
    const networks = this.made.get(number);
    const through = (name, input, count, sizeIn, sizeOut, Kind) => {
      const output = new Kind(count * sizeOut);
      for (let i = 0; i < count; i += 1) {
        const result = networks[name](input.subarray(i * sizeIn, (i + 1) * sizeIn));
        if (Kind === Float32Array) output.set(result, i * sizeOut);
        else for (let j = 0; j < sizeOut; j += 1) output[i * sizeOut + j] = 255 * result[j];
      }
      return output;
    };
    const { size, pixels } = this.model;
    if (what === "decode") return { bytes: through("decode", rows, rows.length / size, size, pixels, Uint8ClampedArray) };
    const count = rows.length / pixels;
    if (networks.reconstruct) {
      return { bytes: through("reconstruct", rows, count, pixels, pixels, Uint8ClampedArray), codes: null };
    }
    const codes = through("encode", rows, count, pixels, size, Float32Array);
    if (what === "encode") return { codes };
    return { bytes: through("decode", codes, count, size, pixels, Uint8ClampedArray), codes };
  }
}

/** Computes at once, in the page. */
export class BrowserEngine {
  constructor(models) {
    this.networks = models.map((model) => new Networks(model));
  }

  prepare(model, number) {
    return this.networks[model].prepare(number);
  }

  run(model, number, what, rows, slot, done) {
    const { bytes, codes } = this.networks[model].run(number, what, rows);
    done(bytes, codes);
  }

  close() {}
}

/** Asks somebody else: `post(request, rows)` sends, `receive(answer)` is called with what comes back. */
export class RemoteEngine {
  constructor(post, say) {
    this.post = post;
    this.say = say; // (text): shown to the user; "" clears it
    this.slots = new Map();
    this.requests = 0;
  }

  async prepare() {}

  run(model, number, what, rows, slot, done) {
    if (!this.slots.has(slot)) this.slots.set(slot, { flying: new Map(), waiting: null });
    this.slots.get(slot).waiting = { model, number, what, rows: rows.slice(), done };
    this.send(slot);
  }

  send(slot) {
    const lane = this.slots.get(slot);
    if (!lane.waiting || lane.flying.size >= IN_FLIGHT) return;
    const { model, number, what, rows, done } = lane.waiting;
    lane.waiting = null;
    const request = `${slot} ${(this.requests += 1)}`;
    const late = setTimeout(() => this.say("The kernel is busy or gone: the picture follows when it answers."), BUSY_AFTER);
    lane.flying.set(request, { done, late });
    this.post({ kind: "run", request, model, snapshot: number, what }, rows);
  }

  receive({ request, error, bytes, codes }) {
    const slot = request.slice(0, request.lastIndexOf(" "));
    const lane = this.slots.get(slot);
    const flight = lane?.flying.get(request);
    if (!flight) return;
    lane.flying.delete(request);
    clearTimeout(flight.late);
    this.say(error ? `The picture could not be computed: ${error}` : "");
    if (!error) flight.done(bytes, codes);
    this.send(slot);
  }

  close() {
    for (const lane of this.slots.values()) for (const { late } of lane.flying.values()) clearTimeout(late);
    this.slots.clear();
  }
}

/** The kernel, through the widget's messages. */
export function kernelEngine(model, view, say) {
  const engine = new RemoteEngine((request, rows) => {
    const gone = "The kernel was restarted or has stopped. Run the cell again to go on.";
    if (model.comm_live === false) return say(gone);
    try {
      model.send({ ...request, view }, undefined, [rows.buffer]);
    } catch {
      say(gone);
    }
  }, say);
  const listen = (message, buffers) => {
    if (message.kind !== "result" || message.view !== view) return;
    const views = (buffers ?? []).map((b) => new Uint8Array(b.buffer ?? b, b.byteOffset ?? 0, b.byteLength));
    const asCodes = (b) => (b?.length ? new Float32Array(b.slice().buffer) : null);
    const onlyCodes = message.what === "encode";
    engine.receive({
      request: message.request,
      error: message.error,
      bytes: onlyCodes ? undefined : views[0] && new Uint8ClampedArray(views[0]),
      codes: asCodes(onlyCodes ? views[0] : views[1]),
    });
  };
  model.on("msg:custom", listen);
  const close = engine.close.bind(engine);
  engine.close = () => {
    model.off("msg:custom", listen);
    close();
  };
  return engine;
}

/** A worker that runs this same file, for decoders too large for a frame. `address`: where the worker finds it. */
export function workerEngine(models, address, say) {
  const worker = new Worker(address, { type: "module" });
  const engine = new RemoteEngine((request, rows) => worker.postMessage({ ...request, rows }), say);
  worker.postMessage({ kind: "models", models });
  worker.onmessage = ({ data }) => engine.receive(data);
  const close = engine.close.bind(engine);
  engine.close = () => {
    worker.terminate();
    close();
  };
  return engine;
}

/** The worker's side. */
function serveAsWorker() {
  let networks = [];
  let queue = Promise.resolve();
  const answer = async ({ request, model, snapshot, what, rows }) => {
    await networks[model].prepare(snapshot);
    self.postMessage({ request, ...networks[model].run(snapshot, what, rows) });
  };
  self.onmessage = ({ data }) => {
    if (data.kind === "models") networks = data.models.map((model) => new Networks(model));
    else queue = queue.then(() => answer(data)).catch((error) => self.postMessage({ request: data.request, error: String(error) }));
  };
}

if (typeof document === "undefined" && typeof self !== "undefined" && self.postMessage) serveAsWorker();

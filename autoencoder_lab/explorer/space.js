// The mathematics of a code space, no page in it: axes, places on a map, moving, the nearest code, alignment.
// An axis is one code value ("values") or one principal direction of the codes ("directions").

/** Axis `i` of a model's snapshot: where a code lies on it is Σ vector·(code − origin). */
export function axisOf(model, basis, i) {
  const { size, snapshot } = model;
  if (basis === "values") {
    const vector = new Float32Array(size);
    vector[i] = 1;
    return { vector, origin: new Float32Array(size), mean: snapshot.mean[i], spread: snapshot.spread[i] };
  }
  const vector = snapshot.directions.subarray(i * size, (i + 1) * size);
  return { vector, origin: snapshot.mean, mean: 0, spread: snapshot.directionSpread[i] };
}

/** How many axes a basis has. */
export function axisCount(model, basis) {
  return basis === "values" ? model.size : model.snapshot.directions.length / model.size;
}

/** Where the code that starts at `offset` lies on an axis. */
export function along(axis, codes, offset = 0) {
  let sum = 0;
  for (let i = 0; i < axis.vector.length; i += 1) sum += axis.vector[i] * (codes[offset + i] - axis.origin[i]);
  return sum;
}

/** The code moved so that it lies at `value` on an axis; all that is perpendicular to it stays. */
export function movedAlong(axis, code, value) {
  const by = value - along(axis, code);
  return code.map((c, i) => c + by * axis.vector[i]);
}

/** The values worth showing on an axis: all codes, a margin, and the prior's ±3.5 where there is one. */
export function rangeOf(model, axis) {
  const { codes, mean } = model.snapshot;
  const reach = 4 * Math.max(axis.spread, 1e-3 * (1 + Math.abs(axis.mean)));
  let [low, high] = codes.length > model.size ? [Infinity, -Infinity] : [axis.mean - reach, axis.mean + reach];
  for (let j = 0; j < codes.length; j += model.size) {
    const value = along(axis, codes, j);
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (high - low < 1e-6) [low, high] = [axis.mean - reach, axis.mean + reach];
  const margin = 0.08 * (high - low);
  const zero = along(axis, new Float32Array(mean.length));
  const [priorLow, priorHigh] = model.prior ? [zero - 3.5, zero + 3.5] : [low, high];
  return [Math.min(low - margin, priorLow), Math.max(high + margin, priorHigh)];
}

/** {image, distance} of the shown image whose code is nearest (Euclidean); image is −1 where there are no codes. */
export function nearestShown(codes, size, code) {
  let image = -1;
  let best = Infinity;
  for (let j = 0, at = 0; at < codes.length; j += 1, at += size) {
    let sum = 0;
    for (let i = 0; i < size && sum < best; i += 1) sum += (codes[at + i] - code[i]) ** 2;
    if (sum < best) [image, best] = [j, sum];
  }
  return { image, distance: Math.sqrt(best) };
}

/** M·code + t: where an affine map {matrix, offset} takes the code that starts at `from`. */
export function mapped({ matrix, offset }, codes, from = 0) {
  const sizeIn = matrix.length / offset.length;
  return offset.map((t, row) => {
    let sum = t;
    for (let i = 0; i < sizeIn; i += 1) sum += matrix[row * sizeIn + i] * codes[from + i];
    return sum;
  });
}

/** The code of `to` that stands as `code` does in `from`: as many standard deviations along each axis of the basis. */
export function sameStanding(from, to, basis, code) {
  const count = Math.min(axisCount(from, basis), axisCount(to, basis));
  let result = Float32Array.from(to.snapshot.mean);
  for (let i = 0; i < count; i += 1) {
    const [a, b] = [axisOf(from, basis, i), axisOf(to, basis, i)];
    const deviations = a.spread > 1e-9 ? (along(a, code) - a.mean) / a.spread : 0;
    result = movedAlong(b, result, b.mean + deviations * b.spread);
  }
  return result;
}

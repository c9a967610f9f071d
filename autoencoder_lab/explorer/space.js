// The mathematics of codes, no page in it: axes, moving along them, the nearest code, alignment.
// An axis is one code value ("values") or one principal direction of the codes ("directions").

/** Axis `i` of a model: a code lies on it at vector·(code − origin); the codes there have this mean and spread. */
export function axisOf({ size, snapshot }, basis, i) {
  if (basis === "directions") {
    const vector = snapshot.directions.subarray(i * size, (i + 1) * size);
    return { vector, origin: snapshot.mean, mean: 0, spread: snapshot.directionSpread[i] };
  }
  const vector = new Float32Array(size);
  vector[i] = 1;
  return { vector, origin: new Float32Array(size), mean: snapshot.mean[i], spread: snapshot.spread[i] };
}

/** How many axes a basis has. */
export function axisCount({ size, snapshot }, basis) {
  return basis === "values" ? size : snapshot.directions.length / size;
}

/** Where the code that starts at `from` lies on an axis. */
export function along({ vector, origin }, codes, from = 0) {
  let sum = 0;
  for (let i = 0; i < vector.length; i += 1) sum += vector[i] * (codes[from + i] - origin[i]);
  return sum;
}

/** The code moved to lie at `value` on an axis; all that is perpendicular to it stays. */
export function movedAlong(axis, code, value) {
  const by = value - along(axis, code);
  return code.map((c, i) => c + by * axis.vector[i]);
}

/** The values worth showing on an axis: all codes with a margin, and the prior's ±3.5 where there is one. */
export function rangeOf({ size, prior, snapshot }, axis) {
  const values = [];
  for (let at = 0; at < snapshot.codes.length; at += size) values.push(along(axis, snapshot.codes, at));
  let [low, high] = [Math.min(...values), Math.max(...values)];
  if (!(high - low > 1e-6)) {
    const reach = 4 * Math.max(axis.spread, 0.001 * (1 + Math.abs(axis.mean)));
    [low, high] = [axis.mean - reach, axis.mean + reach];
  }
  const margin = 0.08 * (high - low);
  const zero = along(axis, new Float32Array(size));
  return prior ? [Math.min(low - margin, zero - 3.5), Math.max(high + margin, zero + 3.5)] : [low - margin, high + margin];
}

/** {image, distance} of the shown image whose code is nearest (Euclidean); image is −1 where there are no codes. */
export function nearestShown(codes, size, code) {
  let [image, best] = [-1, Infinity];
  for (let at = 0; at < codes.length; at += size) {
    let sum = 0;
    for (let i = 0; i < size && sum < best; i += 1) sum += (codes[at + i] - code[i]) ** 2;
    if (sum < best) [image, best] = [at / size, sum];
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

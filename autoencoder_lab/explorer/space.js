// The mathematics of codes, no page in it: axes, moving along them, the nearest code, alignment.
// An axis is one code value ("values") or one principal direction of the codes ("directions").

/** Axis `i` of a model: a code lies on it at vector·(code − origin); the shown codes lie there from low to high. */
export function axisOf({ size, snapshot }, basis, i) {
	const { mean, spread, ranges, directions } = snapshot;
	if (basis === "directions") {
		const [low, high] = snapshot.directionRanges.subarray(2 * i);
		const vector = directions.subarray(i * size, (i + 1) * size);
		return { vector, origin: mean, mean: 0, spread: snapshot.directionSpread[i], low, high };
	}
	const [low, high] = ranges.subarray(2 * i);
	const vector = mean.map((_, k) => Number(k === i));
	return { vector, origin: mean.map(() => 0), mean: mean[i], spread: spread[i], low, high };
}

/** How many axes a basis has. */
export function axisCount({ size, snapshot }, basis) {
	return basis === "values" ? size : snapshot.directions.length / size;
}

/** Where a code lies on an axis. */
export function along({ vector, origin }, code) {
	return vector.reduce((sum, v, i) => sum + v * (code[i] - origin[i]), 0);
}

/** The code moved to lie at `value` on an axis; all that is perpendicular to it stays. */
export function movedAlong(axis, code, value) {
	const by = value - along(axis, code);
	return code.map((c, i) => c + by * axis.vector[i]);
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

/** M·code + t: where an affine map {matrix, offset} takes a code. */
export function mapped({ matrix, offset }, code) {
	return offset.map((t, row) => code.reduce((sum, c, i) => sum + matrix[row * code.length + i] * c, t));
}

/** The code of `to` that stands as `code` does in `from`: as many standard deviations along each axis of the basis. */
export function sameStanding(from, to, basis, code) {
	let result = to.snapshot.mean.slice();
	for (let i = 0; i < Math.min(axisCount(from, basis), axisCount(to, basis)); i += 1) {
		const [a, b] = [axisOf(from, basis, i), axisOf(to, basis, i)];
		const deviations = a.spread > 1e-9 ? (along(a, code) - a.mean) / a.spread : 0;
		result = movedAlong(b, result, b.mean + deviations * b.spread);
	}
	return result;
}

/** z, z′, z″, …: where Again led a model's point; its code alone once it was moved otherwise. */
export const trailOf = ({ trail, code }) => (trail?.at(-1) === code ? trail : [code]);

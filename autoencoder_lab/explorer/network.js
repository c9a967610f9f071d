// Runs what program.py recorded: a list of plain operations on flat arrays, each allocated once.

/** `run(input)` computes one item. The array it returns is its own: the next call overwrites it. */
export function makeNetwork(program, weights) {
	const values = [new Float32Array(program.inputShape.reduce((a, b) => a * b, 1))];
	let result;
	const steps = program.operations.map((operation) => {
		const constants = {};
		for (const name of ["weight", "bias", "scale", "shift", "value"]) {
			const [start, count] = operation[name] ?? [];
			if (count) constants[name] = weights.subarray(start, start + count);
		}
		const inputs = operation.in.map((id) => values[id]);
		result = values[operation.out] = new Float32Array(operation.size);
		if (operation.positions) values[operation.positions] = new Float32Array(operation.size);
		return KERNELS[operation.op](operation, inputs, result, constants, values[operation.positions]);
	});
	return (input) => {
		values[0].set(input);
		for (const step of steps) step();
		return result;
	};
}

// each gives a function without arguments that reads its inputs and fills `out`
const KERNELS = {
	conv: convolution,

	dense({ units, places }, [x], out, { weight, bias = new Float32Array(units) }) {
		const length = x.length / places;
		const blocks = interleaved(weight, units, length);
		return () => {
			for (let p = 0; p < places; p += 1) matrixTimesVector(blocks, bias, x, p * length, length, out, p * units, units);
		};
	},

	affine({ inner }, [x], out, { scale, shift }) {
		return () => {
			for (let i = 0; i < out.length; ) {
				for (let j = 0; j < scale.length; j += 1) {
					for (const end = i + inner; i < end; i += 1) out[i] = scale[j] * x[i] + shift[j];
				}
			}
		};
	},

	map({ f, p }, [x], out) {
		const apply = FUNCTIONS[f]?.(...p) ?? Math[f];
		return () => {
			for (let i = 0; i < out.length; i += 1) out[i] = apply(x[i]);
		};
	},

	pair({ f, p: [p, q] }, [x, y], out) {
		const apply = FUNCTIONS[f];
		return () => {
			for (let i = 0; i < out.length; i += 1) out[i] = apply(p * x[i], q * y[i]);
		};
	},

	constant(_, inputs, out, { value }) {
		out.set(value);
		return () => {};
	},

	normalise({ length, eps }, [x], out) {
		return () => {
			for (let start = 0; start < out.length; start += length) {
				const end = start + length;
				let [sum, squares] = [0, 0];
				for (let i = start; i < end; i += 1) sum += x[i];
				const mean = sum / length;
				for (let i = start; i < end; i += 1) squares += (x[i] - mean) ** 2;
				const scale = 1 / Math.sqrt(squares / length + eps);
				for (let i = start; i < end; i += 1) out[i] = (x[i] - mean) * scale;
			}
		};
	},

	softmax({ length }, [x], out) {
		return () => {
			for (let start = 0; start < out.length; start += length) {
				const end = start + length;
				let [largest, sum] = [-Infinity, 0];
				for (let i = start; i < end; i += 1) largest = Math.max(largest, x[i]);
				for (let i = start; i < end; i += 1) sum += out[i] = Math.exp(x[i] - largest);
				for (let i = start; i < end; i += 1) out[i] /= sum;
			}
		};
	},

	// out[write[0] + Σ j · write] = x[read[0] + Σ j · read] for all j below `shape`
	copy({ parts, fill = 0 }, inputs, out) {
		out.fill(fill);
		const walk = (x, part, d, i, o) => {
			const [n, from, to] = [part.shape[d - 1], part.read[d], part.write[d]];
			if (d < part.shape.length) for (let j = 0; j < n; j += 1) walk(x, part, d + 1, i + j * from, o + j * to);
			else for (let j = 0; j < n; j += 1) out[o + j * to] = x[i + j * from];
		};
		return () => parts.forEach((part, k) => walk(inputs[k], part, 1, part.read[0], part.write[0]));
	},

	// windows: [first, behind the last, divisor] for each output row and column
	pool({ how, planes, height, width, rows, columns }, [x], out, _, positions) {
		return () => {
			let o = 0;
			for (let plane = 0; plane < planes; plane += 1) {
				for (const [top, bottom, high] of rows) {
					for (const [left, right, wide] of columns) {
						let [sum, best, where] = [0, -Infinity, top * width + left];
						for (let i = top; i < bottom; i += 1) {
							for (let j = left; j < right; j += 1) {
								const v = x[(plane * height + i) * width + j];
								sum += v;
								if (v > best) [best, where] = [v, i * width + j];
							}
						}
						if (positions) positions[o] = where;
						out[o] = how === "max" ? best : sum / (high * wide);
						o += 1;
					}
				}
			}
		};
	},

	unpool({ planes }, [x, positions], out) {
		return () => {
			out.fill(0);
			for (let i = 0; i < x.length; i += 1) {
				out[(Math.floor((i * planes) / x.length) * out.length) / planes + positions[i]] = x[i];
			}
		};
	},

	// taps: [i, j, w] for each output row and column, (1 − w) · x[i] + w · x[j]
	resize({ planes, height, width, rows, columns }, [x], out) {
		return () => {
			let o = 0;
			for (let plane = 0; plane < planes; plane += 1) {
				for (const [top, bottom, down] of rows) {
					const above = (plane * height + top) * width;
					const below = (plane * height + bottom) * width;
					for (const [left, right, along] of columns) {
						const upper = x[above + left] + along * (x[above + right] - x[above + left]);
						const lower = x[below + left] + along * (x[below + right] - x[below + left]);
						out[o] = upper + down * (lower - upper);
						o += 1;
					}
				}
			}
		};
	},
};

/** Eight rows side by side, [block][column][8], so that a product reads them in order; missing rows are zero. */
function interleaved(matrix, rows, length) {
	const blocks = new Float32Array(Math.ceil(rows / 8) * 8 * length);
	for (let r = 0; r < rows; r += 1) {
		const to = (r - (r % 8)) * length + (r % 8);
		for (let i = 0; i < length; i += 1) blocks[to + 8 * i] = matrix[r * length + i];
	}
	return blocks;
}

/** out[to + o] = bias[o] + Σ matrix[o, i] · x[from + i], eight sums at a time. */
function matrixTimesVector(blocks, bias, x, from, length, out, to, units) {
	for (let o = 0, w = 0; o < units; o += 8) {
		let [a, b, c, d, e, f, g, h] = [0, 0, 0, 0, 0, 0, 0, 0];
		for (let i = from; i < from + length; i += 1, w += 8) {
			const v = x[i];
			a += v * blocks[w];
			b += v * blocks[w + 1];
			c += v * blocks[w + 2];
			d += v * blocks[w + 3];
			e += v * blocks[w + 4];
			f += v * blocks[w + 5];
			g += v * blocks[w + 6];
			h += v * blocks[w + 7];
		}
		const sums = [a, b, c, d, e, f, g, h];
		for (let r = o; r < Math.min(o + 8, units); r += 1) out[to + r] = bias[r] + sums[r - o];
	}
}

/** A convolution or a transposed one, read from a copy of the image with a border of zeros.
 *
 * Output pixels that meet the same kernel taps form a phase: one in a convolution, stride² in a transposed one. */
function convolution(operation, [x], out, { weight, bias = new Float32Array(operation.units) }) {
	const { units, groups, channels, height, width, outWidth, border } = operation;
	const [top, bottom, left, right] = border;
	const stride = width + left + right;
	const plane = stride * (height + top + bottom);
	const [each, per, area] = [channels / groups, units / groups, out.length / units];
	const image = new Float64Array(channels * plane + 3 * operation.phases[0].along.read);
	const phases = operation.phases.map(({ down, along, taps }) => {
		const length = each * taps.length;
		const matrix = new Float64Array((units + 1) * length); // one row of zeros more, for rows go in pairs
		const offsets = new Int32Array(length);
		for (let row = 0; row < units * each; row += 1) {
			taps.forEach(([place, y, dx], t) => {
				matrix[row * taps.length + t] = weight[(row * weight.length) / units / each + place];
				offsets[(row % each) * taps.length + t] = (row % each) * plane + (y + top) * stride + dx + left;
			});
		}
		return { down, along, matrix, offsets, patches: new Float64Array(4 * length) };
	});
	return () => {
		for (let row = 0; row < channels * height; row += 1) {
			const to = Math.floor(row / height) * plane + ((row % height) + top) * stride + left;
			for (let j = 0; j < width; j += 1) image[to + j] = x[row * width + j];
		}
		for (const phase of phases) {
			const { down, along } = phase;
			for (let g = 0; g < groups; g += 1) {
				for (let i = 0; i < down.count; i += 1) {
					const from = g * each * plane + i * down.read * stride;
					const to = g * per * area + (down.first + i * down.step) * outWidth + along.first;
					convolveRow(phase, g * per, per, bias, image, from, out, to, area);
				}
			}
		}
	};
}

/** One output row of units `unit` … `unit + per`: patches of four pixels side by side, then two units at a time. */
function convolveRow({ matrix, offsets, patches, along }, unit, per, bias, image, from, out, to, area) {
	const { count, step, read } = along;
	const length = offsets.length;
	for (let j = 0; j < count; j += 4) {
		for (let k = 0, at = 0; k < length; k += 1, at += 4) {
			const q = from + j * read + offsets[k];
			patches[at] = image[q];
			patches[at + 1] = image[q + read];
			patches[at + 2] = image[q + 2 * read];
			patches[at + 3] = image[q + 3 * read];
		}
		for (let u = 0; u < per; u += 2) {
			let [a, b, c, d, e, f, g, h] = [0, 0, 0, 0, 0, 0, 0, 0];
			let m = (unit + u) * length;
			for (let q = 0; q < 4 * length; m += 1, q += 4) {
				const v = matrix[m];
				const w = matrix[m + length];
				a += v * patches[q];
				b += v * patches[q + 1];
				c += v * patches[q + 2];
				d += v * patches[q + 3];
				e += w * patches[q];
				f += w * patches[q + 1];
				g += w * patches[q + 2];
				h += w * patches[q + 3];
			}
			const sums = [a, b, c, d, e, f, g, h];
			for (let r = 0; r < 2 && u + r < per; r += 1) {
				const row = to + (u + r) * area;
				for (let k = 0; k < 4 && j + k < count; k += 1) {
					out[row + (j + k) * step] = bias[unit + u + r] + sums[4 * r + k];
				}
			}
		}
	}
}

// by name: parameters → function of one number; what is missing here is in Math; then functions of two numbers
const FUNCTIONS = {
	relu: () => (v) => Math.max(0, v),
	silu: () => (v) => v / (1 + Math.exp(-v)),
	sigmoid: () => (v) => 1 / (1 + Math.exp(-v)),
	reciprocal: () => (v) => 1 / v,
	pow: (exponent) => (v) => v ** exponent,
	clamp: (low, high) => (v) => Math.min(high, Math.max(low, v)),
	leaky_relu: (slope) => (v) => (v > 0 ? v : slope * v),
	elu: (alpha, scale, inner) => (v) => scale * (v > 0 ? v : alpha * Math.expm1(inner * v)),
	softplus: (beta, limit) => (v) => (beta * v > limit ? v : Math.log1p(Math.exp(beta * v)) / beta),
	gelu: () => (v) => 0.5 * v * (1 + erf(v / Math.SQRT2)),
	gelu_tanh: () => (v) => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))),
	sum: (a, b) => a + b,
	product: (a, b) => a * b,
	quotient: (a, b) => a / b,
};

/** The error function to 1.5e-7 (Abramowitz and Stegun, 7.1.26). */
function erf(v) {
	const t = 1 / (1 + 0.3275911 * Math.abs(v));
	const series = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592].reduce((s, a) => s * t + a, 0);
	return Math.sign(v) * (1 - series * t * Math.exp(-v * v));
}

/** The content of bytes that zlib compressed. */
export function inflated(bytes) {
	return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).arrayBuffer();
}

/** What `pack` or `compress` made (bytes, however wrapped) as a Float32Array or a promise of one; `base` as there. */
export function unpackWeights(packed, base) {
	const bytes = new Uint8Array(packed.buffer ?? packed, packed.byteOffset ?? 0, packed.byteLength);
	const behind = 4 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
	const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, behind)));
	const content = bytes.slice(behind);
	if (header.precision === "float32") return new Float32Array(content.buffer);
	if (header.precision === "float16") return fromFloat16(new Uint16Array(content.buffer));
	const known = header.relative ? unpackWeights(base) : new Float32Array(header.count);
	return Promise.all([inflated(content), known]).then(([buffer, weights]) => addNumbers(header, buffer, weights));
}

/** Steps of all columns, all other weights in float16, then the low and the high bytes of whole numbers, by columns. */
function addNumbers({ count, matrices }, buffer, weights) {
	const columns = matrices.reduce((sum, matrix) => sum + matrix[2], 0);
	const coded = matrices.reduce((sum, [, rows, length]) => sum + rows * length, 0);
	const steps = new Float32Array(buffer, 0, columns);
	const rest = fromFloat16(new Uint16Array(buffer, 4 * columns, count - coded));
	const low = new Uint8Array(buffer, 4 * columns + 2 * rest.length, coded);
	const high = new Int8Array(buffer, 4 * columns + 2 * rest.length + coded, coded);
	let [done, used, column, i] = [0, 0, 0, 0];
	for (const [start, rows, length, share] of [...matrices, [count, 0, 0]]) {
		weights.set(rest.subarray(used, used + start - done), done);
		used += start - done;
		done = start + rows * length;
		for (let c = 0; c < length; c += 1, column += 1) {
			for (let w = start + c; w < done; w += length, i += 1) {
				weights[w] = share * weights[w] + (low[i] + 256 * high[i] - 128) * steps[column];
			}
		}
	}
	return weights;
}

function fromFloat16(halves) {
	const bits = new Uint32Array(halves.length);
	const floats = new Float32Array(bits.buffer);
	for (let i = 0; i < bits.length; i += 1) {
		bits[i] = ((halves[i] & 0x8000) << 16) | ((halves[i] & 0x7fff) << 13); // so the exponent is 112 too small
		floats[i] *= 2 ** 112;
	}
	return floats;
}

// Runs what program.py recorded: a list of plain operations on flat arrays, each allocated once.

/** `run(input)` computes one item. The array it returns is its own: the next call overwrites it. */
export function makeNetwork(program, weights) {
  const values = [new Float32Array(count(program.input_shape))];
  const steps = program.operations.map((operation) => {
    const constants = {};
    for (const name of ["weight", "bias", "scale", "shift", "value"]) {
      const where = operation[name];
      if (where) constants[name] = weights.subarray(where[0], where[0] + where[1]);
    }
    const inputs = operation.in.map((id) => values[id]);
    const out = (values[operation.out] = new Float32Array(operation.size));
    if (operation.positions !== undefined) values[operation.positions] = new Float32Array(operation.size);
    return KERNELS[operation.op](operation, inputs, out, constants, values[operation.positions]);
  });
  const result = values[program.operations.at(-1).out];
  return (input) => {
    values[0].set(input);
    for (const step of steps) step();
    return result;
  };
}

const count = (shape) => shape.reduce((a, b) => a * b, 1);

// each gives a function without arguments that reads `inputs` and fills `out`
const KERNELS = {
  dense({ units, places }, [x], out, { weight, bias }) {
    const length = x.length / places;
    const blocks = interleaved(weight, units, length);
    const full = new Float32Array(units + 8);
    if (bias) full.set(bias);
    return () => {
      for (let p = 0; p < places; p += 1) matrixTimesVector(blocks, full, x, p * length, length, out, p * units, units);
    };
  },

  conv: convolution,

  affine({ inner }, [x], out, { scale, shift }) {
    return () => {
      for (let i = 0; i < out.length; ) {
        for (let j = 0; j < scale.length; j += 1) {
          const a = scale[j];
          const b = shift[j];
          for (const end = i + inner; i < end; i += 1) out[i] = a * x[i] + b;
        }
      }
    };
  },

  map({ f, p }, [x], out) {
    const apply = FUNCTIONS[f](...p);
    return () => {
      for (let i = 0; i < out.length; i += 1) out[i] = apply(x[i]);
    };
  },

  sum({ p: [p, q] }, [x, y], out) {
    return () => {
      for (let i = 0; i < out.length; i += 1) out[i] = p * x[i] + q * y[i];
    };
  },

  product(_, [x, y], out) {
    return () => {
      for (let i = 0; i < out.length; i += 1) out[i] = x[i] * y[i];
    };
  },

  quotient(_, [x, y], out) {
    return () => {
      for (let i = 0; i < out.length; i += 1) out[i] = x[i] / y[i];
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
        let sum = 0;
        for (let i = start; i < end; i += 1) sum += x[i];
        const mean = sum / length;
        let squares = 0;
        for (let i = start; i < end; i += 1) squares += (x[i] - mean) ** 2;
        const scale = 1 / Math.sqrt(squares / length + eps);
        for (let i = start; i < end; i += 1) out[i] = (x[i] - mean) * scale;
      }
    };
  },

  softmax({ length }, [x], out) {
    return () => {
      for (let start = 0; start < out.length; start += length) {
        const largest = x.subarray(start, start + length).reduce((a, b) => Math.max(a, b), -Infinity);
        let sum = 0;
        for (let i = start; i < start + length; i += 1) sum += out[i] = Math.exp(x[i] - largest);
        for (let i = start; i < start + length; i += 1) out[i] /= sum;
      }
    };
  },

  mean({ length }, [x], out) {
    return () => {
      for (let o = 0; o < out.length; o += 1) {
        let sum = 0;
        for (let i = 0; i < length; i += 1) sum += x[o * length + i];
        out[o] = sum / length;
      }
    };
  },

  copy({ parts, fill = 0 }, inputs, out) {
    out.fill(fill);
    const copies = parts.map(({ shape, read, write }, k) => {
      const x = inputs[k];
      const last = shape.length;
      const walk = (d, i, o) => {
        const [n, di, dO] = [shape[d - 1], read[d], write[d]];
        if (d < last) for (let j = 0; j < n; j += 1) walk(d + 1, i + j * di, o + j * dO);
        else for (let j = 0; j < n; j += 1) out[o + j * dO] = x[i + j * di];
      };
      return () => walk(1, read[0], write[0]);
    });
    return () => copies.forEach((copy) => copy());
  },

  pool({ how, planes, height, width, rows, columns }, [x], out, _, positions) {
    return () => {
      let o = 0;
      for (let plane = 0; plane < planes; plane += 1) {
        for (const [top, bottom, high] of rows) {
          for (const [left, right, wide] of columns) {
            let sum = 0;
            let best = -Infinity;
            let where = top * width + left;
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
    const [few, many] = [x.length / planes, out.length / planes];
    return () => {
      out.fill(0);
      for (let i = 0; i < x.length; i += 1) out[Math.floor(i / few) * many + positions[i]] = x[i];
    };
  },

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
  const { units, groups, channels, height, width, out_width: outWidth } = operation;
  const [vertical, horizontal] = [axisPhases(operation, 0), axisPhases(operation, 1)];
  const [top, bottom] = border(vertical, height);
  const [left, right] = border(horizontal, width);
  const stride = width + left + right;
  const plane = stride * (height + top + bottom);
  const image = new Float64Array(channels * plane + 3 * operation.stride[1]);
  const [each, per, area] = [channels / groups, units / groups, out.length / units];
  const phases = vertical.flatMap((down) =>
    horizontal.map((along) => {
      const taps = down.taps.flatMap(([ky, y]) => along.taps.map(([kx, x]) => [ky, kx, (y + top) * stride + x + left]));
      const kernel = operation.kernel;
      const length = each * taps.length;
      const matrix = new Float64Array((units + 1) * length); // one row of zeros more, for rows go in pairs
      const offsets = new Int32Array(length);
      for (let row = 0; row < units * each; row += 1) {
        taps.forEach(([ky, kx, offset], t) => {
          matrix[row * taps.length + t] = weight[(row * kernel[0] + ky) * kernel[1] + kx];
          offsets[(row % each) * taps.length + t] = (row % each) * plane + offset;
        });
      }
      return { down, along, matrix, offsets };
    }),
  );
  const patches = new Float64Array(4 * Math.max(...phases.map(({ offsets }) => offsets.length)));
  return () => {
    for (let row = 0; row < channels * height; row += 1) {
      const to = Math.floor(row / height) * plane + ((row % height) + top) * stride + left;
      for (let j = 0; j < width; j += 1) image[to + j] = x[row * width + j];
    }
    for (const { down, along, matrix, offsets } of phases) {
      for (let g = 0; g < groups; g += 1) {
        for (let i = 0; i < down.count; i += 1) {
          const from = g * each * plane + i * down.read * stride;
          const to = g * per * area + (down.first + i * down.step) * outWidth + along.first;
          convolveRow(matrix, g * per, per, bias, image, from, offsets, patches, out, to, area, along);
        }
      }
    }
  };
}

/** One output row of units `unit` … `unit + per`: the patches of four pixels side by side, then two units at a time. */
function convolveRow(matrix, unit, per, bias, image, from, offsets, patches, out, to, area, { count: n, step, read }) {
  const length = offsets.length;
  for (let j = 0; j < n; j += 4) {
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
        const place = to + (u + r) * area;
        for (let k = j; k < Math.min(j + 4, n); k += 1) out[place + k * step] = bias[unit + u + r] + sums[4 * r + k - j];
      }
    }
  }
}

/** Along one axis, for each phase: output places first, first + step, …; place i reads i · read + offset for [tap, offset]. */
function axisPhases(operation, axis) {
  const size = [operation.out_height, operation.out_width][axis];
  const [kernel, stride, padding, dilation] = ["kernel", "stride", "padding", "dilation"].map((n) => operation[n][axis]);
  const taps = Array.from({ length: kernel }, (_, k) => [k, k * dilation - padding]);
  if (!operation.transposed) return [{ first: 0, step: 1, count: size, read: stride, taps }];
  return Array.from({ length: Math.min(stride, size) }, (_, first) => {
    const met = taps.map(([k, offset]) => [k, (first - offset) / stride]).filter(([, y]) => Number.isInteger(y));
    return { first, step: stride, count: Math.ceil((size - first) / stride), read: 1, taps: met };
  });
}

/** How far taps reach out before and behind `size` numbers. */
function border(phases, size) {
  const first = phases.flatMap(({ taps }) => taps.map(([, offset]) => offset));
  const last = phases.flatMap(({ taps, count, read }) => taps.map(([, offset]) => offset + (count - 1) * read));
  return [Math.max(0, -Math.min(...first)), Math.max(0, Math.max(...last) - size + 1)];
}

const sigmoid = (v) => 1 / (1 + Math.exp(-v));
const clamp = (v, low, high) => Math.min(high, Math.max(low, v));

// by name: parameters → function of one number
const FUNCTIONS = {
  relu: () => (v) => Math.max(0, v),
  silu: () => (v) => v / (1 + Math.exp(-v)),
  sigmoid: () => sigmoid,
  tanh: () => Math.tanh,
  exp: () => Math.exp,
  log: () => Math.log,
  sqrt: () => Math.sqrt,
  abs: () => Math.abs,
  sin: () => Math.sin,
  cos: () => Math.cos,
  reciprocal: () => (v) => 1 / v,
  pow: (exponent) => (v) => v ** exponent,
  clamp: (low, high) => (v) => clamp(v, low, high),
  leaky_relu: (slope) => (v) => (v > 0 ? v : slope * v),
  elu: (alpha, scale, inner) => (v) => scale * (v > 0 ? v : alpha * Math.expm1(inner * v)),
  softplus: (beta, limit) => (v) => (beta * v > limit ? v : Math.log1p(Math.exp(beta * v)) / beta),
  mish: () => (v) => v * Math.tanh(v > 20 ? v : Math.log1p(Math.exp(v))),
  hardsigmoid: () => (v) => clamp(v / 6 + 0.5, 0, 1),
  hardswish: () => (v) => v * clamp(v / 6 + 0.5, 0, 1),
  gelu: () => (v) => 0.5 * v * (1 + erf(v / Math.SQRT2)),
  gelu_tanh: () => (v) => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))),
};

/** The error function to 1.5e-7 (Abramowitz and Stegun, 7.1.26). */
function erf(v) {
  const t = 1 / (1 + 0.3275911 * Math.abs(v));
  const series = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592].reduce((s, a) => s * t + a, 0);
  return Math.sign(v) * (1 - series * t * Math.exp(-v * v));
}

/** The weights in what `pack` or `compress` made (bytes in any wrapping): a Float32Array, or a promise of one.
 *
 * `base`: the bytes that were given to `compress` as such, if any. */
export function unpackWeights(packed, base) {
  const bytes = new Uint8Array(packed.buffer ?? packed, packed.byteOffset ?? 0, packed.byteLength);
  const behind = 4 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, behind)));
  const content = bytes.slice(behind);
  if (header.precision === "deflated") {
    const known = header.relative ? unpackWeights(base) : new Float32Array(header.count);
    return Promise.all([inflate(content), known]).then(([buffer, weights]) => addWholeNumbers(header, buffer, weights));
  }
  return header.precision === "float16" ? fromFloat16(new Uint16Array(content.buffer)) : new Float32Array(content.buffer);
}

function inflate(bytes) {
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).arrayBuffer();
}

/** Steps of all columns, all other weights in float16, then the low and the high bytes of whole numbers, by columns. */
function addWholeNumbers({ count: total, matrices }, buffer, weights) {
  const columns = matrices.reduce((sum, matrix) => sum + matrix[2], 0);
  const coded = matrices.reduce((sum, [, rows, length]) => sum + rows * length, 0);
  const steps = new Float32Array(buffer, 0, columns);
  const rest = fromFloat16(new Uint16Array(buffer, 4 * columns, total - coded));
  const low = new Uint8Array(buffer, 4 * columns + 2 * rest.length, coded);
  const high = new Int8Array(buffer, 4 * columns + 2 * rest.length + coded, coded);
  let [done, used, column, i] = [0, 0, 0, 0];
  for (const [start, rows, length, share] of [...matrices, [total, 0, 0]]) {
    weights.set(rest.subarray(used, used + start - done), done);
    used += start - done;
    done = start + rows * length;
    for (let c = 0; c < length; c += 1, column += 1) {
      for (let r = 0; r < rows; r += 1, i += 1) {
        const w = start + r * length + c;
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

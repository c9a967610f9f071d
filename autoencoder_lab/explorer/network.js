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
    const full = bias ?? new Float32Array(units);
    return () => {
      for (let p = 0; p < places; p += 1) matrixTimesVector(weight, full, x, p * length, length, out, p * units, units);
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

/** out[from + o] = bias[o] + Σ weight[o, i] · x[start + i]; four rows at a time share each x. */
function matrixTimesVector(weight, bias, x, start, length, out, from, units) {
  let o = 0;
  for (; o + 4 <= units; o += 4) {
    let a = o * length;
    let b = a + length;
    let c = b + length;
    let d = c + length;
    let [p, q, r, s] = [bias[o], bias[o + 1], bias[o + 2], bias[o + 3]];
    for (let i = start; i < start + length; i += 1) {
      const v = x[i];
      p += weight[a++] * v;
      q += weight[b++] * v;
      r += weight[c++] * v;
      s += weight[d++] * v;
    }
    out[from + o] = p;
    out[from + o + 1] = q;
    out[from + o + 2] = r;
    out[from + o + 3] = s;
  }
  for (; o < units; o += 1) {
    let p = bias[o];
    for (let i = 0; i < length; i += 1) p += weight[o * length + i] * x[start + i];
    out[from + o] = p;
  }
}

/** A convolution or a transposed one, as products of a matrix with the patches under the kernel.
 *
 * Output pixels that meet the same kernel taps form a phase: one in an ordinary convolution, stride² in a transposed one. */
function convolution(operation, [x], out, { weight, bias }) {
  const { units, groups, channels, height, width, out_height: outHeight, out_width: outWidth } = operation;
  const each = channels / groups;
  const per = units / groups;
  const phases = [];
  for (const down of axisPhases(operation, 0)) {
    for (const along of axisPhases(operation, 1)) phases.push(phase(operation, weight, down, along));
  }
  const full = bias ?? new Float32Array(units);
  const widest = Math.max(...phases.map(({ columns }) => columns));
  const longest = Math.max(...phases.map(({ length }) => length));
  const patches = new Float64Array(widest * longest);
  return () => {
    for (const { rows, columns, length, taps, matrix, top, left, stepDown, stepAlong, readDown, readAlong } of phases) {
      for (let g = 0; g < groups; g += 1) {
        for (let i = 0; i < rows; i += 1) {
          // patch by patch along one output row
          for (let t = 0; t < taps.length; t += 1) {
            const [dy, dx] = taps[t];
            const y = i * readDown + dy;
            const inside = y >= 0 && y < height;
            const first = inside ? Math.min(columns, Math.max(0, Math.ceil(-dx / readAlong))) : columns;
            const behind = inside ? Math.max(first, Math.min(columns, Math.floor((width - 1 - dx) / readAlong) + 1)) : columns;
            for (let c = 0; c < each; c += 1) {
              const k = c * taps.length + t;
              const source = ((g * each + c) * height + y) * width + dx;
              let j = 0;
              for (; j < first; j += 1) patches[j * length + k] = 0;
              for (; j < behind; j += 1) patches[j * length + k] = x[source + j * readAlong];
              for (; j < columns; j += 1) patches[j * length + k] = 0;
            }
          }
          const row = (top + i * stepDown) * outWidth + left;
          for (let o = 0; o < per; o += 1) {
            const unit = g * per + o;
            const to = unit * outHeight * outWidth + row;
            for (let j = 0; j < columns; j += 1) {
              let sum = full[unit];
              const m = unit * length;
              const q = j * length;
              for (let k = 0; k < length; k += 1) sum += matrix[m + k] * patches[q + k];
              out[to + j * stepAlong] = sum;
            }
          }
        }
      }
    }
  };
}

/** Along one axis: {first, step, count} output places, where they read (place i reads i · read + offset), and which taps. */
function axisPhases(operation, axis) {
  const { transposed } = operation;
  const size = [operation.out_height, operation.out_width][axis];
  const [kernel, stride, padding, dilation] = ["kernel", "stride", "padding", "dilation"].map((n) => operation[n][axis]);
  const all = Array.from({ length: kernel }, (_, k) => k);
  if (!transposed) {
    return [{ first: 0, step: 1, count: size, read: stride, taps: all.map((k) => [k, k * dilation - padding]) }];
  }
  const phases = [];
  for (let first = 0; first < Math.min(stride, size); first += 1) {
    const met = all.filter((k) => (first + padding - k * dilation) % stride === 0);
    const taps = met.map((k) => [k, (first + padding - k * dilation) / stride]);
    phases.push({ first, step: stride, count: Math.ceil((size - first) / stride), read: 1, taps });
  }
  return phases;
}

function phase({ units, channels, groups, kernel }, weight, down, along) {
  const each = channels / groups;
  const taps = down.taps.flatMap(([ky, dy]) => along.taps.map(([kx, dx]) => [dy, dx, ky * kernel[1] + kx]));
  const length = each * taps.length;
  const area = kernel[0] * kernel[1];
  const matrix = new Float64Array(units * length);
  for (let row = 0; row < units * each; row += 1) {
    taps.forEach(([, , k], t) => {
      matrix[row * taps.length + t] = weight[row * area + k];
    });
  }
  return {
    rows: down.count, columns: along.count, length, taps, matrix, top: down.first, left: along.first,
    stepDown: down.step, stepAlong: along.step, readDown: down.read, readAlong: along.read,
  };
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

/** The weights in what `pack` of program.py made (bytes in any wrapping), as a Float32Array or a promise of one. */
export function unpackWeights(packed) {
  const bytes = new Uint8Array(packed.buffer ?? packed, packed.byteOffset ?? 0, packed.byteLength);
  const behind = 4 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, behind)));
  const numbers = bytes.slice(behind);
  return header.precision === "float16" ? fromFloat16(new Uint16Array(numbers.buffer)) : new Float32Array(numbers.buffer);
}

function fromFloat16(halves) {
  const bits = new Uint32Array(halves.length);
  const floats = new Float32Array(bits.buffer);
  for (let i = 0; i < halves.length; i += 1) {
    const half = halves[i];
    bits[i] = ((half & 0x8000) << 16) | ((half & 0x7fff) << 13); // the exponent is 112 too small, also below the smallest normal
  }
  for (let i = 0; i < floats.length; i += 1) floats[i] *= 2 ** 112;
  return floats;
}

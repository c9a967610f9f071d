"""Peak memory of training on the whole of Fashion-MNIST (60,000 training images): must stay under 2 GB.

    python -m benchmarks.training_memory      prints the peak after each stage
    python -m benchmarks training_memory      only training's, and all stages' together

Linux and macOS (Windows has no `resource` module). Loads, trains a convolutional autoencoder with noise and
augmentation for some steps, evaluates, fits a PCA.
"""

import subprocess
import sys
import time
from pathlib import Path

import autoencoder_lab as lab
from benchmarks.table import Row

LIMIT_GB = 2.0


def measure(short: bool = False) -> list[Row]:
    """The peak of a process of its own; nothing on Windows."""
    if sys.platform == "win32":
        return []
    command = [sys.executable, "-m", "benchmarks.training_memory", "20" if short else "100"]
    said = subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8", check=False).stdout
    training, everything = map(float, said.splitlines()[-1].split()[:2])
    text = f"{everything:.2f} GB with PCA and nearest codes"
    return [Row("peak memory, training on 55,000 images", training, "GB", LIMIT_GB, False, text)]


def peak_gb() -> float:
    """Largest resident set of this process so far, in GB (10⁹ bytes)."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would tell the peak of the process that started this one, where it was higher
        line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e9
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e9 if sys.platform == "darwin" else peak * 1024 / 1e9  # macOS counts bytes, others KiB


def main(steps: int) -> int:
    """Print the peak after each stage, on the last line training's and all's in GB; exit status 1 above the limit."""
    started = time.perf_counter()

    def report(stage: str) -> None:
        print(f"{stage:<40} peak {peak_gb():.2f} GB after {time.perf_counter() - started:.0f} s", flush=True)

    report("imported")
    data = lab.load("fashion-mnist")
    report(f"loaded {data}")
    ae = lab.ConvAutoencoder(32, image_shape=data.shape)
    lab.fit(ae, data, steps=steps, corrupt=lab.corrupt.gaussian(0.2), augment=lab.augment.affine(), progress=False)
    report(f"trained {steps} steps")
    lab.metrics.mse(ae, data.test)
    report("measured on the test images")
    training = peak_gb()
    lab.PCA(32).fit(data.train)
    report("fitted a PCA")
    lab.metrics.knn(ae, data)
    report("voted among nearest codes")
    print(f"{training:.3f} {peak_gb():.3f} GB: training, everything (limit {LIMIT_GB} GB)")
    return int(max(training, peak_gb()) > LIMIT_GB)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100))

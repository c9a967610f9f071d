"""Peak memory of training on the whole of Fashion-MNIST (60,000 training images): must stay under 2 GB.

    python -m benchmarks training_memory [STEPS]

Linux and macOS (Windows has no `resource` module). Loads, trains a convolutional autoencoder with noise and
augmentation for some steps, evaluates, fits a PCA, and prints the peak after each.
"""

import resource
import sys
import time

import autoencoder_lab as lab

LIMIT_GB = 2.0


def peak_gb() -> float:
    """Largest resident set of this process so far, in GB (10⁹ bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e9 if sys.platform == "darwin" else peak * 1024 / 1e9  # macOS counts bytes, Linux KiB


def main(steps: int) -> int:
    """Print the peak after each stage; exit status 1 above the limit."""
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
    print(f"training: {training:.2f} GB, everything: {peak_gb():.2f} GB (limit {LIMIT_GB} GB)")
    return int(max(training, peak_gb()) > LIMIT_GB)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100))

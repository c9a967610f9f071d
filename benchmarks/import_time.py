"""Seconds that `import autoencoder_lab` and all its public names but `plot` cost beyond
`import torch`: median of several fresh interpreters.

    python -m benchmarks import_time [REPEATS]

Run it on an idle machine; the limit the course sets itself is 0.6 s.
"""

import statistics
import subprocess
import sys

LIMIT = 0.6
MEASURE = """
import time
start = time.perf_counter()
import torch
middle = time.perf_counter()
import autoencoder_lab
for name in autoencoder_lab.__all__:  # they load on first use
    name == "plot" or getattr(autoencoder_lab, name)
print(middle - start, time.perf_counter() - middle)
"""


def measure(repeats: int) -> tuple[list[float], list[float]]:
    """(seconds of torch, seconds beyond it), one entry a fresh interpreter."""
    torch_seconds, own_seconds = [], []
    for _ in range(repeats):
        run = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, encoding="utf-8", check=True)
        of_torch, beyond = map(float, run.stdout.split())
        torch_seconds.append(of_torch)
        own_seconds.append(beyond)
    return torch_seconds, own_seconds


def main(repeats: int) -> int:
    """Print one line a run and the medians; exit status 1 above the limit."""
    torch_seconds, own_seconds = measure(repeats)
    for of_torch, beyond in zip(torch_seconds, own_seconds, strict=True):
        print(f"torch {of_torch:.2f} s, autoencoder_lab {beyond:.2f} s beyond it")
    median = statistics.median(own_seconds)
    print(f"median: torch {statistics.median(torch_seconds):.2f} s, beyond it {median:.2f} s (limit {LIMIT} s)")
    return int(median > LIMIT)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))

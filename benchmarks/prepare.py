"""How fast, and in how much memory, a click log becomes something to train on: ctr against FuxiCTR.

    python benchmarks/criteo_like.py criteo_like.csv --rows 10000000
    head -n 1000001 criteo_like.csv > criteo_like_1m.csv
    python benchmarks/prepare.py . --fuxictr <checkout of reczoo/FuxiCTR> --python <its environment's python>

Every run is a process of its own, on two threads, the libraries in turn; time runs from the call to the end, imports
left out, peak memory is the process's. Both standardise I1-I13 and join the values of C1-C26 that occur once; ctr
hashes the file, refuses rows that are not whole, and writes sha256-checked shards besides. The last two rows, without
vocabularies, show how memory grows with the rows alone. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

CTR = """
import json, resource, sys, time
from ctr.app.config import build
from ctr.app.datasets import dataset_config
folder, name, cache, hashed = sys.argv[1:]
places = [f"dataset.root={folder}", f"dataset.train={name}", f"dataset.cache={cache}"]
dataset = dataset_config("criteo_like", places)
if hashed:
    dataset["fields"] |= {f"C{i}": {"kind": "hashed", "buckets": 100_000} for i in range(1, 27)}
recipe = build(dataset, [], "dataset")
started = time.perf_counter()
data = recipe.open()
seconds = time.perf_counter() - started
rows = sum(map(len, data.splits.values()))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"rows": rows, "seconds": seconds, "peak": peak, "features": data.schema.num_features}))
"""

FUXICTR = """
import json, resource, sys, time, logging
from fuxictr.preprocess import FeatureProcessor, build_dataset
folder, name, cache, _ = sys.argv[1:]
numbers = {"name": [f"I{i}" for i in range(1, 14)], "active": True, "dtype": "float", "type": "numeric",
           "fill_na": 0, "normalizer": "StandardScaler"}
tokens = {"name": [f"C{i}" for i in range(1, 27)], "active": True, "dtype": "str", "type": "categorical"}
started = time.perf_counter()
processor = FeatureProcessor([numbers, tokens], {"name": "label", "dtype": "float"}, "bench", cache)
build_dataset(processor, train_data=f"{folder}/{name}", min_categr_count=2, data_format="csv")
seconds = time.perf_counter() - started
import pyarrow.parquet
rows = pyarrow.parquet.read_metadata(f"{cache}/bench/train.parquet").num_rows
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"rows": rows, "seconds": seconds, "peak": peak, "features": processor.feature_map.total_features}))
"""


def run(python: str, code: str, folder: Path, name: str, path: str, hashed: str = "") -> dict[str, float]:
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "2", "POLARS_MAX_THREADS": "2"}
        command = [python, "-c", code, str(folder), name, cache, hashed]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise SystemExit(done.stderr)
    result: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where criteo_like.csv and criteo_like_1m.csv are")
    parser.add_argument("--fuxictr", help="a checkout of FuxiCTR; without it only ctr is run")
    parser.add_argument("--python", default=sys.executable, help="the interpreter of FuxiCTR's environment")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    here = str(Path(__file__).parents[1] / "src")
    cases = {"ctr, 10 M rows": (sys.executable, CTR, "criteo_like.csv", here)}
    if arguments.fuxictr:
        cases["FuxiCTR, 1 M rows"] = (arguments.python, FUXICTR, "criteo_like_1m.csv", arguments.fuxictr)
    cases["ctr, 1 M rows"] = (sys.executable, CTR, "criteo_like_1m.csv", here)
    results: dict[str, list[dict[str, float]]] = {case: [] for case in cases}
    for _ in range(arguments.rounds):
        for case, (python, code, name, path) in cases.items():
            results[case].append(run(python, code, arguments.folder.resolve(), name, path))
            last = results[case][-1]
            print(f"{case}: {last['rows'] / last['seconds']:,.0f} rows/s, {last['peak']:,.0f} MiB", file=sys.stderr)
    for size in ("", "_1m"):  # once each, for the memory without a vocabulary
        case = f"ctr, {'1' if size else '10'} M rows, hashed"
        results[case] = [run(sys.executable, CTR, arguments.folder.resolve(), f"criteo_like{size}.csv", here, "hashed")]
    base = [one["rows"] / one["seconds"] for one in results.get("FuxiCTR, 1 M rows", [])]
    print("| | rows/s, median (range) | times FuxiCTR, round by round | peak memory | features |")
    print("|---|---:|---:|---:|---:|")
    for case, runs in results.items():
        rates = [one["rows"] / one["seconds"] for one in runs]
        ratios = ", ".join(f"{rate / other:.1f}" for rate, other in zip(rates, base, strict=False))
        spread = f"{statistics.median(rates):,.0f} ({min(rates):,.0f}-{max(rates):,.0f})"
        peak = max(one["peak"] for one in runs)
        print(f"| {case} | {spread} | {ratios} | {peak:,.0f} MiB | {runs[0]['features']:,.0f} |")


if __name__ == "__main__":
    main()

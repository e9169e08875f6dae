"""PyArrow, Polars and DuckDB as the engine that parses a click log: time, memory, strictness, as Markdown.

    python benchmarks/criteo_like.py /tmp/criteo_like.csv --rows 1000000
    python benchmarks/engines.py /tmp/criteo_like.csv

Each engine parses the text once into files of its own kind, counts the tokens of 26 columns, keeps those seen twice
(ids 1, 2, ... by falling count, then by token; 0 for the others) and writes ids and float32 numbers in file order.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import re
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from itertools import accumulate, pairwise
from pathlib import Path
from statistics import median

THREADS = 2
BLOCK = 16 << 20
NUMBERS = ["label", *(f"I{i}" for i in range(1, 14))]
TOKENS = [f"C{i}" for i in range(1, 27)]
# name: the text after the header a,b,c; the rows that ought to come out (None: it ought to be refused)
FILES = {
    "short row": (b"1,2,3\n4,5\n6,7,8\n", None),
    "last row cut off": (b"1,2,3\n4,5", None),
    "long row": (b"1,2,3\n4,5,6,7\n6,7,8\n", None),
    "empty line": (b"1,2,3\n\n6,7,8\n", None),
    "invalid UTF-8": (b"1,2,3\n4,\xff\xfe,6\n6,7,8\n", None),
    "quote opened, not closed": (b'1,2,3\n4,"x,6\n6,7,8\n', None),
    "quote opened, closed a line later": (b'1,2,3\n4,"x,6\n6,7",8\n', None),
    "quote opened in the file's last cell": (b'1,2,3\n4,5,"x\n', None),
    "quote inside a cell": (b'1,2,3\n4,5"x,6\n6,7,8\n', [["1", "2", "3"], ["4", '5"x', "6"], ["6", "7", "8"]]),
    "no line end after the last row": (b"1,2,3\n4,5,6", [["1", "2", "3"], ["4", "5", "6"]]),
    "id 10^20 - 1": (b"1,2,3\n4,99999999999999999999,6\n", [["1", "2", "3"], ["4", "9" * 20, "6"]]),
    "id 2^53 + 1 under an empty cell": (b"1,,3\n4,9007199254740993,6\n", [["1", "", "3"], ["4", f"{2**53 + 1}", "6"]]),
    "NA as a token": (b"1,NA,3\n4,5,6\n", [["1", "NA", "3"], ["4", "5", "6"]]),
    "header a,b,a": (b"1,2,3\n4,5,6\n", None),
}


def arrow_table(data, names):
    from pyarrow import BufferReader, csv, string

    return csv.read_csv(
        BufferReader(data),
        csv.ReadOptions(use_threads=False, column_names=names, block_size=2 * len(data) + 1),
        csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        csv.ConvertOptions(column_types=dict.fromkeys(names, string()), strings_can_be_null=False),
    )


def arrow_parse(path, folder):
    import pyarrow as pa
    from pyarrow import compute

    def block(span):
        with path.open("rb") as file:
            file.seek(span[0])
            table = arrow_table(file.read(span[1] - span[0]), names).combine_chunks()
        columns = [compute.if_else(compute.equal(table[n], ""), None, table[n]).cast("float32") for n in NUMBERS]
        columns += [table[n].chunk(0).dictionary_encode() for n in TOKENS]
        out = pa.table([*columns], names=NUMBERS + TOKENS)
        with pa.ipc.new_file(folder / f"{span[0]:016}.arrow", out.schema) as writer:
            writer.write_table(out)

    with path.open("rb") as file:
        names = [name.strip('"') for name in file.readline().decode().rstrip("\r\n").split(",")]
        cuts = [file.tell()]
        while cuts[-1] < path.stat().st_size:
            file.seek(cuts[-1] + BLOCK)
            file.readline()
            cuts.append(min(file.tell(), path.stat().st_size))
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(block, pairwise(cuts)))


def arrow_encode(folder):
    import numpy as np
    import pyarrow as pa

    def column(name):
        blocks = [pa.ipc.open_file(pa.memory_map(str(file))).get_batch(0)[name] for file in files]
        with (folder / f"{name}.bin").open("wb") as out:
            if name in NUMBERS:
                for values in blocks:
                    values.to_numpy(zero_copy_only=False).astype(np.float32).tofile(out)
                return
            codes = [values.indices.to_numpy() for values in blocks]
            sizes = [len(values.dictionary) for values in blocks]
            union = pa.concat_arrays([values.dictionary for values in blocks]).dictionary_encode()
            place = union.indices.to_numpy()
            seen = np.concatenate([np.bincount(c, minlength=size) for c, size in zip(codes, sizes, strict=True)])
            counts = np.bincount(place, weights=seen).astype(np.int64)
            kept = np.flatnonzero(counts >= 2)
            ranked = pa.table({"count": counts[kept], "token": union.dictionary.take(pa.array(kept))})
            order = pa.compute.sort_indices(ranked, sort_keys=[("count", "descending"), ("token", "ascending")])
            ids = np.zeros(len(counts), np.int32)
            ids[kept[order.to_numpy()]] = np.arange(1, len(kept) + 1)
            for c, end, size in zip(codes, accumulate(sizes), sizes, strict=True):
                ids[place[end - size : end]][c].tofile(out)

    files = sorted(folder.glob("*.arrow"))
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(column, NUMBERS + TOKENS))


def polars_scan(path, schema):
    import polars as pl

    types = {name: getattr(pl, kind) for name, kind in schema.items()}
    return pl.scan_csv(path, schema=types, extra_columns="raise", missing_columns="raise")


def polars_parse(path, folder):
    rows = polars_scan(path, dict.fromkeys(NUMBERS, "Float32") | dict.fromkeys(TOKENS, "String"))
    rows.sink_parquet(folder / "text.parquet", compression="lz4", engine="streaming")


def polars_encode(folder):
    import polars as pl

    rows = pl.scan_parquet(folder / "text.parquet")
    for name in TOKENS:
        counts = rows.group_by(name).len().filter(pl.col("len") >= 2)
        kept = counts.sort("len", name, descending=[True, False]).collect(engine="streaming")[name]
        ids = pl.col(name).cast(pl.Enum(kept), strict=False).to_physical().cast(pl.Int32) + 1
        rows = rows.with_columns(ids.fill_null(0))
    rows.sink_parquet(folder / "rows.parquet", compression="uncompressed", engine="streaming")


def duckdb_rows(path, schema):
    return f"read_csv('{path}', auto_detect=false, header=true, delim=',', quote='\"', columns={schema})"


def duckdb_run(folder, *statements):
    import duckdb

    config = {"memory_limit": "1GB", "threads": THREADS, "temp_directory": str(folder / "spill")}
    with duckdb.connect(folder / "rows.db", config=config) as database:
        for statement in statements:
            database.execute(statement)
        return database.fetchall()


def duckdb_parse(path, folder):
    schema = dict.fromkeys(NUMBERS, "FLOAT") | dict.fromkeys(TOKENS, "VARCHAR")
    duckdb_run(folder, f"CREATE TABLE log AS FROM {duckdb_rows(path, schema)}")


def duckdb_encode(folder):
    vocabularies = [
        f"CREATE TABLE {n}_ids AS SELECT {n} AS token, row_number() OVER (ORDER BY count(*) DESC, {n})::INTEGER AS id "  # noqa: S608
        f"FROM log GROUP BY {n} HAVING count(*) >= 2"
        for n in TOKENS
    ]
    columns = ", ".join([*NUMBERS, *(f"coalesce({n}_ids.id, 0) AS {n}" for n in TOKENS)])
    joins = " ".join(f"LEFT JOIN {n}_ids ON log.{n} = {n}_ids.token" for n in TOKENS)
    rows = f"SELECT {columns} FROM log {joins} ORDER BY log.rowid"  # noqa: S608
    duckdb_run(folder, *vocabularies, f"COPY ({rows}) TO '{folder}/rows.parquet' (COMPRESSION uncompressed)")


ENGINES = {
    "PyArrow": (arrow_parse, arrow_encode),
    "Polars": (polars_parse, polars_encode),
    "DuckDB": (duckdb_parse, duckdb_encode),
}


def digest(folder):
    """Per column: vocabulary size (numbers: missing cells) and a sum that depends on the order of the rows."""
    import numpy as np
    from pyarrow import parquet

    for name in NUMBERS + TOKENS:
        if (folder / "rows.parquet").exists():
            values = parquet.read_table(folder / "rows.parquet", columns=[name])[name].to_numpy()
        else:
            values = np.fromfile(folder / f"{name}.bin", np.float32 if name in NUMBERS else np.int32)
        weights = np.arange(len(values)) % 8191 + 1
        total = int(np.nan_to_num(values).astype(np.int64) @ weights)
        yield name, len(values), int(np.isnan(values).sum() if name in NUMBERS else values.max()), total


def peak_mb():
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


def measure(engine, path):
    parse, encode = ENGINES[engine]
    with tempfile.TemporaryDirectory() as name:
        start = time.perf_counter()
        parse(path, Path(name))
        parsed, peak = time.perf_counter() - start, peak_mb()
        encode(Path(name))
        return (parsed, time.perf_counter() - start, peak, peak_mb()), list(digest(Path(name)))


def speed(path, rounds):
    runs, results = {engine: [] for engine in ENGINES}, []
    for _ in range(rounds):
        for engine in ENGINES:
            with multiprocessing.get_context("spawn").Pool(1) as process:  # a fresh process
                figures, result = process.apply(measure, (engine, path))
            runs[engine].append(figures)
            results.append(result)
    if any(result != results[0] for result in results):
        raise SystemExit("the engines do not agree on the result")
    rows = results[0][0][1]
    vocabulary = sum(kept for name, _, kept, _ in results[0] if name in TOKENS)
    print(f"{rows:,} rows, {path.stat().st_size / 1e6:,.0f} MB, {vocabulary:,} tokens kept;", end=" ")
    print(f"all {len(results)} runs agree.\n")
    print(
        "Medians:\n\n| engine | parse, s | all, s | rows/s | peak MB, parse | peak MB, all |\n|---|---|---|---|---|---|"
    )
    for engine, figures in runs.items():
        parse, whole, parse_peak, peak = map(median, zip(*figures, strict=True))
        print(f"| {engine} | {parse:.2f} | {whole:.2f} | {rows / whole:,.0f} | {parse_peak:.0f} | {peak:.0f} |")
    print("\nTimes PyArrow's figure of the same round, median (lowest to highest):\n")
    print("| engine | time, parse | time, all | memory, parse | memory, all |\n|---|---|---|---|---|")
    for engine, figures in list(runs.items())[1:]:
        pairs = zip(figures, runs["PyArrow"], strict=True)
        ratios = zip(*([a / b for a, b in zip(*pair, strict=True)] for pair in pairs), strict=True)
        print(
            "|",
            " | ".join([engine, *(f"{median(r):.2f} ({min(r):.2f} to {max(r):.2f})" for r in map(list, ratios))]),
            "|",
        )


def outcome(read, header, text, wanted):
    try:
        names, rows = read(header, text)
    except Exception as error:  # whatever an engine raises is its refusal
        place = re.search(r"\b(row|line)\W+(\d+)", str(error), re.IGNORECASE)
        return f"refused, {place[1].lower()} {place[2]}" if place else "refused, no line"
    rows = [["" if cell is None else cell for cell in row] for row in rows]
    if rows == wanted:
        return "kept"
    return f"**accepted**: {','.join(names)} = `" + " / ".join(",".join(row) for row in rows).replace("\n", "\\n") + "`"


def strictness(folder):
    path = folder / "small.csv"

    def arrow(header, text):
        table = arrow_table(text, header.split(","))
        return table.column_names, zip(*(column.to_pylist() for column in table.columns), strict=True)

    def polars(header, text):
        path.write_bytes(header.encode() + b"\n" + text)
        table = polars_scan(path, dict.fromkeys("abc", "String")).collect(engine="streaming")
        return table.columns, table.rows()

    def duckdb(header, text):
        path.write_bytes(header.encode() + b"\n" + text)
        return "abc", duckdb_run(folder, f"FROM {duckdb_rows(path, dict.fromkeys('abc', 'VARCHAR'))}")

    print("\n| file | PyArrow | Polars | DuckDB |\n|---|---|---|---|")
    for name, (text, wanted) in FILES.items():
        header = name.removeprefix("header ") if name.startswith("header ") else "a,b,c"
        print("|", " | ".join([name, *(outcome(read, header, text, wanted) for read in (arrow, polars, duckdb))]), "|")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    os.environ["POLARS_MAX_THREADS"] = str(THREADS)
    print(", ".join(f"{name} {version(name.lower())}" for name in ENGINES), end=f"; {THREADS} threads; ")
    speed(arguments.path, arguments.rounds)
    with tempfile.TemporaryDirectory() as temporary:
        strictness(Path(temporary))

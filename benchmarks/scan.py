"""How fast the shortlist is searched, beside this machine's int8 GEMM and its memory, in the same run.

    python benchmarks/scan.py [ROWS] [FEATURES]      # writes benchmarks/results/scan.json

Made-up bytes, one thread, CPU time, best of a few: others who use the machine disturb that least. Useful operations are
rows x features x queries, whatever a scan does beside them: rounding queries to 16 bits, bounds, top 100, merging.
Yardsticks: torch._int_mm on rows that stay in the cache, with as many queries, and the best over all numbers of
queries; the same product on rows that come from memory; a sum over the same bytes, which reads them and does next to
nothing else.
"""

import datetime
import json
import os
import platform
import sys
import time
from pathlib import Path

import numpy as np
import torch

from byline.attribution.scan import Scan

RESULT = Path(__file__).parent / "results" / "scan.json"
TOP = 100
CACHED = 1024  # rows: 2 MB at 2048 features
BARS = {"gemm": 0.5, "read": 0.6}


def main(rows=1_000_000, features=2048):
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    rows_NK = np.frombuffer(bytearray(rng.bytes(rows * features)), dtype=np.int8).reshape(rows, features)
    scales_N = rng.uniform(0.5, 1.5, rows).astype(np.float32)
    told = {"rows": rows, "features": features, "top": TOP, "yardsticks": yardsticks(rows_NK, rng), "growth": {}}
    whole = Scan(rows_NK, scales_N, threads=1)
    for n in [n for n in (1000, 10_000, 100_000, 1_000_000) if n < rows] + [rows]:
        part = whole if n == rows else Scan(rows_NK[:n], scales_N[:n], threads=1)
        told["growth"][str(n)] = {str(q): measured(part, n, features, q, rng) for q in (1, 32)}
    told["yardsticks"] = higher(told["yardsticks"], yardsticks(rows_NK, rng))  # as if nobody had disturbed them
    for by_queries in told["growth"].values():
        compare(by_queries, told["yardsticks"])
    told |= {"date": datetime.date.today().isoformat(), "hardware": hardware(), "torch": torch.__version__}
    RESULT.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    show(told)


def yardsticks(rows_NK, rng):
    block, features = torch.from_numpy(rows_NK[:CACHED]), rows_NK.shape[1]
    rates = {}
    for q in (1, 8, 32, 64, 128, 256):
        queries = torch.from_numpy(rng.integers(-127, 128, (features, q), dtype=np.int8))
        rates[str(q)] = CACHED * features * q / best(lambda queries=queries: torch._int_mm(block, queries), 40) / 1e9
    all_rows = torch.from_numpy(rows_NK[:100_000])
    queries = torch.from_numpy(rng.integers(-127, 128, (features, 32), dtype=np.int8))
    blocks = [all_rows[i : i + CACHED] for i in range(0, len(all_rows), CACHED)]
    streamed = best(lambda: [torch._int_mm(block, queries) for block in blocks], 7)
    words = torch.from_numpy(rows_NK[:100_000].reshape(-1).view(np.int64))
    read = words.nbytes / best(words.sum, 7) / 1e9
    return {
        "gemm_gmac_s": rates,
        "best_gemm_gmac_s": max(rates.values()),
        "streamed_gemm_gmac_s": all_rows.numel() * 32 / streamed / 1e9,
        "read_gb_s": read,
    }


def higher(a, b):
    return {name: higher(a[name], b[name]) if isinstance(a[name], dict) else max(a[name], b[name]) for name in a}


def measured(scan, rows, features, q, rng):
    queries_QK = rng.standard_normal((q, features))
    seconds = best(lambda: scan.top(queries_QK, TOP), 5 if rows > 200_000 else 9)
    return {
        "seconds": seconds,
        "gb_s": rows * features / seconds / 1e9,
        "gmac_s": rows * features * q / seconds / 1e9,
        "rows_s": rows / seconds,
    }


def compare(by_queries, yard):
    by_queries["1"]["of_read"] = by_queries["1"]["gb_s"] / yard["read_gb_s"]
    by_queries["32"]["of_gemm"] = by_queries["32"]["gmac_s"] / yard["gemm_gmac_s"]["32"]
    by_queries["32"]["of_streamed_gemm"] = by_queries["32"]["gmac_s"] / yard["streamed_gemm_gmac_s"]
    by_queries["32"]["of_best_gemm"] = by_queries["32"]["gmac_s"] / yard["best_gemm_gmac_s"]


def best(job, times):
    """CPU seconds of the fastest of several."""
    job()
    found = []
    for _ in range(times):
        start = time.process_time()
        job()
        found.append(time.process_time() - start)
    return min(found)


def hardware():
    return f"{os.cpu_count()} x {platform.machine()}, {platform.system()}, Python {platform.python_version()}"


def show(told):
    yard = told["yardsticks"]
    gemm = ", ".join(f"{q}: {rate:.0f}" for q, rate in yard["gemm_gmac_s"].items())
    print(f"int8 GEMM in cache, GMAC/s by number of queries: {gemm}; memory read: {yard['read_gb_s']:.1f} GB/s")
    print(f"the same with 32 queries on rows from memory: {yard['streamed_gemm_gmac_s']:.0f} GMAC/s")
    print(
        f"{'rows':>9s} {'1 query':>10s} {'of read':>8s} {'32 queries':>11s} "
        f"{'of GEMM':>8s} {'of best':>8s} {'streamed':>8s}"
    )
    for rows, by in told["growth"].items():
        one, many = by["1"], by["32"]
        print(
            f"{rows:>9s} {one['seconds'] * 1e3:7.1f} ms {one['of_read']:8.2f} {many['seconds'] * 1e3:8.1f} ms "
            f"{many['of_gemm']:8.2f} {many['of_best_gemm']:8.2f} {many['of_streamed_gemm']:8.2f}"
        )
    last = told["growth"][str(told["rows"])]
    for name, got in (("read", last["1"]["of_read"]), ("gemm", last["32"]["of_gemm"])):
        print(f"bar: {BARS[name]:.0%} of {name}; got {got:.0%}: {'met' if got >= BARS[name] else 'NOT met'}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

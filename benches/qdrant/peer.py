"""Qdrant Edge, asked the same question as the vault: the other end of `lethe-bench search --peer qdrant`.

Started as `python peer.py FOLDER DIMENSION COUNT THREADS`. Reads COUNT vectors from standard input, float32, little-endian, row-major;
indexes them with binary quantization in RAM (an HNSW graph, the originals on disk for rescoring: Qdrant's documented
settings for such data) and answers with one line of JSON: seconds that took, and bytes resident. Then each probe is
`limit ef` as two uint32, `oversampling` as a float32 and a vector; each answer is a line of JSON: seconds that the query took, ids, scores.
"""

import json
import struct
import sys
import time

import qdrant_edge as qdrant

BATCH = 1000


def resident():
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    raise SystemExit("no VmRSS")


def read(size):
    data = sys.stdin.buffer.read(size)
    if len(data) != size:
        raise SystemExit(0)
    return data


def answer(**fields):
    print(json.dumps(fields), flush=True)


def main():
    folder, dimension, count, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    before = resident()
    vectors = qdrant.EdgeVectorParams(size=dimension, distance=qdrant.Distance.Cosine, on_disk=True)
    config = qdrant.EdgeConfig(
        vectors=vectors,
        hnsw_config=qdrant.HnswIndexConfig(m=16, ef_construct=100, full_scan_threshold=10, max_indexing_threads=threads),
        quantization_config=qdrant.BinaryQuantizationConfig(always_ram=True),
        optimizers=qdrant.EdgeOptimizersConfig(default_segment_number=1, indexing_threshold=1000),
        max_search_threads=threads,
    )
    shard = qdrant.EdgeShard.create(folder, config)
    vector = struct.Struct(f"<{dimension}f")
    took = 0.0
    for first in range(0, count, BATCH):
        points = [
            qdrant.Point(id=number, vector=list(vector.unpack(read(vector.size))))
            for number in range(first, min(first + BATCH, count))
        ]
        start = time.perf_counter()
        shard.update(qdrant.UpdateOperation.upsert_points(points))
        took += time.perf_counter() - start
    start = time.perf_counter()
    while shard.optimize():
        pass
    took += time.perf_counter() - start
    answer(seconds=took, resident=resident() - before)

    head = struct.Struct("<IIf")
    while True:
        limit, ef, oversampling = head.unpack(read(head.size))
        probe = list(vector.unpack(read(vector.size)))
        quantization = qdrant.QuantizationSearchParams(rescore=True, oversampling=oversampling)
        request = qdrant.QueryRequest(
            limit=limit,
            query=qdrant.Query.Nearest(probe),
            params=qdrant.SearchParams(hnsw_ef=ef, quantization=quantization),
        )
        start = time.perf_counter()
        found = shard.query(request)
        took = time.perf_counter() - start
        answer(seconds=took, ids=[point.id for point in found], scores=[point.score for point in found])


main()

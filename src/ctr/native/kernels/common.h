// The kernels are the loops that PyTorch would make several passes over, written for one. Plain C functions over raw
// pointers: no torch header, so that they compile in seconds and fit every torch version. Each has a twin in plain PyTorch,
// which the tests hold it to. Work is split among threads in fixed parts: results repeat bit for bit at the same number of
// threads. What they share is here.
//
// B = batch, S = slots, D = embedding_dim, H = width of a layer, U = different rows of a batch.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#else
static int omp_get_thread_num() { return 0; }
static int omp_get_num_threads() { return 1; }
#endif

// All `threads` parts of the work, also where there are fewer threads than asked for, or no OpenMP.
#define EACH_PART(t) for (int t = omp_get_thread_num(); t < threads; t += omp_get_num_threads())

using i32 = int32_t;
using i64 = int64_t;
using u64 = uint64_t;

// Calls `call` with the width as a compile-time constant where it is a common one, and 0 where it is not.
#define WITH_WIDTH(width, call)          \
    switch (width) {                     \
        case 1: call(1); break;          \
        case 4: call(4); break;          \
        case 8: call(8); break;          \
        case 10: call(10); break;        \
        case 16: call(16); break;        \
        case 32: call(32); break;        \
        case 64: call(64); break;        \
        case 128: call(128); break;      \
        default: call(0);                \
    }

static inline i64 part(i64 n, int t, int threads) { return n * t / threads; }

// Where the part of thread k begins among rows with their occurrences (ctr.native.calls), for parts of about the same number of rows and occurrences together.
static inline i64 border(const i32* starts, i64 num_rows, int k, int threads) {
    if (k == 0) return 0;
    if (k == threads) return num_rows;
    const i64 share = part(starts[num_rows] + num_rows, k, threads);
    i64 low = 0, high = num_rows;
    while (low < high) {
        const i64 middle = (low + high) / 2;
        if (starts[middle] + middle < share) low = middle + 1;
        else high = middle;
    }
    return low;
}

struct bf16 {
    uint16_t bits;
};
static inline float read(float x) { return x; }
static inline float read(bf16 x) {
    uint32_t bits = (uint32_t)x.bits << 16;
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
}
static inline void write(float* to, float x) { *to = x; }
static inline void write(bf16* to, float x) {  // to the nearest, ties to even
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    uint32_t nan = (bits >> 16) | 0x40;
    to->bits = (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? nan : rounded);
}

// D sums of a row, in registers where the width is known.
template <int WIDTH>
struct Sums {
    float small[WIDTH ? WIDTH : 1];
    std::vector<float> large;
    float* at;
    explicit Sums(i64 D) : large(WIDTH ? 0 : (size_t)D), at(WIDTH ? small : large.data()) {}
};

static const i64 AHEAD = 16;  // rows to ask memory for before they are needed

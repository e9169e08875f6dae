// The first-order part of a model.

#include "common.h"

// out[b] = sum_s x w over the slots of example b, for a table of width 1.
template <typename Id>
static void first_order(const float* table, const Id* ids, const float* values, i64 B, i64 S, float* out, int threads) {
#pragma omp parallel num_threads(threads)
    EACH_PART(t) {
        const i64 n = B * S, last = part(B, t + 1, threads);
        for (i64 b = part(B, t, threads); b < last; b++) {
            float sum = 0.0f;
            for (i64 i = b * S; i < (b + 1) * S; i++) {
                if (i + AHEAD < n) __builtin_prefetch(table + ids[i + AHEAD]);
                const float w = table[ids[i]];
                sum += values ? values[i] * w : w;
            }
            out[b] = sum;
        }
    }
}

extern "C" {

void linear_i32(const float* table, const i32* ids, const float* values, i64 B, i64 S, float* out, int threads) {
    first_order(table, ids, values, B, S, out, threads);
}

void linear_i64(const float* table, const i64* ids, const float* values, i64 B, i64 S, float* out, int threads) {
    first_order(table, ids, values, B, S, out, threads);
}

void linear_backward(const float* grad, const float* values, const i32* starts, const i32* order, i64 num_rows, i64 S,
                     float* out, int threads) {
    const uint32_t slots = (uint32_t)S;
#pragma omp parallel num_threads(threads)
    EACH_PART(t) {
        const i64 last = border(starts, num_rows, t + 1, threads);
        for (i64 u = border(starts, num_rows, t, threads); u < last; u++) {
            float sum = 0.0f;
            for (i32 k = starts[u]; k < starts[u + 1]; k++) {
                const float g = grad[(uint32_t)order[k] / slots];
                sum += values ? values[order[k]] * g : g;
            }
            out[u] = sum;
        }
    }
}
}

// Bi-Interaction.

#include "common.h"

template <int WIDTH>
static void pairs_forward(const float* __restrict xv, i64 B, i64 S, i64 width, float* __restrict sums,
                          float* __restrict out, int threads) {
    const i64 D = WIDTH ? WIDTH : width;
#pragma omp parallel num_threads(threads)
    EACH_PART(t) {
        Sums<WIDTH> singles(D), products(D);
        float* __restrict sum = WIDTH ? singles.small : singles.at;
        float* __restrict pair = WIDTH ? products.small : products.at;
        const i64 last = part(B, t + 1, threads);
        for (i64 b = part(B, t, threads); b < last; b++) {
            for (i64 d = 0; d < D; d++) sum[d] = pair[d] = 0.0f;
            for (i64 s = 0; s < S; s++) {
                const float* __restrict x = xv + (b * S + s) * D;
#pragma omp simd
                for (i64 d = 0; d < D; d++) {
                    pair[d] += sum[d] * x[d];  // with the slots before it: no difference of squares, nothing cancels
                    sum[d] += x[d];
                }
            }
            for (i64 d = 0; d < D; d++) sums[b * D + d] = sum[d], out[b * D + d] = pair[d];
        }
    }
}

// ONE: the gradient is (B, 1), the same for every component; else (B, D).
template <int WIDTH, bool ONE>
static void pairs_backward(const float* __restrict xv, const float* __restrict sums, const float* __restrict grad, i64 B,
                           i64 S, i64 width, float* __restrict out, int threads) {
    const i64 D = WIDTH ? WIDTH : width;
#pragma omp parallel num_threads(threads)
    EACH_PART(t) {
        const i64 last = part(B, t + 1, threads);
        for (i64 b = part(B, t, threads); b < last; b++) {
            const float *__restrict sum = sums + b * D, *__restrict g = grad + (ONE ? b : b * D);
            for (i64 s = 0; s < S; s++) {
                const i64 at = (b * S + s) * D;
#pragma omp simd
                for (i64 d = 0; d < D; d++) out[at + d] = g[ONE ? 0 : d] * (sum[d] - xv[at + d]);
            }
        }
    }
}

// The gradient of the pairs with respect to the rows themselves, in one pass that neither reads nor writes a (B, S, D)
// tensor: row u gets sum_i x_i g (sum_b - x_i v_u) over its occurrences i, each in an example b.
template <int WIDTH, bool ONE>
static void pairs_to_rows(const float* __restrict table, const float* __restrict sums, const float* __restrict grad,
                          const float* __restrict values, const i32* __restrict starts, const i32* __restrict order,
                          i64 num_rows, i64 S, i64 width, float* __restrict out, int threads) {
    const i64 D = WIDTH ? WIDTH : width;
    const i64 n = starts[num_rows];
    const uint32_t slots = (uint32_t)S;
#pragma omp parallel num_threads(threads)
    EACH_PART(t) {
        Sums<WIDTH> totals(D), copy(D);
        float* __restrict total = WIDTH ? totals.small : totals.at;
        float* __restrict row = WIDTH ? copy.small : copy.at;
        const i64 last = border(starts, num_rows, t + 1, threads);
        for (i64 u = border(starts, num_rows, t, threads); u < last; u++) {
            for (i64 d = 0; d < D; d++) total[d] = 0.0f, row[d] = table[u * D + d];
            for (i32 k = starts[u]; k < starts[u + 1]; k++) {
                if (k + AHEAD < n) __builtin_prefetch(sums + (i64)((uint32_t)order[k + AHEAD] / slots) * D);
                const i64 i = order[k], b = (uint32_t)i / slots;
                const float *__restrict sum = sums + b * D, *__restrict g = grad + (ONE ? b : b * D);
                const float x = values ? values[i] : 1.0f;
#pragma omp simd
                for (i64 d = 0; d < D; d++) total[d] += x * g[ONE ? 0 : d] * (sum[d] - x * row[d]);
            }
            for (i64 d = 0; d < D; d++) out[u * D + d] = total[d];
        }
    }
}

extern "C" {

void bi_interaction_rows(const float* table, const float* sums, const float* grad, i64 one, const float* values,
                         const i32* starts, const i32* order, i64 num_rows, i64 S, i64 width, float* out, int threads) {
#define CALL(D)                                                                                                      \
    one                                                                                                              \
        ? pairs_to_rows<D, true>(table, sums, grad, values, starts, order, num_rows, S, width, out, threads)         \
        : pairs_to_rows<D, false>(table, sums, grad, values, starts, order, num_rows, S, width, out, threads)
    WITH_WIDTH(width, CALL)
#undef CALL
}

void bi_interaction(const float* xv, i64 B, i64 S, i64 width, float* sums, float* out, int threads) {
#define CALL(D) pairs_forward<D>(xv, B, S, width, sums, out, threads)
    WITH_WIDTH(width, CALL)
#undef CALL
}

// `grad` is (B, D), or with `one` (B, 1), the same for every component.
void bi_interaction_backward(const float* xv, const float* sums, const float* grad, i64 one, i64 B, i64 S,
                             i64 width, float* out, int threads) {
#define CALL(D)                                                              \
    one ? pairs_backward<D, true>(xv, sums, grad, B, S, width, out, threads) \
        : pairs_backward<D, false>(xv, sums, grad, B, S, width, out, threads)
    WITH_WIDTH(width, CALL)
#undef CALL
}
}

// Table optimizers.

#include "common.h"

extern "C" {

// One step of Adam on the rows of a batch. rest = 1 - beta, c1 = 1 - beta1^t, c2 = 1 - beta2^t.
void adam_rows(float* table, float* first, float* second, const i64* rows, i64 count, i64 D, const float* grad, float lr,
               float decay, float beta2, float rest1, float rest2, float eps, float c1, float c2, int threads) {
    const float rate = lr / c1, root = 1.0f / std::sqrt(c2), keep = 1.0f - lr * decay;
#pragma omp parallel num_threads(threads)
    EACH_PART(t) {
        const i64 last = part(count, t + 1, threads);
        for (i64 u = part(count, t, threads); u < last; u++) {
            if (u + AHEAD < count) {
                const i64 coming = rows[u + AHEAD] * D;
                __builtin_prefetch(table + coming, 1);
                __builtin_prefetch(first + coming, 1);
                __builtin_prefetch(second + coming, 1);
            }
            const i64 row = rows[u] * D;
            float *__restrict w = table + row, *__restrict m = first + row, *__restrict v = second + row;
            const float* __restrict from = grad + u * D;
#pragma omp simd
            for (i64 d = 0; d < D; d++) {
                const float g = from[d];
                m[d] += rest1 * (g - m[d]);
                v[d] = beta2 * v[d] + rest2 * g * g;
                w[d] = keep * w[d] - rate * m[d] / (std::sqrt(v[d]) * root + eps);
            }
        }
    }
}

// The steps that Adam makes with the gradient l2 * w alone, on rows that missed them: row rows[u] those from since[u] on, of
// `steps` in all. rates[s] is lr / c1 of step s, roots[s] 1 / sqrt(c2), keeps[s] what decay leaves of a weight.
void adam_idle(float* table, float* first, float* second, const i64* rows, const i64* since, i64 count, i64 D, i64 steps,
               const float* rates, const float* roots, const float* keeps, const float* l2s, float beta2, float rest1,
               float rest2, float eps, int threads) {
#pragma omp parallel num_threads(threads)
    EACH_PART(t) {
        const i64 last = part(count, t + 1, threads);
        for (i64 u = part(count, t, threads); u < last; u++) {
            const i64 row = rows[u] * D;
            float *__restrict w = table + row, *__restrict m = first + row, *__restrict v = second + row;
            for (i64 s = since[u]; s < steps; s++) {
                const float rate = rates[s], root = roots[s], keep = keeps[s], l2 = l2s[s];
#pragma omp simd
                for (i64 d = 0; d < D; d++) {
                    const float g = l2 * w[d];
                    m[d] += rest1 * (g - m[d]);
                    v[d] = beta2 * v[d] + rest2 * g * g;
                    w[d] = keep * w[d] - rate * m[d] / (std::sqrt(v[d]) * root + eps);
                }
            }
        }
    }
}

// The same of Adagrad.
void adagrad_idle(float* table, float* squares, const i64* rows, const i64* since, i64 count, i64 D, i64 steps,
                  const float* lrs, const float* l2s, float eps, int threads) {
#pragma omp parallel num_threads(threads)
    EACH_PART(t) {
        const i64 last = part(count, t + 1, threads);
        for (i64 u = part(count, t, threads); u < last; u++) {
            float *__restrict w = table + rows[u] * D, *__restrict q = squares + rows[u] * D;
            for (i64 s = since[u]; s < steps; s++) {
                const float lr = lrs[s], l2 = l2s[s];
#pragma omp simd
                for (i64 d = 0; d < D; d++) {
                    const float g = l2 * w[d];
                    q[d] += g * g;
                    w[d] -= g == 0.0f ? 0.0f : lr * g / (std::sqrt(q[d]) + eps);
                }
            }
        }
    }
}

// What dense Adam would have done to these rows since they were last touched: steps without a gradient, in closed form.
// `sums` of a row last touched at step base + i: kept[i] is what decay left of its weight, moved[i] the sum of the rates
// that its moments moved it by, offsets[i] stands for eps, shrunk1[i] and shrunk2[i] are what is left of its moments.
// `stamp` is what `touched` becomes.
void adam_catch_up(float* table, float* first, float* second, i32* touched, const i64* rows, i64 count, i64 D, i64 now,
                   i64 base, i64 stamp, const float* kept, const float* moved, const float* offsets, const float* shrunk1,
                   const float* shrunk2, int threads) {
#pragma omp parallel num_threads(threads)
    EACH_PART(t) {
        const i64 last = part(count, t + 1, threads);
        for (i64 u = part(count, t, threads); u < last; u++) {
            if (u + AHEAD < count) {
                const i64 coming = rows ? rows[u + AHEAD] : u + AHEAD;
                __builtin_prefetch(table + coming * D, 1);
                __builtin_prefetch(first + coming * D, 1);
                __builtin_prefetch(second + coming * D, 1);
                __builtin_prefetch(touched + coming, 1);
            }
            const i64 row = rows ? rows[u] : u;
            const i64 then = touched[row] - base;
            const i32 before = touched[row];
            touched[row] = (i32)stamp;
            if (before >= now) continue;
            const float keep = kept[then], move = moved[then], offset = offsets[then];
            const float shrink1 = shrunk1[then], shrink2 = shrunk2[then];
            float *__restrict w = table + row * D, *__restrict m = first + row * D, *__restrict v = second + row * D;
#pragma omp simd
            for (i64 d = 0; d < D; d++) {
                w[d] = keep * w[d] - (m[d] == 0.0f ? 0.0f : move * m[d] / (std::sqrt(v[d]) + offset));
                m[d] *= shrink1;
                v[d] *= shrink2;
            }
        }
    }
}

// One step of Adagrad on the rows of a batch.
void adagrad_rows(float* table, float* squares, const i64* rows, i64 count, i64 D, const float* grad, float lr, float eps,
                  int threads) {
#pragma omp parallel num_threads(threads)
    EACH_PART(t) {
        const i64 last = part(count, t + 1, threads);
        for (i64 u = part(count, t, threads); u < last; u++) {
            if (u + AHEAD < count) {
                __builtin_prefetch(table + rows[u + AHEAD] * D, 1);
                __builtin_prefetch(squares + rows[u + AHEAD] * D, 1);
            }
            float *__restrict w = table + rows[u] * D, *__restrict q = squares + rows[u] * D;
            const float* __restrict from = grad + u * D;
#pragma omp simd
            for (i64 d = 0; d < D; d++) {
                const float g = from[d];
                q[d] += g * g;
                w[d] -= g == 0.0f ? 0.0f : lr * g / (std::sqrt(q[d]) + eps);
            }
        }
    }
}

// The same with one accumulator a row: the mean of its squared gradients.
void rowwise_adagrad_rows(float* table, float* squares, const i64* rows, i64 count, i64 D, const float* grad, float lr,
                          float eps, int threads) {
#pragma omp parallel num_threads(threads)
    EACH_PART(t) {
        const i64 last = part(count, t + 1, threads);
        for (i64 u = part(count, t, threads); u < last; u++) {
            if (u + AHEAD < count) {
                __builtin_prefetch(table + rows[u + AHEAD] * D, 1);
                __builtin_prefetch(squares + rows[u + AHEAD], 1);
            }
            float* w = table + rows[u] * D;
            const float* __restrict from = grad + u * D;
            float total = 0.0f;
#pragma omp simd reduction(+ : total)
            for (i64 d = 0; d < D; d++) {
                const float g = from[d];
                total += g * g;
            }
            if (total == 0.0f) continue;
            squares[rows[u]] += total / (float)D;
            const float rate = lr / (std::sqrt(squares[rows[u]]) + eps);
#pragma omp simd
            for (i64 d = 0; d < D; d++) w[d] -= rate * from[d];
        }
    }
}
}

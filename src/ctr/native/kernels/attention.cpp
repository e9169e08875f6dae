// Attention over few fields.

#include "sixteen.h"

// c (M, N) = a b, four rows and sixteen columns at a time; a[m, k] stands at a[m * row + k * column], b and c are N wide.
// Rows of c up to the next multiple of four are written as well.
static inline void multiply(const float* a, i64 row, i64 column, const float* b, i64 M, i64 K, i64 N, float* c) {
    for (i64 m = 0; m < M; m += 4)
        for (i64 n = 0; n < N; n += 16) {
            Sixteen sums[4] = {};
            for (i64 k = 0; k < K; k++) {
                const Sixteen of_b = sixteen(b + k * N + n);
                const float* of_a = a + m * row + k * column;
                for (int i = 0; i < 4; i++) sums[i] += of_a[i * row] * of_b;
            }
            for (int i = 0; i < 4; i++) store(c + (m + i) * N + n, sums[i]);
        }
}

// Asks memory for what will be read after the next example: its rows lie too far apart for the machine to guess.
template <typename T>
static inline void coming(const T* from, i64 count) {
    for (i64 i = 0; i < count; i += 64 / (i64)sizeof(T)) __builtin_prefetch(from + i);
}

// One head of one example of `packed` (B, F, 3, heads, width), and what follows from it. P and R are width and F, padded.
struct Head {
    i64 F, width, P, R;
    std::vector<float> room;
    float *q, *k, *v, *g, *crossed, *weights, *scores, *out;

    Head(i64 F, i64 width) : F(F), width(width), P(padded(width)), R(padded(F)), room((size_t)(6 * R * P + 2 * R * R)) {
        q = room.data(), k = q + R * P, v = k + R * P, g = v + R * P, crossed = g + R * P, out = crossed + R * P;
        weights = out + R * P, scores = weights + R * R;
    }

    // F rows of `width` numbers that lie `stride` apart, and back.
    template <typename T>
    void take(const T* from, i64 stride, float* to) const {
        for (i64 f = 0; f < F; f++)
            for (i64 d = 0; d < width; d++) to[f * P + d] = read(from[f * stride + d]);
    }
    template <typename T>
    void put(const float* from, i64 stride, T* to) const {
        for (i64 f = 0; f < F; f++)
            for (i64 d = 0; d < width; d++) write(&to[f * stride + d], from[f * P + d]);
    }

    // to[m, n] = <x_m, y_n>
    void products(const float* x, const float* y, float* to) {
        for (i64 f = 0; f < F; f++)
            for (i64 d = 0; d < width; d++) crossed[d * R + f] = y[f * P + d];
        multiply(x, P, 1, crossed, F, width, R, to);
    }

    // weights[n, m] = softmax_n(factor <q_m, k_n>): a column for every m, so that sums go down columns, sixteen at once.
    void weigh(float factor) {
        products(k, q, weights);
        for (i64 m = 0; m < R; m += 16) {
            Sixteen most = factor * sixteen(weights + m), total = {};
            for (i64 n = 1; n < F; n++) {
                const Sixteen score = factor * sixteen(weights + n * R + m);
                most = score > most ? score : most;
            }
            for (i64 n = 0; n < F; n++) {
                const Sixteen power = exp_of(factor * sixteen(weights + n * R + m) - most);
                store(weights + n * R + m, power);
                total += power;
            }
            for (i64 n = 0; n < F; n++) store(weights + n * R + m, sixteen(weights + n * R + m) / total);
        }
    }

    // From the gradients of the weights, in `scores`, to those of <q_m, k_n>.
    void through_softmax(float factor) {
        for (i64 m = 0; m < R; m += 16) {
            Sixteen mean = {};
            for (i64 n = 0; n < F; n++) mean += sixteen(weights + n * R + m) * sixteen(scores + n * R + m);
            for (i64 n = 0; n < F; n++) {
                const i64 at = n * R + m;
                store(scores + at, factor * sixteen(weights + at) * (sixteen(scores + at) - mean));
            }
        }
    }

    // x[n, m] times what dropout makes of the weight of m and n.
    void thin(const float* factors, float* x) {
        for (i64 m = 0; m < F; m++)
            for (i64 n = 0; n < F; n++) x[n * R + m] *= factors[m * F + n];
    }
};

// `factors` (B, heads, F, F) is what dropout makes of each weight, or nothing; `out` is (B, F, heads, width).
template <typename T>
static void attend(const T* packed, const float* factors, i64 B, i64 F, i64 heads, i64 width, float factor, T* out,
                   int threads) {
    const i64 all = heads * width;
#pragma omp parallel num_threads(threads)
    EACH_PART(t) {
        Head one(F, width);
        const i64 last = part(B, t + 1, threads);
        for (i64 b = part(B, t, threads); b < last; b++) {
            if (b + 1 < last) coming(packed + (b + 1) * F * 3 * all, F * 3 * all);
            for (i64 h = 0; h < heads; h++) {
                const T* from = packed + b * F * 3 * all + h * width;
                one.take(from, 3 * all, one.q);
                one.take(from + all, 3 * all, one.k);
                one.take(from + 2 * all, 3 * all, one.v);
                one.weigh(factor);
                if (factors) one.thin(factors + (b * heads + h) * F * F, one.weights);
                multiply(one.weights, 1, one.R, one.v, F, F, one.P, one.out);
                one.put(one.out, all, out + b * F * all + h * width);
            }
        }
    }
}

template <typename T>
static void attend_backward(const T* packed, const float* factors, const T* grad, i64 B, i64 F, i64 heads, i64 width,
                            float factor, T* out, int threads) {
    const i64 all = heads * width;
#pragma omp parallel num_threads(threads)
    EACH_PART(t) {
        Head one(F, width);
        const i64 R = one.R, P = one.P, last = part(B, t + 1, threads);
        for (i64 b = part(B, t, threads); b < last; b++) {
            if (b + 1 < last) {
                coming(packed + (b + 1) * F * 3 * all, F * 3 * all);
                coming(grad + (b + 1) * F * all, F * all);
            }
            for (i64 h = 0; h < heads; h++) {
                const i64 at = b * F * 3 * all + h * width;
                one.take(packed + at, 3 * all, one.q);
                one.take(packed + at + all, 3 * all, one.k);
                one.take(packed + at + 2 * all, 3 * all, one.v);
                one.take(grad + b * F * all + h * width, all, one.g);
                one.weigh(factor);
                one.products(one.v, one.g, one.scores);  // the gradients of the thinned weights
                const float* kept = factors ? factors + (b * heads + h) * F * F : nullptr;
                if (kept) one.thin(kept, one.scores);
                one.through_softmax(factor);
                multiply(one.scores, 1, R, one.k, F, F, P, one.out);
                one.put(one.out, 3 * all, out + at);
                multiply(one.scores, R, 1, one.q, F, F, P, one.out);
                one.put(one.out, 3 * all, out + at + all);
                if (kept) one.thin(kept, one.weights);
                multiply(one.weights, R, 1, one.g, F, F, P, one.out);
                one.put(one.out, 3 * all, out + at + 2 * all);
            }
        }
    }
}

extern "C" {

#define ATTENTION(NAME, T)                                                                                             \
    void attend_##NAME(const T* packed, const float* factors, i64 B, i64 F, i64 heads, i64 width, float factor,        \
                       T* out, int threads) {                                                                          \
        attend(packed, factors, B, F, heads, width, factor, out, threads);                                             \
    }                                                                                                                  \
    void attend_backward_##NAME(const T* packed, const float* factors, const T* grad, i64 B, i64 F, i64 heads,         \
                                i64 width, float factor, T* out, int threads) {                                        \
        attend_backward(packed, factors, grad, B, F, heads, width, factor, out, threads);                              \
    }
ATTENTION(f32, float)
ATTENTION(bf16, bf16)
}

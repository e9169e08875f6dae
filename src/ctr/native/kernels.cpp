// The loops that PyTorch would make several passes over, written for one. Plain C functions over raw pointers: no torch
// header, so that they compile in seconds and fit every torch version. Each has a twin in plain PyTorch, which the tests
// hold it to. Work is split among threads in fixed parts: results repeat bit for bit at the same number of threads.
//
// B = batch, S = slots, D = embedding_dim, H = width of a layer, U = different rows of a batch.

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

// -------------------------------------------------------------------------------------------------------- helpers

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

extern "C" {

// ------------------------------------------------------------------------------------------------ rows of a batch

// The different ids among `n`, in order of appearance, into `rows`; each id's place among them into `local`; and the
// occurrences of each: those of row u are order[starts[u]] ... order[starts[u + 1] - 1]. Returns their number U.
i64 distinct(const i64* ids, i64 n, i64* rows, i32* local, i32* starts, i32* order, i64 expected) {
    int bits = 12;
    while (((i64)1 << bits) < 2 * expected) bits++;
    std::vector<i32> places;
    i64 found = 0;
    for (;;) {
        const u64 mask = ((u64)1 << bits) - 1;
        places.assign((size_t)mask + 1, -1);
        found = 0;
        bool full = false;
        for (i64 i = 0; i < n; i++) {
            const i64 id = ids[i];
            u64 at = ((u64)id * 0x9E3779B97F4A7C15ull) >> (64 - bits);
            i32 place;
            while ((place = places[at]) >= 0 && rows[place] != id) at = (at + 1) & mask;
            if (place < 0) {
                if (2 * (u64)(found + 1) > mask) {
                    full = true;
                    break;
                }
                places[at] = place = (i32)found;
                rows[found] = id;
                starts[found] = 0;
                found++;
            }
            local[i] = place;
            starts[place]++;
        }
        if (!full) break;
        bits += 2;
    }
    i32 total = 0;
    for (i64 u = 0; u < found; u++) {
        const i32 count = starts[u];
        starts[u] = total;
        total += count;
    }
    for (i64 i = 0; i < n; i++) order[starts[local[i]]++] = (i32)i;
    for (i64 u = found; u > 0; u--) starts[u] = starts[u - 1];
    starts[0] = 0;
    return found;
}

// The occurrences of each of `num_rows` ids, as above, for ids that are places already.
void occurrences(const i64* ids, i64 n, i64 num_rows, i32* starts, i32* order) {
    std::memset(starts, 0, sizeof(i32) * (size_t)(num_rows + 1));
    for (i64 i = 0; i < n; i++) starts[ids[i] + 1]++;
    for (i64 u = 0; u < num_rows; u++) starts[u + 1] += starts[u];
    for (i64 i = 0; i < n; i++) order[starts[ids[i]]++] = (i32)i;
    for (i64 u = num_rows; u > 0; u--) starts[u] = starts[u - 1];
    starts[0] = 0;
}
}

template <int WIDTH>
static void gather_rows(const float* __restrict table, const i64* __restrict rows, i64 count, i64 width,
                        float* __restrict out, int threads) {
    const i64 D = WIDTH ? WIDTH : width;
#pragma omp parallel num_threads(threads)
    EACH_PART(t) {
        const i64 last = part(count, t + 1, threads);
        for (i64 u = part(count, t, threads); u < last; u++) {
            if (u + AHEAD < count) {
                const float* coming = table + rows[u + AHEAD] * D;
                __builtin_prefetch(coming);
                if (D > 16) __builtin_prefetch(coming + 16);
            }
            const float* row = table + rows[u] * D;
            for (i64 d = 0; d < D; d++) out[u * D + d] = row[d];
        }
    }
}

template <int WIDTH, typename Id>
static void look_up(const float* __restrict table, const Id* __restrict ids, const float* __restrict values, i64 n,
                    i64 width, float* __restrict out, int threads) {
    const i64 D = WIDTH ? WIDTH : width;
#pragma omp parallel num_threads(threads)
    EACH_PART(t) {
        const i64 last = part(n, t + 1, threads);
        for (i64 i = part(n, t, threads); i < last; i++) {
            if (i + AHEAD < n) {
                const float* coming = table + (i64)ids[i + AHEAD] * D;
                __builtin_prefetch(coming);
                if (D > 16) __builtin_prefetch(coming + 16);
            }
            const float* row = table + (i64)ids[i] * D;
            float* to = out + i * D;
            const float x = values ? values[i] : 1.0f;
#pragma omp simd
            for (i64 d = 0; d < D; d++) to[d] = row[d] * x;
        }
    }
}

// Where the part of thread k begins, for parts of about the same number of rows and occurrences together.
static i64 border(const i32* starts, i64 num_rows, int k, int threads) {
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

// grad of row u = sum over its occurrences i of values[i] * grad[i], in the order of the slots.
template <int WIDTH>
static void sum_rows(const float* __restrict grad, const float* __restrict values, const i32* __restrict starts,
                     const i32* __restrict order, i64 num_rows, i64 width, float* __restrict out, int threads) {
    const i64 D = WIDTH ? WIDTH : width;
    const i64 n = starts[num_rows];
#pragma omp parallel num_threads(threads)
    EACH_PART(t) {
        Sums<WIDTH> sums(D);
        float* __restrict sum = WIDTH ? sums.small : sums.at;
        const i64 last = border(starts, num_rows, t + 1, threads);
        for (i64 u = border(starts, num_rows, t, threads); u < last; u++) {
            for (i64 d = 0; d < D; d++) sum[d] = 0.0f;
            for (i32 k = starts[u]; k < starts[u + 1]; k++) {
                if (k + AHEAD < n) __builtin_prefetch(grad + (i64)order[k + AHEAD] * D);
                const i64 i = order[k];
                const float* __restrict from = grad + i * D;
                const float x = values ? values[i] : 1.0f;
#pragma omp simd
                for (i64 d = 0; d < D; d++) sum[d] += from[d] * x;
            }
            for (i64 d = 0; d < D; d++) out[u * D + d] = sum[d];
        }
    }
}

extern "C" {

void gather(const float* table, const i64* rows, i64 count, i64 width, float* out, int threads) {
#define CALL(D) gather_rows<D>(table, rows, count, width, out, threads)
    WITH_WIDTH(width, CALL)
#undef CALL
}

void lookup_i32(const float* table, const i32* ids, const float* values, i64 n, i64 width, float* out, int threads) {
#define CALL(D) look_up<D>(table, ids, values, n, width, out, threads)
    WITH_WIDTH(width, CALL)
#undef CALL
}

void lookup_i64(const float* table, const i64* ids, const float* values, i64 n, i64 width, float* out, int threads) {
#define CALL(D) look_up<D>(table, ids, values, n, width, out, threads)
    WITH_WIDTH(width, CALL)
#undef CALL
}

void lookup_backward(const float* grad, const float* values, const i32* starts, const i32* order, i64 num_rows,
                     i64 width, float* out, int threads) {
#define CALL(D) sum_rows<D>(grad, values, starts, order, num_rows, width, out, threads)
    WITH_WIDTH(width, CALL)
#undef CALL
}
}

// ------------------------------------------------------------------------------------------------- Bi-Interaction

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

// out[b] = sum_s x w over the slots of example b, for a table of width 1.
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

// ------------------------------------------------------------------------------------- attention over few fields

// e^x, within 2e-7 of it, in a form that compilers turn into vectors; e^-87 below -87, infinite above 88.3.
static inline float exp_of(float x) {
    x = x < -87.0f ? -87.0f : x;
    x = x > 89.0f ? 89.0f : x;
    const float whole = std::floor(x * 1.44269504f + 0.5f);
    const float rest = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;  // ln 2 in two parts
    float sum = 1.0f / 5040.0f;  // the series of e^rest, |rest| <= ln(2) / 2
    sum = sum * rest + 1.0f / 720.0f;
    sum = sum * rest + 1.0f / 120.0f;
    sum = sum * rest + 1.0f / 24.0f;
    sum = sum * rest + 1.0f / 6.0f;
    sum = sum * rest + 0.5f;
    sum = sum * rest + 1.0f;
    sum = sum * rest + 1.0f;
    const i32 bits = ((i32)whole + 127) << 23;
    float power;
    std::memcpy(&power, &bits, 4);
    return sum * power;
}

// Small matrices, whose sizes are padded to multiples of 16 with zeros.
typedef float Sixteen __attribute__((vector_size(64)));
static inline i64 padded(i64 n) { return (n + 15) & ~(i64)15; }
static inline Sixteen sixteen(const float* from) {
    Sixteen x;
    std::memcpy(&x, from, sizeof x);
    return x;
}
static inline void store(float* to, Sixteen x) { std::memcpy(to, &x, sizeof x); }
static inline Sixteen exp_of(Sixteen x) {
    for (int i = 0; i < 16; i++) x[i] = exp_of(x[i]);
    return x;
}

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

// --------------------------------------------------------------- products of powers of magnitudes, and their batch norm

// e^(sum_f w_lf x_fd) for neurons l and components d, N = L * D numbers of an example side by side, sixteen at a time.
// Nothing of that size is kept: whoever needs them computes them again, which takes less time than to write and read
// them. What follows the N numbers to a multiple of 16 is computed and not looked at.
struct Powers {
    i64 F, L, D, N, P, turn;  // after `turn` vectors of sixteen a vector begins with the first component again
    std::vector<float> orders;  // (F, P): w_lf at every (l, d)

    Powers(const float* w, i64 F, i64 L, i64 D) : F(F), L(L), D(D), N(L * D), P(padded(L * D)), turn(1) {
        while (turn * 16 % D) turn++;
        for (i64 f = 0; f < F; f++) {
            const std::vector<float> row = spread([=](i64 l) { return w[l * F + f]; });
            orders.insert(orders.end(), row.begin(), row.end());
        }
    }

    // (P,): of(l) at every (l, d)
    template <typename Of>
    std::vector<float> spread(Of of) const {
        std::vector<float> to((size_t)P, 0.0f);
        for (i64 n = 0; n < N; n++) to[n] = of(n / D);
        return to;
    }
    // Sums over d, and over the threads' parts: (threads, P) -> to(l, sum)
    template <typename Number, typename To>
    void gather(const Number* from, int threads, To to) const {
        for (i64 l = 0; l < L; l++) {
            double sum = 0;
            for (int t = 0; t < threads; t++)
                for (i64 d = 0; d < D; d++) sum += from[t * P + l * D + d];
            to(l, sum);
        }
    }

    // Calls body(R, b, x) for the examples b ... b + R - 1 of `first` to `last`; x (R, F, turn * 16) repeats their logs.
    template <typename Body>
    void each(const float* logs, i64 first, i64 last, Body body) const {
        std::vector<float> x((size_t)(4 * F * turn * 16));
        i64 b = first;
        for (; b + 4 <= last; b += 4) repeat(logs + b * F * D, 4, x.data()), body(Four(), b, x.data());
        for (; b < last; b++) repeat(logs + b * F * D, 1, x.data()), body(One(), b, x.data());
    }
    using Four = std::integral_constant<int, 4>;
    using One = std::integral_constant<int, 1>;

    void repeat(const float* logs, i64 count, float* x) const {
        for (i64 row = 0; row < count * F; row++)
            for (i64 i = 0; i < turn * 16; i += D)
                for (i64 d = 0; d < D && i + d < turn * 16; d++) x[row * turn * 16 + i + d] = logs[row * D + d];
    }

    // Sixteen powers of each of R examples, from place n on; `at` is x where these sixteen begin.
    template <int R>
    void powers(const float* at, i64 n, Sixteen* e) const {
        Sixteen sums[R] = {};
        for (i64 f = 0; f < F; f++) {
            const Sixteen w = sixteen(orders.data() + f * P + n);
            for (int r = 0; r < R; r++) sums[r] += w * sixteen(at + (r * F + f) * turn * 16);
        }
        for (int r = 0; r < R; r++) e[r] = exp_of(sums[r]);
    }
    i64 next(i64 place) const { return place + 16 == turn * 16 ? 0 : place + 16; }
};

template <typename Number>
static inline void add(Number* to, Sixteen x) {
    for (int i = 0; i < 16; i++) to[i] += x[i];
}
// Sixteen numbers of a row of N that ends before the next multiple of 16.
template <typename T>
static inline Sixteen some(const T* from, i64 count) {
    Sixteen x = {};
    if (count >= 16)
        for (int i = 0; i < 16; i++) x[i] = read(from[i]);
    else
        for (i64 i = 0; i < count; i++) x[i] = read(from[i]);
    return x;
}
template <typename T>
static inline void write_some(T* to, i64 count, Sixteen x) {
    if (count >= 16)
        for (int i = 0; i < 16; i++) write(to + i, x[i]);
    else
        for (i64 i = 0; i < count; i++) write(to + i, x[i]);
}

// `mean` and `rstd` of each neuron are computed from the batch where `norm`, and else given.
template <typename T>
static void powers_forward(const float* logs, const float* orders, i64 B, i64 F, i64 L, i64 D, i64 norm,
                           const float* weight, const float* bias, float eps, float* mean, float* variance, float* rstd,
                           T* out, int threads) {
    const Powers all(orders, F, L, D);
    const i64 N = all.N, P = all.P;
    if (norm) {
        std::vector<float> one((size_t)P), shift;
        all.each(logs, 0, 1, [&](auto, i64, const float* x) {
            for (i64 n = 0, place = 0; n < N; n += 16, place = all.next(place)) {
                Sixteen e;
                all.powers<1>(x + place, n, &e);
                store(one.data() + n, e);
            }
        });
        shift = all.spread([&](i64 l) { return one[l * D]; });  // near the mean: squares of differences lose no digits
        std::vector<double> first((size_t)(threads * P)), second((size_t)(threads * P));
#pragma omp parallel num_threads(threads)
        EACH_PART(t) {
            double *sum = first.data() + t * P, *squares = second.data() + t * P;
            all.each(logs, part(B, t, threads), part(B, t + 1, threads), [&](auto count, i64, const float* x) {
                constexpr int R = decltype(count)::value;
                for (i64 n = 0, place = 0; n < N; n += 16, place = all.next(place)) {
                    Sixteen e[R], s = {}, q = {};
                    all.powers<R>(x + place, n, e);
                    for (int r = 0; r < R; r++) {
                        const Sixteen c = e[r] - sixteen(shift.data() + n);
                        s += c, q += c * c;
                    }
                    add(sum + n, s), add(squares + n, q);
                }
            });
        }
        const double count = (double)(B * D);
        all.gather(first.data(), threads, [&](i64 l, double sum) { mean[l] = (float)(sum / count); });
        all.gather(second.data(), threads, [&](i64 l, double sum) {
            const double m = mean[l], var = sum / count - m * m;
            mean[l] = (float)(m + shift[l * D]);
            variance[l] = var < 0 ? 0.0f : (float)var;
            rstd[l] = (float)(1.0 / std::sqrt((double)variance[l] + eps));
        });
    }
    const std::vector<float> slope = all.spread([=](i64 l) { return weight[l] * rstd[l]; });
    const std::vector<float> offset = all.spread([=](i64 l) { return bias[l] - mean[l] * weight[l] * rstd[l]; });
#pragma omp parallel num_threads(threads)
    EACH_PART(t)
    all.each(logs, part(B, t, threads), part(B, t + 1, threads), [&](auto count, i64 b, const float* x) {
        constexpr int R = decltype(count)::value;
        for (i64 n = 0, place = 0; n < N; n += 16, place = all.next(place)) {
            Sixteen e[R];
            all.powers<R>(x + place, n, e);
            const Sixteen k = sixteen(slope.data() + n), c = sixteen(offset.data() + n);
            for (int r = 0; r < R; r++) write_some(out + (b + r) * N + n, N - n, e[r] * k + c);
        }
    });
}

template <typename T>
static void powers_backward(const T* grad, const float* logs, const float* orders, i64 B, i64 F, i64 L, i64 D,
                            const float* weight, const float* mean, const float* rstd, float* grad_logs,
                            float* grad_orders, float* grad_weight, float* grad_bias, int threads) {
    const Powers all(orders, F, L, D);
    const i64 N = all.N, P = all.P, wide = all.turn * 16;
    const std::vector<float> centre = all.spread([=](i64 l) { return mean[l]; });
    const std::vector<float> scale = all.spread([=](i64 l) { return rstd[l]; });
    std::vector<double> sums((size_t)(threads * P)), products((size_t)(threads * P));
#pragma omp parallel num_threads(threads)
    EACH_PART(t) {
        double *sum = sums.data() + t * P, *product = products.data() + t * P;
        all.each(logs, part(B, t, threads), part(B, t + 1, threads), [&](auto count, i64 b, const float* x) {
            constexpr int R = decltype(count)::value;
            for (i64 n = 0, place = 0; n < N; n += 16, place = all.next(place)) {
                Sixteen e[R], s = {}, p = {};
                all.powers<R>(x + place, n, e);
                const Sixteen m = sixteen(centre.data() + n), k = sixteen(scale.data() + n);
                for (int r = 0; r < R; r++) {
                    const Sixteen g = some(grad + (b + r) * N + n, N - n);
                    s += g, p += g * ((e[r] - m) * k);
                }
                add(sum + n, s), add(product + n, p);
            }
        });
    }
    all.gather(sums.data(), threads, [&](i64 l, double sum) { grad_bias[l] = (float)sum; });
    all.gather(products.data(), threads, [&](i64 l, double sum) { grad_weight[l] = (float)sum; });
    // The gradient of a power is weight * rstd * (g - mean(g) - x_hat * mean(g * x_hat)), here k g + c + s e.
    const double count = (double)(B * D);
    const auto steep = [=](i64 l) { return (float)(grad_weight[l] / count) * rstd[l] * weight[l] * rstd[l]; };
    const std::vector<float> k = all.spread([=](i64 l) { return weight[l] * rstd[l]; });
    const std::vector<float> s = all.spread([=](i64 l) { return -steep(l); });
    const std::vector<float> c = all.spread(
        [=](i64 l) { return steep(l) * mean[l] - (float)(grad_bias[l] / count) * weight[l] * rstd[l]; });
    std::vector<float> grads((size_t)(threads * F * P));  // of the orders, at every (l, d)
#pragma omp parallel num_threads(threads)
    EACH_PART(t) {
        std::vector<float> room((size_t)(4 * F * wide));
        float *of_orders = grads.data() + t * F * P, *of_x = room.data();
        all.each(logs, part(B, t, threads), part(B, t + 1, threads), [&](auto rows, i64 b, const float* x) {
            constexpr int R = decltype(rows)::value;
            std::fill(of_x, of_x + R * F * wide, 0.0f);
            for (i64 n = 0, place = 0; n < N; n += 16, place = all.next(place)) {
                Sixteen e[R], g[R];
                all.powers<R>(x + place, n, e);
                const Sixteen kn = sixteen(k.data() + n), cn = sixteen(c.data() + n), sn = sixteen(s.data() + n);
                for (int r = 0; r < R; r++) g[r] = (some(grad + (b + r) * N + n, N - n) * kn + cn + sn * e[r]) * e[r];
                for (i64 f = 0; f < F; f++) {
                    const Sixteen w = sixteen(all.orders.data() + f * P + n);
                    Sixteen of_w = sixteen(of_orders + f * P + n);
                    for (int r = 0; r < R; r++) {
                        const i64 at = (r * F + f) * wide + place;
                        of_w += g[r] * sixteen(x + at);
                        store(of_x + at, sixteen(of_x + at) + w * g[r]);
                    }
                    store(of_orders + f * P + n, of_w);
                }
            }
            for (i64 row = 0; row < R * F; row++)
                for (i64 d = 0; d < D; d++) {
                    float sum = 0.0f;
                    for (i64 i = d; i < wide; i += D) sum += of_x[row * wide + i];
                    grad_logs[(b * F + row) * D + d] = sum;
                }
        });
    }
    for (i64 f = 0; f < F; f++) {
        std::vector<float> parts((size_t)(threads * P));
        for (int t = 0; t < threads; t++)
            std::copy_n(grads.data() + (t * F + f) * P, P, parts.data() + t * P);
        all.gather(parts.data(), threads, [&](i64 l, double sum) { grad_orders[l * F + f] = (float)sum; });
    }
}

extern "C" {

#define POWERS(NAME, T)                                                                                                \
    void powers_##NAME(const float* logs, const float* orders, i64 B, i64 F, i64 L, i64 D, i64 norm,                   \
                       const float* weight, const float* bias, float eps, float* mean, float* variance, float* rstd,   \
                       T* out, int threads) {                                                                          \
        powers_forward(logs, orders, B, F, L, D, norm, weight, bias, eps, mean, variance, rstd, out, threads);         \
    }                                                                                                                  \
    void powers_backward_##NAME(const T* grad, const float* logs, const float* orders, i64 B, i64 F, i64 L, i64 D,     \
                                const float* weight, const float* mean, const float* rstd, float* grad_logs,           \
                                float* grad_orders, float* grad_weight, float* grad_bias, int threads) {               \
        powers_backward(grad, logs, orders, B, F, L, D, weight, mean, rstd, grad_logs, grad_orders, grad_weight,       \
                        grad_bias, threads);                                                                           \
    }
POWERS(f32, float)
POWERS(bf16, bf16)
}

// ------------------------------------------------------------------------- batch norm, ReLU and dropout, together

static inline u64 mix(u64 z) {  // splitmix64 (Steele, Lea and Flood 2014): 64 random bits of a counter
    z *= 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

// What a unit's output is multiplied by: 0 for `dropped` of 65,536 units, `scale` for the others. 64 bits decide four.
static inline void draw(u64 seed, i64 row, i64 H, i64 dropped, float scale, u64* bits, float* factors) {
    const i64 groups = (H + 3) / 4;
    const u64 first = seed + (u64)(row * groups);
#pragma omp simd
    for (i64 g = 0; g < groups; g++) bits[g] = mix(first + (u64)g);
    const uint16_t* draws = (const uint16_t*)bits;
#pragma omp simd
    for (i64 h = 0; h < H; h++) factors[h] = draws[h] < dropped ? 0.0f : scale;
}

// Two sums over the batch per column, in double: `entry(i, h, first, second)` adds the share of entry i, which stands in
// column h.
template <typename Entry>
static void column_sums(i64 B, i64 H, double* first, double* second, int threads, Entry entry) {
    std::vector<double> partial((size_t)(2 * threads * H), 0.0);
#pragma omp parallel num_threads(threads)
    EACH_PART(t) {
        double* sum = partial.data() + 2 * t * H;
        std::vector<float> p((size_t)H), q((size_t)H);
        float *__restrict pp = p.data(), *__restrict qq = q.data();
        const i64 last = part(B, t + 1, threads);
        for (i64 start = part(B, t, threads); start < last; start += 64) {
            std::fill(p.begin(), p.end(), 0.0f);
            std::fill(q.begin(), q.end(), 0.0f);
            for (i64 b = start; b < std::min(start + 64, last); b++) {
#pragma omp simd
                for (i64 h = 0; h < H; h++) entry(b * H + h, h, pp[h], qq[h]);
            }
            for (i64 h = 0; h < H; h++) sum[h] += pp[h], sum[H + h] += qq[h];
        }
    }
    for (i64 h = 0; h < H; h++) {
        first[h] = second[h] = 0.0;
        for (int t = 0; t < threads; t++) first[h] += partial[2 * t * H + h], second[h] += partial[(2 * t + 1) * H + h];
    }
}

// y = dropout(relu(norm(x))), or dropout(relu(x + bias)) without `norm`. With it, mean and rstd of the columns are found
// and left in `mean` and `rstd`, and `variance` gets the population variance; weight and bias are then the norm's.
template <typename T>
static void units_forward(const T* __restrict x, i64 B, i64 H, i64 norm, const float* weight, const float* bias,
                          float eps, i64 dropped, u64 seed, float* mean, float* variance, float* rstd,
                          T* __restrict y, int threads) {
    const float scale = 65536.0f / (65536.0f - (float)dropped);
    std::vector<float> slope((size_t)H, 1.0f), offset(bias, bias + H);
    if (norm) {
        std::vector<float> row((size_t)H);
        for (i64 h = 0; h < H; h++) row[h] = read(x[h]);
        const float* __restrict shift = row.data();  // any value near the mean: squares of differences lose no digits
        std::vector<double> first((size_t)H), second((size_t)H);
        column_sums(B, H, first.data(), second.data(), threads, [=](i64 i, i64 h, float& sum, float& squares) {
            const float c = read(x[i]) - shift[h];
            sum += c;
            squares += c * c;
        });
        for (i64 h = 0; h < H; h++) {
            const double m = first[h] / (double)B;
            double var = second[h] / (double)B - m * m;
            if (var < 0) var = 0;
            mean[h] = (float)(m + shift[h]);
            variance[h] = (float)var;
            rstd[h] = (float)(1.0 / std::sqrt(var + eps));
            slope[h] = weight[h] * rstd[h];
            offset[h] = bias[h] - mean[h] * slope[h];
        }
    }
#pragma omp parallel num_threads(threads)
    EACH_PART(t) {
        std::vector<u64> bits((size_t)(H + 3) / 4 + 1);
        std::vector<float> factors((size_t)H, 1.0f);
        const float *k = slope.data(), *c = offset.data();
        float* f = factors.data();
        const i64 last = part(B, t + 1, threads);
        for (i64 b = part(B, t, threads); b < last; b++) {
            if (dropped) draw(seed, b, H, dropped, scale, bits.data(), f);
            const T* row = x + b * H;
            T* to = y + b * H;
#pragma omp simd
            for (i64 h = 0; h < H; h++) {
                const float z = read(row[h]) * k[h] + c[h];
                write(to + h, z > 0.0f || z != z ? z * f[h] : 0.0f);
            }
        }
    }
}

// A unit that was dropped or not positive has y = 0 and sends no gradient: y is all that has to be kept of the draws.
template <typename T>
static void units_backward(const T* __restrict grad, const T* __restrict x, const T* __restrict y, i64 B, i64 H,
                           i64 norm, const float* weight, const float* mean, const float* rstd, i64 dropped,
                           float* grad_weight, float* grad_bias, T* __restrict grad_x, int threads) {
    const float scale = 65536.0f / (65536.0f - (float)dropped);
    std::vector<float> a((size_t)H, 1.0f), b0((size_t)H, 0.0f), c0((size_t)H, 0.0f);
    std::vector<double> sums((size_t)H), products((size_t)H);
    const auto active = [=](i64 i) {
        const float g = read(grad[i]) * scale;  // read in any case: a load behind a condition would not be vectorised
        return read(y[i]) != 0.0f ? g : 0.0f;
    };
    if (norm) {
        column_sums(B, H, sums.data(), products.data(), threads, [=](i64 i, i64 h, float& sum, float& product) {
            const float g = active(i);
            sum += g;
            product += g * (read(x[i]) - mean[h]) * rstd[h];
        });
    } else {
        column_sums(B, H, sums.data(), products.data(), threads,
                    [=](i64 i, i64, float& sum, float&) { sum += active(i); });
    }
    for (i64 h = 0; h < H; h++) {
        grad_bias[h] = (float)sums[h];
        if (!norm) continue;
        grad_weight[h] = (float)products[h];
        // dx = weight * rstd * (g - mean(g) - x_hat * mean(g * x_hat))
        a[h] = weight[h] * rstd[h];
        const float slope = (float)(products[h] / (double)B) * rstd[h] * a[h];
        b0[h] = -(float)(sums[h] / (double)B) * a[h] + slope * mean[h];
        c0[h] = -slope;
    }
#pragma omp parallel num_threads(threads)
    EACH_PART(t) {
        const float *__restrict aa = a.data(), *__restrict bb = b0.data(), *__restrict cc = c0.data();
        const i64 last = part(B, t + 1, threads);
        for (i64 b = part(B, t, threads); b < last; b++) {
#pragma omp simd
            for (i64 h = 0; h < H; h++) {
                const i64 i = b * H + h;
                write(grad_x + i, active(i) * aa[h] + bb[h] + cc[h] * read(x[i]));
            }
        }
    }
}

extern "C" {

#define UNITS(NAME, T)                                                                                               \
    void units_##NAME(const T* x, i64 B, i64 H, i64 norm, const float* weight, const float* bias, float eps,        \
                      i64 dropped, u64 seed, float* mean, float* variance, float* rstd, T* y, int threads) {        \
        units_forward(x, B, H, norm, weight, bias, eps, dropped, seed, mean, variance, rstd, y, threads);           \
    }                                                                                                                \
    void units_backward_##NAME(const T* grad, const T* x, const T* y, i64 B, i64 H, i64 norm, const float* weight,  \
                               const float* mean, const float* rstd, i64 dropped, float* grad_weight,               \
                               float* grad_bias, T* grad_x, int threads) {                                           \
        units_backward(grad, x, y, B, H, norm, weight, mean, rstd, dropped, grad_weight, grad_bias, grad_x,         \
                       threads);                                                                                     \
    }
UNITS(f32, float)
UNITS(bf16, bf16)

// ------------------------------------------------------------------------------------------------ table optimizers

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

// ------------------------------------------------------------------------------------------------- rows of the data

// Slots of the rows of a batch: row[s] is stored[rows[b], column[s]] where column[s] >= 0, else constant[s].
template <typename Stored, typename Out>
static void write_slots(const Stored* stored, i64 width, const i64* rows, i64 B, const i32* columns, const Out* constant,
                        i64 S, Out* out, int threads) {
#pragma omp parallel num_threads(threads)
    EACH_PART(t) {
        const i64 last = part(B, t + 1, threads);
        for (i64 b = part(B, t, threads); b < last; b++) {
            if (b + AHEAD < B) {
                const char* coming = (const char*)(stored + rows[b + AHEAD] * width);
                for (i64 k = 0; k < width * (i64)sizeof(Stored); k += 64) __builtin_prefetch(coming + k);
            }
            const Stored* row = stored + rows[b] * width;
            for (i64 s = 0; s < S; s++) out[b * S + s] = columns[s] < 0 ? constant[s] : (Out)row[columns[s]];
        }
    }
}

extern "C" {

#define SLOTS(NAME, STORED, OUT)                                                                                     \
    void slots_##NAME(const STORED* stored, i64 width, const i64* rows, i64 B, const i32* columns,                   \
                      const OUT* constant, i64 S, OUT* out, int threads) {                                           \
        write_slots(stored, width, rows, B, columns, constant, S, out, threads);                                     \
    }
SLOTS(uint16, uint16_t, i64)
SLOTS(uint32, uint32_t, i64)
SLOTS(int64, i64, i64)
SLOTS(float32, float, float)
}

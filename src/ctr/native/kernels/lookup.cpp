// Rows of a batch: the different ones, looking them up, and their gradients.

#include "common.h"

extern "C" {

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
#define CALL(D) look_up<D>(table, rows, nullptr, count, width, out, threads)
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

// Rows of the data.

#include "common.h"

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

// Batch norm, ReLU and dropout, together.

#include "common.h"

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
}

// Products of powers of magnitudes, and their batch norm.

#include "sixteen.h"

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

    // Calls body(n, place, e) for the powers n ... n + 15 of R examples, which begin at `place` of the rows of x.
    template <int R, typename Body>
    void over(const float* x, Body body) const {
        for (i64 n = 0, place = 0; n < N; n += 16, place = place + 16 == turn * 16 ? 0 : place + 16) {
            Sixteen sums[R] = {}, e[R];
            for (i64 f = 0; f < F; f++) {
                const Sixteen w = sixteen(orders.data() + f * P + n);
                for (int r = 0; r < R; r++) sums[r] += w * sixteen(x + (r * F + f) * turn * 16 + place);
            }
            for (int r = 0; r < R; r++) e[r] = exp_of(sums[r]);
            body(n, place, e);
        }
    }
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
            all.over<1>(x, [&](i64 n, i64, const Sixteen* e) { store(one.data() + n, *e); });
        });
        shift = all.spread([&](i64 l) { return one[l * D]; });  // near the mean: squares of differences lose no digits
        std::vector<double> first((size_t)(threads * P)), second((size_t)(threads * P));
#pragma omp parallel num_threads(threads)
        EACH_PART(t) {
            double *sum = first.data() + t * P, *squares = second.data() + t * P;
            all.each(logs, part(B, t, threads), part(B, t + 1, threads), [&](auto count, i64, const float* x) {
                constexpr int R = decltype(count)::value;
                all.over<R>(x, [&](i64 n, i64, const Sixteen* e) {
                    Sixteen s = {}, q = {};
                    for (int r = 0; r < R; r++) {
                        const Sixteen c = e[r] - sixteen(shift.data() + n);
                        s += c, q += c * c;
                    }
                    add(sum + n, s), add(squares + n, q);
                });
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
        all.over<R>(x, [&](i64 n, i64, const Sixteen* e) {
            const Sixteen k = sixteen(slope.data() + n), c = sixteen(offset.data() + n);
            for (int r = 0; r < R; r++) write_some(out + (b + r) * N + n, N - n, e[r] * k + c);
        });
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
            all.over<R>(x, [&](i64 n, i64, const Sixteen* e) {
                Sixteen s = {}, p = {};
                const Sixteen m = sixteen(centre.data() + n), k = sixteen(scale.data() + n);
                for (int r = 0; r < R; r++) {
                    const Sixteen g = some(grad + (b + r) * N + n, N - n);
                    s += g, p += g * ((e[r] - m) * k);
                }
                add(sum + n, s), add(product + n, p);
            });
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
            all.over<R>(x, [&](i64 n, i64 place, const Sixteen* e) {
                Sixteen g[R];
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
            });
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

// Numbers by sixteen, and their exponential.

#pragma once

#include "common.h"

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

// Sixteen numbers side by side. Sizes are padded to multiples of that.
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

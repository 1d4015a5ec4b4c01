// What all parts of the kernel share: four floats at once, and how maps lie in memory.
//
// A map is float32, row by row, the channels of a pixel side by side (NHWC), with a border of one
// pixel of zeros around each image: (h + 2) * (w + 2) * c floats. Who writes a map clears its
// border. Channels are a multiple of 8.
#pragma once

typedef unsigned char byte;
typedef float f4 __attribute__((vector_size(16), aligned(4)));
typedef byte b4 __attribute__((vector_size(4), aligned(1)));

#define EXPORT(name) __attribute__((export_name(#name))) name
#define UNROLL _Pragma("clang loop unroll(full)")

static inline f4 load(const float *p) { return *(const f4 *)p; }
static inline void store(float *p, f4 v) { *(f4 *)p = v; }
static inline f4 splat(float x) { return (f4){x, x, x, x}; }
static inline float sum4(f4 v) { return (v[0] + v[2]) + (v[1] + v[3]); }

// a < b ? b : a, one instruction; of NaN it gives a.
static inline f4 max4(f4 a, f4 b) { return __builtin_wasm_pmax_f32x4(a, b); }

static inline f4 mul_add(f4 a, f4 b, f4 c) { return a * b + c; }

static inline f4 four_bytes(const byte *p) { return __builtin_convertvector(*(const b4 *)p, f4); }
static inline long clamp(long v, long low, long high) {
  return v < low ? low : v > high ? high : v;
}

// The pixel (y, x) of a map; (-1, -1) is the corner of its border.
static inline float *pixel(float *map, long w, long c, long y, long x) {
  return map + ((y + 1) * (w + 2) + x + 1) * c;
}
static inline long map_size(long h, long w, long c) { return (h + 2) * (w + 2) * c; }

void fill(float *p, float value, long count);
void clear_border(float *map, long n, long h, long w, long c);
f4 exp4(f4 x);
float sigmoid(float x);

// C (m x n, rows ldc apart) = bias + A (m x k, rows lda apart) * B, B packed by pack() as
// [n / 8][k][8]. bias may be null.
void matmul(const float *a, long lda, const float *b, long m, long n, long k, float *c, long ldc,
            const float *bias);

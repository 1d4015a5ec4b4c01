#include "kernel.h"

// e to the x, within 2 units in the last place: Cody and Waite's reduction to at most half of
// ln 2, and the polynomial of Moshier's Cephes (expf.c, https://www.netlib.org/cephes/).
f4 exp4(f4 x) {
  typedef int i4 __attribute__((vector_size(16)));
  x = __builtin_wasm_min_f32x4(__builtin_wasm_max_f32x4(x, splat(-87)), splat(88));
  f4 n = __builtin_wasm_nearest_f32x4(x * splat(1.44269504f));
  f4 r = x - n * splat(0.693359375f) + n * splat(2.12194440e-4f);
  f4 p = splat(1.9875691500e-4f);
  p = p * r + splat(1.3981999507e-3f);
  p = p * r + splat(8.3334519073e-3f);
  p = p * r + splat(4.1665795894e-2f);
  p = p * r + splat(1.6666665459e-1f);
  p = p * r + splat(5.0000001201e-1f);
  p = p * r * r + r + splat(1);
  i4 exponent = (__builtin_convertvector(n, i4) + 127) << 23;
  return p * (f4)exponent;
}

float sigmoid(float x) { return 1 / (1 + exp4(splat(-x))[0]); }

// Rows of C by eight columns at once. With six rows there are twelve sums, two weights and one
// input: what fits into the sixteen registers of x86-64.
#define ROWS(COUNT)                                                                              \
  static void rows##COUNT(const float *a, long lda, const float *b, long k, float *c, long ldc,  \
                          f4 bias0, f4 bias1) {                                                  \
    f4 sum[COUNT][2];                                                                            \
    UNROLL for (int i = 0; i < COUNT; i++) sum[i][0] = bias0, sum[i][1] = bias1;                 \
    for (long at = 0; at < k; at++, b += 8) {                                                    \
      f4 b0 = load(b), b1 = load(b + 4);                                                         \
      UNROLL for (int i = 0; i < COUNT; i++) {                                                   \
        f4 x = splat(a[i * lda + at]);                                                           \
        sum[i][0] = mul_add(x, b0, sum[i][0]);                                                   \
        sum[i][1] = mul_add(x, b1, sum[i][1]);                                                   \
      }                                                                                          \
    }                                                                                            \
    UNROLL for (int i = 0; i < COUNT; i++) {                                                     \
      store(c + i * ldc, sum[i][0]);                                                             \
      store(c + i * ldc + 4, sum[i][1]);                                                         \
    }                                                                                            \
  }
ROWS(1) ROWS(2) ROWS(3) ROWS(4) ROWS(5) ROWS(6)

void matmul(const float *a, long lda, const float *b, long m, long n, long k, float *c, long ldc,
            const float *bias) {
  for (long column = 0; column < n; column += 8, b += 8 * k) {
    f4 b0 = bias ? load(bias + column) : splat(0), b1 = bias ? load(bias + column + 4) : splat(0);
    const float *from = a;
    float *to = c + column;
    // As even as can be: nine rows as five and four, for three rows keep too few sums side by side.
    for (long left = m, parts = (m + 5) / 6; parts; parts--) {
      long rows = (left + parts - 1) / parts;
      switch (rows) {
        case 6: rows6(from, lda, b, k, to, ldc, b0, b1); break;
        case 5: rows5(from, lda, b, k, to, ldc, b0, b1); break;
        case 4: rows4(from, lda, b, k, to, ldc, b0, b1); break;
        case 3: rows3(from, lda, b, k, to, ldc, b0, b1); break;
        case 2: rows2(from, lda, b, k, to, ldc, b0, b1); break;
        default: rows1(from, lda, b, k, to, ldc, b0, b1);
      }
      from += rows * lda;
      to += rows * ldc;
      left -= rows;
    }
  }
}

// Weights (n x k) as matmul() reads them.
void EXPORT(pack)(const float *weights, long n, long k, float *packed) {
  for (long i = 0; i < n; i++)
    for (long j = 0; j < k; j++) packed[(i / 8 * k + j) * 8 + i % 8] = weights[i * k + j];
}

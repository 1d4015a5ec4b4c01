// Pictures: bytes RGBA, row by row. Resized and cut out as OpenCV and Pillow do it, to the last bit
// where they have one answer on all machines, so that the network sees what it sees in Python.
#include <stdbool.h>

#include "kernel.h"

typedef int i4 __attribute__((vector_size(16)));
typedef short s8 __attribute__((vector_size(16)));
typedef unsigned short u16 __attribute__((vector_size(32)));
typedef byte b8 __attribute__((vector_size(8), aligned(1)));
typedef byte b16 __attribute__((vector_size(16), aligned(1)));

static inline i4 ints(const byte *p) { return __builtin_convertvector(*(const b4 *)p, i4); }

static inline void store_clipped(byte *p, i4 v) {
  v = __builtin_elementwise_max(__builtin_elementwise_min(v, (i4){255, 255, 255, 255}), (i4){});
  *(b4 *)p = __builtin_convertvector(v, b4);
}
static inline void store_rounded(byte *p, f4 v) {
  store_clipped(p, __builtin_convertvector(__builtin_wasm_nearest_f32x4(v), i4));
}

// Half the sides: each pixel the mean of four, halves rounded up (INTER_AREA).
void EXPORT(halve)(const byte *in, long w, long h, byte *out) {
  long ow = w / 2, oh = h / 2;
  for (long y = 0; y < oh; y++) {
    const byte *up = in + 2 * y * w * 4, *low = up + w * 4;
    byte *to = out + y * ow * 4;
    long x = 0;
    for (; x + 2 <= ow; x += 2, up += 16, low += 16, to += 8) {
      u16 sum = __builtin_convertvector(*(const b16 *)up, u16) +
                __builtin_convertvector(*(const b16 *)low, u16);
      s8 left = __builtin_shufflevector(sum, sum, 0, 1, 2, 3, 8, 9, 10, 11);
      s8 right = __builtin_shufflevector(sum, sum, 4, 5, 6, 7, 12, 13, 14, 15);
      *(b8 *)to = __builtin_convertvector((left + right + 2) >> 2, b8);
    }
    if (x < ow)
      store_clipped(to, (ints(up) + ints(up + 4) + ints(low) + ints(low + 4) + 2) >> 2);
  }
}

// Shrunk: each pixel the mean of those that it covers (INTER_AREA). Of each column and each row:
// first and number of those covered; weights, `most` for each. line: 4 * ow floats.
void EXPORT(shrink)(const byte *in, long w, byte *out, long ow, long oh, const int *columns,
                    const float *column_weights, long most_columns, const int *rows,
                    const float *row_weights, long most_rows, float *line) {
  for (long y = 0; y < oh; y++) {
    fill(line, 0, 4 * ow);
    for (long r = 0; r < rows[2 * y + 1]; r++) {
      const byte *from = in + (rows[2 * y] + r) * w * 4;
      f4 weight = splat(row_weights[y * most_rows + r]);
      for (long x = 0; x < ow; x++) {
        const byte *p = from + columns[2 * x] * 4;
        const float *k = column_weights + x * most_columns;
        f4 sum = splat(0);
        for (long q = 0; q < columns[2 * x + 1]; q++) sum += four_bytes(p + 4 * q) * splat(k[q]);
        store(line + 4 * x, load(line + 4 * x) + sum * weight);
      }
    }
    for (long x = 0; x < ow; x++) store_rounded(out + (y * ow + x) * 4, load(line + 4 * x));
  }
}

// Enlarged, bilinear (INTER_LINEAR). Of each column and each row: first, second and the weight of
// either in 2048ths.
void EXPORT(enlarge)(const byte *in, long w, byte *out, long ow, long oh, const int *columns,
                     const int *rows) {
  for (long y = 0; y < oh; y++) {
    const int *r = rows + 4 * y;
    const byte *up = in + r[0] * w * 4, *low = in + r[1] * w * 4;
    for (long x = 0; x < ow; x++) {
      const int *c = columns + 4 * x;
      i4 a = ints(up + c[0] * 4) * c[2] + ints(up + c[1] * 4) * c[3];
      i4 b = ints(low + c[0] * 4) * c[2] + ints(low + c[1] * 4) * c[3];
      store_clipped(out + (y * ow + x) * 4,
                    ((((a >> 4) * r[2]) >> 16) + (((b >> 4) * r[3]) >> 16) + 2) >> 2);
    }
  }
}

// Turned by so many quarters anticlockwise.
void EXPORT(turn)(const byte *in, long w, long h, long quarters, byte *out) {
  const unsigned *from = (const unsigned *)in;
  unsigned *to = (unsigned *)out;
  for (long y = 0; y < h; y++)
    for (long x = 0; x < w; x++) {
      long at = quarters == 1   ? (w - 1 - x) * h + y
                : quarters == 2 ? (h - 1 - y) * w + w - 1 - x
                                : x * h + h - 1 - y;
      to[at] = from[y * w + x];
    }
}

// A part of a picture as the map of a detector: float BGR, 0 to 255, in the upper left of a map of
// height x width, the rest black.
void EXPORT(detector_map)(const byte *in, long w, long left, long top, long part_w, long part_h,
                          long height, long width, float *out) {
  fill(out, 0, map_size(height, width, 3));
  for (long y = 0; y < part_h; y++) {
    const byte *p = in + ((top + y) * w + left) * 4;
    float *to = pixel(out, width, 3, y, 0);
    for (long x = 0; x < part_w; x++, p += 4, to += 3) to[0] = p[2], to[1] = p[1], to[2] = p[0];
  }
}

// One row of a square sampled bicubically through an affine, as cv2.warpAffine of OpenCV 5 does, to
// a 1024th of a pixel. table: for each 1024th the weights of four pixels in 16384ths. What lies
// outside repeats the edge.
static void sample_row(const byte *in, long w, long h, const double *affine, long origin_x,
                       long origin_y, long y, long side, const short *table, byte *out) {
  double start_x = affine[1] * y + affine[2], start_y = affine[4] * y + affine[5];
  for (long x = 0; x < side; x++, out += 4) {
    int at_x = (int)__builtin_nearbyint((affine[0] * x + start_x) * 1024);
    int at_y = (int)__builtin_nearbyint((affine[3] * x + start_y) * 1024);
    const short *across = table + (at_x & 1023) * 4, *down = table + (at_y & 1023) * 4;
    long left = origin_x + (at_x >> 10) - 1, top = origin_y + (at_y >> 10) - 1;
    int pairs[2];
    __builtin_memcpy(pairs, across, 8);
    s8 first = (s8)(i4){pairs[0], pairs[0], pairs[0], pairs[0]};
    s8 second = (s8)(i4){pairs[1], pairs[1], pairs[1], pairs[1]};
    f4 sum = splat(0);
    byte edge[16];
    bool inside = left >= 0 && top >= 0 && left + 3 < w && top + 3 < h;
    for (int r = 0; r < 4; r++) {
      const byte *p = in + ((top + r) * w + left) * 4;
      if (!inside) {
        p = edge;
        for (int q = 0; q < 4; q++) {
          long from = clamp(top + r, 0, h - 1) * w + clamp(left + q, 0, w - 1);
          __builtin_memcpy(edge + 4 * q, in + from * 4, 4);
        }
      }
      s8 one = __builtin_convertvector(*(const b8 *)p, s8);
      s8 two = __builtin_convertvector(*(const b8 *)(p + 8), s8);
      one = __builtin_shufflevector(one, one, 0, 4, 1, 5, 2, 6, 3, 7);
      two = __builtin_shufflevector(two, two, 0, 4, 1, 5, 2, 6, 3, 7);
      i4 row = __builtin_wasm_dot_s_i32x4_i16x8(one, first) +
               __builtin_wasm_dot_s_i32x4_i16x8(two, second);
      sum = mul_add(__builtin_convertvector(row, f4), splat(down[r]), sum);
    }
    store_rounded(out, sum * splat(1.f / (1 << 28)));
  }
}

// A square of `large` pixels, sampled through an affine from its pixels to those of the picture
// (both counted by centres), and shrunk to `side`, as Pillow does: first the rows, then the
// columns. The affine counts from the pixel (origin_x, origin_y), so that its 1024ths fit into an
// int in the largest picture. spans: of each pixel of the side the first and number of those that
// it is made of; weights in 2^22ths, `most` for each. line: large * 4 bytes; between: large * side
// * 4 bytes.
void EXPORT(cut_square)(const byte *in, long w, long h, const double *affine, long origin_x,
                        long origin_y, long large, const short *table, long side, const int *spans,
                        const int *weights, long most, byte *line, byte *between, byte *out) {
  i4 half = {1 << 21, 1 << 21, 1 << 21, 1 << 21};
  for (long y = 0; y < large; y++) {
    byte *row = large == side ? out + y * side * 4 : line;
    sample_row(in, w, h, affine, origin_x, origin_y, y, large, table, row);
    if (large == side) continue;
    for (long x = 0; x < side; x++) {
      const byte *p = line + spans[2 * x] * 4;
      i4 sum = half;
      for (long q = 0; q < spans[2 * x + 1]; q++) sum += ints(p + 4 * q) * weights[x * most + q];
      store_clipped(between + (y * side + x) * 4, sum >> 22);
    }
  }
  if (large == side) return;
  for (long y = 0; y < side; y++)
    for (long x = 0; x < side; x++) {
      const byte *p = between + (spans[2 * y] * side + x) * 4;
      i4 sum = half;
      for (long r = 0; r < spans[2 * y + 1]; r++)
        sum += ints(p + 4 * r * side) * weights[y * most + r];
      store_clipped(out + (y * side + x) * 4, sum >> 22);
    }
}

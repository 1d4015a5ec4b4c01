// 3x3 convolutions by Winograd's minimal filtering: Lavin and Gray, CVPR 2016,
// https://arxiv.org/abs/1509.09308. F(4x4, 3x3) takes a quarter of the multiplications, and
// F(2x2, 3x3), for maps whose sides are no multiple of 4, four ninths.
#include "kernel.h"

enum { TILES = 36 };  // at once: what they need fits into the second cache

static const float G4[6][3] = {
    {1 / 4.f, 0, 0},
    {-1 / 6.f, -1 / 6.f, -1 / 6.f},
    {-1 / 6.f, 1 / 6.f, -1 / 6.f},
    {1 / 24.f, 1 / 12.f, 1 / 6.f},
    {1 / 24.f, -1 / 12.f, 1 / 6.f},
    {0, 0, 1},
};
static const float G2[4][3] = {{1, 0, 0}, {.5f, .5f, .5f}, {.5f, -.5f, .5f}, {0, 0, 1}};

// weights: [cout][cin][3][3]. side: of an output tile, 4 or 2. Gives (side + 2)^2 matrices, each
// packed as matmul() reads them.
void EXPORT(winograd_weights)(const float *weights, long cout, long cin, long side, float *out) {
  long size = side + 2;
  const float(*g)[3] = side == 4 ? G4 : G2;
  for (long o = 0; o < cout; o++)
    for (long i = 0; i < cin; i++, weights += 9)
      for (long y = 0; y < size; y++)
        for (long x = 0; x < size; x++) {
          float sum = 0;
          for (long r = 0; r < 3; r++)
            for (long q = 0; q < 3; q++) sum += g[y][r] * weights[r * 3 + q] * g[x][q];
          long matrix = y * size + x;
          out[((matrix * (cout / 8) + o / 8) * cin + i) * 8 + o % 8] = sum;
        }
}

// How many floats of scratch winograd() needs.
long EXPORT(winograd_scratch)(long cin, long cout) { return 36L * TILES * (cin + cout); }

// The transforms of one row or column, in place of six (four) values and then fewer.
static inline void into4(const f4 *d, f4 *out) {
  f4 a = d[4] - 4 * d[2], b = d[3] - 4 * d[1], e = d[4] - d[2], f = 2 * (d[3] - d[1]);
  out[0] = 4 * d[0] - 5 * d[2] + d[4];
  out[1] = a + b;
  out[2] = a - b;
  out[3] = e + f;
  out[4] = e - f;
  out[5] = 4 * d[1] - 5 * d[3] + d[5];
}
static inline void from4(const f4 *m, f4 *out) {
  f4 a = m[1] + m[2], b = m[1] - m[2], e = m[3] + m[4], f = m[3] - m[4];
  out[0] = m[0] + a + e;
  out[1] = b + 2 * f;
  out[2] = a + 4 * e;
  out[3] = b + 8 * f + m[5];
}
static inline void into2(const f4 *d, f4 *out) {
  out[0] = d[0] - d[2];
  out[1] = d[1] + d[2];
  out[2] = d[2] - d[1];
  out[3] = d[1] - d[3];
}
static inline void from2(const f4 *m, f4 *out) {
  out[0] = m[0] + m[1] + m[2];
  out[1] = m[1] - m[2] - m[3];
}

// Tiles first to first + count of n images, into count rows of each matrix of `to`.
#define GATHER(SIDE, SIZE)                                                                      \
  static void gather##SIDE(const float *in, long h, long w, long c, long first, long count,     \
                           float *to) {                                                         \
    long across = w / SIDE, each = h / SIDE * across;                                           \
    for (long t = 0; t < count; t++) {                                                          \
      long tile = first + t, y = tile % each / across * SIDE, x = tile % across * SIDE;         \
      const float *image = in + tile / each * map_size(h, w, c);                                \
      const float *corner = image + (y * (w + 2) + x) * c;                                      \
      for (long i = 0; i < c; i += 4) {                                                         \
        f4 half[SIZE][SIZE], line[SIZE], out[SIZE];                                             \
        UNROLL for (int r = 0; r < SIZE; r++) {                                                 \
          UNROLL for (int q = 0; q < SIZE; q++)                                                 \
            line[q] = load(corner + (r * (w + 2) + q) * c + i);                                 \
          into##SIDE(line, half[r]);                                                            \
        }                                                                                       \
        UNROLL for (int q = 0; q < SIZE; q++) {                                                 \
          UNROLL for (int r = 0; r < SIZE; r++) line[r] = half[r][q];                           \
          into##SIDE(line, out);                                                                \
          UNROLL for (int r = 0; r < SIZE; r++)                                                 \
            store(to + ((r * SIZE + q) * count + t) * c + i, out[r]);                           \
        }                                                                                       \
      }                                                                                         \
    }                                                                                           \
  }
GATHER(4, 6) GATHER(2, 4)

// Back to pixels, with the bias and, with relu, nothing below 0.
#define SCATTER(SIDE, SIZE)                                                                     \
  static void scatter##SIDE(const float *from, float *out, long h, long w, long c, long first,  \
                            long count, const float *bias, long relu) {                         \
    long across = w / SIDE, each = h / SIDE * across;                                           \
    f4 least = splat(relu ? 0 : -__builtin_inff());                                             \
    for (long t = 0; t < count; t++) {                                                          \
      long tile = first + t, y = tile % each / across * SIDE, x = tile % across * SIDE;         \
      float *corner = pixel(out + tile / each * map_size(h, w, c), w, c, y, x);                 \
      for (long i = 0; i < c; i += 4) {                                                         \
        f4 half[SIZE][SIDE], line[SIZE], done[SIDE], b = load(bias + i);                        \
        UNROLL for (int r = 0; r < SIZE; r++) {                                                 \
          UNROLL for (int q = 0; q < SIZE; q++)                                                 \
            line[q] = load(from + ((r * SIZE + q) * count + t) * c + i);                        \
          from##SIDE(line, half[r]);                                                            \
        }                                                                                       \
        UNROLL for (int q = 0; q < SIDE; q++) {                                                 \
          UNROLL for (int r = 0; r < SIZE; r++) line[r] = half[r][q];                           \
          from##SIDE(line, done);                                                               \
          UNROLL for (int r = 0; r < SIDE; r++)                                                 \
            store(corner + (r * (w + 2) + q) * c + i, max4(done[r] + b, least));                \
        }                                                                                       \
      }                                                                                         \
    }                                                                                           \
  }
SCATTER(4, 6) SCATTER(2, 4)

// in, out: n maps of cin and cout channels. side: as for the weights; h and w are multiples of it.
void EXPORT(winograd)(const float *in, long n, long h, long w, long cin, long side,
                      const float *weights, const float *bias, long cout, long relu, float *out,
                      float *scratch) {
  long matrices = (side + 2) * (side + 2), total = n * (h / side) * (w / side);
  float *products = scratch + matrices * TILES * cin;
  for (long first = 0; first < total; first += TILES) {
    long count = total - first < TILES ? total - first : TILES;
    (side == 4 ? gather4 : gather2)(in, h, w, cin, first, count, scratch);
    for (long m = 0; m < matrices; m++)
      matmul(scratch + m * count * cin, cin, weights + m * cin * cout, count, cout, cin,
             products + m * count * cout, cout, 0);
    (side == 4 ? scatter4 : scatter2)(products, out, h, w, cout, first, count, bias, relu);
  }
  clear_border(out, n, h, w, cout);
}

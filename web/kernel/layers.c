// The other layers of both networks.
#include "kernel.h"

// The first convolution of a network, 3x3, from 1 or 3 channels, in steps of one or two pixels.
// weights: [3][3][cin][cout]. w / step is a multiple of 4.
void EXPORT(first_conv)(const float *in, long n, long h, long w, long cin, long step,
                        const float *weights, const float *bias, long cout, long relu, float *out) {
  long oh = h / step, ow = w / step, row = (w + 2) * cin, next = step * cin;
  f4 least = splat(relu ? 0 : -__builtin_inff());
  for (long image = 0; image < n; image++)
    for (long y = 0; y < oh; y++)
      for (long x = 0; x < ow; x += 4) {
        const float *from = in + image * map_size(h, w, cin) + y * step * row + x * next;
        float *to = pixel(out + image * map_size(oh, ow, cout), ow, cout, y, x);
        for (long o = 0; o < cout; o += 8) {
          f4 sum[4][2];
          for (int i = 0; i < 4; i++) sum[i][0] = load(bias + o), sum[i][1] = load(bias + o + 4);
          const float *k = weights + o;
          for (long r = 0; r < 3; r++)
            for (long q = 0; q < 3 * cin; q++, k += cout) {
              f4 k0 = load(k), k1 = load(k + 4);
              const float *p = from + r * row + q;
              UNROLL for (int i = 0; i < 4; i++) {
                f4 v = splat(p[i * next]);
                sum[i][0] = mul_add(v, k0, sum[i][0]);
                sum[i][1] = mul_add(v, k1, sum[i][1]);
              }
            }
          for (int i = 0; i < 4; i++) {
            store(to + i * cout + o, max4(sum[i][0], least));
            store(to + i * cout + o + 4, max4(sum[i][1], least));
          }
        }
      }
  clear_border(out, n, oh, ow, cout);
}

enum { COLUMNS = 20 };  // of three rows at once: what they need fits into the first cache

// A row of a 3x3 convolution of each channel alone, from three rows with a border. Each column is
// read once: it is the right one of one pixel, the middle of the next and the left of a third.
static void depthwise_row(const float *above, const float *middle, const float *below, long w,
                          long c, const float *weights, const float *bias, f4 least, float *out) {
  for (long first = 0; first < w; first += COLUMNS) {
    long end = first + COLUMNS < w ? first + COLUMNS : w;
    for (long i = 0; i < c; i += 4) {
      f4 k[9], b = load(bias + i), left_done = splat(0), middle_done = splat(0);
      UNROLL for (int j = 0; j < 9; j++) k[j] = load(weights + j * c + i);
      const float *p = above + first * c + i, *q = middle + first * c + i;
      const float *r = below + first * c + i;
      float *to = out + (first - 2) * c + i;
      for (long x = first; x < end + 2; x++, p += c, q += c, r += c, to += c) {
        f4 u = load(p), v = load(q), t = load(r);
        if (x >= first + 2) {
          f4 sum = mul_add(t, k[8], mul_add(v, k[5], mul_add(u, k[2], middle_done)));
          store(to, max4(sum, least));
        }
        middle_done = mul_add(t, k[7], mul_add(v, k[4], mul_add(u, k[1], left_done)));
        left_done = mul_add(t, k[6], mul_add(v, k[3], mul_add(u, k[0], b)));
      }
    }
  }
}

// A 1x1 convolution and a 3x3 one of each channel alone, row by row, so that what lies between them
// never leaves the cache. pointwise: packed. depthwise: [9][cout]. scratch: 3 * (w + 2) * cout.
void EXPORT(separable_conv)(const float *in, long h, long w, long cin, const float *pointwise,
                            const float *pointwise_bias, const float *depthwise,
                            const float *depthwise_bias, long cout, long relu, float *out,
                            float *scratch) {
  long row = (w + 2) * cout;
  f4 least = splat(relu ? 0 : -__builtin_inff());
  fill(scratch, 0, 3 * row);  // the borders, and the row above the first
  for (long y = 0; y <= h; y++) {
    float *newest = scratch + (y + 1) % 3 * row;
    if (y < h)
      matmul(in + ((y + 1) * (w + 2) + 1) * cin, cin, pointwise, w, cout, cin, newest + cout, cout,
             pointwise_bias);
    else
      fill(newest, 0, row);
    if (y > 0)
      depthwise_row(scratch + (y + 2) % 3 * row, scratch + y % 3 * row, newest, w, cout, depthwise,
                    depthwise_bias, least, out + (y * (w + 2) + 1) * cout);
  }
  clear_border(out, 1, h, w, cout);
}

// The largest of each 2x2: h and w are even.
void EXPORT(max_pool)(const float *in, long n, long h, long w, long c, float *out) {
  long oh = h / 2, ow = w / 2, row = (w + 2) * c;
  for (long image = 0; image < n; image++)
    for (long y = 0; y < oh; y++)
      for (long x = 0; x < ow; x++) {
        const float *p = in + image * map_size(h, w, c) + (2 * y + 1) * row + (2 * x + 1) * c;
        float *to = pixel(out + image * map_size(oh, ow, c), ow, c, y, x);
        for (long i = 0; i < c; i += 4) {
          f4 up = max4(load(p + i), load(p + c + i));
          f4 low = max4(load(p + row + i), load(p + row + c + i));
          store(to + i, max4(up, low));
        }
      }
  clear_border(out, n, oh, ow, c);
}

// A large map, and one of half its sides with each pixel twice in each direction, added up.
void EXPORT(add_upsampled)(const float *half, const float *large, long h, long w, long c,
                           float *out) {
  for (long y = 0; y < h; y++)
    for (long x = 0; x < w; x++) {
      const float *p = half + ((y / 2 + 1) * (w / 2 + 2) + x / 2 + 1) * c;
      long at = ((y + 1) * (w + 2) + x + 1) * c;
      for (long i = 0; i < c; i += 4) store(out + at + i, load(large + at + i) + load(p + i));
    }
  clear_border(out, 1, h, w, c);
}

// max(x, 0) + e^min(x, 0) - 1, in place.
void EXPORT(elu)(float *map, long n, long h, long w, long c) {
  for (long i = 0; i < n * map_size(h, w, c); i += 4) {
    f4 x = load(map + i), below = __builtin_wasm_min_f32x4(x, splat(0));
    store(map + i, max4(x, splat(0)) + exp4(below) - 1);
  }
}

// x * scale + shift of each channel, in place; the border stays 0.
void EXPORT(scale_shift)(float *map, long n, long h, long w, long c, const float *scale,
                         const float *shift) {
  for (long image = 0; image < n; image++, map += map_size(h, w, c))
    for (long y = 0; y < h; y++)
      for (long x = 0; x < w; x++) {
        float *p = pixel(map, w, c, y, x);
        for (long i = 0; i < c; i += 4)
          store(p + i, mul_add(load(p + i), load(scale + i), load(shift + i)));
      }
}

// Preprocessed faces [n][c][h][w] -> maps. With standardize each has mean 0 and standard deviation
// 1 then; what varies less than least_std is not blown up.
void EXPORT(input_maps)(const float *faces, long n, long c, long h, long w, long standardize,
                        float least_std, float *out) {
  for (long image = 0; image < n; image++, faces += c * h * w, out += map_size(h, w, c)) {
    double mean = 0, spread = 0;
    if (standardize) {
      for (long i = 0; i < c * h * w; i++) mean += faces[i];
      mean /= c * h * w;
      for (long i = 0; i < c * h * w; i++) spread += (faces[i] - mean) * (faces[i] - mean);
      spread = __builtin_sqrt(spread / (c * h * w));
    }
    float scale = !standardize ? 1 : 1 / (spread < least_std ? least_std : (float)spread);
    for (long i = 0; i < c; i++)
      for (long y = 0; y < h; y++)
        for (long x = 0; x < w; x++)
          pixel(out, w, c, y, x)[i] = (faces[(i * h + y) * w + x] - (float)mean) * scale;
    clear_border(out, 1, h, w, c);
  }
}

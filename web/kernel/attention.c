// CBAM: Woo et al., ECCV 2018, https://arxiv.org/abs/1807.06521; fer_cbam/models/cbam.py says what
// is ours.
#include "kernel.h"

enum { KERNEL = 7, REACH = KERNEL / 2 };

static void add_mlp(const float *x, long c, long hidden, const float *down, const float *up,
                    float *between, float *sum) {
  for (long j = 0; j < hidden; j++) {
    f4 total = splat(0);
    for (long i = 0; i < c; i += 4) total = mul_add(load(down + j * c + i), load(x + i), total);
    between[j] = sum4(total) > 0 ? sum4(total) : 0;
  }
  for (long i = 0; i < c; i++)
    for (long j = 0; j < hidden; j++) sum[i] += up[i * hidden + j] * between[j];
}

// Weigh the channels of n maps, in place. down: [hidden][c], up: [c][hidden]; hidden is at most c.
// scratch: 4 * c floats.
void EXPORT(channel_attention)(float *map, long n, long h, long w, long c, long hidden,
                               const float *down, const float *up, float *scratch) {
  float *mean = scratch, *most = scratch + c, *gate = scratch + 2 * c, *between = scratch + 3 * c;
  for (long image = 0; image < n; image++, map += map_size(h, w, c)) {
    for (long i = 0; i < c; i += 4) {
      f4 sum = splat(0), largest = splat(-__builtin_inff());
      for (long y = 0; y < h; y++)
        for (long x = 0; x < w; x++) {
          f4 v = load(pixel(map, w, c, y, x) + i);
          sum += v;
          largest = max4(largest, v);
        }
      store(mean + i, sum / (float)(h * w));
      store(most + i, largest);
      store(gate + i, splat(0));
    }
    add_mlp(mean, c, hidden, down, up, between, gate);
    add_mlp(most, c, hidden, down, up, between, gate);
    for (long i = 0; i < c; i++) gate[i] = sigmoid(gate[i]);
    for (long y = 0; y < h; y++)
      for (long x = 0; x < w; x++) {
        float *p = pixel(map, w, c, y, x);
        for (long i = 0; i < c; i += 4) store(p + i, load(p + i) * load(gate + i));
      }
  }
}

// Mean and maximum across the channels, as two planes with REACH more pixels on each side: zeros,
// or, with repeat, the border again.
static void pool_channels(float *map, long h, long w, long c, long repeat, float *planes) {
  long width = w + 2 * REACH, size = width * (h + 2 * REACH);
  fill(planes, 0, 2 * size);
  for (long y = 0; y < h; y++)
    for (long x = 0; x < w; x++) {
      const float *p = pixel(map, w, c, y, x);
      f4 sum = splat(0), most = splat(-__builtin_inff());
      for (long i = 0; i < c; i += 4) {
        sum += load(p + i);
        most = max4(most, load(p + i));
      }
      float *to = planes + (y + REACH) * width + x + REACH;
      to[0] = sum4(sum) / c;
      to[size] = most[0];
      for (int i = 1; i < 4; i++)
        if (most[i] > to[size]) to[size] = most[i];
    }
  if (!repeat) return;
  for (long plane = 0; plane < 2; plane++)
    for (long y = 0; y < h + 2 * REACH; y++)
      for (long x = 0; x < width; x++) {
        long from = clamp(y, REACH, h + REACH - 1) * width + clamp(x, REACH, w + REACH - 1);
        planes[plane * size + y * width + x] = planes[plane * size + from];
      }
}

// Weigh the places of n maps, in place. weights: [2][7][7]. The gate is the sigmoid of the
// convolution times scale plus shift; normalized, it is divided by its mean, and the convolution
// sees the border repeated. gate: n * h * w. scratch: 2 * (h + 6) * (w + 6) floats.
void EXPORT(spatial_attention)(float *map, long n, long h, long w, long c, const float *weights,
                               long normalized, float scale, float shift, float *gate,
                               float *scratch) {
  long width = w + 2 * REACH, size = width * (h + 2 * REACH);
  for (long image = 0; image < n; image++, map += map_size(h, w, c), gate += h * w) {
    pool_channels(map, h, w, c, normalized, scratch);
    float total = 0;
    for (long y = 0; y < h; y++)
      for (long x = 0; x < w; x++) {
        float sum = 0;
        for (long p = 0; p < 2; p++)
          for (long r = 0; r < KERNEL; r++)
            for (long q = 0; q < KERNEL; q++)
              sum += weights[(p * KERNEL + r) * KERNEL + q] *
                     scratch[p * size + (y + r) * width + x + q];
        total += gate[y * w + x] = sigmoid(sum * scale + shift);
      }
    float mean = total / (h * w), even = normalized ? (mean < 0.05f ? 0.05f : mean) : 1;
    for (long y = 0; y < h; y++)
      for (long x = 0; x < w; x++) {
        float *p = pixel(map, w, c, y, x), weight = gate[y * w + x] /= even;
        for (long i = 0; i < c; i += 4) store(p + i, load(p + i) * weight);
      }
  }
}

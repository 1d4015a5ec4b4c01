// From the last map to logits, embedding and the Grad-CAM of every class (Selvaraju et al., ICCV
// 2017, https://arxiv.org/abs/1610.02391) in closed form: fer_cbam/models/class_maps.py.
#include "kernel.h"

static float dot(const float *a, const float *b, long n) {
  f4 sum = splat(0);
  long i = 0;
  for (; i + 4 <= n; i += 4) sum = mul_add(load(a + i), load(b + i), sum);
  float total = sum4(sum);
  for (; i < n; i++) total += a[i] * b[i];
  return total;
}

// weights: [k][c], one row for each class. maps: [k][h][w].
static void class_maps(float *map, long h, long w, long c, const float *weights, long k,
                       float *maps) {
  for (long j = 0; j < k; j++)
    for (long y = 0; y < h; y++)
      for (long x = 0; x < w; x++)
        maps[(j * h + y) * w + x] = dot(pixel(map, w, c, y, x), weights + j * c, c);
}

// Global average pooling and one linear layer. weights: [k][c]. logits: [n][k], embedding: [n][c],
// maps: [n][k][h][w].
void EXPORT(pooled_head)(float *map, long n, long h, long w, long c, long k, const float *weights,
                         const float *bias, float *logits, float *embedding, float *maps) {
  for (long image = 0; image < n; image++, map += map_size(h, w, c)) {
    for (long i = 0; i < c; i += 4) {
      f4 sum = splat(0);
      for (long y = 0; y < h; y++)
        for (long x = 0; x < w; x++) sum += load(pixel(map, w, c, y, x) + i);
      store(embedding + i, sum / (float)(h * w));
    }
    for (long j = 0; j < k; j++) logits[j] = dot(weights + j * c, embedding, c) + bias[j];
    class_maps(map, h, w, c, weights, k, maps);
    for (long i = 0; i < k * h * w; i++) maps[i] /= h * w;
    logits += k;
    embedding += c;
    maps += k * h * w;
  }
}

// A dense layer over the flattened map, ELU, and a linear layer. dense: [hidden][h][w][c];
// by_channel: [hidden][c], the mean of dense over places. scratch: k * c + hidden floats.
void EXPORT(flat_head)(float *map, long n, long h, long w, long c, long hidden, const float *dense,
                       const float *dense_bias, const float *by_channel, long k,
                       const float *weights, const float *bias, float *logits, float *embedding,
                       float *maps, float *scratch) {
  float *gradient = scratch, *slope = scratch + k * c;
  for (long image = 0; image < n; image++, map += map_size(h, w, c)) {
    for (long j = 0; j < hidden; j++) {
      float x = dense_bias[j];
      for (long y = 0; y < h; y++)
        x += dot(pixel(map, w, c, y, 0), dense + (j * h + y) * w * c, w * c);
      slope[j] = x > 0 ? 1 : exp4(splat(x))[0];
      embedding[j] = x > 0 ? x : slope[j] - 1;
    }
    for (long j = 0; j < k; j++) {
      logits[j] = dot(weights + j * hidden, embedding, hidden) + bias[j];
      fill(gradient + j * c, 0, c);
      for (long i = 0; i < hidden; i++) {
        float *to = gradient + j * c, weight = weights[j * hidden + i] * slope[i];
        for (long q = 0; q < c; q++) to[q] += weight * by_channel[i * c + q];
      }
    }
    class_maps(map, h, w, c, gradient, k, maps);
    logits += k;
    embedding += hidden;
    maps += k * h * w;
  }
}

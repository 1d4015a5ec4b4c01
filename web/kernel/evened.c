// A picture with its noise smoothed and its contrast evened out, for a second look in the dark: see
// evened() in fer_cbam/detect/yunet.py. Contrast-limited adaptive histogram equalisation of the
// lightness of CIE Lab: Zuiderveld, Graphics Gems IV, 1994, p. 474, as in OpenCV.
#include "kernel.h"

enum { GRID = 4, BINS = 256 };

// Places beyond the edge are those mirrored at its outermost pixel.
static long mirrored(long i, long n) {
  while (n > 1 && (i < 0 || i >= n)) i = i < 0 ? -i : 2 * (n - 1) - i;
  return n > 1 ? i : 0;
}

// A binomial filter of five by five over RGBA bytes. line: 4 * w floats.
static void smooth(const byte *in, long w, long h, byte *out, float *line) {
  static const float k[5] = {1, 4, 6, 4, 1};
  for (long y = 0; y < h; y++) {
    fill(line, 0, 4 * w);
    for (long r = 0; r < 5; r++) {
      const byte *row = in + mirrored(y + r - 2, h) * w * 4;
      for (long x = 0; x < w; x++)
        store(line + 4 * x, load(line + 4 * x) + splat(k[r]) * four_bytes(row + 4 * x));
    }
    for (long x = 0; x < w; x++) {
      f4 sum = splat(128);
      for (long q = 0; q < 5; q++) sum += splat(k[q]) * load(line + 4 * mirrored(x + q - 2, w));
      for (int c = 0; c < 4; c++) out[(y * w + x) * 4 + c] = (byte)((int)sum[c] >> 8);
    }
  }
}

// What each lightness of each tile becomes. plane: w x h; a tile is tile_w x tile_h, and what lies
// beyond the plane is mirrored. maps: [GRID][GRID][BINS].
static void equalise(const byte *plane, long w, long h, long tile_w, long tile_h, float limit,
                     byte *maps) {
  long area = tile_w * tile_h;
  int most = (int)(limit * area / BINS);
  if (most < 1) most = 1;
  for (long tile = 0; tile < GRID * GRID; tile++, maps += BINS) {
    int bins[BINS] = {0}, over = 0;
    for (long y = 0; y < tile_h; y++)
      for (long x = 0; x < tile_w; x++) {
        long from_y = mirrored(tile / GRID * tile_h + y, h);
        bins[plane[from_y * w + mirrored(tile % GRID * tile_w + x, w)]]++;
      }
    for (int i = 0; i < BINS; i++)
      if (bins[i] > most) over += bins[i] - most, bins[i] = most;
    int each = over / BINS, left = over % BINS;
    for (int i = 0; i < BINS; i++) bins[i] += each;
    int step = left ? BINS / left : 1;
    if (step < 1) step = 1;
    for (int i = 0; i < BINS && left > 0; i += step, left--) bins[i]++;
    int sum = 0;
    for (int i = 0; i < BINS; i++) {
      sum += bins[i];
      maps[i] = (byte)clamp((long)__builtin_nearbyintf(sum * (255.f / area)), 0, 255);
    }
  }
}

// Between which two tiles a place lies, and how far towards the second.
static float between(long at, long tile, long *first, long *second) {
  float place = at * (1.f / tile) - 0.5f;
  long low = (long)__builtin_floorf(place);
  *first = low < 0 ? 0 : low;
  *second = low + 1 > GRID - 1 ? GRID - 1 : low + 1;
  return place - low;
}

static void equalised(byte *plane, long w, long h, float limit, byte *maps) {
  // OpenCV pads by a whole row of tiles' rest where one side alone does not divide.
  long whole = w % GRID == 0 && h % GRID == 0;
  long tile_w = whole ? w / GRID : w / GRID + 1, tile_h = whole ? h / GRID : h / GRID + 1;
  equalise(plane, w, h, tile_w, tile_h, limit, maps);
  for (long y = 0; y < h; y++)
    for (long x = 0; x < w; x++) {
      long up, low, left, right, value = plane[y * w + x];
      float down = between(y, tile_h, &up, &low), across = between(x, tile_w, &left, &right);
      const byte *a = maps + up * GRID * BINS + value, *b = maps + low * GRID * BINS + value;
      float top = a[left * BINS] * (1 - across) + a[right * BINS] * across;
      float bottom = b[left * BINS] * (1 - across) + b[right * BINS] * across;
      float mixed = __builtin_nearbyintf(top * (1 - down) + bottom * down);
      plane[y * w + x] = (byte)clamp((long)mixed, 0, 255);
    }
}

// Linear RGB to XYZ over the white of D65, in 4096ths, and back: ITU-R BT.709.
static const int TO_XYZ[3][3] = {{1777, 1541, 778}, {871, 2929, 296}, {73, 448, 3575}};
#define X 0.950456f
#define Z 1.088754f
static const float TO_RGB[3][3] = {{3.240479f * X, -1.53715f, -0.498535f * Z},
                                   {-0.969256f * X, 1.875991f, 0.041556f * Z},
                                   {0.055648f * X, -0.204043f, 1.057311f * Z}};
enum { STEPS = 4096 };  // of the table of bytes

static inline float looked_up(const float *table, float x) {
  float place = x < 0 ? 0 : x > 1 ? STEPS : x * STEPS;
  long at = (long)place;
  if (at >= STEPS) return table[STEPS];
  return table[at] + (place - at) * (table[at + 1] - table[at]);
}
static inline byte rounded(float x) {
  return (byte)(x < 0 ? 0 : x > 255 ? 255 : __builtin_nearbyintf(x));
}

// x / 2^bits, rounded.
static inline int descaled(int x, int bits) { return (x + (1 << (bits - 1))) >> bits; }

// RGBA -> three planes L, a, b, in whole numbers, as OpenCV does it for bytes: in the dark its steps
// are coarse. linear: of 256 bytes, the light that they stand for, of 2040. roots: Lab's f of light,
// of 2^15.
static void to_lab(const byte *in, long n, const int *linear, const int *roots, byte *lab) {
  enum { LIGHT = 12, ROOT = 15 };
  int scale = (116 * 255 + 50) / 100, shift = -((16 * 255 * (1 << ROOT) + 50) / 100);
  for (long i = 0; i < n; i++, in += 4) {
    int f[3];
    for (int j = 0; j < 3; j++) {
      const int *m = TO_XYZ[j];
      int light = m[0] * linear[in[0]] + m[1] * linear[in[1]] + m[2] * linear[in[2]];
      f[j] = roots[descaled(light, LIGHT)];
    }
    lab[i] = (byte)clamp(descaled(scale * f[1] + shift, ROOT), 0, 255);
    lab[n + i] = (byte)clamp(descaled(500 * (f[0] - f[1]) + (128 << ROOT), ROOT), 0, 255);
    lab[2 * n + i] = (byte)clamp(descaled(200 * (f[1] - f[2]) + (128 << ROOT), ROOT), 0, 255);
  }
}

// Back again. gamma: STEPS + 1 bytes (as floats) of light in [0, 1].
static void from_lab(const byte *lab, long n, const float *gamma, byte *out) {
  for (long i = 0; i < n; i++, out += 4) {
    float y = (lab[i] / 2.55f + 16) / 116, xyz[3];
    float f[3] = {y + (lab[n + i] - 128) / 500.f, y, y - (lab[2 * n + i] - 128) / 200.f};
    for (int j = 0; j < 3; j++)
      xyz[j] = f[j] > 6 / 29.f ? f[j] * f[j] * f[j] : (f[j] - 16 / 116.f) / 7.787f;
    for (int c = 0; c < 3; c++) {
      const float *m = TO_RGB[c];
      float light = m[0] * xyz[0] + m[1] * xyz[1] + m[2] * xyz[2];
      out[c] = rounded(looked_up(gamma, light));
    }
  }
}

// lab: 3 * w * h bytes. line: 4 * w floats. maps: GRID * GRID * BINS bytes.
void EXPORT(even_out)(const byte *in, long w, long h, float limit, const int *linear,
                      const int *roots, const float *gamma, byte *out, byte *lab, float *line,
                      byte *maps) {
  smooth(in, w, h, out, line);
  to_lab(out, w * h, linear, roots, lab);
  equalised(lab, w, h, limit, maps);
  from_lab(lab, w * h, gamma, out);
}

// Memory is taken in a row and given back down to a mark: no list of free blocks, no growth beyond
// what the largest picture needed.
#include "kernel.h"

extern byte __heap_base;
static unsigned long top;

// The address from which on memory is free, a multiple of 64.
unsigned long EXPORT(mark)(void) {
  if (!top) top = ((unsigned long)&__heap_base + 63) & ~63ul;
  return top;
}

// Give back all that was taken since that mark.
void EXPORT(release)(unsigned long at) { top = at; }

// The address of so many bytes; 0 where there are none left.
unsigned long EXPORT(take)(unsigned long bytes) {
  unsigned long at = mark(), end;
  if (__builtin_add_overflow(at, bytes, &end) || end > 0xffff0000ul) return 0;
  long pages = (long)((end + 65535) / 65536) - (long)__builtin_wasm_memory_size(0);
  if (pages > 0 && __builtin_wasm_memory_grow(0, pages) == (unsigned long)-1) return 0;
  top = (end + 63) & ~63ul;
  return at;
}

void fill(float *p, float value, long count) {
  for (long i = 0; i < count; i++) p[i] = value;
}

void clear_border(float *map, long n, long h, long w, long c) {
  long row = (w + 2) * c;
  for (long i = 0; i < n; i++, map += map_size(h, w, c)) {
    fill(map, 0, row);
    for (long y = 1; y <= h; y++) {
      fill(map + y * row, 0, c);
      fill(map + (y + 1) * row - c, 0, c);
    }
    fill(map + (h + 1) * row, 0, row);
  }
}

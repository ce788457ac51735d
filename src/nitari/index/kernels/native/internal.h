/* What the files here share, and Python does not see. What is called for each row or block is defined in a header, so that
   compilers see it where it is called. */
#ifndef NITARI_INTERNAL_H
#define NITARI_INTERNAL_H

#include <stdint.h>

#include "simd.h"

#if defined(__GNUC__) || defined(__clang__)
#define PREFETCH(address) __builtin_prefetch(address)
static inline int lowest_bit(uint32_t bits) { return __builtin_ctz(bits); }
#else
#define PREFETCH(address) ((void)0)
static inline int lowest_bit(uint32_t bits)
{
    int at = 0;
    while (!(bits & 1u)) {
        bits >>= 1;
        at++;
    }
    return at;
}
#endif

#define BLOCK 32
#define LINE 64
#define AHEAD 12 /* rows to ask memory for before they are needed */

/* The loops for the instructions in use. */
const nitari_ops *nitari_ops_now(void);

static inline void ask_for(const void *row, int64_t bytes)
{
    for (int64_t at = 0; at < bytes && at < 16 * LINE; at += LINE)
        PREFETCH((const char *)row + at);
}

#endif

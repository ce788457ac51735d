/* Which rows may be answered, 32 at a time: a word has the bit of the first row lowest. */
#ifndef NITARI_ALLOWED_H
#define NITARI_ALLOWED_H

#include <stdint.h>

#include "internal.h"

#define FEW 8 /* rows of a block that are asked about one by one; more of them are, together */

/* Of the rows `begin` to `end`, those of a block. */
static inline uint32_t rows_within(int64_t first, int64_t begin, int64_t end)
{
    uint32_t within = 0xffffffffu;
    if (first < begin)
        within &= 0xffffffffu << (begin - first);
    if (first + BLOCK > end)
        within &= 0xffffffffu >> (first + BLOCK - end);
    return within;
}

/* Which rows may be answered: those that have their bit in `bits`, and whose items pass. */
typedef struct {
    const uint8_t *bits;    /* a bit a slot; NULL for all */
    const int32_t *places;  /* for each slot, where its item stands, -1 for nowhere; NULL where items do not matter */
    const uint8_t *passing; /* a bit a place */
} filter;

/* Rows `from` to `to`, at most 32 of them, as bits, the lowest one of the row `from`. */
static inline uint32_t looked_up(const nitari_ops *ops, const int32_t *places, const uint8_t *passing, int64_t from,
                                 int64_t to)
{
    uint32_t word = 0;
    if (to - from == BLOCK)
        return ops->look(places + from, passing);
    for (int64_t slot = from; slot < to; slot++)
        if (places[slot] >= 0)
            word |= (uint32_t)(passing[places[slot] >> 3] >> (places[slot] & 7) & 1) << (slot - from);
    return word;
}

/* The 32 bits from the one numbered `first`, a multiple of 8, of a bitmap of `count`, whose end may be near. */
static inline uint32_t word_of(const uint8_t *bits, int64_t first, int64_t count)
{
    int64_t left = (count + 7) / 8 - first / 8;
    uint32_t word = 0;
    for (int byte = 0; byte < 4 && byte < left; byte++)
        word |= (uint32_t)bits[first / 8 + byte] << (8 * byte);
    return word;
}

static inline int bits_in(uint32_t word)
{
    word -= word >> 1 & 0x55555555u;
    word = (word & 0x33333333u) + (word >> 2 & 0x33333333u);
    return (int)((((word + (word >> 4)) & 0x0f0f0f0fu) * 0x01010101u) >> 24);
}

/* Of the rows `begin` to `end`, those of a block that may be answered. */
static inline uint32_t allowed_rows(const nitari_ops *ops, const filter *only, int64_t count, int64_t first,
                                    int64_t begin, int64_t end)
{
    uint32_t wanted = rows_within(first, begin, end);
    if (only->bits)
        wanted &= word_of(only->bits, first, count);
    if (only->places && wanted)
        wanted &= looked_up(ops, only->places, only->passing, first, first + BLOCK < count ? first + BLOCK : count);
    return wanted;
}

/* Of some rows of a block, those that may be answered: one by one where they are few. */
static inline uint32_t allowed_of(const nitari_ops *ops, const filter *only, int64_t count, int64_t first, uint32_t some)
{
    uint32_t wanted = some;
    if (bits_in(some) > FEW)
        return some & allowed_rows(ops, only, count, first, first, first + BLOCK);
    for (uint32_t left = some; left; left &= left - 1) {
        int row = lowest_bit(left);
        int32_t place = only->places[first + row];
        if (place < 0 || !(only->passing[place >> 3] >> (place & 7) & 1))
            wanted &= ~((uint32_t)1 << row);
    }
    return only->bits && wanted ? wanted & word_of(only->bits, first, count) : wanted;
}

#endif

/* Codes as they are made, and laid out anew. */
#include <string.h>

#include "internal.h"
#include "kernels.h"

/* Codes, one a byte, of rows that are picked out: 32 go to their new block, up to 31 more wait. */
#define SOME 64 /* parts at a time */
typedef struct {
    uint8_t codes[SOME][2 * BLOCK];
    int64_t count;
} picked;

static void lay_down(picked *rows, int64_t parts, uint8_t *out)
{
    for (int64_t part = 0; part < parts; part++, out += BLOCK / 2) {
        uint8_t *codes = rows->codes[part];
        if (rows->count < BLOCK)
            memset(codes + rows->count, 0, (size_t)(BLOCK - rows->count));
        for (int i = 0; i < BLOCK / 2; i++)
            out[i] = (uint8_t)(codes[i] | codes[i + BLOCK / 2] << 4);
        memcpy(codes, codes + BLOCK, BLOCK);
    }
    rows->count = rows->count > BLOCK ? rows->count - BLOCK : 0;
}

void nitari_pick(const uint8_t *codes, int64_t parts, const int64_t *slots, int64_t count, uint8_t *out)
{
    const nitari_ops *ops = nitari_ops_now();
    for (int64_t part = 0; part < parts; part += SOME) {
        int64_t some = parts - part < SOME ? parts - part : SOME;
        uint8_t *to = out + part * (BLOCK / 2);
        picked rows;
        rows.count = 0;
        for (int64_t i = 0; i < count;) {
            int64_t block = slots[i] / BLOCK, last = -1;
            uint8_t from[BLOCK] = {0}; /* which of the first 16 rows of a block, and which of the others */
            int low = 0, high = 0;
            for (; i < count && slots[i] / BLOCK == block && slots[i] > last; last = slots[i++])
                if (slots[i] % BLOCK < BLOCK / 2)
                    from[low++] = (uint8_t)(slots[i] % BLOCK);
                else
                    from[BLOCK / 2 + high++] = (uint8_t)(slots[i] % BLOCK - BLOCK / 2);
            if (i + AHEAD < count)
                ask_for(codes + (slots[i + AHEAD] / BLOCK * parts + part) * (BLOCK / 2), some * (BLOCK / 2));
            ops->pick(codes + (block * parts + part) * (BLOCK / 2), some, from, low, high,
                      &rows.codes[0][0] + rows.count);
            rows.count += low + high;
            if (rows.count >= BLOCK) {
                lay_down(&rows, some, to);
                to += parts * (BLOCK / 2);
            }
        }
        if (rows.count)
            lay_down(&rows, some, to);
    }
}

void nitari_encode(const float *residuals, int64_t count, int64_t reduced, int64_t width, const float *codebooks,
                   uint8_t *out)
{
    int64_t parts = reduced / width;
    for (int64_t row = 0; row < count; row++, residuals += reduced, out += parts)
        for (int64_t part = 0; part < parts; part++) {
            float off[16] = {0};
            int best = 0;
            for (int64_t w = 0; w < width; w++) {
                float number = residuals[part * width + w];
                const float *entries = codebooks + (part * width + w) * 16;
                for (int code = 0; code < 16; code++)
                    off[code] += (number - entries[code]) * (number - entries[code]);
            }
            for (int code = 1; code < 16; code++)
                best = off[code] < off[best] ? code : best;
            out[part] = (uint8_t)best;
        }
}

/* What Python sees of the kernels; cffi reads this file, so no preprocessor lines beyond this comment. */
#include <stdint.h>

/* The instructions in use: 0 plain C, 1 AVX2, 2 AVX-512, 3 NEON. */
int nitari_level(void);

/* Use fewer instructions than the machine has, for tests; returns the level now in use. */
int nitari_set_level(int level);

void nitari_dots_f16(const uint16_t *rows, int64_t dim, const float *query, const int64_t *slots, int64_t count,
                     float *out);
void nitari_dots_f32(const float *rows, int64_t dim, const float *query, const int64_t *slots, int64_t count,
                     float *out);
void nitari_distances_f16(const uint16_t *rows, int64_t dim, const float *query, const int64_t *slots, int64_t count,
                          float *out);
void nitari_distances_f32(const float *rows, int64_t dim, const float *query, const int64_t *slots, int64_t count,
                          float *out);

/* The k best of `count` rows (those of `slots`, or all) by true distance, nearest first; scratch-free for the caller.
   Rows whose bit in `bits` (by slot) is 0 are passed over; `bits` may be NULL. Returns how many were found, -1 where
   there is no memory. */
int64_t nitari_scan_f16(const uint16_t *rows, int64_t dim, const float *query, const int64_t *slots, int64_t count,
                        const uint8_t *bits, int64_t k, int64_t *out_slots, float *out_distances);
int64_t nitari_scan_f32(const float *rows, int64_t dim, const float *query, const int64_t *slots, int64_t count,
                        const uint8_t *bits, int64_t k, int64_t *out_slots, float *out_distances);

/* An inverted file of 4-bit product-quantized codes over rows that lie in the order of their lists. */
typedef struct {
    int64_t count;            /* rows */
    int64_t dim;              /* numbers in a row */
    int64_t reduced;          /* numbers after the rotation */
    int64_t lists;            /* inverted lists */
    int64_t parts;            /* subquantizers, a multiple of 4 */
    int64_t width;            /* numbers in a part: reduced == used parts * width, further parts are padding */
    const float *rotation;    /* [reduced, dim] */
    const uint16_t *centroids; /* fp16 [ceil(lists / 16), reduced, 16]: sixteen side by side, the last ones padding */
    const int64_t *offsets;   /* [lists + 1]: the first row of each list */
    const float *codebooks;   /* [reduced / width, width, 16] */
    const uint8_t *codes;     /* [ceil(count / 32), parts, 16] */
    const uint16_t *rows;     /* fp16 [count, dim] */
    const int32_t *at;        /* [count]: which of `rows` each one is, ascending; NULL where they are all, in order */
} nitari_ivf;

/* Rows may be answered that have their bit in `bits` and whose item passes: `places` says for each slot where its item
   stands (-1 for nowhere), `passing` has a bit for each place, in whole words of 32. `bits`, or `places` with `passing`,
   may be NULL. The nearest `skipped` lists are not looked into; the slots `seeds`, at most `candidates`, stand for what was
   found in them.
   counts[5]: rows truly compared; rows in the lists that were looked into; how many of those were allowed (with `places`
   about how many); how many of the 64 nearest that were found are from the farther half of all `probes` lists; how many
   lists have a centroid whose cosine is at most `gap` less than that of the k-th row found, all where fewer were found, -1
   where `gap` is negative. */
int64_t nitari_ivf_search(const nitari_ivf *ivf, const float *query, int64_t k, int64_t probes, int64_t candidates,
                          const uint8_t *bits, const int32_t *places, const uint8_t *passing, int64_t skipped,
                          const int64_t *seeds, int64_t seeded, float gap, int64_t *out_slots, float *out_distances,
                          int64_t *counts);

/* Which of `count` slots may be answered, as for the search: a bitmap of (count + 7) / 8 bytes. Returns how many. */
int64_t nitari_look_up(const int32_t *places, int64_t count, const uint8_t *passing, const uint8_t *bits, uint8_t *out);

/* The slots at each place, ascending: those of place p are slots[heads[p][0]] up to slots[heads[p + 1][0]], and
   heads[p][1] is the first of them, -1 where there is none. All of `places` are less than `top`; heads: [top + 1][2];
   slots: [count]. */
void nitari_invert(const int32_t *places, int64_t count, int64_t top, int32_t *heads, int32_t *slots);

/* Set the bits of the slots at some places. */
void nitari_mark(const int32_t *heads, const int32_t *slots, const int32_t *places, int64_t count, uint8_t *bits);

/* The slots at some places, one place behind the other; returns how many. At most `room` are
   written. */
int64_t nitari_slots_at(const int32_t *heads, const int32_t *slots, const int32_t *places, int64_t count, int64_t room,
                        int32_t *out);

/* The slots whose bits are set, ascending; returns how many. */
int64_t nitari_slots_of(const uint8_t *bits, int64_t count, int64_t *slots);

/* The codes of some rows (`count` of them, by slot), laid out anew: [ceil(count / 32), parts, 16], zeros at first. */
void nitari_pick(const uint8_t *codes, int64_t parts, const int64_t *slots, int64_t count, uint8_t *out);

/* The nearest of 16 centroids for each part of each row: uint8 [count, reduced / width]. */
void nitari_encode(const float *residuals, int64_t count, int64_t reduced, int64_t width, const float *codebooks,
                   uint8_t *out);

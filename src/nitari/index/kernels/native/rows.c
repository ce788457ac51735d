/* Loops over rows: dot products, true distances, and the nearest by them. */
#include <math.h>
#include <stdlib.h>

#include "best.h"
#include "internal.h"
#include "kernels.h"

/* Distances are multiples of 2**-23, as in ranking.py: float32 holds them all up to 2. What is no number (a file was
   damaged, and the scrub has not come by yet) is as far as can be: nothing here may depend on that it never happens. */
static float on_grid(double cosine)
{
    double distance = rint((1.0 - cosine) * 8388608.0) / 8388608.0;
    return (float)(distance < 0.0 ? 0.0 : distance <= 2.0 ? distance : 2.0);
}

static double *doubled(const float *query, int64_t dim)
{
    double *wide = malloc((size_t)dim * sizeof(double));
    if (wide)
        for (int64_t i = 0; i < dim; i++)
            wide[i] = query[i];
    return wide;
}

#define ROW_LOOPS(SUFFIX, ROW)                                                                                  \
    void nitari_dots_##SUFFIX(const ROW *rows, int64_t dim, const float *query, const int64_t *slots,           \
                              int64_t count, float *out)                                                        \
    {                                                                                                           \
        const nitari_ops *ops = nitari_ops_now();                                                               \
        for (int64_t i = 0; i < count; i++) {                                                                   \
            if (slots && i + AHEAD < count)                                                                     \
                ask_for(rows + slots[i + AHEAD] * dim, dim * (int64_t)sizeof(ROW));                             \
            out[i] = ops->dot_##SUFFIX(rows + (slots ? slots[i] : i) * dim, query, dim);                        \
        }                                                                                                       \
    }                                                                                                           \
                                                                                                                \
    void nitari_distances_##SUFFIX(const ROW *rows, int64_t dim, const float *query, const int64_t *slots,      \
                                   int64_t count, float *out)                                                   \
    {                                                                                                           \
        const nitari_ops *ops = nitari_ops_now();                                                               \
        double *wide = doubled(query, dim);                                                                     \
        for (int64_t i = 0; i < count; i++) {                                                                   \
            if (slots && i + AHEAD < count)                                                                     \
                ask_for(rows + slots[i + AHEAD] * dim, dim * (int64_t)sizeof(ROW));                             \
            out[i] = wide ? on_grid(ops->exact_##SUFFIX(rows + (slots ? slots[i] : i) * dim, wide, dim)) : NAN; \
        }                                                                                                       \
        free(wide);                                                                                             \
    }

ROW_LOOPS(f32, float)
ROW_LOOPS(f16, uint16_t)

/* Where the row of a slot stands. */
static int64_t row_of(const int32_t *at, int32_t slot) { return at ? at[slot] : slot; }

/* The k nearest of what was gathered, by true distances of its rows (their scores are overwritten). */
#define NEAREST(SUFFIX, ROW)                                                                                         \
    int64_t nitari_refine_##SUFFIX(gathering *g, const ROW *rows, int64_t dim, const float *query,                   \
                                   const int32_t *at, int64_t k, int64_t *out_slots, float *out_distances)           \
    {                                                                                                                \
        const nitari_ops *ops = nitari_ops_now();                                                                    \
        double *wide = doubled(query, dim);                                                                          \
        if (!wide)                                                                                                   \
            return -1;                                                                                               \
        for (int64_t i = 0; i < g->count; i++) {                                                                     \
            if (i + AHEAD < g->count)                                                                                \
                ask_for(rows + row_of(at, g->items[i + AHEAD].slot) * dim, dim * (int64_t)sizeof(ROW));              \
            g->items[i].score = -on_grid(ops->exact_##SUFFIX(rows + row_of(at, g->items[i].slot) * dim, wide, dim)); \
        }                                                                                                            \
        free(wide);                                                                                                  \
        if (k > g->count)                                                                                            \
            k = g->count;                                                                                            \
        /* Ties at the k-th place are the caller's to break (by key): the smaller slot is taken here. */             \
        nitari_best_first(g->items, g->count, k);                                                                    \
        for (int64_t i = 0; i < k; i++) {                                                                            \
            out_slots[i] = g->items[i].slot;                                                                         \
            out_distances[i] = -g->items[i].score;                                                                   \
        }                                                                                                            \
        return k;                                                                                                    \
    }                                                                                                                \
                                                                                                                     \
    int64_t nitari_scan_##SUFFIX(const ROW *rows, int64_t dim, const float *query, const int64_t *slots,             \
                                 int64_t count, const uint8_t *bits, int64_t k, int64_t *out_slots,                  \
                                 float *out_distances)                                                               \
    {                                                                                                                \
        const nitari_ops *ops = nitari_ops_now();                                                                    \
        gathering g;                                                                                                 \
        const ROW *row[4]; /* to be compared together */                                                             \
        int64_t found = -1, some[4];                                                                                 \
        float score[4];                                                                                              \
        int n = 0;                                                                                                   \
        /* Twice the bound of a float32 dot product's rounding, as ranking.candidates has it. */                     \
        if (!nitari_gathering_open(&g, k, (float)(dim + 16) * 2.4e-7f))                                              \
            return -1;                                                                                               \
        for (int64_t i = 0; i < count; i++) {                                                                        \
            some[n] = slots ? slots[i] : i;                                                                          \
            if (slots && i + 3 * AHEAD < count) /* its page first: most rows are on pages of their own */            \
                PREFETCH(rows + slots[i + 3 * AHEAD] * dim);                                                         \
            if (slots && i + AHEAD < count)                                                                          \
                ask_for(rows + slots[i + AHEAD] * dim, dim * (int64_t)sizeof(ROW));                                  \
            if (bits && !(bits[some[n] >> 3] >> (some[n] & 7) & 1))                                                  \
                continue;                                                                                            \
            row[n] = rows + some[n] * dim;                                                                           \
            if (++n < 4)                                                                                             \
                continue;                                                                                            \
            ops->dots4_##SUFFIX(row, query, dim, score);                                                             \
            for (n = 0; n < 4; n++)                                                                                  \
                if (score[n] >= g.floor && !gathering_add(&g, score[n], some[n]))                                    \
                    goto done;                                                                                       \
            n = 0;                                                                                                   \
        }                                                                                                            \
        for (int at = 0; at < n; at++) {                                                                             \
            score[0] = ops->dot_##SUFFIX(row[at], query, dim);                                                       \
            if (score[0] >= g.floor && !gathering_add(&g, score[0], some[at]))                                       \
                goto done;                                                                                           \
        }                                                                                                            \
        if (nitari_gathering_thin(&g))                                                                               \
            found = nitari_refine_##SUFFIX(&g, rows, dim, query, NULL, k, out_slots, out_distances);                 \
    done:                                                                                                            \
        free(g.items);                                                                                               \
        return found;                                                                                                \
    }

NEAREST(f32, float)
NEAREST(f16, uint16_t)

/* The best of many rows, while they are looked through. */
#ifndef NITARI_BEST_H
#define NITARI_BEST_H

#include <stdint.h>

typedef struct {
    float score;
    int32_t slot;
} scored;

/* The `keep` best so far, gathered in a buffer that is thinned out when full. What is below `floor` need not come. */
typedef struct {
    scored *items;
    int64_t count, room, keep;
    float floor, margin;
} gathering;

/* Returns 0 where there is no memory, as the others do; else `items` is to be freed. */
int nitari_gathering_open(gathering *g, int64_t keep, float margin);

/* Keep the best; and, with a margin, those that rounding may have put below them. */
int nitari_gathering_thin(gathering *g);

static inline int gathering_add(gathering *g, float score, int64_t slot)
{
    g->items[g->count].score = score;
    g->items[g->count++].slot = (int32_t)slot;
    return g->count < g->room || nitari_gathering_thin(g);
}

/* Afterwards the `keep` largest scores stand first, largest first, ties by smaller slot. */
void nitari_best_first(scored *items, int64_t count, int64_t keep);

/* The k nearest of what was gathered, by true distances of its rows (their scores are overwritten); see rows.c. `at` says
   where the row of a slot stands, NULL where slots are rows. */
int64_t nitari_refine_f32(gathering *g, const float *rows, int64_t dim, const float *query, const int32_t *at,
                          int64_t k, int64_t *out_slots, float *out_distances);
int64_t nitari_refine_f16(gathering *g, const uint16_t *rows, int64_t dim, const float *query, const int32_t *at,
                          int64_t k, int64_t *out_slots, float *out_distances);

#endif

/* Inverted lists of codes: which of them are looked into, what their codes say, and the nearest of the best. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "allowed.h"
#include "best.h"
#include "internal.h"
#include "kernels.h"

static int is_sane(float value) { return fabsf(value) <= FLT_MAX; }

/* One query's tables: what each code of each part adds to the score, as bytes. A score is
   bias of the list + base + sum of bytes * step. */
typedef struct {
    float *rotated; /* [reduced] */
    float *biases;  /* [lists, rounded up to 32] */
    float *sample;  /* [lists / 16, rounded up] */
    float *entries; /* [parts used, 16] */
    uint8_t *table; /* [parts, 16] */
    scored *lists;  /* [lists]: cosine of each centroid */
    scored *spare;  /* [lists]: to sort them */
    float base, step;
    int32_t most;   /* largest sum of bytes */
} tables;

static void fill_tables(const nitari_ivf *ivf, const float *query, tables *t)
{
    const nitari_ops *ops = nitari_ops_now();
    int64_t used = ivf->reduced / ivf->width;
    float widest = 0;
    for (int64_t i = 0; i < ivf->reduced; i++)
        t->rotated[i] = ops->dot_f32(ivf->rotation + i * ivf->dim, query, ivf->dim);
    ops->dots16(ivf->centroids, t->rotated, ivf->reduced, (ivf->lists + 15) / 16, t->biases);
    for (int64_t list = 0; list < ivf->lists; list++) /* without a branch: many at once */
        t->biases[list] = is_sane(t->biases[list]) ? t->biases[list] : -FLT_MAX;
    for (int64_t at = ivf->lists; at % BLOCK; at++)
        t->biases[at] = -FLT_MAX; /* never written otherwise */
    t->base = 0;
    for (int64_t part = 0; part < used; part++) {
        float *entries = t->entries + part * 16, low = FLT_MAX, high = -FLT_MAX;
        memset(entries, 0, 16 * sizeof(float));
        for (int64_t w = 0; w < ivf->width; w++)
            for (int code = 0; code < 16; code++)
                entries[code] += t->rotated[part * ivf->width + w] * ivf->codebooks[(part * ivf->width + w) * 16 + code];
        for (int code = 0; code < 16; code++) {
            low = entries[code] < low ? entries[code] : low;
            high = entries[code] > high ? entries[code] : high;
        }
        for (int code = 0; code < 16; code++)
            entries[code] -= low;
        t->base += low;
        widest = high - low > widest ? high - low : widest;
    }
    if (!is_sane(widest) || !is_sane(t->base))
        widest = t->base = 0;
    t->step = widest > 0 ? widest / 255.0f : 1.0f;
    t->most = 0;
    memset(t->table, 0, (size_t)ivf->parts * 16);
    for (int64_t part = 0; part < used; part++) {
        int32_t high = 0;
        for (int code = 0; code < 16; code++) {
            float scaled = t->entries[part * 16 + code] / t->step + 0.5f;
            int32_t byte = scaled >= 0.0f && scaled < 256.0f ? (int32_t)scaled : 0;
            t->table[part * 16 + code] = (uint8_t)byte;
            high = byte > high ? byte : high;
        }
        t->most += high;
    }
}

/* Ascending where scores descend. */
static uint32_t rank_of(float score)
{
    union { float value; uint32_t bits; } number = {score + 0.0f}; /* there is one zero */
    return number.bits >> 31 ? number.bits : ~(number.bits | 0x80000000u);
}

/* Best first; equal ones stay in the order in which they come. Byte by byte, as thousands of lists come at once. */
static void sort_lists(scored *items, scored *spare, int64_t count)
{
    int32_t starts[4][256];
    scored *from = items, *to = spare, *swap;
    memset(starts, 0, sizeof starts);
    for (int64_t i = 0; i < count; i++)
        for (int byte = 0; byte < 4; byte++)
            starts[byte][rank_of(items[i].score) >> (8 * byte) & 255]++;
    for (int byte = 0; byte < 4; byte++) {
        int32_t *at = starts[byte], sum = 0;
        if (count && at[rank_of(items[0].score) >> (8 * byte) & 255] == count)
            continue; /* all have the same */
        for (int value = 0; value < 256; value++) {
            int32_t here = at[value];
            at[value] = sum;
            sum += here;
        }
        for (int64_t i = 0; i < count; i++)
            to[at[rank_of(from[i].score) >> (8 * byte) & 255]++] = from[i];
        swap = from;
        from = to;
        to = swap;
    }
    if (from != items)
        memcpy(items, from, (size_t)count * sizeof(scored));
}

/* A bound that about `wanted` of some numbers reach, a few more rather than fewer. Bisected, as counting is quick. */
static float about_bound(const float *numbers, int64_t count, int64_t wanted)
{
    float low = numbers[0], high = numbers[0];
    for (int64_t i = 1; i < count; i++) {
        low = numbers[i] < low ? numbers[i] : low;
        high = numbers[i] > high ? numbers[i] : high;
    }
    for (int step = 0; step < 12; step++) {
        float middle = low + (high - low) * 0.5f;
        int32_t reached = 0;
        for (int64_t i = 0; i < count; i++)
            reached += numbers[i] >= middle;
        if (reached >= wanted)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* The lists whose centroids are nearest, nearest first; returns how many (`probes`). A sample says about where the bound
   lies, so that few lists are sorted out rather than all: with 4,096 lists that was a quarter of a query's time. */
static int64_t choose_lists(const nitari_ivf *ivf, const nitari_ops *ops, tables *t, int64_t probes)
{
    const int64_t stride = 16;
    int64_t sampled = 0, found = 0, wanted = probes / stride * 3 / 2 + 4;
    float bound = -FLT_MAX;
    if (probes > ivf->lists)
        probes = ivf->lists;
    for (int64_t list = 0; list < ivf->lists; list += stride)
        t->sample[sampled++] = t->biases[list];
    if (wanted < sampled)
        bound = about_bound(t->sample, sampled, wanted);
    for (; found < probes; bound = -FLT_MAX) { /* once, or twice where the sample was unlucky */
        found = 0;
        for (int64_t first = 0; first < ivf->lists; first += BLOCK)
            for (uint32_t some = ops->reach(t->biases + first, bound) & rows_within(first, 0, ivf->lists); some;
                 some &= some - 1) {
                int64_t list = first + lowest_bit(some);
                t->lists[found].score = t->biases[list];
                t->lists[found++].slot = (int32_t)list;
            }
    }
    sort_lists(t->lists, t->spare, found);
    return probes;
}

/* The smallest sum of bytes that reaches `floor` in a list; above `most` where none does. */
static int32_t least_sum(const tables *t, float bias, float floor)
{
    float sum = ceilf((floor - bias - t->base) / t->step);
    return sum <= 0 ? 0 : sum > (float)t->most ? t->most + 1 : (int32_t)sum;
}

/* Adds to `seen` about how many rows of the list are allowed.

   To ask of a row whether its item passes takes longer than to look at its codes. So once there is a bound, codes come
   first, and only what reaches the bound is asked about; but for lists of whose first rows none passes: what is allowed
   often lies together, and whole lists are passed over without a look at their codes. */
static int scan_list(const nitari_ivf *ivf, const tables *t, const nitari_ops *ops, const scored *list,
                     const filter *only, gathering *g, int64_t *seen)
{
    int64_t begin = ivf->offsets[list->slot], end = ivf->offsets[list->slot + 1], asked = 0, passed = 0;
    float bias = list->score;
    int32_t least = least_sum(t, bias, g->floor);
    int hopeless = least > t->most, every = !only->bits && !only->places;
    uint16_t sums[BLOCK];
    if (every)
        *seen += end - begin;
    if (begin == end || (every && hopeless))
        return 1;
    for (int64_t block = begin / BLOCK; block <= (end - 1) / BLOCK; block++) {
        int64_t first = block * BLOCK;
        uint32_t wanted = rows_within(first, begin, end), reached;
        int later = only->places && passed && least > 0;
        if (!every && !later) {
            asked += bits_in(wanted);
            wanted = allowed_rows(ops, only, ivf->count, first, begin, end);
            passed += bits_in(wanted);
        }
        if (hopeless && only->places && asked)
            break;
        if (!wanted || hopeless)
            continue;
        for (int64_t at = 0; at < ivf->parts * 16; at += LINE) /* blocks to come; beyond the end nothing is read */
            PREFETCH(ivf->codes + (block + 3) * ivf->parts * 16 + at);
        reached = ops->block(ivf->codes + block * ivf->parts * 16, t->table, ivf->parts, (uint16_t)least, sums) & wanted;
        if (later && reached)
            reached = allowed_of(ops, only, ivf->count, first, reached);
        for (; reached; reached &= reached - 1) {
            int row = lowest_bit(reached);
            int full = g->count + 1 == g->room;
            if (!gathering_add(g, bias + t->base + (float)sums[row] * t->step, first + row))
                return 0;
            if (full) {
                least = least_sum(t, bias, g->floor);
                hopeless = least > t->most;
                if (hopeless && every)
                    return 1;
                if (hopeless)
                    break;
            }
        }
    }
    if (asked)
        *seen += asked == end - begin ? passed : (passed * (end - begin) + asked / 2) / asked;
    return 1;
}

/* How many of the nearest rows are from the farther half of the lists. */
static int64_t late(const nitari_ivf *ivf, const scored *lists, int64_t probes, const int64_t *slots, int64_t found)
{
    int64_t count = 0;
    if (probes < 2)
        return 0;
    for (int64_t i = 0; i < found && i < 64; i++)
        for (int64_t at = probes / 2; at < probes; at++)
            count += ivf->offsets[lists[at].slot] <= slots[i] && slots[i] < ivf->offsets[lists[at].slot + 1];
    return count;
}

/* How many lists have a centroid that scores at most `gap` less than the farthest row that was found. */
static int64_t worth(const nitari_ivf *ivf, const tables *t, float farthest, float gap)
{
    float least = 1.0f - farthest - gap;
    int64_t count = 0;
    for (int64_t list = 0; list < ivf->lists; list++)
        count += t->biases[list] >= least;
    return count;
}

static int64_t search(const nitari_ivf *ivf, const float *query, int64_t k, int64_t probes, int64_t candidates,
                      const filter *only, int64_t skipped, const int64_t *seeds, int64_t seeded, float gap,
                      int64_t *out_slots, float *out_distances, int64_t *counts, tables *t)
{
    const nitari_ops *ops = nitari_ops_now();
    gathering g;
    int64_t found = -1, before;
    int any = 1;
    if (!nitari_gathering_open(&g, candidates > seeded ? candidates : seeded, 0))
        return -1;
    g.keep = candidates;
    fill_tables(ivf, query, t);
    probes = choose_lists(ivf, ops, t, probes);
    counts[1] = counts[2] = 0;
    for (int64_t i = skipped; i < probes; i++) {
        counts[1] += ivf->offsets[t->lists[i].slot + 1] - ivf->offsets[t->lists[i].slot];
        if (i + 1 < probes && (!only->places || any))
            ask_for(ivf->codes + ivf->offsets[t->lists[i + 1].slot] / BLOCK * ivf->parts * 16, 8 * LINE);
        if (only->places && i + 2 < probes) {
            const int64_t *then = ivf->offsets + t->lists[i + 2].slot;
            ask_for(only->places + then[0], (then[1] - then[0]) * (int64_t)sizeof(int32_t));
        }
        before = counts[2];
        if (!scan_list(ivf, t, ops, &t->lists[i], only, &g, &counts[2]))
            goto done;
        any = counts[2] > before; /* lists that nothing is allowed of have neighbors of that kind */
    }
    if (!nitari_gathering_thin(&g))
        goto done;
    counts[0] = g.count;
    for (int64_t i = 0; i < seeded; i++) /* there is room: at most `keep` are left, and that is half of it */
        g.items[g.count++].slot = (int32_t)seeds[i];
    found = nitari_refine_f16(&g, ivf->rows, ivf->dim, query, ivf->at, k, out_slots, out_distances);
    counts[3] = late(ivf, t->lists, probes, out_slots, found);
    counts[4] = gap < 0 ? -1 : found < k ? ivf->lists : worth(ivf, t, out_distances[k - 1], gap);
done:
    free(g.items);
    return found;
}

int64_t nitari_ivf_search(const nitari_ivf *ivf, const float *query, int64_t k, int64_t probes, int64_t candidates,
                          const uint8_t *bits, const int32_t *places, const uint8_t *passing, int64_t skipped,
                          const int64_t *seeds, int64_t seeded, float gap, int64_t *out_slots, float *out_distances,
                          int64_t *counts)
{
    size_t biases = (size_t)((ivf->lists + BLOCK - 1) / BLOCK * BLOCK), sample = (size_t)(ivf->lists + 15) / 16;
    size_t floats = (size_t)(ivf->reduced + ivf->parts * 16) + biases + sample;
    filter only = {bits, places, passing};
    tables t;
    int64_t found = -1;
    float *memory = malloc(floats * sizeof(float) + 2 * (size_t)ivf->lists * sizeof(scored) + (size_t)ivf->parts * 16);
    if (!memory)
        return -1;
    t.rotated = memory;
    t.biases = memory + ivf->reduced;
    t.sample = t.biases + biases;
    t.entries = t.sample + sample;
    t.lists = (scored *)(memory + floats);
    t.spare = t.lists + ivf->lists;
    t.table = (uint8_t *)(t.spare + ivf->lists);
    found = search(ivf, query, k, probes, candidates, &only, skipped, seeds, seeded, gap, out_slots, out_distances,
                   counts, &t);
    free(memory);
    return found;
}

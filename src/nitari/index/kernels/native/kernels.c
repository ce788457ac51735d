/* Search loops over rows and codes. No Python here: cffi lets go of the GIL around each call. */
#include "kernels.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "simd.h"

#if defined(__GNUC__) || defined(__clang__)
#define PREFETCH(address) __builtin_prefetch(address)
static int lowest_bit(uint32_t bits) { return __builtin_ctz(bits); }
#else
#define PREFETCH(address) ((void)0)
static int lowest_bit(uint32_t bits)
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
#define FEW 8   /* rows of a block that are asked about one by one; more of them are, together */

/* ---- which instructions ---- */

static const nitari_ops *ops_of(int level)
{
#ifdef NITARI_X86
    if (level == 2)
        return &nitari_avx512;
    if (level == 1)
        return &nitari_avx2;
#endif
#ifdef NITARI_ARM
    if (level == 3)
        return &nitari_neon;
#endif
    (void)level;
    return &nitari_plain;
}

static int best_level(void)
{
#ifdef NITARI_X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq"))
        return 2;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return 1;
#endif
#ifdef NITARI_ARM
    return 3;
#endif
    return 0;
}

static int current = -1;

int nitari_level(void)
{
    if (current < 0)
        current = best_level();
    return current;
}

int nitari_set_level(int level)
{
    int best = best_level();
    /* NEON is above plain C only; the x86 levels contain each other. */
    current = level <= 0 || (best == 3 && level != 3) ? 0 : level > best ? best : level;
    return current;
}

static const nitari_ops *ops_now(void) { return ops_of(nitari_level()); }

/* ---- distances ---- */

/* Distances are multiples of 2**-23, as in ranking.py: float32 holds them all up to 2. What is no number (a file was
   damaged, and the scrub has not come by yet) is as far as can be: nothing here may depend on that it never happens. */
static float on_grid(double cosine)
{
    double distance = rint((1.0 - cosine) * 8388608.0) / 8388608.0;
    return (float)(distance < 0.0 ? 0.0 : distance <= 2.0 ? distance : 2.0);
}

static int is_sane(float value) { return fabsf(value) <= FLT_MAX; }

static double *doubled(const float *query, int64_t dim)
{
    double *wide = malloc((size_t)dim * sizeof(double));
    if (wide)
        for (int64_t i = 0; i < dim; i++)
            wide[i] = query[i];
    return wide;
}

static void ask_for(const void *row, int64_t bytes)
{
    for (int64_t at = 0; at < bytes && at < 16 * LINE; at += LINE)
        PREFETCH((const char *)row + at);
}

#define ROW_LOOPS(SUFFIX, ROW)                                                                                  \
    void nitari_dots_##SUFFIX(const ROW *rows, int64_t dim, const float *query, const int64_t *slots,           \
                              int64_t count, float *out)                                                        \
    {                                                                                                           \
        const nitari_ops *ops = ops_now();                                                                      \
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
        const nitari_ops *ops = ops_now();                                                                      \
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

/* ---- the best of many ---- */

typedef struct {
    float score;
    int32_t slot;
} scored;

/* Quickselect: afterwards the `keep` largest scores stand first, in no order. */
static void select_best(scored *items, int64_t count, int64_t keep)
{
    int64_t low = 0, high = count - 1;
    if (keep <= 0 || keep >= count)
        return;
    while (low < high) {
        float a = items[low].score, b = items[(low + high) / 2].score, c = items[high].score;
        float pivot = a > b ? (b > c ? b : a > c ? c : a) : (a > c ? a : b > c ? c : b);
        int64_t i = low, j = high;
        while (i <= j) {
            while (items[i].score > pivot)
                i++;
            while (items[j].score < pivot)
                j--;
            if (i <= j) {
                scored swap = items[i];
                items[i++] = items[j];
                items[j--] = swap;
            }
        }
        if (keep - 1 <= j)
            high = j;
        else if (keep - 1 >= i)
            low = i;
        else
            return;
    }
}

static int by_score(const void *a, const void *b)
{
    const scored *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->slot < y->slot ? -1 : x->slot > y->slot;
}

/* The `keep` best so far, gathered in a buffer that is thinned out when full. What is below `floor` need not come. */
typedef struct {
    scored *items;
    int64_t count, room, keep;
    float floor, margin;
} gathering;

static int gathering_open(gathering *g, int64_t keep, float margin)
{
    g->keep = keep;
    g->room = keep * 2 + 256;
    g->count = 0;
    g->floor = -FLT_MAX;
    g->margin = margin;
    g->items = malloc((size_t)g->room * sizeof(scored));
    return g->items != NULL;
}

/* Keep the best; and, with a margin, those that rounding may have put below them. */
static int gathering_thin(gathering *g)
{
    if (g->count <= g->keep)
        return 1;
    select_best(g->items, g->count, g->keep);
    float least = FLT_MAX;
    for (int64_t i = 0; i < g->keep; i++)
        if (g->items[i].score < least)
            least = g->items[i].score;
    g->floor = least - g->margin;
    int64_t kept = g->keep;
    if (g->margin > 0)
        for (int64_t i = g->keep; i < g->count; i++)
            if (g->items[i].score >= g->floor)
                g->items[kept++] = g->items[i];
    g->count = kept;
    if (g->room - g->count >= g->keep / 2 + 64)
        return 1;
    scored *more = realloc(g->items, (size_t)(g->room * 2) * sizeof(scored)); /* nearly all are ties */
    if (!more)
        return 0;
    g->items = more;
    g->room *= 2;
    return 1;
}

static int gathering_add(gathering *g, float score, int64_t slot)
{
    g->items[g->count].score = score;
    g->items[g->count++].slot = (int32_t)slot;
    return g->count < g->room || gathering_thin(g);
}

/* Where the row of a slot stands. */
static int64_t row_of(const int32_t *at, int32_t slot) { return at ? at[slot] : slot; }

/* The k nearest of what was gathered, by true distances of its rows (their scores are overwritten). */
#define REFINE(SUFFIX, ROW)                                                                                    \
    static int64_t refine_##SUFFIX(gathering *g, const ROW *rows, int64_t dim, const float *query,             \
                                   const int32_t *at, int64_t k, int64_t *out_slots, float *out_distances)     \
    {                                                                                                          \
        const nitari_ops *ops = ops_now();                                                                     \
        double *wide = doubled(query, dim);                                                                    \
        if (!wide)                                                                                             \
            return -1;                                                                                         \
        for (int64_t i = 0; i < g->count; i++) {                                                               \
            if (i + AHEAD < g->count)                                                                          \
                ask_for(rows + row_of(at, g->items[i + AHEAD].slot) * dim, dim * (int64_t)sizeof(ROW));        \
            g->items[i].score = -on_grid(ops->exact_##SUFFIX(rows + row_of(at, g->items[i].slot) * dim, wide, dim)); \
        }                                                                                                      \
        free(wide);                                                                                            \
        if (k > g->count)                                                                                      \
            k = g->count;                                                                                      \
        /* Ties at the k-th place are the caller's to break (by key): the smaller slot is taken here. */       \
        select_best(g->items, g->count, k);                                                                    \
        qsort(g->items, (size_t)k, sizeof(scored), by_score);                                                  \
        for (int64_t i = 0; i < k; i++) {                                                                      \
            out_slots[i] = g->items[i].slot;                                                                   \
            out_distances[i] = -g->items[i].score;                                                             \
        }                                                                                                      \
        return k;                                                                                              \
    }                                                                                                          \
                                                                                                               \
    int64_t nitari_scan_##SUFFIX(const ROW *rows, int64_t dim, const float *query, const int64_t *slots,       \
                                 int64_t count, const uint8_t *bits, int64_t k, int64_t *out_slots,            \
                                 float *out_distances)                                                         \
    {                                                                                                          \
        const nitari_ops *ops = ops_now();                                                                     \
        gathering g;                                                                                           \
        const ROW *row[4]; /* to be compared together */                                                       \
        int64_t found = -1, some[4];                                                                           \
        float score[4];                                                                                        \
        int n = 0;                                                                                             \
        /* Twice the bound of a float32 dot product's rounding, as ranking.candidates has it. */               \
        if (!gathering_open(&g, k, (float)(dim + 16) * 2.4e-7f))                                               \
            return -1;                                                                                         \
        for (int64_t i = 0; i < count; i++) {                                                                  \
            some[n] = slots ? slots[i] : i;                                                                    \
            if (slots && i + AHEAD < count)                                                                    \
                ask_for(rows + slots[i + AHEAD] * dim, dim * (int64_t)sizeof(ROW));                            \
            if (bits && !(bits[some[n] >> 3] >> (some[n] & 7) & 1))                                            \
                continue;                                                                                      \
            row[n] = rows + some[n] * dim;                                                                     \
            if (++n < 4)                                                                                       \
                continue;                                                                                      \
            ops->dots4_##SUFFIX(row, query, dim, score);                                                       \
            for (n = 0; n < 4; n++)                                                                            \
                if (score[n] >= g.floor && !gathering_add(&g, score[n], some[n]))                              \
                    goto done;                                                                                 \
            n = 0;                                                                                             \
        }                                                                                                      \
        for (int at = 0; at < n; at++) {                                                                       \
            score[0] = ops->dot_##SUFFIX(row[at], query, dim);                                                 \
            if (score[0] >= g.floor && !gathering_add(&g, score[0], some[at]))                                 \
                goto done;                                                                                     \
        }                                                                                                      \
        if (gathering_thin(&g))                                                                                \
            found = refine_##SUFFIX(&g, rows, dim, query, NULL, k, out_slots, out_distances);                     \
    done:                                                                                                      \
        free(g.items);                                                                                         \
        return found;                                                                                          \
    }

REFINE(f32, float)
REFINE(f16, uint16_t)

/* ---- inverted lists of codes ---- */

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
    const nitari_ops *ops = ops_now();
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

/* Of the rows `begin` to `end`, those of a block. */
static uint32_t rows_within(int64_t first, int64_t begin, int64_t end)
{
    uint32_t within = 0xffffffffu;
    if (first < begin)
        within &= 0xffffffffu << (begin - first);
    if (first + BLOCK > end)
        within &= 0xffffffffu >> (first + BLOCK - end);
    return within;
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

/* Which rows may be answered: those that have their bit in `bits`, and whose items pass. */
typedef struct {
    const uint8_t *bits;    /* a bit a slot; NULL for all */
    const int32_t *places;  /* for each slot, where its item stands, -1 for nowhere; NULL where items do not matter */
    const uint8_t *passing; /* a bit a place */
} filter;

/* Rows `from` to `to`, at most 32 of them, as bits, the lowest one of the row `from`. */
static uint32_t looked_up(const nitari_ops *ops, const int32_t *places, const uint8_t *passing, int64_t from, int64_t to)
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
static uint32_t word_of(const uint8_t *bits, int64_t first, int64_t count)
{
    int64_t left = (count + 7) / 8 - first / 8;
    uint32_t word = 0;
    for (int byte = 0; byte < 4 && byte < left; byte++)
        word |= (uint32_t)bits[first / 8 + byte] << (8 * byte);
    return word;
}

static int bits_in(uint32_t word)
{
    word -= word >> 1 & 0x55555555u;
    word = (word & 0x33333333u) + (word >> 2 & 0x33333333u);
    return (int)((((word + (word >> 4)) & 0x0f0f0f0fu) * 0x01010101u) >> 24);
}

/* Of the rows `begin` to `end`, those of a block that may be answered. */
static uint32_t allowed_rows(const nitari_ops *ops, const filter *only, int64_t count, int64_t first, int64_t begin,
                             int64_t end)
{
    uint32_t wanted = rows_within(first, begin, end);
    if (only->bits)
        wanted &= word_of(only->bits, first, count);
    if (only->places && wanted)
        wanted &= looked_up(ops, only->places, only->passing, first, first + BLOCK < count ? first + BLOCK : count);
    return wanted;
}

/* Of some rows of a block, those that may be answered: one by one where they are few. */
static uint32_t allowed_of(const nitari_ops *ops, const filter *only, int64_t count, int64_t first, uint32_t some)
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

static int64_t search(const nitari_ivf *ivf, const float *query, int64_t k, int64_t probes, int64_t candidates,
                      const filter *only, int64_t skipped, const int64_t *seeds, int64_t seeded, int64_t *out_slots,
                      float *out_distances, int64_t *counts, tables *t)
{
    const nitari_ops *ops = ops_now();
    gathering g;
    int64_t found = -1, before;
    int any = 1;
    if (!gathering_open(&g, candidates > seeded ? candidates : seeded, 0))
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
    if (!gathering_thin(&g))
        goto done;
    counts[0] = g.count;
    for (int64_t i = 0; i < seeded; i++) /* there is room: at most `keep` are left, and that is half of it */
        g.items[g.count++].slot = (int32_t)seeds[i];
    found = refine_f16(&g, ivf->rows, ivf->dim, query, ivf->at, k, out_slots, out_distances);
    counts[3] = late(ivf, t->lists, probes, out_slots, found);
done:
    free(g.items);
    return found;
}

int64_t nitari_ivf_search(const nitari_ivf *ivf, const float *query, int64_t k, int64_t probes, int64_t candidates,
                          const uint8_t *bits, const int32_t *places, const uint8_t *passing, int64_t skipped,
                          const int64_t *seeds, int64_t seeded, int64_t *out_slots, float *out_distances,
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
    found = search(ivf, query, k, probes, candidates, &only, skipped, seeds, seeded, out_slots, out_distances, counts,
                   &t);
    free(memory);
    return found;
}

/* ---- filters ---- */

int64_t nitari_look_up(const int32_t *places, int64_t count, const uint8_t *passing, const uint8_t *bits, uint8_t *out)
{
    const nitari_ops *ops = ops_now();
    filter only = {bits, places, passing};
    int64_t set = 0;
    for (int64_t first = 0; first < count; first += BLOCK) {
        uint32_t word = allowed_rows(ops, &only, count, first, 0, count);
        set += bits_in(word);
        for (int64_t at = first; at < first + BLOCK && at < count; at += 8, word >>= 8)
            out[at / 8] = (uint8_t)word;
    }
    return set;
}

void nitari_invert(const int32_t *places, int64_t count, int64_t top, int32_t *starts, int32_t *slots)
{
    memset(starts, 0, (size_t)(top + 1) * sizeof(int32_t));
    for (int64_t slot = 0; slot < count; slot++)
        if (places[slot] >= 0)
            starts[places[slot] + 1]++;
    for (int64_t place = 0; place < top; place++)
        starts[place + 1] += starts[place];
    for (int64_t slot = 0; slot < count; slot++)
        if (places[slot] >= 0)
            slots[starts[places[slot]]++] = (int32_t)slot;
    for (int64_t place = top; place > 0; place--)
        starts[place] = starts[place - 1];
    starts[0] = 0;
}

/* To find the slots at a place is to wait for memory twice. */
static void ask_for_slots(const int32_t *starts, const int32_t *slots, const int32_t *places, int64_t i, int64_t count)
{
    if (i + 4 * AHEAD < count)
        PREFETCH(starts + places[i + 4 * AHEAD]);
    if (i + 2 * AHEAD < count)
        PREFETCH(slots + starts[places[i + 2 * AHEAD]]);
}

void nitari_mark(const int32_t *starts, const int32_t *slots, const int32_t *places, int64_t count, uint8_t *bits)
{
    for (int64_t i = 0; i < count; i++) {
        ask_for_slots(starts, slots, places, i, count);
        for (int32_t at = starts[places[i]]; at < starts[places[i] + 1]; at++)
            bits[slots[at] >> 3] |= (uint8_t)(1u << (slots[at] & 7));
    }
}

int64_t nitari_slots_at(const int32_t *starts, const int32_t *slots, const int32_t *places, int64_t count, int64_t room,
                        int64_t *out)
{
    int64_t found = 0;
    for (int64_t i = 0; i < count; i++) {
        ask_for_slots(starts, slots, places, i, count);
        for (int32_t at = starts[places[i]]; at < starts[places[i] + 1]; at++) {
            if (found < room)
                out[found] = slots[at];
            found++;
        }
    }
    return found;
}

int64_t nitari_slots_of(const uint8_t *bits, int64_t count, int64_t *slots)
{
    int64_t found = 0;
    for (int64_t first = 0; first < count; first += BLOCK) {
        uint64_t eight;
        for (; first + 64 <= count; first += 64) { /* mostly nothing */
            memcpy(&eight, bits + first / 8, 8);
            if (eight)
                break;
        }
        for (uint32_t word = word_of(bits, first, count); word; word &= word - 1)
            slots[found++] = first + lowest_bit(word);
    }
    return found;
}

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
    const nitari_ops *ops = ops_now();
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

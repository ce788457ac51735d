/* The best of many rows, see best.h. */
#include "best.h"

#include <float.h>
#include <stdlib.h>

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

void nitari_best_first(scored *items, int64_t count, int64_t keep)
{
    select_best(items, count, keep);
    qsort(items, (size_t)keep, sizeof(scored), by_score);
}

int nitari_gathering_open(gathering *g, int64_t keep, float margin)
{
    g->keep = keep;
    g->room = keep * 2 + 256;
    g->count = 0;
    g->floor = -FLT_MAX;
    g->margin = margin;
    g->items = malloc((size_t)g->room * sizeof(scored));
    return g->items != NULL;
}

int nitari_gathering_thin(gathering *g)
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

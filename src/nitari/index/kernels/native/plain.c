/* Plain C, for every compiler and processor. Sixteen sums side by side, which compilers turn into whatever vectors the
   target has without being allowed to reorder anything. */
#include "simd.h"

#define SUMS 16

#define DOT(NAME, ROW, NUMBER, LOAD)                                                  \
    static NUMBER NAME(const ROW *row, const NUMBER *query, int64_t dim)              \
    {                                                                                 \
        NUMBER sums[SUMS] = {0};                                                      \
        int64_t i = 0;                                                                \
        for (; i + SUMS <= dim; i += SUMS)                                            \
            for (int j = 0; j < SUMS; j++)                                            \
                sums[j] += (NUMBER)LOAD(row[i + j]) * query[i + j];                   \
        for (int j = 0; i < dim; i++, j++)                                            \
            sums[j] += (NUMBER)LOAD(row[i]) * query[i];                               \
        for (int half = SUMS / 2; half; half /= 2)                                    \
            for (int j = 0; j < half; j++)                                            \
                sums[j] += sums[j + half];                                            \
        return sums[0];                                                               \
    }

DOT(dot_f32, float, float, )
DOT(dot_f16, uint16_t, float, nitari_half)
ONE_BY_ONE(dots4_f32, float, dot_f32)
ONE_BY_ONE(dots4_f16, uint16_t, dot_f16)
DOT(exact_f32, float, double, )
DOT(exact_f16, uint16_t, double, nitari_half)

static void dots16(const uint16_t *columns, const float *query, int64_t dim, int64_t groups, float *out)
{
    for (int64_t group = 0; group < groups; group++, out += SUMS) {
        float sums[SUMS] = {0};
        for (int64_t i = 0; i < dim; i++, columns += SUMS)
            for (int j = 0; j < SUMS; j++)
                sums[j] += query[i] * nitari_half(columns[j]);
        for (int j = 0; j < SUMS; j++)
            out[j] = sums[j];
    }
}

static uint32_t block(const uint8_t *codes, const uint8_t *table, int64_t parts, uint16_t least, uint16_t *sums)
{
    uint32_t reached = 0;
    for (int row = 0; row < 32; row++)
        sums[row] = 0;
    for (int64_t part = 0; part < parts; part++, codes += 16, table += 16)
        for (int row = 0; row < 16; row++) {
            sums[row] = (uint16_t)(sums[row] + table[codes[row] & 15]);
            sums[row + 16] = (uint16_t)(sums[row + 16] + table[codes[row] >> 4]);
        }
    for (int row = 0; row < 32; row++)
        reached |= (uint32_t)(sums[row] >= least) << row;
    return reached;
}

uint32_t nitari_reach(const float *numbers, float bound)
{
    uint32_t word = 0;
    for (int i = 0; i < 32; i++)
        word |= (uint32_t)(numbers[i] >= bound) << i;
    return word;
}

uint32_t nitari_look(const int32_t *places, const uint8_t *passing)
{
    uint32_t word = 0;
    for (int row = 0; row < 32; row++) {
        int32_t place = places[row] < 0 ? 0 : places[row];
        word |= (uint32_t)(passing[place >> 3] >> (place & 7) & (places[row] >= 0)) << row;
    }
    return word;
}

static void pick(const uint8_t *codes, int64_t parts, const uint8_t *from, int low, int high, uint8_t *out)
{
    for (int64_t part = 0; part < parts; part++, codes += 16, out += 64) {
        for (int row = 0; row < low; row++)
            out[row] = codes[from[row]] & 15;
        for (int row = 0; row < high; row++)
            out[low + row] = codes[from[16 + row]] >> 4;
    }
}

const nitari_ops nitari_plain = {dot_f32,   dot_f16,   dots4_f32, dots4_f16,   dots16,
                                 exact_f32, exact_f16, block,     nitari_reach, nitari_look, pick};

/* The few loops that are written for each instruction set. All else calls these by pointer: one call a
   row or a block of 32 rows, so that the call does not show. */
#ifndef NITARI_SIMD_H
#define NITARI_SIMD_H

#include <stdint.h>

typedef struct {
    float (*dot_f32)(const float *row, const float *query, int64_t dim);
    float (*dot_f16)(const uint16_t *row, const float *query, int64_t dim);
    /* The same of four rows at once: their sums are brought together at the cost of one. */
    void (*dots4_f32)(const float *const rows[4], const float *query, int64_t dim, float *out);
    void (*dots4_f16)(const uint16_t *const rows[4], const float *query, int64_t dim, float *out);
    /* Dot products with `groups` times sixteen vectors (fp16) that lie side by side: [groups, dim, 16] to [groups, 16]. */
    void (*dots16)(const uint16_t *columns, const float *query, int64_t dim, int64_t groups, float *out);
    double (*exact_f32)(const float *row, const double *query, int64_t dim);
    double (*exact_f16)(const uint16_t *row, const double *query, int64_t dim);
    /* Sums of the table's entries for the 32 rows of a block, and which of them reach `least`. */
    uint32_t (*block)(const uint8_t *codes, const uint8_t *table, int64_t parts, uint16_t least, uint16_t *sums);
    /* Which of 32 numbers reach a bound. */
    uint32_t (*reach)(const float *numbers, float bound);
    /* Which of 32 places (-1 for none) have their bit in `passing`, which is whole words of 32. */
    uint32_t (*look)(const int32_t *places, const uint8_t *passing);
    /* Of a block, the codes of `low` of its first 16 rows and `high` of the others, one a byte, 64 bytes a part. `from`
       names those, and from the 16th on these. Of each 16 bytes are written, whatever their number. */
    void (*pick)(const uint8_t *codes, int64_t parts, const uint8_t *from, int low, int high, uint8_t *out);
} nitari_ops;

/* `dots4` where four rows at once are no quicker. */
#define ONE_BY_ONE(NAME, ROW, DOT)                                                                   \
    static void NAME(const ROW *const rows[4], const float *query, int64_t dim, float *out)          \
    {                                                                                                \
        for (int row = 0; row < 4; row++)                                                            \
            out[row] = DOT(rows[row], query, dim);                                                   \
    }

uint32_t nitari_look(const int32_t *places, const uint8_t *passing);
uint32_t nitari_reach(const float *numbers, float bound);

extern const nitari_ops nitari_plain;
#if (defined(__x86_64__) || defined(__i386__)) && (defined(__GNUC__) || defined(__clang__))
#define NITARI_X86 1
extern const nitari_ops nitari_avx2;
extern const nitari_ops nitari_avx512;
#endif
#if defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__))
#define NITARI_ARM 1
extern const nitari_ops nitari_neon;
#endif

/* IEEE 754 half to single precision, by integer arithmetic; subnormals, infinities and NaN included. */
static inline float nitari_half(uint16_t half)
{
    union { uint32_t bits; float value; } scale = {0x77800000u}, shifted; /* 2**112 */
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    shifted.bits = (uint32_t)(half & 0x7fffu) << 13;
    shifted.value *= scale.value;
    if (shifted.value >= 65536.0f)
        shifted.bits |= 0x7f800000u;
    shifted.bits |= sign;
    return shifted.value;
}

#endif

/* NEON, which every 64-bit ARM has. */
#include "simd.h"

#ifdef NITARI_ARM
#include <arm_neon.h>

static inline float32x4_t half4(const uint16_t *row)
{
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(row)));
}

static float dot_f32_neon(const float *row, const float *query, int64_t dim)
{
    float32x4_t a = vdupq_n_f32(0), b = a, c = a, d = a;
    int64_t i = 0;
    for (; i + 16 <= dim; i += 16) {
        a = vfmaq_f32(a, vld1q_f32(row + i), vld1q_f32(query + i));
        b = vfmaq_f32(b, vld1q_f32(row + i + 4), vld1q_f32(query + i + 4));
        c = vfmaq_f32(c, vld1q_f32(row + i + 8), vld1q_f32(query + i + 8));
        d = vfmaq_f32(d, vld1q_f32(row + i + 12), vld1q_f32(query + i + 12));
    }
    float sum = vaddvq_f32(vaddq_f32(vaddq_f32(a, b), vaddq_f32(c, d)));
    for (; i < dim; i++)
        sum += row[i] * query[i];
    return sum;
}

static float dot_f16_neon(const uint16_t *row, const float *query, int64_t dim)
{
    float32x4_t a = vdupq_n_f32(0), b = a, c = a, d = a;
    int64_t i = 0;
    for (; i + 16 <= dim; i += 16) {
        a = vfmaq_f32(a, half4(row + i), vld1q_f32(query + i));
        b = vfmaq_f32(b, half4(row + i + 4), vld1q_f32(query + i + 4));
        c = vfmaq_f32(c, half4(row + i + 8), vld1q_f32(query + i + 8));
        d = vfmaq_f32(d, half4(row + i + 12), vld1q_f32(query + i + 12));
    }
    float sum = vaddvq_f32(vaddq_f32(vaddq_f32(a, b), vaddq_f32(c, d)));
    for (; i < dim; i++)
        sum += nitari_half(row[i]) * query[i];
    return sum;
}

ONE_BY_ONE(dots4_f32_neon, float, dot_f32_neon)
ONE_BY_ONE(dots4_f16_neon, uint16_t, dot_f16_neon)

static void dots16_neon(const uint16_t *columns, const float *query, int64_t dim, int64_t groups, float *out)
{
    for (int64_t group = 0; group < groups; group++, out += 16) {
        float32x4_t a = vdupq_n_f32(0), b = a, c = a, d = a;
        for (int64_t i = 0; i < dim; i++, columns += 16) {
            a = vfmaq_n_f32(a, half4(columns), query[i]);
            b = vfmaq_n_f32(b, half4(columns + 4), query[i]);
            c = vfmaq_n_f32(c, half4(columns + 8), query[i]);
            d = vfmaq_n_f32(d, half4(columns + 12), query[i]);
        }
        vst1q_f32(out, a);
        vst1q_f32(out + 4, b);
        vst1q_f32(out + 8, c);
        vst1q_f32(out + 12, d);
    }
}

static inline double add4(float32x4_t row, const double *query, double sum)
{
    float64x2_t a = vmulq_f64(vcvt_f64_f32(vget_low_f32(row)), vld1q_f64(query));
    return sum + vaddvq_f64(vfmaq_f64(a, vcvt_high_f64_f32(row), vld1q_f64(query + 2)));
}

static double exact_f32_neon(const float *row, const double *query, int64_t dim)
{
    double sum = 0;
    int64_t i = 0;
    for (; i + 4 <= dim; i += 4)
        sum = add4(vld1q_f32(row + i), query + i, sum);
    for (; i < dim; i++)
        sum += (double)row[i] * query[i];
    return sum;
}

static double exact_f16_neon(const uint16_t *row, const double *query, int64_t dim)
{
    double sum = 0;
    int64_t i = 0;
    for (; i + 4 <= dim; i += 4)
        sum = add4(half4(row + i), query + i, sum);
    for (; i < dim; i++)
        sum += (double)nitari_half(row[i]) * query[i];
    return sum;
}

static uint32_t block_neon(const uint8_t *codes, const uint8_t *table, int64_t parts, uint16_t least, uint16_t *sums)
{
    uint16x8_t a = vdupq_n_u16(0), b = a, c = a, d = a;
    for (int64_t part = 0; part < parts; part++, codes += 16, table += 16) {
        uint8x16_t code = vld1q_u8(codes), entries = vld1q_u8(table);
        uint8x16_t first = vqtbl1q_u8(entries, vandq_u8(code, vdupq_n_u8(15)));
        uint8x16_t second = vqtbl1q_u8(entries, vshrq_n_u8(code, 4));
        a = vaddw_u8(a, vget_low_u8(first));
        b = vaddw_high_u8(b, first);
        c = vaddw_u8(c, vget_low_u8(second));
        d = vaddw_high_u8(d, second);
    }
    const uint16x8_t bound = vdupq_n_u16(least);
    const uint16x8_t weights = {1, 2, 4, 8, 16, 32, 64, 128};
    vst1q_u16(sums, a);
    vst1q_u16(sums + 8, b);
    vst1q_u16(sums + 16, c);
    vst1q_u16(sums + 24, d);
    return (uint32_t)vaddvq_u16(vandq_u16(vcgeq_u16(a, bound), weights)) |
           (uint32_t)vaddvq_u16(vandq_u16(vcgeq_u16(b, bound), weights)) << 8 |
           (uint32_t)vaddvq_u16(vandq_u16(vcgeq_u16(c, bound), weights)) << 16 |
           (uint32_t)vaddvq_u16(vandq_u16(vcgeq_u16(d, bound), weights)) << 24;
}

static void pick_neon(const uint8_t *codes, int64_t parts, const uint8_t *from, int low, int high, uint8_t *out)
{
    const uint8x16_t first = vld1q_u8(from), second = vld1q_u8(from + 16);
    (void)high;
    for (int64_t part = 0; part < parts; part++, codes += 16, out += 64) {
        uint8x16_t code = vld1q_u8(codes);
        vst1q_u8(out, vqtbl1q_u8(vandq_u8(code, vdupq_n_u8(15)), first));
        vst1q_u8(out + low, vqtbl1q_u8(vshrq_n_u8(code, 4), second));
    }
}

const nitari_ops nitari_neon = {dot_f32_neon,   dot_f16_neon,   dots4_f32_neon, dots4_f16_neon, dots16_neon,
                                exact_f32_neon, exact_f16_neon, block_neon,     nitari_reach,   nitari_look,
                                pick_neon};
#endif

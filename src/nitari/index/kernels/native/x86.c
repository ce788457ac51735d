/* AVX2 with FMA and F16C, and AVX-512 F/BW/VL. Compiled for these by attributes, chosen when the module is loaded. */
#include "simd.h"

#ifdef NITARI_X86
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,fma,f16c")))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c")))

/* ---- AVX2 ---- */

AVX2 static inline float sum8(__m256 v)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

AVX2 static inline double sum4(__m256d v)
{
    __m128d s = _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1));
    return _mm_cvtsd_f64(_mm_add_sd(s, _mm_unpackhi_pd(s, s)));
}

AVX2 static inline __m256 half8(const uint16_t *row)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)row));
}

AVX2 static float dot_f32_avx2(const float *row, const float *query, int64_t dim)
{
    __m256 a = _mm256_setzero_ps(), b = a, c = a, d = a;
    int64_t i = 0;
    for (; i + 32 <= dim; i += 32) {
        a = _mm256_fmadd_ps(_mm256_loadu_ps(row + i), _mm256_loadu_ps(query + i), a);
        b = _mm256_fmadd_ps(_mm256_loadu_ps(row + i + 8), _mm256_loadu_ps(query + i + 8), b);
        c = _mm256_fmadd_ps(_mm256_loadu_ps(row + i + 16), _mm256_loadu_ps(query + i + 16), c);
        d = _mm256_fmadd_ps(_mm256_loadu_ps(row + i + 24), _mm256_loadu_ps(query + i + 24), d);
    }
    for (; i + 8 <= dim; i += 8)
        a = _mm256_fmadd_ps(_mm256_loadu_ps(row + i), _mm256_loadu_ps(query + i), a);
    float sum = sum8(_mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d)));
    for (; i < dim; i++)
        sum += row[i] * query[i];
    return sum;
}

AVX2 static float dot_f16_avx2(const uint16_t *row, const float *query, int64_t dim)
{
    __m256 a = _mm256_setzero_ps(), b = a, c = a, d = a;
    int64_t i = 0;
    for (; i + 32 <= dim; i += 32) {
        a = _mm256_fmadd_ps(half8(row + i), _mm256_loadu_ps(query + i), a);
        b = _mm256_fmadd_ps(half8(row + i + 8), _mm256_loadu_ps(query + i + 8), b);
        c = _mm256_fmadd_ps(half8(row + i + 16), _mm256_loadu_ps(query + i + 16), c);
        d = _mm256_fmadd_ps(half8(row + i + 24), _mm256_loadu_ps(query + i + 24), d);
    }
    for (; i + 8 <= dim; i += 8)
        a = _mm256_fmadd_ps(half8(row + i), _mm256_loadu_ps(query + i), a);
    float sum = sum8(_mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d)));
    for (; i < dim; i++)
        sum += nitari_half(row[i]) * query[i];
    return sum;
}

ONE_BY_ONE(dots4_f32_avx2, float, dot_f32_avx2)
ONE_BY_ONE(dots4_f16_avx2, uint16_t, dot_f16_avx2)

/* Four sums side by side, one group behind the other: memory is read in one stream. */
AVX2 static void dots16_avx2(const uint16_t *columns, const float *query, int64_t dim, int64_t groups, float *out)
{
    for (int64_t group = 0; group < groups; group++, out += 16) {
        __m256 a = _mm256_setzero_ps(), b = a, c = a, d = a;
        int64_t i = 0;
        for (; i + 2 <= dim; i += 2, columns += 32) {
            __m256 first = _mm256_set1_ps(query[i]), second = _mm256_set1_ps(query[i + 1]);
            a = _mm256_fmadd_ps(first, half8(columns), a);
            b = _mm256_fmadd_ps(first, half8(columns + 8), b);
            c = _mm256_fmadd_ps(second, half8(columns + 16), c);
            d = _mm256_fmadd_ps(second, half8(columns + 24), d);
        }
        if (i < dim) {
            a = _mm256_fmadd_ps(_mm256_set1_ps(query[i]), half8(columns), a);
            b = _mm256_fmadd_ps(_mm256_set1_ps(query[i]), half8(columns + 8), b);
            columns += 16;
        }
        _mm256_storeu_ps(out, _mm256_add_ps(a, c));
        _mm256_storeu_ps(out + 8, _mm256_add_ps(b, d));
    }
}

AVX2 static double exact_f32_avx2(const float *row, const double *query, int64_t dim)
{
    __m256d a = _mm256_setzero_pd(), b = a;
    int64_t i = 0;
    for (; i + 8 <= dim; i += 8) {
        a = _mm256_fmadd_pd(_mm256_cvtps_pd(_mm_loadu_ps(row + i)), _mm256_loadu_pd(query + i), a);
        b = _mm256_fmadd_pd(_mm256_cvtps_pd(_mm_loadu_ps(row + i + 4)), _mm256_loadu_pd(query + i + 4), b);
    }
    double sum = sum4(_mm256_add_pd(a, b));
    for (; i < dim; i++)
        sum += (double)row[i] * query[i];
    return sum;
}

AVX2 static double exact_f16_avx2(const uint16_t *row, const double *query, int64_t dim)
{
    __m256d a = _mm256_setzero_pd(), b = a;
    int64_t i = 0;
    for (; i + 8 <= dim; i += 8) {
        __m256 r = half8(row + i);
        a = _mm256_fmadd_pd(_mm256_cvtps_pd(_mm256_castps256_ps128(r)), _mm256_loadu_pd(query + i), a);
        b = _mm256_fmadd_pd(_mm256_cvtps_pd(_mm256_extractf128_ps(r, 1)), _mm256_loadu_pd(query + i + 4), b);
    }
    double sum = sum4(_mm256_add_pd(a, b));
    for (; i < dim; i++)
        sum += (double)nitari_half(row[i]) * query[i];
    return sum;
}

/* Table look-ups by byte shuffle, 16-bit sums of even and odd rows apart: Andre, Kermarrec and Le Scouarnec, "Cache
   locality is not enough", VLDB 2015. A 16-bit lane of `low` holds even + 256 * odd, `high` holds odd. */
AVX2 static uint32_t block_avx2(const uint8_t *codes, const uint8_t *table, int64_t parts, uint16_t least,
                                uint16_t *sums)
{
    const __m256i nibble = _mm256_set1_epi8(15);
    __m256i low0 = _mm256_setzero_si256(), high0 = low0, low1 = low0, high1 = low0;
    for (int64_t part = 0; part < parts; part += 2, codes += 32, table += 32) {
        __m256i code = _mm256_loadu_si256((const __m256i *)codes);
        __m256i entries = _mm256_loadu_si256((const __m256i *)table);
        __m256i first = _mm256_shuffle_epi8(entries, _mm256_and_si256(code, nibble));
        __m256i second = _mm256_shuffle_epi8(entries, _mm256_and_si256(_mm256_srli_epi16(code, 4), nibble));
        low0 = _mm256_add_epi16(low0, first);
        high0 = _mm256_add_epi16(high0, _mm256_srli_epi16(first, 8));
        low1 = _mm256_add_epi16(low1, second);
        high1 = _mm256_add_epi16(high1, _mm256_srli_epi16(second, 8));
    }
    uint32_t reached = 0;
    const __m128i bound = _mm_set1_epi16((short)least);
    for (int half = 0; half < 2; half++) {
        __m256i low = half ? low1 : low0, high = half ? high1 : high0;
        low = _mm256_sub_epi16(low, _mm256_slli_epi16(high, 8));
        __m128i even = _mm_add_epi16(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
        __m128i odd = _mm_add_epi16(_mm256_castsi256_si128(high), _mm256_extracti128_si256(high, 1));
        __m128i a = _mm_unpacklo_epi16(even, odd), b = _mm_unpackhi_epi16(even, odd);
        _mm_storeu_si128((__m128i *)(sums + 16 * half), a);
        _mm_storeu_si128((__m128i *)(sums + 16 * half + 8), b);
        __m128i ra = _mm_cmpeq_epi16(_mm_max_epu16(a, bound), a), rb = _mm_cmpeq_epi16(_mm_max_epu16(b, bound), b);
        reached |= (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(ra, rb)) << (16 * half);
    }
    return reached;
}

AVX2 static uint32_t reach_avx2(const float *numbers, float bound)
{
    const __m256 least = _mm256_set1_ps(bound);
    uint32_t word = 0;
    for (int at = 0; at < 32; at += 8)
        word |= (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(numbers + at), least, _CMP_GE_OQ)) << at;
    return word;
}

AVX2 static void pick_avx2(const uint8_t *codes, int64_t parts, const uint8_t *from, int low, int high, uint8_t *out)
{
    const __m128i nibble = _mm_set1_epi8(15);
    const __m128i first = _mm_loadu_si128((const __m128i *)from), second = _mm_loadu_si128((const __m128i *)from + 1);
    (void)high;
    for (int64_t part = 0; part < parts; part++, codes += 16, out += 64) {
        __m128i code = _mm_loadu_si128((const __m128i *)codes);
        __m128i others = _mm_and_si128(_mm_srli_epi16(code, 4), nibble);
        _mm_storeu_si128((__m128i *)out, _mm_shuffle_epi8(_mm_and_si128(code, nibble), first));
        _mm_storeu_si128((__m128i *)(out + low), _mm_shuffle_epi8(others, second));
    }
}

const nitari_ops nitari_avx2 = {dot_f32_avx2,   dot_f16_avx2,   dots4_f32_avx2, dots4_f16_avx2, dots16_avx2,
                                exact_f32_avx2, exact_f16_avx2, block_avx2,     reach_avx2,     nitari_look,
                                pick_avx2};

/* ---- AVX-512 ---- */

AVX512 static inline __m512 half16(const uint16_t *row)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)row));
}

AVX512 static float dot_f32_avx512(const float *row, const float *query, int64_t dim)
{
    __m512 a = _mm512_setzero_ps(), b = a, c = a, d = a;
    int64_t i = 0;
    for (; i + 64 <= dim; i += 64) {
        a = _mm512_fmadd_ps(_mm512_loadu_ps(row + i), _mm512_loadu_ps(query + i), a);
        b = _mm512_fmadd_ps(_mm512_loadu_ps(row + i + 16), _mm512_loadu_ps(query + i + 16), b);
        c = _mm512_fmadd_ps(_mm512_loadu_ps(row + i + 32), _mm512_loadu_ps(query + i + 32), c);
        d = _mm512_fmadd_ps(_mm512_loadu_ps(row + i + 48), _mm512_loadu_ps(query + i + 48), d);
    }
    for (; i < dim; i += 16) {
        __mmask16 rest = dim - i >= 16 ? 0xffff : (__mmask16)((1u << (dim - i)) - 1);
        a = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(rest, row + i), _mm512_maskz_loadu_ps(rest, query + i), a);
    }
    return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(a, b), _mm512_add_ps(c, d)));
}

AVX512 static float dot_f16_avx512(const uint16_t *row, const float *query, int64_t dim)
{
    __m512 a = _mm512_setzero_ps(), b = a, c = a, d = a;
    int64_t i = 0;
    for (; i + 64 <= dim; i += 64) {
        a = _mm512_fmadd_ps(half16(row + i), _mm512_loadu_ps(query + i), a);
        b = _mm512_fmadd_ps(half16(row + i + 16), _mm512_loadu_ps(query + i + 16), b);
        c = _mm512_fmadd_ps(half16(row + i + 32), _mm512_loadu_ps(query + i + 32), c);
        d = _mm512_fmadd_ps(half16(row + i + 48), _mm512_loadu_ps(query + i + 48), d);
    }
    for (; i < dim; i += 16) {
        __mmask16 rest = dim - i >= 16 ? 0xffff : (__mmask16)((1u << (dim - i)) - 1);
        __m512 r = _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(rest, row + i));
        a = _mm512_fmadd_ps(r, _mm512_maskz_loadu_ps(rest, query + i), a);
    }
    return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(a, b), _mm512_add_ps(c, d)));
}

AVX512 static inline __m128 sums4(__m512 a)
{
    __m256 half = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
}

#define DOTS4(NAME, ROW, LOAD, LOAD_SOME)                                                                  \
    AVX512 static void NAME(const ROW *const rows[4], const float *query, int64_t dim, float *out)         \
    {                                                                                                      \
        const ROW *const first = rows[0], *const second = rows[1], *const third = rows[2], *const last = rows[3]; \
        __m512 a = _mm512_setzero_ps(), b = a, c = a, d = a;                                               \
        int64_t i = 0;                                                                                     \
        for (; i + 16 <= dim; i += 16) {                                                                   \
            __m512 numbers = _mm512_loadu_ps(query + i);                                                   \
            a = _mm512_fmadd_ps(LOAD(first + i), numbers, a);                                              \
            b = _mm512_fmadd_ps(LOAD(second + i), numbers, b);                                             \
            c = _mm512_fmadd_ps(LOAD(third + i), numbers, c);                                              \
            d = _mm512_fmadd_ps(LOAD(last + i), numbers, d);                                               \
        }                                                                                                  \
        if (i < dim) {                                                                                     \
            __mmask16 rest = (__mmask16)((1u << (dim - i)) - 1);                                           \
            __m512 numbers = _mm512_maskz_loadu_ps(rest, query + i);                                       \
            a = _mm512_fmadd_ps(LOAD_SOME(rest, first + i), numbers, a);                                   \
            b = _mm512_fmadd_ps(LOAD_SOME(rest, second + i), numbers, b);                                  \
            c = _mm512_fmadd_ps(LOAD_SOME(rest, third + i), numbers, c);                                   \
            d = _mm512_fmadd_ps(LOAD_SOME(rest, last + i), numbers, d);                                    \
        }                                                                                                  \
        __m128 e = sums4(a), f = sums4(b), g = sums4(c), h = sums4(d);                                     \
        _MM_TRANSPOSE4_PS(e, f, g, h);                                                                     \
        _mm_storeu_ps(out, _mm_add_ps(_mm_add_ps(e, f), _mm_add_ps(g, h)));                                \
    }

#define SOME_HALVES(rest, from) _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(rest, from))
DOTS4(dots4_f32_avx512, float, _mm512_loadu_ps, _mm512_maskz_loadu_ps)
DOTS4(dots4_f16_avx512, uint16_t, half16, SOME_HALVES)

/* Four sums side by side, one group behind the other: memory is read in one stream. */
AVX512 static void dots16_avx512(const uint16_t *columns, const float *query, int64_t dim, int64_t groups, float *out)
{
    for (int64_t group = 0; group < groups; group++, out += 16) {
        __m512 a = _mm512_setzero_ps(), b = a, c = a, d = a;
        int64_t i = 0;
        for (; i + 4 <= dim; i += 4, columns += 64) {
            a = _mm512_fmadd_ps(_mm512_set1_ps(query[i]), half16(columns), a);
            b = _mm512_fmadd_ps(_mm512_set1_ps(query[i + 1]), half16(columns + 16), b);
            c = _mm512_fmadd_ps(_mm512_set1_ps(query[i + 2]), half16(columns + 32), c);
            d = _mm512_fmadd_ps(_mm512_set1_ps(query[i + 3]), half16(columns + 48), d);
        }
        for (; i < dim; i++, columns += 16)
            a = _mm512_fmadd_ps(_mm512_set1_ps(query[i]), half16(columns), a);
        _mm512_storeu_ps(out, _mm512_add_ps(_mm512_add_ps(a, b), _mm512_add_ps(c, d)));
    }
}

AVX512 static double exact_f32_avx512(const float *row, const double *query, int64_t dim)
{
    __m512d a = _mm512_setzero_pd(), b = a;
    int64_t i = 0;
    for (; i + 16 <= dim; i += 16) {
        a = _mm512_fmadd_pd(_mm512_cvtps_pd(_mm256_loadu_ps(row + i)), _mm512_loadu_pd(query + i), a);
        b = _mm512_fmadd_pd(_mm512_cvtps_pd(_mm256_loadu_ps(row + i + 8)), _mm512_loadu_pd(query + i + 8), b);
    }
    double sum = _mm512_reduce_add_pd(_mm512_add_pd(a, b));
    for (; i < dim; i++)
        sum += (double)row[i] * query[i];
    return sum;
}

AVX512 static double exact_f16_avx512(const uint16_t *row, const double *query, int64_t dim)
{
    __m512d a = _mm512_setzero_pd(), b = a;
    int64_t i = 0;
    for (; i + 16 <= dim; i += 16) {
        __m512 r = half16(row + i);
        a = _mm512_fmadd_pd(_mm512_cvtps_pd(_mm512_castps512_ps256(r)), _mm512_loadu_pd(query + i), a);
        b = _mm512_fmadd_pd(_mm512_cvtps_pd(_mm512_extractf32x8_ps(r, 1)), _mm512_loadu_pd(query + i + 8), b);
    }
    double sum = _mm512_reduce_add_pd(_mm512_add_pd(a, b));
    for (; i < dim; i++)
        sum += (double)nitari_half(row[i]) * query[i];
    return sum;
}

AVX512 static inline __m128i fold(__m512i v)
{
    __m256i s = _mm256_add_epi16(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
    return _mm_add_epi16(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
}

AVX512 static uint32_t block_avx512(const uint8_t *codes, const uint8_t *table, int64_t parts, uint16_t least,
                                    uint16_t *sums)
{
    const __m512i nibble = _mm512_set1_epi8(15);
    __m512i low0 = _mm512_setzero_si512(), high0 = low0, low1 = low0, high1 = low0;
    for (int64_t part = 0; part < parts; part += 4, codes += 64, table += 64) {
        __m512i code = _mm512_loadu_si512(codes);
        __m512i entries = _mm512_loadu_si512(table);
        __m512i first = _mm512_shuffle_epi8(entries, _mm512_and_si512(code, nibble));
        __m512i second = _mm512_shuffle_epi8(entries, _mm512_and_si512(_mm512_srli_epi16(code, 4), nibble));
        low0 = _mm512_add_epi16(low0, first);
        high0 = _mm512_add_epi16(high0, _mm512_srli_epi16(first, 8));
        low1 = _mm512_add_epi16(low1, second);
        high1 = _mm512_add_epi16(high1, _mm512_srli_epi16(second, 8));
    }
    low0 = _mm512_sub_epi16(low0, _mm512_slli_epi16(high0, 8));
    low1 = _mm512_sub_epi16(low1, _mm512_slli_epi16(high1, 8));
    __m128i even0 = fold(low0), odd0 = fold(high0), even1 = fold(low1), odd1 = fold(high1);
    __m256i first = _mm256_set_m128i(_mm_unpackhi_epi16(even0, odd0), _mm_unpacklo_epi16(even0, odd0));
    __m256i second = _mm256_set_m128i(_mm_unpackhi_epi16(even1, odd1), _mm_unpacklo_epi16(even1, odd1));
    __m512i all = _mm512_inserti64x4(_mm512_castsi256_si512(first), second, 1);
    uint32_t reached = (uint32_t)_mm512_cmpge_epu16_mask(all, _mm512_set1_epi16((short)least));
    if (reached)
        _mm512_storeu_si512(sums, all);
    return reached;
}

AVX512 static uint32_t reach_avx512(const float *numbers, float bound)
{
    const __m512 least = _mm512_set1_ps(bound);
    return (uint32_t)_mm512_cmp_ps_mask(_mm512_loadu_ps(numbers), least, _CMP_GE_OQ) |
           (uint32_t)_mm512_cmp_ps_mask(_mm512_loadu_ps(numbers + 16), least, _CMP_GE_OQ) << 16;
}

AVX512 static uint32_t look_avx512(const int32_t *places, const uint8_t *passing)
{
    uint32_t result = 0;
    for (int half = 0; half < 2; half++) {
        __m512i place = _mm512_loadu_si512(places + 16 * half);
        __mmask16 some = _mm512_cmpge_epi32_mask(place, _mm512_setzero_si512());
        __m512i word = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), some, _mm512_srli_epi32(place, 5),
                                                   (const int *)passing, 4);
        __m512i bit = _mm512_sllv_epi32(_mm512_set1_epi32(1), _mm512_and_si512(place, _mm512_set1_epi32(31)));
        result |= (uint32_t)_mm512_test_epi32_mask(word, bit) << (16 * half);
    }
    return result;
}

const nitari_ops nitari_avx512 = {dot_f32_avx512,   dot_f16_avx512,   dots4_f32_avx512, dots4_f16_avx512, dots16_avx512,
                                  exact_f32_avx512, exact_f16_avx512, block_avx512,     reach_avx512,     look_avx512,
                                  pick_avx2};
#endif

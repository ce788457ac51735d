/* Whether the loops of one instruction set answer as those in plain C do. Prints what does not; exits with their number. */
#include "simd.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef NITARI_ARM
#define OTHER nitari_neon
#else
#define OTHER nitari_avx2
#endif

#define DIM 300
#define PARTS 64

static uint32_t state = 1;
static uint32_t draw(void) { return state = state * 1664525u + 1013904223u, state >> 8; }
static float number(void) { return (float)draw() / 8388608.0f - 1.0f; }
static uint16_t half(void) { return (uint16_t)(draw() % 0x3c00u | (draw() & 1) << 15); } /* -1 to 1, subnormals too */

static int failed = 0;
static void near(const char *what, int64_t dim, double got, double expected)
{
    if (!(fabs(got - expected) <= 1e-6 * (double)(dim + 8))) {
        printf("%s of %d: %.9g, expected %.9g\n", what, (int)dim, got, expected);
        failed++;
    }
}
static void same(const char *what, const void *got, const void *expected, size_t bytes)
{
    if (memcmp(got, expected, bytes)) {
        printf("%s differs\n", what);
        failed++;
    }
}

static void products(int64_t dim)
{
    static float rows32[4 * DIM], query[DIM], out[48], wanted[48];
    static uint16_t rows16[4 * DIM], columns[3 * 16 * DIM];
    static double wide[DIM];
    const float *four32[4];
    const uint16_t *four16[4];
    for (int64_t i = 0; i < dim; i++)
        wide[i] = query[i] = number() / 8;
    for (int64_t i = 0; i < 4 * dim; i++) {
        rows32[i] = number();
        rows16[i] = half();
    }
    for (int64_t i = 0; i < 3 * 16 * dim; i++)
        columns[i] = half();
    near("dot_f32", dim, OTHER.dot_f32(rows32, query, dim), nitari_plain.dot_f32(rows32, query, dim));
    near("dot_f16", dim, OTHER.dot_f16(rows16, query, dim), nitari_plain.dot_f16(rows16, query, dim));
    near("exact_f32", dim, OTHER.exact_f32(rows32, wide, dim), nitari_plain.exact_f32(rows32, wide, dim));
    near("exact_f16", dim, OTHER.exact_f16(rows16, wide, dim), nitari_plain.exact_f16(rows16, wide, dim));
    for (int row = 0; row < 4; row++) {
        four32[row] = rows32 + row * dim;
        four16[row] = rows16 + row * dim;
    }
    OTHER.dots4_f32(four32, query, dim, out);
    for (int row = 0; row < 4; row++)
        near("dots4_f32", dim, out[row], nitari_plain.dot_f32(four32[row], query, dim));
    OTHER.dots4_f16(four16, query, dim, out);
    for (int row = 0; row < 4; row++)
        near("dots4_f16", dim, out[row], nitari_plain.dot_f16(four16[row], query, dim));
    OTHER.dots16(columns, query, dim, 3, out);
    nitari_plain.dots16(columns, query, dim, 3, wanted);
    for (int i = 0; i < 48; i++)
        near("dots16", dim, out[i], wanted[i]);
}

static void blocks(void)
{
    static uint8_t codes[PARTS * 16], table[PARTS * 16], passing[64], from[32];
    static uint8_t picked[PARTS * 64 + 64], expected[PARTS * 64 + 64];
    uint16_t sums[32], wanted[32], least = (uint16_t)(draw() % 9000);
    int32_t places[32];
    float numbers[32];
    int low = (int)(draw() % 17), high = (int)(draw() % 17);
    uint32_t got, right;
    for (int i = 0; i < PARTS * 16; i++) {
        codes[i] = (uint8_t)draw();
        table[i] = (uint8_t)draw();
    }
    for (int i = 0; i < 32; i++) {
        places[i] = (int32_t)(draw() % 520) - 8;
        places[i] = places[i] < 0 ? -1 : places[i];
        numbers[i] = number();
        from[i] = (uint8_t)(draw() % 16);
    }
    for (int i = 0; i < 64; i++)
        passing[i] = (uint8_t)draw();
    numbers[3] = NAN;
    numbers[5] = 0.25f;
    got = OTHER.block(codes, table, PARTS, least, sums);
    right = nitari_plain.block(codes, table, PARTS, least, wanted);
    same("block", &got, &right, sizeof got);
    for (int i = 0; i < 32; i++) /* sums are told of a block of which any row reaches the bound */
        if (right && sums[i] != wanted[i])
            same("sums", sums + i, wanted + i, sizeof *sums);
    got = OTHER.look(places, passing), right = nitari_plain.look(places, passing);
    same("look", &got, &right, sizeof got);
    got = OTHER.reach(numbers, 0.25f), right = nitari_plain.reach(numbers, 0.25f);
    same("reach", &got, &right, sizeof got);
    OTHER.pick(codes, PARTS, from, low, high, picked);
    nitari_plain.pick(codes, PARTS, from, low, high, expected);
    for (int part = 0; part < PARTS; part++)
        same("pick", picked + 64 * part, expected + 64 * part, (size_t)(low + high));
}

int main(void)
{
    static const int64_t dims[] = {1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 100, 128, 299, 300};
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++)
        products(dims[i]);
    for (int round = 0; round < 1000; round++)
        blocks();
    return failed > 100 ? 100 : failed;
}

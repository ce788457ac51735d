/* Which instructions are in use. */
#include "internal.h"
#include "kernels.h"

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

const nitari_ops *nitari_ops_now(void) { return ops_of(nitari_level()); }

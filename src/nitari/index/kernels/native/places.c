/* Where items stand, and which slots are theirs: what filters ask. */
#include <string.h>

#include "allowed.h"
#include "internal.h"
#include "kernels.h"

int64_t nitari_look_up(const int32_t *places, int64_t count, const uint8_t *passing, const uint8_t *bits, uint8_t *out)
{
    const nitari_ops *ops = nitari_ops_now();
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

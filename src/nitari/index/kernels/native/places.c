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

/* For each place, two numbers: where its slots begin, and the first of them. */
static const int32_t *head_of(const int32_t *heads, int32_t place) { return heads + 2 * (int64_t)place; }

void nitari_invert(const int32_t *places, int64_t count, int64_t top, int32_t *heads, int32_t *slots)
{
    memset(heads, 0, (size_t)(top + 1) * 2 * sizeof(int32_t));
    for (int64_t slot = 0; slot < count; slot++)
        if (places[slot] >= 0)
            heads[2 * ((int64_t)places[slot] + 1)]++;
    for (int64_t place = 0; place < top; place++)
        heads[2 * place + 2] += heads[2 * place];
    for (int64_t slot = 0; slot < count; slot++)
        if (places[slot] >= 0)
            slots[heads[2 * (int64_t)places[slot]]++] = (int32_t)slot;
    for (int64_t place = top; place > 0; place--)
        heads[2 * place] = heads[2 * place - 2];
    heads[0] = 0;
    heads[2 * top + 1] = -1;
    for (int64_t place = 0; place < top; place++)
        heads[2 * place + 1] = heads[2 * place] < heads[2 * place + 2] ? slots[heads[2 * place]] : -1;
}

/* To find the slots at a place is to wait for memory once, and where there are several, twice. */
static void ask_for_slots(const int32_t *heads, const int32_t *slots, const int32_t *places, int64_t i, int64_t count)
{
    if (i + 4 * AHEAD < count)
        PREFETCH(head_of(heads, places[i + 4 * AHEAD]));
    if (i + 2 * AHEAD < count) {
        const int32_t *head = head_of(heads, places[i + 2 * AHEAD]);
        if (head[2] > head[0] + 1)
            PREFETCH(slots + head[0] + 1);
    }
}

static void set_bit(uint8_t *bits, int32_t slot) { bits[slot >> 3] |= (uint8_t)(1u << (slot & 7)); }

void nitari_mark(const int32_t *heads, const int32_t *slots, const int32_t *places, int64_t count, uint8_t *bits)
{
    for (int64_t i = 0; i < count; i++) {
        const int32_t *head = head_of(heads, places[i]);
        ask_for_slots(heads, slots, places, i, count);
        if (head[1] >= 0)
            set_bit(bits, head[1]);
        for (int32_t at = head[0] + 1; at < head[2]; at++)
            set_bit(bits, slots[at]);
    }
}

int64_t nitari_slots_at(const int32_t *heads, const int32_t *slots, const int32_t *places, int64_t count, int64_t room,
                        int32_t *out)
{
    int64_t found = 0;
    for (int64_t i = 0; i < count; i++) {
        const int32_t *head = head_of(heads, places[i]);
        ask_for_slots(heads, slots, places, i, count);
        if (head[1] >= 0) {
            if (found < room)
                out[found] = head[1];
            found++;
        }
        for (int32_t at = head[0] + 1; at < head[2]; at++, found++)
            if (found < room)
                out[found] = slots[at];
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

/* Sixteen blocks of Philox4x32-10 at a time; philox.pxd says what they are used for. */
#ifndef SKREG_PHILOX_H
#define SKREG_PHILOX_H

#include "vectors.h"

#define PHILOX_ROUNDS 10
#define PHILOX_MULTIPLIER_0 0xD2511F53u
#define PHILOX_MULTIPLIER_1 0xCD9E8D57u
#define PHILOX_WEYL_0 0x9E3779B9u
#define PHILOX_WEYL_1 0xBB67AE85u

/* One block: word[0..3] is the counter and becomes the result. */
static inline void philox_block(uint32_t word[4], uint32_t key_0, uint32_t key_1)
{
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        uint64_t p = (uint64_t)PHILOX_MULTIPLIER_0 * word[0];
        uint64_t q = (uint64_t)PHILOX_MULTIPLIER_1 * word[2];
        word[0] = (uint32_t)(q >> 32) ^ word[1] ^ key_0;
        word[1] = (uint32_t)q;
        word[2] = (uint32_t)(p >> 32) ^ word[3] ^ key_1;
        word[3] = (uint32_t)p;
        key_0 += PHILOX_WEYL_0;
        key_1 += PHILOX_WEYL_1;
    }
}

/* The 64 words of 16 blocks, whose counters differ in word 0: first, first + 1, ...
 * Word w of block b stands at out[16 w + 2 (b % 8) + b / 8]: a 64-bit lane holds block
 * b in its low half and block b + 8 in its high half, so that vectors are stored whole.
 */
static inline void philox_group(
    const uint32_t counter[4], uint32_t key_0, uint32_t key_1, uint32_t out[64])
{
#ifdef SKREG_VECTORS
    const vec_u64 zero = {0};
    const vec_u64 low = zero + 0xffffffffu;
    const vec_u64 multiplier_0 = zero + PHILOX_MULTIPLIER_0;
    const vec_u64 multiplier_1 = zero + PHILOX_MULTIPLIER_1;
    for (int start = 0; start < 8; start += LANES_u64) {
        vec_u64 lane, a[4], b[4], k0 = zero + key_0, k1 = zero + key_1;
        for (int i = 0; i < LANES_u64; i++)
            lane[i] = (uint64_t)(start + i);
        for (int w = 0; w < 4; w++)
            a[w] = b[w] = zero + counter[w];
        a[0] = (a[0] + lane) & low;
        b[0] = (b[0] + lane + 8) & low;
        for (int round = 0; round < PHILOX_ROUNDS; round++) {
            vec_u64 p = multiply_low_halves(a[0], multiplier_0);
            vec_u64 q = multiply_low_halves(a[2], multiplier_1);
            vec_u64 r = multiply_low_halves(b[0], multiplier_0);
            vec_u64 s = multiply_low_halves(b[2], multiplier_1);
            /* the upper halves of the lanes hold anything: nothing reads them */
            a[0] = (q >> 32) ^ a[1] ^ k0;
            b[0] = (s >> 32) ^ b[1] ^ k0;
            a[2] = (p >> 32) ^ a[3] ^ k1;
            b[2] = (r >> 32) ^ b[3] ^ k1;
            a[1] = q;
            b[1] = s;
            a[3] = p;
            b[3] = r;
            k0 += PHILOX_WEYL_0;
            k1 += PHILOX_WEYL_1;
        }
        for (int w = 0; w < 4; w++) {
            vec_u64 both = (a[w] & low) | (b[w] << 32);
            memcpy(out + 16 * w + 2 * start, &both, sizeof both);
        }
    }
#else
    for (uint32_t b = 0; b < 16; b++) {
        uint32_t word[4] = {counter[0] + b, counter[1], counter[2], counter[3]};
        philox_block(word, key_0, key_1);
        for (int w = 0; w < 4; w++)
            out[16 * w + 2 * (b % 8) + b / 8] = word[w];
    }
#endif
}

#endif

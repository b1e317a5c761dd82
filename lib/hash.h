/* SPDX-License-Identifier: MIT */
/*
 * SipHash-1-3: a hash of bytes that, under a secret key, nobody can choose collisions for. Under a
 * fixed key it is the same on every machine.
 */
#ifndef HASH_H
#define HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_key {
    uint64_t k[2];
};

uint64_t hash_bytes(const struct hash_key *key, const void *bytes, size_t n);

#endif

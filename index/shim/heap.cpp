// Memory that is given back is wiped first, whoever gives it back: Rust and RocksDB through `operator delete`, a PKCS#11
// module, the TSS library, the C library itself. These two stand before glibc's for the whole program, and for libraries
// that are loaded later. Memory is still glibc's: its own `free` has a second name.
//
// Most users of the heap are handed no secret; those of root stores are, and wipe little. ADR 27 has the alternatives.

#include "heap.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include <malloc.h>
#include <string.h>

extern "C" {

void __libc_free(void* block) noexcept;

void free(void* block) noexcept {
    if (block != nullptr) {
        // The whole block, not what was asked for: a string may have grown into the rest of it.
        explicit_bzero(block, malloc_usable_size(block));
        __libc_free(block);
    }
}

// A block that moves would leave its bytes behind, and one that shrinks the end of them.
void* realloc(void* block, size_t size) noexcept {
    if (block == nullptr) {
        return malloc(size);
    }
    if (size == 0) {
        free(block);
        return nullptr;
    }
    const size_t held = malloc_usable_size(block);
    if (size <= held && size >= held / 2) {
        explicit_bzero(static_cast<char*>(block) + size, held - size);
        return block;
    }
    void* moved = malloc(size);
    if (moved != nullptr) {
        memcpy(moved, block, std::min(held, size));
        free(block);
    }
    return moved;
}

// An ordinary user of the heaps of C and C++, for tests: everything here is the standard libraries'.
size_t lethe_heap_use(const uint8_t* masked, size_t length, uint8_t mask, size_t copies) noexcept {
    size_t held = 0;
    try {
        std::vector<std::string> strings;
        std::vector<std::vector<uint8_t>> vectors;
        for (size_t copy = 0; copy < copies; copy++) {
            // Grown one by one: every buffer that was too small is given back with what was in it.
            std::string string;
            std::vector<uint8_t> vector;
            uint8_t* block = nullptr;
            for (size_t i = 0; i < length; i++) {
                string.push_back(char(masked[i] ^ mask));
                vector.push_back(uint8_t(masked[i] ^ mask));
                uint8_t* grown = static_cast<uint8_t*>(realloc(block, 8 * (i + 1)));
                if (grown == nullptr) {
                    free(block);
                    return 0;
                }
                block = grown;
                block[i] = uint8_t(masked[i] ^ mask);
            }
            held += string.size() + vector.size() + (block == nullptr ? 0 : length);
            free(block);
            strings.push_back(std::move(string));
            vectors.push_back(std::move(vector));
        }
    } catch (...) {
        return 0;
    }
    return held;
}
}

// Memory that C++ gives back is wiped first: what FAISS or RocksDB held, and whatever a later version of them may hold, is
// in no freed block. These replace the library's operators for the whole program ([replacement.functions]); memory is
// still glibc's, which `operator new` takes it from.
//
// C++ is handed no embedding and no key: sealed rows go to RocksDB, and what FAISS works on is Rust's. So this guards what
// is not supposed to be there. ADR 18 has the alternatives.

#include "heap.h"

#include <cstdlib>
#include <new>

#include <malloc.h>
#include <string.h>

namespace {

void wipe_and_free(void* block) noexcept {
    if (block != nullptr) {
        // The whole block, not what was asked for: a string may have grown into the rest of it.
        explicit_bzero(block, malloc_usable_size(block));
        std::free(block);
    }
}

} // namespace

void operator delete(void* block) noexcept {
    wipe_and_free(block);
}

void operator delete[](void* block) noexcept {
    wipe_and_free(block);
}

void operator delete(void* block, std::size_t) noexcept {
    wipe_and_free(block);
}

void operator delete[](void* block, std::size_t) noexcept {
    wipe_and_free(block);
}

void operator delete(void* block, const std::nothrow_t&) noexcept {
    wipe_and_free(block);
}

void operator delete[](void* block, const std::nothrow_t&) noexcept {
    wipe_and_free(block);
}

void operator delete(void* block, std::align_val_t) noexcept {
    wipe_and_free(block);
}

void operator delete[](void* block, std::align_val_t) noexcept {
    wipe_and_free(block);
}

void operator delete(void* block, std::size_t, std::align_val_t) noexcept {
    wipe_and_free(block);
}

void operator delete[](void* block, std::size_t, std::align_val_t) noexcept {
    wipe_and_free(block);
}

void operator delete(void* block, std::align_val_t, const std::nothrow_t&) noexcept {
    wipe_and_free(block);
}

void operator delete[](void* block, std::align_val_t, const std::nothrow_t&) noexcept {
    wipe_and_free(block);
}

extern "C" {

// An ordinary user of the C++ heap, for tests: everything here is the standard library's.
size_t lethe_heap_use(const uint8_t* masked, size_t length, uint8_t mask, size_t copies) noexcept {
    size_t held = 0;
    try {
        std::vector<std::string> strings;
        std::vector<std::vector<uint8_t>> vectors;
        for (size_t copy = 0; copy < copies; copy++) {
            // Grown one by one: every buffer that was too small is given back with what was in it.
            std::string string;
            std::vector<uint8_t> vector;
            for (size_t i = 0; i < length; i++) {
                string.push_back(char(masked[i] ^ mask));
                vector.push_back(uint8_t(masked[i] ^ mask));
            }
            held += string.size() + vector.size();
            strings.push_back(std::move(string));
            vectors.push_back(std::move(vector));
        }
    } catch (...) {
        return 0;
    }
    return held;
}
}

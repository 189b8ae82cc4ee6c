// The heap, which wipes what it is given back. See heap.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

extern "C" {

/// Puts `length` bytes, each of them `masked` XOR `mask`, into so many strings, vectors and blocks, and lets go of them all.
/// Returns how many bytes they held, 0 if memory ran out.
size_t lethe_heap_use(const uint8_t* masked, size_t length, uint8_t mask, size_t copies) noexcept;
}

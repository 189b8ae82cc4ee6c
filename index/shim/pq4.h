// The few operations on FAISS's packed 4-bit codes that Lethe needs and FAISS's C API lacks: write and
// read one code in place, and visit every code whose sum reaches a threshold (`IndexFastScan` has no
// range search). Memory belongs to the caller throughout; nothing here allocates or keeps a pointer.
//
// Every function is `noexcept`. Those that can fail return 0 on success, or -1 with the reason in
// `message` (NUL-terminated, cut to `message_len`).
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {

/// Codes in one packed block.
constexpr size_t LETHE_PQ4_BLOCK = 32;

/// A query's threshold on the integer sum of a code's look-ups.
struct LethePq4Cut {
    /// Used when there are no radii: keep a code if its sum >= `constant`.
    uint32_t constant;
    /// Used with radii r: keep a code if its sum >= over / r + times * r + plus.
    float over;
    float times;
    float plus;
};

/// A code that was kept.
struct LethePq4Hit {
    /// Position of the code, counted from the start of the buffer given.
    uint32_t position;
    /// Its sum again, over the un-quantised tables.
    float sum;
};

/// Where to find one scan's inputs and where to put its results.
struct LethePq4Scan {
    const uint8_t* codes;      ///< packed, `blocks` × 16 · nsq bytes, 32-byte aligned
    size_t blocks;             ///< blocks of 32 codes
    size_t count;              ///< codes in use; the rest of the last block is padding
    uint32_t nsq;              ///< 4-bit sub-quantizers a code, even
    const float* radii;        ///< `blocks` × 32, or null: all queries use `constant`
    uint32_t queries;          ///< 1 ..= 11
    const uint8_t* tables;     ///< from lethe_pq4_pack_tables; 32-byte aligned
    const float* const* exact; ///< `queries` un-quantised tables, nsq × 16 each
    const LethePq4Cut* cuts;   ///< `queries`
    LethePq4Hit* hits;         ///< `queries` × `capacity`
    size_t capacity;           ///< hits a query has room for; at least `count`
    size_t* found;             ///< `queries`, set to the number of hits of each
};

/// Interleaves `queries` quantised look-up tables (nsq × 16 bytes each) as the kernel wants them.
int32_t lethe_pq4_pack_tables(
        uint32_t queries,
        uint32_t nsq,
        const uint8_t* tables,
        uint8_t* packed,
        char* message,
        size_t message_len) noexcept;

/// Compares every code with every query.
int32_t lethe_pq4_scan(const LethePq4Scan* scan, char* message, size_t message_len) noexcept;

/// Writes the code at `position`: nsq / 2 bytes, the even sub-quantizer in the low half.
void lethe_pq4_write(uint8_t* codes, size_t position, uint32_t nsq, const uint8_t* code) noexcept;

/// Reads the code at `position`.
void lethe_pq4_read(const uint8_t* codes, size_t position, uint32_t nsq, uint8_t* code) noexcept;

/// FAISS's own packing of `count` codes from scratch, to test the two above against.
int32_t lethe_pq4_pack_reference(
        const uint8_t* flat,
        size_t count,
        uint32_t nsq,
        uint8_t* codes,
        char* message,
        size_t message_len) noexcept;
}

#include "pq4.h"

#include <cstdio>
#include <exception>

#include <faiss/impl/FaissAssert.h>
#include <faiss/impl/pq4_fast_scan.h>
#include <faiss/impl/simd_result_handlers.h>

namespace {

constexpr size_t BLOCK = LETHE_PQ4_BLOCK;

/// The largest batch for which FAISS names a block size.
constexpr uint32_t MAX_QUERIES = 11;

/// Runs `body`; no exception passes the boundary to Rust, where it would be undefined behaviour.
template <class Body>
int32_t guarded(char* message, size_t message_len, Body body) noexcept {
    try {
        body();
        return 0;
    } catch (const std::exception& e) {
        std::snprintf(message, message_len, "%s", e.what());
    } catch (...) {
        std::snprintf(message, message_len, "an exception of unknown type");
    }
    return -1;
}

/// Where FAISS puts the 4 bits of code `lane` (0..32) of a block that belong to the even
/// sub-quantizer of a pair: the offset of the byte in that pair's 32, and the shift in that byte. The
/// odd one lies 16 bytes further on. (impl/pq4_fast_scan.cpp; `lethe_pq4_pack_reference` tests it.)
struct Lane {
    size_t offset;
    unsigned shift;

    explicit Lane(size_t lane) {
        const size_t low = lane & 15;
        offset = low < 8 ? low * 2 : (low - 8) * 2 + 1;
        shift = lane > 15 ? 4 : 0;
    }
};

size_t block_bytes(uint32_t nsq) {
    return size_t(nsq) / 2 * BLOCK;
}

/// Keeps the codes that reach their query's cut. FAISS calls `handle` through the vtable once for 32
/// codes (its dispatcher takes handlers that it does not know on that path), so the call is noise.
struct CutHandler final : faiss::SIMDResultHandler {
    const LethePq4Scan& scan;
    size_t query0 = 0;
    size_t code0 = 0;

    explicit CutHandler(const LethePq4Scan& scan) : scan(scan) {}

    void set_block_origin(size_t i0, size_t j0) final {
        query0 = i0;
        code0 = j0;
    }

    void handle(size_t q, size_t b, faiss::simd16uint16 d0, faiss::simd16uint16 d1) final {
        const size_t query = query0 + q;
        const size_t first = code0 + b * BLOCK;
        const LethePq4Cut& cut = scan.cuts[query];
        uint32_t kept = scan.radii ? above_curve(cut, scan.radii + first, d0, d1)
                                   : above_constant(cut, d0, d1);
        if (kept == 0) {
            return;
        }
        // The tail of the last block is padding, whatever its sums are.
        const size_t left = scan.count - first;
        if (left < BLOCK) {
            kept &= (uint32_t(1) << left) - 1;
        }
        while (kept != 0) {
            const size_t lane = size_t(__builtin_ctz(kept));
            kept &= kept - 1;
            const float sum = exact_sum(query, first, lane);
            scan.hits[query * scan.capacity + scan.found[query]] = {uint32_t(first + lane), sum};
            scan.found[query]++;
        }
    }

   private:
    static uint32_t above_constant(
            const LethePq4Cut& cut,
            faiss::simd16uint16 d0,
            faiss::simd16uint16 d1) {
        return faiss::cmp_ge32(d0, d1, faiss::simd16uint16(uint16_t(cut.constant)));
    }

    /// The same with a threshold of its own for each code. The loops have no branches and fixed
    /// lengths so that the compiler vectorises them.
    static uint32_t above_curve(
            const LethePq4Cut& cut,
            const float* radii,
            faiss::simd16uint16 d0,
            faiss::simd16uint16 d1) {
        alignas(32) uint16_t sums[BLOCK];
        d0.store(sums);
        d1.store(sums + 16);
        alignas(32) int32_t keep[BLOCK];
        for (size_t j = 0; j < BLOCK; j++) {
            const float r = radii[j];
            keep[j] = float(sums[j]) >= cut.over / r + cut.times * r + cut.plus;
        }
        uint32_t mask = 0;
        for (size_t j = 0; j < BLOCK; j++) {
            mask |= uint32_t(keep[j]) << j;
        }
        return mask;
    }

    float exact_sum(size_t query, size_t first, size_t lane_index) const {
        const Lane lane(lane_index);
        const uint8_t* code = scan.codes + first / BLOCK * block_bytes(scan.nsq) + lane.offset;
        const float* table = scan.exact[query];
        float even = 0;
        float odd = 0;
        for (uint32_t sq = 0; sq < scan.nsq; sq += 2) {
            even += table[(code[0] >> lane.shift) & 15];
            odd += table[16 + ((code[16] >> lane.shift) & 15)];
            table += 32;
            code += BLOCK;
        }
        return even + odd;
    }
};

} // namespace

extern "C" {

int32_t lethe_pq4_pack_tables(
        uint32_t queries,
        uint32_t nsq,
        const uint8_t* tables,
        uint8_t* packed,
        char* message,
        size_t message_len) noexcept {
    return guarded(message, message_len, [&] {
        FAISS_THROW_IF_NOT(queries >= 1 && queries <= MAX_QUERIES);
        const int qbs = faiss::pq4_preferred_qbs(int(queries));
        const int taken = faiss::pq4_pack_LUT_qbs(qbs, int(nsq), tables, packed);
        FAISS_THROW_IF_NOT(taken == int(queries));
    });
}

int32_t lethe_pq4_scan(const LethePq4Scan* scan, char* message, size_t message_len) noexcept {
    return guarded(message, message_len, [&] {
        FAISS_THROW_IF_NOT(scan->queries >= 1 && scan->queries <= MAX_QUERIES);
        FAISS_THROW_IF_NOT(scan->nsq >= 2 && scan->nsq % 2 == 0);
        FAISS_THROW_IF_NOT(scan->count <= scan->blocks * BLOCK);
        FAISS_THROW_IF_NOT(scan->count + BLOCK > scan->blocks * BLOCK);
        FAISS_THROW_IF_NOT(scan->count <= scan->capacity);
        FAISS_THROW_IF_NOT(faiss::is_aligned_pointer(scan->codes));
        FAISS_THROW_IF_NOT(faiss::is_aligned_pointer(scan->tables));
        for (uint32_t q = 0; q < scan->queries; q++) {
            scan->found[q] = 0;
        }
        CutHandler handler(*scan);
        faiss::pq4_accumulate_loop_qbs(
                faiss::pq4_preferred_qbs(int(scan->queries)),
                scan->blocks * BLOCK,
                int(scan->nsq),
                scan->codes,
                scan->tables,
                handler,
                nullptr);
    });
}

void lethe_pq4_write(uint8_t* codes, size_t position, uint32_t nsq, const uint8_t* code) noexcept {
    const Lane lane(position % BLOCK);
    uint8_t* at = codes + position / BLOCK * block_bytes(nsq) + lane.offset;
    const uint8_t others = uint8_t(0xf0 >> lane.shift);
    for (uint32_t pair = 0; pair < nsq / 2; pair++) {
        at[0] = uint8_t((at[0] & others) | ((code[pair] & 15) << lane.shift));
        at[16] = uint8_t((at[16] & others) | ((code[pair] >> 4) << lane.shift));
        at += BLOCK;
    }
}

void lethe_pq4_read(const uint8_t* codes, size_t position, uint32_t nsq, uint8_t* code) noexcept {
    const Lane lane(position % BLOCK);
    const uint8_t* at = codes + position / BLOCK * block_bytes(nsq) + lane.offset;
    for (uint32_t pair = 0; pair < nsq / 2; pair++) {
        const uint8_t even = (at[0] >> lane.shift) & 15;
        const uint8_t odd = (at[16] >> lane.shift) & 15;
        code[pair] = uint8_t(even | (odd << 4));
        at += BLOCK;
    }
}

int32_t lethe_pq4_pack_reference(
        const uint8_t* flat,
        size_t count,
        uint32_t nsq,
        uint8_t* codes,
        char* message,
        size_t message_len) noexcept {
    return guarded(message, message_len, [&] {
        const size_t padded = (count + BLOCK - 1) / BLOCK * BLOCK;
        faiss::pq4_pack_codes(flat, count, nsq, padded, BLOCK, nsq, codes);
    });
}
}

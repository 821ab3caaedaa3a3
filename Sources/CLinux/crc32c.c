// CRC32C (Castagnoli, reflected polynomial 0x82F63B78). The instruction has a latency of three
// cycles and a throughput of one, so three streams side by side keep it busy; their checksums are
// joined by multiplication with a power of x modulo the polynomial, which is linear and so four
// table lookups.
#include "CLinux.h"

#include <string.h>

#define POLYNOMIAL 0x82F63B78u

// MARK: - Tables (slicing by 8), made before main so that no lock or check is needed later

static uint32_t slices[8][256];
static uint32_t powers[64];  // powers[n] = x^(8 * 2^n) modulo the polynomial, reflected

/// a * b modulo the polynomial, both reflected: bit 31 is x^0.
static uint32_t multiply(uint32_t a, uint32_t b) {
    uint32_t product = 0;
    for (uint32_t mask = 1u << 31; mask != 0; mask >>= 1) {
        if (a & mask) product ^= b;
        b = (b & 1) ? (b >> 1) ^ POLYNOMIAL : b >> 1;
    }
    return product;
}

/// x^(8 * byte_count) modulo the polynomial.
static uint32_t power_of_bytes(uint64_t byte_count) {
    uint32_t result = 1u << 31;
    for (int bit = 0; byte_count != 0; bit++, byte_count >>= 1) {
        if (byte_count & 1) result = multiply(result, powers[bit]);
    }
    return result;
}

static uint32_t table_raw(uint32_t crc, const uint8_t *p, size_t n) {
    while (n >= 8) {
        uint32_t low, high;
        memcpy(&low, p, 4);
        memcpy(&high, p + 4, 4);
        low ^= crc;
        crc = slices[7][low & 255] ^ slices[6][low >> 8 & 255] ^ slices[5][low >> 16 & 255]
              ^ slices[4][low >> 24] ^ slices[3][high & 255] ^ slices[2][high >> 8 & 255]
              ^ slices[1][high >> 16 & 255] ^ slices[0][high >> 24];
        p += 8;
        n -= 8;
    }
    while (n-- != 0) crc = slices[0][(crc ^ *p++) & 255] ^ (crc >> 8);
    return crc;
}

// MARK: - The instruction

#if defined(__x86_64__)
#include <immintrin.h>
#define HARDWARE __attribute__((target("sse4.2")))
#define CRC8(crc, value) _mm_crc32_u8(crc, value)
#define CRC64(crc, value) ((uint32_t)_mm_crc32_u64(crc, value))
static int machine_has_it(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("sse4.2") != 0;
}
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#define HARDWARE __attribute__((target("crc")))
#define CRC8(crc, value) __crc32cb(crc, value)
#define CRC64(crc, value) __crc32cd(crc, value)
static int machine_has_it(void) { return (getauxval(AT_HWCAP) & (1ul << 7)) != 0; }  // HWCAP_CRC32
#endif

static int hardware;

#ifdef HARDWARE
// Bytes of one of the three streams: long buffers pay the joining rarely, middling ones gain too.
enum { long_stream = 8192, short_stream = 256 };

// Joining tables: shift_*[k][b] = (b << 8k) * x^(8 * stream), so that a shift is four lookups.
static uint32_t shift_long[4][256];
static uint32_t shift_short[4][256];

static uint32_t shifted(uint32_t table[4][256], uint32_t crc) {
    return table[0][crc & 255] ^ table[1][crc >> 8 & 255] ^ table[2][crc >> 16 & 255]
           ^ table[3][crc >> 24];
}

HARDWARE static inline uint64_t load(const uint8_t *p) {
    uint64_t value;
    memcpy(&value, p, 8);
    return value;
}

HARDWARE static inline uint32_t three_streams(
    uint32_t crc, const uint8_t *p, size_t stream, uint32_t table[4][256]
) {
    uint32_t a = crc, b = 0, c = 0;
    for (size_t i = 0; i < stream; i += 16) {
        a = CRC64(a, load(p + i));
        b = CRC64(b, load(p + i + stream));
        c = CRC64(c, load(p + i + 2 * stream));
        a = CRC64(a, load(p + i + 8));
        b = CRC64(b, load(p + i + stream + 8));
        c = CRC64(c, load(p + i + 2 * stream + 8));
    }
    return shifted(table, shifted(table, a) ^ b) ^ c;
}

HARDWARE static uint32_t hardware_raw(uint32_t crc, const uint8_t *p, size_t n) {
    while (n >= 3 * long_stream) {
        crc = three_streams(crc, p, long_stream, shift_long);
        p += 3 * long_stream;
        n -= 3 * long_stream;
    }
    while (n >= 3 * short_stream) {
        crc = three_streams(crc, p, short_stream, shift_short);
        p += 3 * short_stream;
        n -= 3 * short_stream;
    }
    while (n >= 8) {
        crc = CRC64(crc, load(p));
        p += 8;
        n -= 8;
    }
    while (n-- != 0) crc = CRC8(crc, *p++);
    return crc;
}

static void fill_shift(uint32_t table[4][256], uint64_t stream) {
    uint32_t power = power_of_bytes(stream);
    for (int k = 0; k < 4; k++) {
        table[k][0] = 0;
        for (uint32_t bit = 1; bit < 256; bit <<= 1) {
            table[k][bit] = multiply(bit << (8 * k), power);
            for (uint32_t b = 1; b < bit; b++) table[k][bit + b] = table[k][bit] ^ table[k][b];
        }
    }
}
#endif

__attribute__((constructor)) static void prepare(void) {
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t crc = b;
        for (int bit = 0; bit < 8; bit++) crc = (crc & 1) ? (crc >> 1) ^ POLYNOMIAL : crc >> 1;
        slices[0][b] = crc;
    }
    for (int k = 1; k < 8; k++) {
        for (uint32_t b = 0; b < 256; b++) {
            slices[k][b] = slices[0][slices[k - 1][b] & 255] ^ (slices[k - 1][b] >> 8);
        }
    }
    powers[0] = 1u << 23;  // x^8
    for (int n = 1; n < 64; n++) powers[n] = multiply(powers[n - 1], powers[n - 1]);
#ifdef HARDWARE
    hardware = machine_has_it();
    fill_shift(shift_long, long_stream);
    fill_shift(shift_short, short_stream);
#endif
}

// MARK: - Entry points

uint32_t cl_crc32c(uint32_t previous, const void *bytes, size_t byte_count) {
#ifdef HARDWARE
    if (__builtin_expect(hardware, 1)) return ~hardware_raw(~previous, bytes, byte_count);
#endif
    return ~table_raw(~previous, bytes, byte_count);
}

uint32_t cl_crc32c_table(uint32_t previous, const void *bytes, size_t byte_count) {
    return ~table_raw(~previous, bytes, byte_count);
}

uint32_t cl_crc32c_combine(uint32_t first, uint32_t second, uint64_t second_byte_count) {
    return multiply(first, power_of_bytes(second_byte_count)) ^ second;
}

int cl_crc32c_is_hardware(void) { return hardware; }

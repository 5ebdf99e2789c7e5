#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// Archives byte by byte, for tests that need what no archive program would write.
namespace picket::archive::testing {

inline std::uint32_t crc32(std::string_view bytes) {
    std::uint32_t crc = ~0U;
    for (const char c : bytes) {
        crc ^= static_cast<unsigned char>(c);
        for (int bit = 0; bit < 8; ++bit)
            crc = (crc >> 1) ^ (0xedb88320U & (0U - (crc & 1U)));
    }
    return ~crc;
}

inline std::string little_endian(std::uint64_t value, std::size_t size) {
    std::string bytes;
    for (std::size_t i = 0; i < size; ++i)
        bytes += static_cast<char>(value >> (8 * i));
    return bytes;
}

struct RawEntry {
    std::string name;
    std::string content;          ///< as it stands in the archive
    std::uint32_t mode = 0100644; ///< with the file's kind
    std::uint16_t method = 0;     ///< 0 stored, 8 deflated
    std::uint64_t unpacked = 0;   ///< of deflated content; in tar the size that the header claims, if not 0
    std::uint16_t flags = 0;
    std::string link;    ///< tar only
    char tar_kind = '0'; ///< tar only
};

inline std::string raw_zip(const std::vector<RawEntry>& entries) {
    std::string file;
    std::string directory;
    for (const RawEntry& entry : entries) {
        const std::uint64_t offset = file.size();
        const std::uint64_t unpacked = entry.method == 0 ? entry.content.size() : entry.unpacked;
        // What both headers share: flags, method, time, CRC, sizes, length of the name.
        const std::string common =
            little_endian(entry.flags, 2) + little_endian(entry.method, 2) + little_endian(0x5021'0000, 4) +
            little_endian(crc32(entry.method == 0 ? entry.content : ""), 4) + little_endian(entry.content.size(), 4) +
            little_endian(unpacked, 4) + little_endian(entry.name.size(), 2) + little_endian(0, 2);
        file += "PK\x03\x04" + little_endian(20, 2) + common + entry.name + entry.content;
        directory += "PK\x01\x02" + little_endian(0x0314, 2) + little_endian(20, 2) + common + little_endian(0, 6) +
                     little_endian(std::uint64_t{entry.mode} << 16, 4) + little_endian(offset, 4) + entry.name;
    }
    const std::uint64_t start = file.size();
    const std::size_t count = entries.size() > 0xffff ? 0xffff : entries.size();
    file += directory + "PK\x05\x06" + little_endian(0, 4) + little_endian(count, 2) + little_endian(count, 2) +
            little_endian(directory.size(), 4) + little_endian(start, 4) + little_endian(0, 2);
    return file;
}

/// A deflate stream of `size` zeros, rounded up to 1032: one byte each 1032 (a match of 258 in two bits).
inline std::string deflated_zeros(std::uint64_t size) {
    std::string bytes;
    unsigned used = 8;
    const auto put = [&](std::uint32_t value, unsigned count) { // least significant bit first
        for (unsigned i = 0; i < count; ++i, ++used) {
            if (used == 8) {
                bytes += '\0';
                used = 0;
            }
            bytes.back() = static_cast<char>(bytes.back() | static_cast<char>(((value >> i) & 1U) << used));
        }
    };
    const auto put_code = [&](std::string_view code) {
        for (const char bit : code)
            put(bit == '1' ? 1 : 0, 1);
    };
    put(1, 1), put(2, 2), put(29, 5), put(0, 5),
        put(14, 4); // last block, dynamic; 286 literals, 1 distance, 18 lengths
    constexpr std::array<unsigned, 18> kCodeLengths{0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2};
    for (const unsigned length : kCodeLengths)
        put(length, 3);
    put_code("11");             // literal 0: two bits
    put_code("0"), put(127, 7); // 138 unused
    put_code("0"), put(106, 7); // 117 unused
    put_code("11");             // end of block: two bits
    put_code("0"), put(17, 7);  // 28 unused
    put_code("10");             // match of 258: one bit
    put_code("10");             // distance 1: one bit
    put_code("10");             // one zero
    while (used != 8)
        put(0, 1); // whole matches: an even number of bits is left in this byte
    bytes.append(static_cast<std::size_t>(size / 1032 + 1), '\0');
    used = 8;
    put_code("11");
    return bytes;
}

inline std::string raw_tar(const std::vector<RawEntry>& entries) {
    std::string file;
    const auto octal = [](std::uint64_t value, std::size_t width) {
        std::string text(width - 1, '0');
        for (std::size_t i = width - 1; i > 0; --i, value /= 8)
            text[i - 1] = static_cast<char>('0' + value % 8);
        return text + '\0';
    };
    for (const RawEntry& entry : entries) {
        std::string header(512, '\0');
        header.replace(0, entry.name.size(), entry.name);
        header.replace(100, 8, octal(0644, 8));
        header.replace(108, 8, octal(0, 8));
        header.replace(116, 8, octal(0, 8));
        header.replace(124, 12, octal(entry.unpacked != 0 ? entry.unpacked : entry.content.size(), 12));
        header.replace(136, 12, octal(0, 12));
        header.replace(148, 8, "        ");
        header[156] = entry.tar_kind;
        header.replace(157, entry.link.size(), entry.link);
        header.replace(257, 8,
                       std::string("ustar\0"
                                   "00",
                                   8));
        std::uint64_t sum = 0;
        for (const char c : header)
            sum += static_cast<unsigned char>(c);
        header.replace(148, 7, octal(sum, 7));
        file += header + entry.content;
        file.append((512 - entry.content.size() % 512) % 512, '\0');
    }
    return file + std::string(1024, '\0');
}

/// A gzip whose content begins with `content`, at most 64 KiB, and goes on with `zeros` zeros.
inline std::string raw_gzip_bomb(std::string_view content, std::uint64_t zeros) {
    return std::string("\x1f\x8b\x08\0\0\0\0\0\0\xff\0", 11) + little_endian(content.size(), 2) +
           little_endian(~content.size(), 2) + std::string(content) + deflated_zeros(zeros);
}

/// gzip without compression.
inline std::string raw_gzip(std::string_view content) {
    std::string file("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
    for (std::size_t at = 0;; at += 0xffff) {
        const std::string_view piece = content.substr(at, 0xffff);
        const bool last = at + piece.size() == content.size();
        file += little_endian(last ? 1 : 0, 1) + little_endian(piece.size(), 2) + little_endian(~piece.size(), 2);
        file += piece;
        if (last)
            break;
    }
    return file + little_endian(crc32(content), 4) + little_endian(content.size(), 4);
}

} // namespace picket::archive::testing

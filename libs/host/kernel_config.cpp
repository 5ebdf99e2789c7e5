#include "kernel_config.h"

#include <array>

#include <fmt/format.h>
#include <picket/base/scope_exit.h>
#include <zlib.h>

#include "root_links.h"

namespace picket::host {
namespace {

constexpr Bytes kPackedLimit = mebibytes(4);
constexpr Bytes kTextLimit = mebibytes(16);
constexpr int kGzipOnly = 16 + MAX_WBITS;

bool looks_like_config(std::string_view text) {
    return text.find("\nCONFIG_") != std::string_view::npos;
}

} // namespace

Result<std::string> gunzip(std::string_view packed, Bytes limit) {
    z_stream stream{};
    if (inflateInit2(&stream, kGzipOnly) != Z_OK)
        return Error(ErrorCode::exhausted, "zlib: no memory");
    ScopeExit end([&] { inflateEnd(&stream); });
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data())); // zlib reads it only
    stream.avail_in = static_cast<uInt>(packed.size());
    std::string text;
    std::array<char, 65536> buffer{};
    for (;;) {
        stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
        stream.avail_out = buffer.size();
        const int status = inflate(&stream, Z_NO_FLUSH);
        const std::size_t got = buffer.size() - stream.avail_out;
        if (text.size() + got > limit.count)
            return Error(ErrorCode::exhausted, fmt::format("unpacks to more than {}", to_human(limit)));
        text.append(buffer.data(), got);
        if (status == Z_STREAM_END)
            return text;
        if (status != Z_OK)
            return Error(ErrorCode::corrupt, "not a complete gzip file");
    }
}

bool KernelConfig::is_enabled(std::string_view option) const {
    const std::string_view all = text;
    for (const char value : {'y', 'm'}) {
        const std::string line = fmt::format("{}={}", option, value);
        for (std::size_t at = all.find(line); at != std::string_view::npos; at = all.find(line, at + 1)) {
            const std::size_t end = at + line.size();
            if ((at == 0 || all[at - 1] == '\n') && (end == all.size() || all[end] == '\n' || all[end] == '\r'))
                return true;
        }
    }
    return false;
}

Result<KernelConfig> read_kernel_config(const sys::Root& root, std::string_view release) {
    if (const auto packed = root.read("/proc/config.gz", kPackedLimit))
        if (auto text = gunzip(*packed, kTextLimit); text && looks_like_config(*text))
            return KernelConfig{"/proc/config.gz", *std::move(text)};
    for (const char* pattern :
         {"/boot/config-{}", "/lib/modules/{}/config", "/lib/modules/{}/build/.config", "/usr/lib/modules/{}/config"}) {
        const std::string path = fmt::format(fmt::runtime(pattern), release);
        if (auto text = read_through_links(root, path, kTextLimit); text && looks_like_config(*text))
            return KernelConfig{path, *std::move(text)};
    }
    return Error(ErrorCode::not_found, fmt::format("neither /proc/config.gz nor /boot/config-{} can be read", release));
}

} // namespace picket::host

#include <doctest/doctest.h>

#include <zlib.h>

#include "host_tree.h"
#include "kernel_config.h"

using namespace picket;
using namespace picket::host;
using picket::host::testing::HostTree;

namespace {
std::string gzip(const std::string& text) {
    z_stream stream{};
    REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY) == Z_OK);
    std::string packed(deflateBound(&stream, text.size()), '\0');
    std::string input = text;
    stream.next_in = reinterpret_cast<Bytef*>(input.data());
    stream.avail_in = static_cast<uInt>(input.size());
    stream.next_out = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    packed.resize(stream.total_out);
    deflateEnd(&stream);
    return packed;
}
const std::string kConfig =
    "# Linux\nCONFIG_FANOTIFY=y\n# CONFIG_FANOTIFY_ACCESS_PERMISSIONS is not set\nCONFIG_EXT4_FS=m\n";
} // namespace

TEST_CASE("options of a kernel config") {
    const KernelConfig config{"x", kConfig};
    CHECK(config.is_enabled("CONFIG_FANOTIFY"));
    CHECK(config.is_enabled("CONFIG_EXT4_FS"));
    CHECK_FALSE(config.is_enabled("CONFIG_FANOTIFY_ACCESS_PERMISSIONS"));
    CHECK_FALSE(config.is_enabled("CONFIG_EXT4"));
    CHECK_FALSE(KernelConfig{"x", "#CONFIG_A=y\nXCONFIG_A=y\nCONFIG_A=yes\nCONFIG_A=n\n"}.is_enabled("CONFIG_A"));
    CHECK(KernelConfig{"x", "CONFIG_A=y"}.is_enabled("CONFIG_A"));
}

TEST_CASE("the kernel's config is read from where distributions keep it") {
    for (const char* path : {"/boot/config-6.1.0-18-amd64", "/lib/modules/6.1.0-18-amd64/config",
                             "/usr/lib/modules/6.1.0-18-amd64/config"}) {
        const HostTree tree;
        tree.file(path, kConfig);
        const auto config = read_kernel_config(tree.root(), "6.1.0-18-amd64");
        REQUIRE(config);
        CHECK(config->source == path);
        CHECK(config->is_enabled("CONFIG_FANOTIFY"));
    }
    const HostTree tree;
    CHECK(read_kernel_config(tree.root(), "6.1.0").error().code() == ErrorCode::not_found);
    tree.file("/boot/config-6.1.0", kConfig).file("/proc/config.gz", gzip(kConfig));
    CHECK(read_kernel_config(tree.root(), "6.1.0")->source == "/proc/config.gz");
}

TEST_CASE("a damaged or endless config.gz is passed over") {
    const std::string packed = gzip(kConfig);
    CHECK(gunzip(packed, kibibytes(4)).value() == kConfig);
    CHECK(gunzip(packed, Bytes{8}).error().code() == ErrorCode::exhausted);
    CHECK(gunzip(gzip(std::string(50'000'000, '\0')), mebibytes(16)).error().code() == ErrorCode::exhausted);
    CHECK(gunzip("", kibibytes(4)).error().code() == ErrorCode::corrupt);
    CHECK(gunzip("not gzip at all", kibibytes(4)).error().code() == ErrorCode::corrupt);
    for (std::size_t length = 0; length < packed.size(); ++length)
        CHECK_FALSE(gunzip(packed.substr(0, length), kibibytes(4)));
    const HostTree tree;
    tree.file("/proc/config.gz", packed.substr(0, 20)).file("/boot/config-6.1.0", kConfig);
    CHECK(read_kernel_config(tree.root(), "6.1.0")->source == "/boot/config-6.1.0");
}

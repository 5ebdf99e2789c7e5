#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <picket/watch/filesystem_identity.h>

using namespace picket;
using namespace picket::watch;
namespace fs = std::filesystem;

namespace {

/// A /sys of files and links.
struct Sysfs {
    Sysfs() {
        std::string pattern = (fs::temp_directory_path() / "picket-sysfs-XXXXXX").string();
        top = mkdtemp(pattern.data());
        fs::create_directories(top / "dev/block");
    }
    ~Sysfs() { fs::remove_all(top); }
    Sysfs(const Sysfs&) = delete;
    Sysfs& operator=(const Sysfs&) = delete;
    fs::path device(const std::string& numbers, const std::string& place) const {
        fs::create_directories(top / place);
        fs::create_directory_symlink("../../" + place, top / "dev/block" / numbers);
        std::ofstream(top / place / "dev") << numbers << "\n";
        return top / place;
    }
    bool fixed(unsigned major, unsigned minor) const { return is_fixed_medium(top, major, minor); }
    fs::path top;
};

void put(const fs::path& file, const std::string& text) {
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text << "\n";
}

} // namespace

TEST_CASE("only what root alone can bring and change is a fixed medium") {
    const Sysfs sysfs;
    put(sysfs.device("8:0", "devices/pci0/ata1/block/sda") / "removable", "0");
    put(sysfs.device("8:1", "devices/pci0/ata1/block/sda/sda1") / "partition", "1");
    put(sysfs.device("8:16", "devices/pci0/usb1/1-1/host6/block/sdb") / "removable", "0");
    put(sysfs.device("8:32", "devices/pci0/ata2/block/sdc") / "removable", "1");
    put(sysfs.device("8:48", "devices/platform/host9/session3/target/block/sdd") / "removable", "0");
    put(sysfs.device("179:0", "devices/pci0/mmc_host/mmc0/block/mmcblk0") / "removable", "0");
    put(sysfs.device("1:0", "devices/virtual/block/ram0") / "removable", "0");
    CHECK(sysfs.fixed(8, 0));
    CHECK(sysfs.fixed(8, 1));
    CHECK_FALSE(sysfs.fixed(8, 16));
    CHECK_FALSE(sysfs.fixed(8, 32));
    CHECK_FALSE(sysfs.fixed(8, 48));
    CHECK_FALSE(sysfs.fixed(179, 0));
    CHECK_FALSE(sysfs.fixed(1, 0));
    CHECK_FALSE(sysfs.fixed(9, 9)); // there is none
}

TEST_CASE("the device mapper is as fixed as what it is made of") {
    const Sysfs sysfs;
    put(sysfs.device("8:0", "devices/pci0/ata1/block/sda") / "removable", "0");
    put(sysfs.device("8:16", "devices/pci0/usb1/block/sdb") / "removable", "0");
    const fs::path one = sysfs.device("253:0", "devices/virtual/block/dm-0");
    const fs::path both = sysfs.device("253:1", "devices/virtual/block/dm-1");
    put(one / "slaves/sda/dev", "8:0");
    CHECK(sysfs.fixed(253, 0));
    put(both / "slaves/dm-0/dev", "253:0");
    CHECK(sysfs.fixed(253, 1));
    put(both / "slaves/sdb/dev", "8:16");
    CHECK_FALSE(sysfs.fixed(253, 1));
    put(sysfs.device("253:2", "devices/virtual/block/dm-2") / "slaves/dm-2/dev", "253:2"); // made of itself
    CHECK_FALSE(sysfs.fixed(253, 2));
    sysfs.device("253:3", "devices/virtual/block/dm-3");
    CHECK_FALSE(sysfs.fixed(253, 3));
}

TEST_CASE("a loop device counts where only root may write its image") {
    const Sysfs sysfs;
    const fs::path loop = sysfs.device("7:0", "devices/virtual/block/loop0");
    put(loop / "loop/backing_file", (sysfs.top / "image").string()); // below a folder that anybody may write to
    put(sysfs.top / "image", "x");
    CHECK_FALSE(sysfs.fixed(7, 0));
    put(loop / "loop/backing_file", "/gone (deleted)");
    CHECK_FALSE(sysfs.fixed(7, 0));
}

TEST_CASE("of an ext superblock uuid and count are read, of anything else nothing") {
    std::string bytes(1'024, '\0');
    CHECK_FALSE(parse_ext_superblock(bytes));
    bytes[0x38] = '\x53';
    bytes[0x39] = '\xEF';
    bytes[0x34] = '\x02';
    bytes[0x35] = '\x01';
    bytes[0x68] = '\x7f';
    const auto superblock = parse_ext_superblock(bytes);
    REQUIRE(superblock);
    CHECK(superblock->mounts == 258);
    CHECK(superblock->uuid[0] == 0x7f);
    CHECK_FALSE(parse_ext_superblock(bytes.substr(0, 100)));
}

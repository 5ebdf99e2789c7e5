#include <doctest/doctest.h>

#include <picket/host/facts.h>

#include "host_tree.h"
#include "root_links.h"

using namespace picket;
using namespace picket::host;
using picket::host::testing::HostTree;

namespace {
std::string elf(unsigned char machine) {
    std::string header(64, '\0');
    header.replace(0, 4,
                   "\x7f"
                   "ELF");
    header[4] = 2;
    header[5] = 1;
    header[18] = static_cast<char>(machine);
    return header;
}
} // namespace

TEST_CASE("facts of an image") {
    const HostTree tree;
    tree.file("/usr/lib/os-release", "ID=rocky\nVERSION_ID=\"9.3\"\nPRETTY_NAME=\"Rocky Linux 9.3\"\n")
        .link("/etc/os-release", "../usr/lib/os-release");
    tree.link("/bin", "usr/bin").link("/lib", "usr/lib");
    tree.file("/usr/bin/bash", elf(62)).link("/usr/bin/sh", "bash");
    tree.file("/usr/bin/rpm", "")
        .file("/usr/bin/dnf-3", "")
        .link("/usr/bin/dnf", "dnf-3")
        .link("/usr/bin/yum", "dnf-3");
    tree.file("/usr/lib/systemd/systemd", "").file("/usr/lib/systemd/libsystemd-shared-252.4-1.el9.so", "");
    const auto facts = collect_facts(tree.root());
    REQUIRE(facts);
    CHECK(facts->distro.status == DistroStatus::supported);
    CHECK(facts->family == PackageFamily::rpm);
    CHECK(facts->package_manager == PackageManager::dnf);
    CHECK(facts->systemd_present);
    CHECK_FALSE(facts->systemd_running);
    CHECK(facts->systemd_version == "252");
    CHECK(facts->architecture == "x86_64");
    CHECK(facts->kernel_release.empty());
    CHECK(facts->container.empty());
    CHECK(data::string_or(to_json(*facts), "package_manager", "") == "dnf");
}

TEST_CASE("facts of an image of another architecture, older package manager, unknown distribution") {
    const HostTree tree;
    tree.file("/etc/os-release", "ID=strange\n")
        .file("/bin/sh", elf(183))
        .file("/usr/bin/yum", "")
        .file("/usr/bin/rpm", "");
    const auto facts = collect_facts(tree.root());
    REQUIRE(facts);
    CHECK(facts->architecture == "aarch64");
    CHECK(facts->family == PackageFamily::rpm);
    CHECK(facts->package_manager == PackageManager::yum);
    CHECK_FALSE(facts->systemd_present);
}

TEST_CASE("facts of an empty tree") {
    const HostTree tree;
    const auto facts = collect_facts(tree.root());
    REQUIRE(facts);
    CHECK(facts->distro.status == DistroStatus::unsupported);
    CHECK(facts->package_manager == PackageManager::none);
    CHECK(facts->architecture.empty());
}

TEST_CASE("facts of this host") {
    const auto facts = collect_facts(sys::Root::open().value());
    REQUIRE(facts);
    CHECK_FALSE(facts->kernel_release.empty());
    CHECK_FALSE(facts->architecture.empty());
}

TEST_CASE("links are followed inside the root only") {
    const HostTree tree;
    tree.directory("/run").link("/var/run", "../run").file("/run/x", "seen").link("/a", "/b").link("/b", "a");
    tree.link("/up", "../../../../run/x");
    const sys::Root root = tree.root();
    CHECK(resolve_in_root(root, "/var/run/x").value() == "/run/x");
    CHECK(resolve_in_root(root, "/up").value() == "/run/x");
    CHECK(resolve_in_root(root, "/var/run/../run/./x").value() == "/run/x");
    CHECK(resolve_in_root(root, "/").value() == "/");
    CHECK_FALSE(resolve_in_root(root, "/a"));
    CHECK(resolve_in_root(root, "/none").error().code() == ErrorCode::not_found);
    CHECK(nearest_existing_directory(root, "/var/run/picket/deep") == "/run");
    CHECK(nearest_existing_directory(root, "/none/at/all") == "/");
    CHECK(nearest_existing_directory(root, "/run/x/below-a-file") == "/run");
}

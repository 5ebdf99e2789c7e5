#include <doctest/doctest.h>

#include <picket/base/build_info.h>
#include <picket/host/check.h>

#include "checks.h"
#include "host_tree.h"

using namespace picket;
using namespace picket::host;
using picket::host::testing::HostTree;

namespace {

class FixedClock final : public Clock {
  public:
    explicit FixedClock(WallTime now) : now_(now) {}
    MonotonicTime monotonic() const override { return {}; }
    WallTime wall() const override { return now_; }

  private:
    WallTime now_;
};

const SystemClock kClock;

/// A tree that answers as the running host would.
struct FakeHost {
    HostTree tree;
    sys::Root root = tree.root();
    HostFacts facts;

    Answer ask(Answer (*check)(const CheckContext&), const Clock& clock = kClock) const {
        const CheckOptions options{.root = root, .clock = clock};
        CheckContext context{.options = options, .facts = facts};
        if (const auto mountinfo = root.read("/proc/mountinfo", kibibytes(64)))
            context.mounts = sys::parse_mountinfo(*mountinfo);
        return check(context);
    }
};

} // namespace

TEST_CASE("kernel.version") {
    FakeHost host;
    host.facts.kernel_release = "3.10.0-1160.el7.x86_64";
    CHECK(host.ask(check_kernel).status == CheckStatus::pass);
    host.facts.kernel_release = "3.10.0-229.el7.x86_64";
    CHECK(host.ask(check_kernel).status == CheckStatus::fail);
    CHECK(host.ask(check_kernel).observed == "3.10.0-229.el7.x86_64");
    host.facts.kernel_release = "garbage";
    CHECK(host.ask(check_kernel).status == CheckStatus::fail);
    CHECK(host.ask(check_kernel).observed.find("garbage") != std::string::npos);
}

TEST_CASE("memory.total") {
    const FakeHost host;
    CHECK(host.ask(check_memory).status == CheckStatus::warn);
    const std::pair<const char*, CheckStatus> rows[] = {{"24684032", CheckStatus::pass}, {"983040", CheckStatus::pass},
                                                        {"760000", CheckStatus::warn},   {"490000", CheckStatus::warn},
                                                        {"240000", CheckStatus::fail},   {"x", CheckStatus::warn}};
    for (const auto& row : rows) {
        CAPTURE(row.first);
        host.tree.file("/proc/meminfo", std::string("MemTotal:       ") + row.first + " kB\nMemFree: 1 kB\n");
        CHECK(host.ask(check_memory).status == row.second);
    }
}

TEST_CASE("clock.sane") {
    const FakeHost host;
    const auto at = [&](std::chrono::hours offset) {
        return host.ask(check_clock, FixedClock(build::built_at() + offset)).status;
    };
    CHECK(at(std::chrono::hours(1)) == CheckStatus::pass);
    CHECK(at(std::chrono::hours(-23)) == CheckStatus::pass);
    CHECK(at(std::chrono::hours(-25)) == CheckStatus::fail);
    CHECK(at(std::chrono::hours(24 * 365 * 9)) == CheckStatus::pass);
    CHECK(at(std::chrono::hours(24 * 365 * 11)) == CheckStatus::fail);
    CHECK(host.ask(check_clock, FixedClock(WallTime())).status == CheckStatus::fail); // 1970
}

TEST_CASE("filesystem.supported names what is not tested") {
    const FakeHost host;
    CHECK(host.ask(check_filesystems).status == CheckStatus::warn);
    const std::string ext4 = "28 1 253:1 / / rw - ext4 /dev/vda1 rw\n29 28 0:5 / /proc rw - proc proc rw\n30 28 0:6 / "
                             "/mnt rw - fuse.sshfs x rw\n";
    host.tree.file("/proc/mountinfo", ext4);
    CHECK(host.ask(check_filesystems).status == CheckStatus::pass);
    CHECK(host.ask(check_filesystems).observed == "ext4, fuse.sshfs");
    host.tree.file("/proc/mountinfo",
                   ext4 + "31 28 0:7 / /tank rw - zfs tank rw\n32 28 0:8 / /tank/b rw - zfs tank/b rw\n");
    const Answer mixed = host.ask(check_filesystems);
    CHECK(mixed.status == CheckStatus::warn);
    CHECK(mixed.observed.find("zfs on /tank and 1 more") != std::string::npos);
    host.tree.file("/proc/mountinfo", "31 28 0:7 / / rw - zfs tank rw\n");
    CHECK(host.ask(check_filesystems).status == CheckStatus::fail);
}

TEST_CASE("disk.space and disk.inodes measure where the files will land") {
    const HostTree tree;
    tree.directory("/usr").directory("/data").link("/var", "data");
    const sys::Root root = tree.root();
    CheckOptions options{.root = root, .clock = kClock};
    options.space = {{"/usr", Bytes{1}}, {"/var/lib/picket", Bytes{1}}};
    const HostFacts facts;
    CHECK(check_disk_space({.options = options, .facts = facts}).status == CheckStatus::pass);
    options.space = {{"/usr", gibibytes(1)}, {"/var/lib/picket", gibibytes(1'000'000)}};
    const Answer full = check_disk_space({.options = options, .facts = facts});
    CHECK(full.status == CheckStatus::fail);
    CHECK(full.fix.find("/usr, /var/lib/picket") != std::string::npos); // one file system: the needs add up
    CHECK(check_disk_inodes({.options = options, .facts = facts}).status == CheckStatus::pass);
}

TEST_CASE("service_manager, security_module, secure_boot, container") {
    FakeHost host;
    CHECK(host.ask(check_service_manager).status == CheckStatus::warn);
    host.facts.systemd_present = true;
    host.facts.systemd_version = "252";
    CHECK(host.ask(check_service_manager).observed == "systemd 252 is installed but does not run");
    host.facts.systemd_running = true;
    CHECK(host.ask(check_service_manager).status == CheckStatus::pass);

    CHECK(host.ask(check_security_module).status == CheckStatus::pass);
    host.tree.file("/sys/fs/selinux/enforce", "1").file("/sys/module/apparmor/parameters/enabled", "Y\n");
    CHECK(host.ask(check_security_module).observed == "SELinux enforcing, AppArmor");
    host.tree.file("/sys/fs/selinux/enforce", "0");
    CHECK(host.ask(check_security_module).observed.find("SELinux permissive") == 0);

    CHECK(host.ask(check_secure_boot).observed == "no UEFI");
    host.tree.file("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c",
                   std::string("\6\0\0\0\1", 5));
    host.tree.file("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
    CHECK(host.ask(check_secure_boot).observed == "UEFI, secure boot on, lockdown integrity");

    CHECK(host.ask(check_container).status == CheckStatus::pass);
    host.facts.container = "systemd-nspawn";
    CHECK(host.ask(check_container).status == CheckStatus::warn);
}

TEST_CASE("immutable_root") {
    const FakeHost host;
    host.tree.directory("/usr");
    CHECK(host.ask(check_immutable_root).status == CheckStatus::pass);
    host.tree.file("/run/ostree-booted", "");
    const Answer ostree = host.ask(check_immutable_root);
    CHECK(ostree.status == CheckStatus::fail);
    CHECK(ostree.fix.find("rpm-ostree") != std::string::npos);
}

TEST_CASE("package_manager.consistent") {
    FakeHost host;
    CHECK(host.ask(check_package_manager_consistent).status == CheckStatus::skip);
    host.facts.family = PackageFamily::deb;
    CHECK(host.ask(check_package_manager_consistent).status == CheckStatus::fail);
    host.tree.file("/var/lib/dpkg/status", "Package: a\nStatus: install ok installed\n");
    CHECK(host.ask(check_package_manager_consistent).status == CheckStatus::pass);
    host.tree.file("/var/lib/dpkg/status", "Package: a\nStatus: install ok half-configured\n");
    CHECK(host.ask(check_package_manager_consistent).status == CheckStatus::fail);
    CHECK(host.ask(check_package_manager_consistent).observed == "a (half-configured)");
    host.facts.family = PackageFamily::rpm;
    CHECK(host.ask(check_package_manager_consistent).status == CheckStatus::fail);
    host.tree.link("/var/lib/rpm", "../../usr/lib/sysimage/rpm").file("/usr/lib/sysimage/rpm/rpmdb.sqlite", "x");
    CHECK(host.ask(check_package_manager_consistent).status == CheckStatus::pass);
    host.tree.file("/var/lib/yum/transaction-all.2026-11-24", "");
    CHECK(host.ask(check_package_manager_consistent).status == CheckStatus::warn);
}

TEST_CASE("product.installed: absent or whole passes, anything between is broken") {
    FakeHost host;
    host.facts.family = PackageFamily::deb;
    CHECK(host.ask(check_product_installed).observed == "not installed");
    host.tree.file("/var/lib/dpkg/status", "Package: picket\nStatus: install ok half-configured\n");
    CHECK(host.ask(check_product_installed).status == CheckStatus::fail);
    host.tree.file("/var/lib/dpkg/status", "Package: picket\nStatus: install ok installed\n");
    CHECK(host.ask(check_product_installed).status == CheckStatus::fail);
    for (const char* program : {"/usr/sbin/picketd", "/usr/bin/picket", "/usr/libexec/picket/picket-engine",
                                "/usr/libexec/picket/picket-guard"})
        host.tree.file(program, "");
    CHECK(host.ask(check_product_installed).observed.find("picket-remedy missing") != std::string::npos);
    host.tree.file("/usr/libexec/picket/picket-remedy", "");
    CHECK(host.ask(check_product_installed).observed == "installed");
    host.facts.family = PackageFamily::rpm;
    CHECK(host.ask(check_product_installed).status == CheckStatus::pass);
    const FakeHost receipt_only;
    receipt_only.tree.file("/var/lib/picket/install/receipt.json", "{}");
    CHECK(receipt_only.ask(check_product_installed).status == CheckStatus::fail);
}

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <unistd.h>

#include <picket/sys/packages.h>

using namespace picket;
using namespace picket::sys;

namespace {

namespace fs = std::filesystem;

bool can_chroot() {
    return geteuid() == 0 && fs::exists("/usr/bin/dash");
}

/// A tree whose rpm misses a library, and whose other tools write down how they were called.
class Tree {
  public:
    Tree() {
        std::string name = "/tmp/picket-rpm-fallback-XXXXXX";
        top_ = mkdtemp(name.data());
        fs::create_directories(top_ + "/var/lib/rpm");
        fs::create_directories(top_ + "/usr/bin");
        std::ofstream(top_ + "/var/lib/rpm/rpmdb.sqlite") << "";
        const std::string copy =
            "for p in /bin/sh; do echo $p; ldd $p | grep -o '/[^ ]*'; done | sort -u | xargs cp -L --parents -t " +
            top_;
        REQUIRE(std::system(copy.c_str()) == 0);
        program("rpm",
                "echo 'error: Failed dependencies:' >&2; printf '\\tlibx.so.1 is needed by picket-1-1.x86_64\\n' >&2\n"
                "exit 1");
        root_.emplace(Root::open(top_).value());
    }
    ~Tree() { fs::remove_all(top_); }
    Tree(const Tree&) = delete;
    Tree& operator=(const Tree&) = delete;

    void program(const std::string& name, const std::string& lines) const {
        const std::string path = top_ + "/usr/bin/" + name;
        std::ofstream(path) << "#!/bin/sh\n" << lines << "\n";
        fs::permissions(path, fs::perms(0755));
    }
    void tool(const std::string& name, const std::string& end) const {
        program(name, "echo \"" + name + " $*\" >>/called\n" + end);
    }
    Result<void> install() const {
        return package_manager_of(*root_, PackageSystem::rpm).value()->install(top_ + "/tmp/picket.rpm");
    }
    std::string called() const {
        std::ostringstream text;
        text << std::ifstream(top_ + "/called").rdbuf();
        return text.str();
    }

  private:
    std::string top_;
    std::optional<Root> root_;
};

} // namespace

TEST_SUITE("root") {
    TEST_CASE("what rpm misses comes from what dnf, yum, tdnf or zypper has at hand, offline and unasked" *
              doctest::skip(!can_chroot())) {
        const std::pair<const char*, const char*> tools[] = {
            {"dnf", "dnf -y -C --setopt=exit_on_lock=1 --setopt=install_weak_deps=0 install /tmp/picket.rpm\n"},
            {"yum", "yum -y -C --setopt=exit_on_lock=1 install /tmp/picket.rpm\n"},
            {"tdnf", "tdnf -y -C install /tmp/picket.rpm\n"},
            {"zypper",
             "zypper --non-interactive --no-refresh --no-remote install --allow-unsigned-rpm /tmp/picket.rpm\n"}};
        for (const auto& [name, call] : tools) {
            const Tree tree;
            tree.tool(name, "exit 0");
            CHECK(tree.install().has_value());
            CHECK(tree.called() == call);
        }
    }

    TEST_CASE("where one of them cannot, the next is asked" * doctest::skip(!can_chroot())) {
        const Tree tree;
        tree.tool("dnf", "exit 1");
        tree.tool("yum", "exit 0");
        tree.tool("zypper", "exit 0");
        CHECK(tree.install().has_value());
        CHECK(tree.called().find("yum -y") != std::string::npos);
        CHECK(tree.called().find("zypper") == std::string::npos);
    }

    TEST_CASE("an older zypper, which does not know --allow-unsigned-rpm, is called without" *
              doctest::skip(!can_chroot())) {
        const Tree tree;
        tree.tool("zypper", "for word in \"$@\"; do [ \"$word\" != --allow-unsigned-rpm ] || exit 2; done");
        CHECK(tree.install().has_value());
    }

    TEST_CASE("where none has it, what is missing is named" * doctest::skip(!can_chroot())) {
        for (const bool with_tool : {false, true}) {
            const Tree tree;
            if (with_tool)
                tree.tool("zypper", "exit 104");
            const auto installed = tree.install();
            REQUIRE_FALSE(installed.has_value());
            CHECK(installed.error().code() == ErrorCode::not_found);
            CHECK(installed.error().message().find("libx.so.1") != std::string::npos);
        }
    }
}

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <sys/stat.h>

#include <picket/data/yaml.h>
#include <picket/host/distro.h>
#include <picket/host/facts.h>

#include "host_tree.h"

using namespace picket;
using namespace picket::host;
using picket::host::testing::HostTree;

namespace {

std::string read_source(const char* name) {
    std::ifstream file(std::string(PICKET_SOURCE_DIR) + "/libs/host/" + name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::string status_name(DistroStatus status) {
    switch (status) {
    case DistroStatus::supported:
        return "pass";
    case DistroStatus::uncertain:
        return "warn";
    default:
        return "fail";
    }
}

DistroVerdict judge_tree(const HostTree& tree, std::string_view kernel = {}) {
    std::optional<sys::KernelRelease> release;
    if (!kernel.empty())
        release = sys::parse_kernel_release(kernel).value();
    const sys::Root root = tree.root();
    static const SupportMatrix matrix = SupportMatrix::built_in();
    return judge_distro(matrix, read_os_release(root), root, release);
}

} // namespace

TEST_CASE("os-release files of real distributions get the right answer") {
    const auto document = data::parse_yaml(read_source("tests/os_release_cases.yaml"));
    REQUIRE(document);
    CHECK(document->value.size() >= 180);
    for (const data::Json& row : document->value) {
        const std::string name = data::string_or(row, "name", "?");
        CAPTURE(name);
        const HostTree tree;
        if (row.contains("os_release"))
            tree.file("/usr/lib/os-release", data::string_or(row, "os_release", ""))
                .link("/etc/os-release", "../usr/lib/os-release");
        for (const auto& [path, text] : data::member(row, "files").items())
            tree.file(path, data::string_or(data::member(row, "files"), path, ""));
        const DistroVerdict verdict = judge_tree(tree, data::string_or(row, "kernel", ""));
        CAPTURE(verdict.observed);
        CAPTURE(verdict.reason);
        CHECK(status_name(verdict.status) == data::string_or(row, "status", "?"));
        if (verdict.status == DistroStatus::too_old || verdict.status == DistroStatus::unsupported)
            CHECK((verdict.status == DistroStatus::too_old ? 11 : 10) == data::integer_or(row, "exit", 0));
        if (row.contains("family"))
            CHECK(to_string(verdict.distribution.value_or(Distribution{}).family) ==
                  data::string_or(row, "family", ""));
        CHECK_FALSE(verdict.observed.empty());
        if (verdict.status != DistroStatus::supported)
            CHECK_FALSE(verdict.reason.empty());
    }
}

TEST_CASE("versions are shown as distributions write them") {
    const HostTree tree;
    tree.file("/etc/os-release", "ID=ubuntu\nVERSION_ID=14.04\n");
    CHECK(judge_tree(tree).required == "Ubuntu 16.04 or later");
    CHECK(SupportMatrix::built_in().summary().find("ubuntu ≥ 16.04") != std::string::npos);
}

TEST_CASE("os-release fields as os-release(5) writes them") {
    const auto release =
        parse_os_release("ID='debian'\r\n# comment\nID_LIKE=\"one  Two\"\nPRETTY_NAME=\"a \\\"b\\\" \\$c \\x\"\n"
                         "NAME=Pop\\!_OS\nVERSION=\nVERSION_ID='1\\2'\n");
    REQUIRE(release);
    CHECK(release->id == "debian");
    CHECK(release->id_like == std::vector<std::string>{"one", "two"});
    CHECK(release->pretty_name == "a \"b\" $c \\x");
    CHECK(release->name == "Pop!_OS");
    CHECK(release->version.empty());
    CHECK(release->version_id == "1\\2");
    CHECK(parse_os_release("\xef\xbb\xbfID=debian\n")->id == "debian");
    CHECK(parse_os_release("NAME=x\n")->id == "linux");
}

TEST_CASE("os-release is found where it is, and never outside the root") {
    const HostTree outside;
    outside.file("/os-release", "ID=outside\n");
    {
        const HostTree tree;
        tree.file("/usr/lib/os-release", "ID=inside\n").link("/etc/os-release", "../usr/lib/os-release");
        CHECK(read_os_release(tree.root())->id == "inside");
    }
    {
        const HostTree tree;
        tree.file("/usr/lib/os-release", "ID=inside\n").link("/etc/os-release", "/usr/lib/os-release");
        CHECK(read_os_release(tree.root())->id == "inside");
    }
    {
        const HostTree tree; // as NixOS has it: through links on the way
        tree.file("/nix/store/abc-etc/os-release", "ID=nixos\n")
            .link("/etc/static", "/nix/store/abc-etc")
            .link("/etc/os-release", "static/os-release");
        CHECK(read_os_release(tree.root())->id == "nixos");
    }
    {
        const HostTree tree;
        tree.file("/usr/lib/os-release", "ID=inside\n").directory("/etc");
        CHECK(read_os_release(tree.root())->id == "inside");
    }
    {
        const HostTree tree; // a dangling link is as good as none
        tree.file("/usr/lib/os-release", "ID=inside\n").link("/etc/os-release", "../gone");
        CHECK(read_os_release(tree.root())->id == "inside");
    }
    {
        const HostTree tree;
        tree.link("/etc/os-release", outside.at("/os-release").string());
        CHECK(read_os_release(tree.root()).error().code() == ErrorCode::not_found);
    }
    {
        const HostTree tree;
        tree.link("/etc/os-release", std::string("../../../../../../..") + outside.at("/os-release").string());
        CHECK(read_os_release(tree.root()).error().code() == ErrorCode::not_found);
    }
    {
        const HostTree tree;
        tree.link("/etc/os-release", "os-release");
        CHECK_FALSE(read_os_release(tree.root()));
    }
}

TEST_CASE("a malformed, missing, huge or binary os-release is an answer: exit 10, with what was seen") {
    const auto unsupported = [](const HostTree& tree, std::string_view seen) {
        const DistroVerdict verdict = judge_tree(tree);
        CHECK(verdict.status == DistroStatus::unsupported);
        CAPTURE(verdict.observed);
        CHECK(verdict.observed.find(seen) != std::string::npos);
    };
    unsupported(HostTree(), "neither /etc/os-release nor");
    {
        const HostTree tree;
        unsupported(tree.file("/etc/os-release", ""), "empty");
    }
    {
        const HostTree tree;
        unsupported(tree.file("/etc/os-release", "garbage without an assignment\n"), "no KEY=VALUE line");
    }
    {
        const HostTree tree;
        unsupported(tree.file("/etc/os-release", std::string("ID=debian\n\0\1\2", 13)), "not a text file");
    }
    {
        const HostTree tree;
        unsupported(tree.file("/etc/os-release", "ID=debian\n" + std::string(10'000'000, 'x')), "larger than");
    }
    {
        const HostTree tree;
        unsupported(tree.directory("/etc/os-release"), "not a regular file");
    }
    {
        const HostTree tree;
        tree.directory("/etc");
        REQUIRE(mkfifo(tree.at("/etc/os-release").c_str(), 0600) == 0);
        unsupported(tree, "not a regular file");
    }
    {
        const HostTree tree;
        unsupported(tree.file("/etc/os-release", "ID=\"\x1b[31mevil\x07\"\nPRETTY_NAME=\"\x1b]0;title\x07\"\n"),
                    "\\x1b");
        CHECK(judge_tree(tree).observed.find('\x1b') == std::string::npos);
    }
    {
        const HostTree tree;
        tree.file("/etc/os-release", "ID=" + std::string(5'000, 'a') + "\nNAME=short\n");
        CHECK(judge_tree(tree).observed.size() < 400);
    }
}

TEST_CASE("a support matrix that cannot be used names the line and what would be right") {
    const auto message = [](std::string_view line) {
        const auto matrix = SupportMatrix::parse("schema: 1\ndistributions:\n  - " + std::string(line) + "\n");
        REQUIRE_FALSE(matrix);
        CHECK(matrix.error().code() == ErrorCode::invalid_input);
        CHECK(matrix.error().message().find("line 3") != std::string::npos);
        return matrix.error().message();
    };
    CHECK(message("{id: x}").find("name") != std::string::npos);
    CHECK(message("{id: x, name: X, familiy: deb}").find("did you mean \"family\"") != std::string::npos);
    CHECK(message("{id: x, name: X, family: dep, package_manager: apt, minimum: \"1\"}").find("deb, rpm") !=
          std::string::npos);
    CHECK(message("{id: x, name: X, family: deb, package_manager: apt, minimum: \"one\"}").find("16.04") !=
          std::string::npos);
    CHECK(message("{id: x, name: X, family: deb, package_manager: apt, minimum: \"1\", known: [16.10]}")
              .find("in quotes") != std::string::npos);
    CHECK(message("just text").find("mapping") != std::string::npos);
    CHECK_FALSE(SupportMatrix::parse(""));
    CHECK_FALSE(SupportMatrix::parse("schema: 2\ndistributions: []\n"));
    CHECK_FALSE(SupportMatrix::parse("schema: 1\ndistributions: []\n"));
    CHECK_FALSE(SupportMatrix::parse("{"));
    CHECK_FALSE(SupportMatrix::parse(
        "schema: 1\ndistributions:\n  - {id: x, name: X, unsupported: y}\n  - {id: X, name: X, unsupported: y}\n"));
}

TEST_CASE("a new distribution is a line of data") {
    const HostTree tree;
    tree.file("/etc/os-release", "ID=frobnix\nVERSION_ID=3.1\nPRETTY_NAME=\"Frobnix 3.1\"\n")
        .file("/usr/bin/dpkg", "")
        .file("/usr/bin/apt-get", "");
    const sys::Root root = tree.root();
    CHECK(collect_facts(root)->distro.status == DistroStatus::unsupported);
    const auto facts = collect_facts(
        root, "schema: 1\ndistributions:\n"
              "  - {id: frobnix, name: Frobnix, family: deb, package_manager: apt, minimum: \"3\", known: [\"3\"]}\n");
    REQUIRE(facts);
    CHECK(facts->distro.status == DistroStatus::supported);
    CHECK(facts->family == PackageFamily::deb);
    CHECK(facts->package_manager == PackageManager::apt);
}

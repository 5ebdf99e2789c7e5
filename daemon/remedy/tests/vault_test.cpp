#include <doctest/doctest.h>

#include <picket/base/text.h>

#include "fixture.h"
#include "service.h"

using namespace picket;
using namespace picket::remedy;
using namespace picket::remedy::testing;

TEST_CASE("a file goes into the vault unreadable and comes back as it was") {
    Host host;
    const std::string content = "bad things " + std::string(600'000, 'x');
    write_text(host.at("/home/eve/bad file"), content);
    REQUIRE(chmod(host.at("/home/eve/bad file").c_str(), 04751) == 0);
    struct stat before {};
    REQUIRE(stat(host.at("/home/eve/bad file").c_str(), &before) == 0);

    auto vault = host.open();
    REQUIRE(vault);
    const auto taken = host.quarantine(*vault, "/home/eve/bad file");
    REQUIRE(taken);
    CHECK(taken->removed);
    CHECK(taken->hard_links == 0);
    CHECK(taken->sha256 == crypto::sha256_hex(content));
    CHECK_FALSE(fs::exists(host.at("/home/eve/bad file")));
    CHECK(fs::is_empty(host.at("/home/eve")));
    CHECK((fs::status(host.vault()).permissions() & fs::perms::all) == fs::perms::owner_all);
    CHECK(read_text(host.vault() / "0123456789abcdef.data").find("bad things") == std::string::npos);

    const ListPage page = vault->list("", mebibytes(1));
    REQUIRE(page.items.size() == 1);
    CHECK(data::path_of(page.items[0], "path") == "/home/eve/bad file");
    CHECK(data::string_or(page.items[0], "threat_name", "") == "Test.Threat");
    CHECK(data::string_or(page.items[0], "definitions", "") == "g1");
    CHECK_FALSE(page.items[0].contains("key"));
    CHECK(vault->find("0123456789abcdef").value() == page.items[0]);
    CHECK(vault->find("another").error().code() == ErrorCode::not_found);

    const auto restored = vault->restore({"0123456789abcdef"});
    REQUIRE(restored);
    CHECK(restored->path == "/home/eve/bad file");
    CHECK(read_text(host.at("/home/eve/bad file")) == content);
    struct stat after {};
    REQUIRE(stat(host.at("/home/eve/bad file").c_str(), &after) == 0);
    CHECK((after.st_mode & 07777) == 0751); // no special bit
    CHECK(after.st_mtim.tv_sec == before.st_mtim.tv_sec);
    CHECK(after.st_mtim.tv_nsec == before.st_mtim.tv_nsec);
    CHECK(vault->list("", mebibytes(1)).items.empty());
    CHECK(host.vault_files() == 0);
}

TEST_CASE("what cannot be removed leaves nothing in the vault and the file where it is") {
    Host host;
    auto vault = host.open();
    REQUIRE(vault);
    write_text(host.at("/home/eve/bad"), "bad");
    write_text(host.at("/home/eve/other"), "canary");
    UniqueFd fd(open(host.at("/home/eve/bad").c_str(), O_RDONLY | O_CLOEXEC));
    const auto refused = [&](const std::string& path, const std::string& reason) {
        CAPTURE(path);
        const auto outcome = vault->quarantine(Host::request_for(path, fd.get()), fd.get());
        REQUIRE(outcome);
        CHECK_FALSE(outcome->removed);
        CHECK(outcome->reason == reason);
        CHECK(host.vault_files() == 0);
        CHECK(read_text(host.at("/home/eve/other")) == "canary");
    };
    refused("/home/eve/bad (deleted)", "no_parent");
    refused("/gone/bad", "no_parent");
    refused("/home/eve/bad/below", "no_parent");
    refused("", "no_parent");
    refused("home/eve/bad", "no_parent");
    refused("/home/eve/../eve/bad", "no_parent");
    refused("/home/eve/" + std::string(70'000, 'x'), "no_parent");
    refused("/home/eve/" + std::string(4'000, 'x'), "no_parent");
    refused("/home/eve/other", "changed");
    fs::create_directory_symlink(host.at("/home/eve"), host.at("/link"));
    refused("/link/bad", "no_parent");
    CHECK(read_text(host.at("/home/eve/bad")) == "bad");
    REQUIRE(unlink(host.at("/home/eve/bad").c_str()) == 0);
    refused("/home/eve/bad", "no_parent");
}

TEST_CASE("a descriptor that is not the judged file is refused") {
    Host host;
    auto vault = host.open();
    REQUIRE(vault);
    write_text(host.at("/home/eve/bad"), "bad");
    const UniqueFd fd(open(host.at("/home/eve/bad").c_str(), O_RDONLY | O_CLOEXEC));
    QuarantineRequest request = Host::request_for("/home/eve/bad", fd.get());
    request.size_bytes += 1;
    CHECK(vault->quarantine(request, fd.get())->reason == "changed");
    const UniqueFd directory(open(host.at("/home/eve").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    CHECK(vault->quarantine(Host::request_for("/home/eve", directory.get()), directory.get()).error().code() ==
          ErrorCode::invalid_input);
    request.id = "../../etc/passwd";
    CHECK(vault->quarantine(request, fd.get()).error().code() == ErrorCode::invalid_input);
    CHECK(read_text(host.at("/home/eve/bad")) == "bad");
}

TEST_CASE("limits of file size, number and space are reasons, not losses") {
    Host host;
    Disk disk;
    write_text(host.at("/home/eve/bad"), std::string(100, 'x'));
    {
        auto small = Vault::open(disk, host.clock, host.root.get(), {.maximum_file = Bytes{99}, .reserve = Bytes{0}});
        CHECK(host.quarantine(*small, "/home/eve/bad")->reason == "exhausted");
    }
    {
        auto full = Vault::open(disk, host.clock, host.root.get(), {.reserve = gibibytes(1'000'000)});
        CHECK(host.quarantine(*full, "/home/eve/bad")->reason == "exhausted");
    }
    auto two = Vault::open(disk, host.clock, host.root.get(), {.reserve = Bytes{0}, .maximum_entries = 1});
    CHECK(host.quarantine(*two, "/home/eve/bad")->removed);
    write_text(host.at("/home/eve/bad"), "again");
    CHECK(host.quarantine(*two, "/home/eve/bad", "another")->reason == "exhausted");
    CHECK(read_text(host.at("/home/eve/bad")) == "again");
}

TEST_CASE("other hard links stay and are counted") {
    Host host;
    auto vault = host.open();
    write_text(host.at("/home/eve/bad"), "bad");
    fs::create_hard_link(host.at("/home/eve/bad"), host.at("/home/eve/second"));
    const auto taken = host.quarantine(*vault, "/home/eve/bad");
    REQUIRE(taken);
    CHECK(taken->removed);
    CHECK(taken->hard_links == 1);
    CHECK(read_text(host.at("/home/eve/second")) == "bad");
}

TEST_CASE("a restore never overwrites, follows no link, and corrupt content never appears") {
    Host host;
    auto vault = host.open();
    write_text(host.at("/home/eve/bad"), "bad");
    REQUIRE(host.quarantine(*vault, "/home/eve/bad")->removed);
    const std::string id = "0123456789abcdef";
    const auto refused = [&](const std::string& destination, bool overwrite, ErrorCode code) {
        CAPTURE(destination);
        const auto outcome = vault->restore({id, destination, overwrite});
        REQUIRE_FALSE(outcome);
        CHECK(outcome.error().code() == code);
        CHECK(host.vault_files() == 2);
    };
    write_text(host.at("/home/eve/bad"), "mine");
    refused("", false, ErrorCode::conflict);
    CHECK(read_text(host.at("/home/eve/bad")) == "mine");
    fs::create_directory(host.at("/home/eve/dir"));
    refused("/home/eve/dir", true, ErrorCode::conflict);
    REQUIRE(mkfifo(host.at("/home/eve/fifo").c_str(), 0600) == 0);
    refused("/home/eve/fifo", true, ErrorCode::conflict);
    fs::create_symlink("/home/eve/target", host.at("/home/eve/link"));
    refused("/home/eve/link", true, ErrorCode::conflict);
    fs::create_directory_symlink(host.at("/home/eve/dir"), host.at("/home/eve/linked"));
    refused("/home/eve/linked/bad", false, ErrorCode::not_found);
    refused("/home/eve/none/bad", false, ErrorCode::not_found);
    refused("relative", false, ErrorCode::invalid_input);
    refused("/home/eve/dir/", false, ErrorCode::invalid_input);
    CHECK(vault->restore({"unknown", "", false}).error().code() == ErrorCode::not_found);

    {
        std::fstream data(host.vault() / (id + ".data"), std::ios::in | std::ios::out | std::ios::binary);
        const auto first =
            static_cast<char>(data.get() ^ 1); // a fixed letter would be what stands there, one time in 256
        data.seekp(0);
        data.put(first);
    }
    refused("/home/eve/elsewhere", false, ErrorCode::corrupt);
    CHECK_FALSE(fs::exists(host.at("/home/eve/elsewhere")));
    CHECK(std::distance(fs::directory_iterator(host.at("/home/eve/dir")), fs::directory_iterator()) == 0);
}

TEST_CASE("overwrite replaces a regular file of the same owner") {
    Host host;
    auto vault = host.open();
    write_text(host.at("/home/eve/bad"), "bad");
    REQUIRE(host.quarantine(*vault, "/home/eve/bad")->removed);
    write_text(host.at("/home/eve/bad"), "newer");
    REQUIRE(vault->restore({"0123456789abcdef", "", true}));
    CHECK(read_text(host.at("/home/eve/bad")) == "bad");
    CHECK(host.vault_files() == 0);
}

TEST_CASE("names that are not UTF-8 or full of control characters survive the round trip") {
    Host host;
    auto vault = host.open();
    const std::string path = "/home/eve/\xff\x1b[31m\n$(id)'\"-";
    write_text(host.at(path), "bad");
    REQUIRE(host.quarantine(*vault, path)->removed);
    REQUIRE(vault->restore({"0123456789abcdef"}));
    CHECK(read_text(host.at(path)) == "bad");
}

TEST_CASE("long lists come in pages, and a damaged entry is shown") {
    Host host;
    auto vault = host.open();
    for (int i = 0; i < 20; ++i) {
        write_text(host.at("/home/eve/bad"), std::to_string(i));
        REQUIRE(host.quarantine(*vault, "/home/eve/bad", "id-" + std::to_string(100 + i))->removed);
    }
    write_text(host.vault() / "id-105.json", "{}");
    std::vector<std::string> seen;
    std::string after;
    for (bool more = true; more;) {
        const ListPage page = vault->list(after, kibibytes(1));
        for (const auto& item : page.items)
            seen.push_back(data::string_or(item, "quarantine_id", ""));
        after = seen.back();
        more = page.more;
    }
    CHECK(seen.size() == 20);
    CHECK(std::is_sorted(seen.begin(), seen.end()));
    CHECK(vault->restore({"id-105"}).error().code() == ErrorCode::corrupt);
}

TEST_CASE("two remedies never work in one vault, and a vault that others may read is refused") {
    Host host;
    {
        const auto first = host.open();
        REQUIRE(first);
        CHECK(host.open().error().code() == ErrorCode::conflict);
    }
    REQUIRE(chmod(host.vault().c_str(), 0755) == 0);
    CHECK(host.open().error().code() == ErrorCode::permission);
}

TEST_CASE("the protocol answers every message") {
    Host host;
    auto vault = host.open();
    write_text(host.at("/home/eve/bad"), "bad");
    const auto ask = [&](const std::string& content, int fd = -1) {
        ipc::Message message{.content = content, .descriptors = {}};
        if (fd >= 0)
            message.descriptors.emplace_back(dup(fd));
        return data::parse_json(answer(*vault, message)).value();
    };
    for (const char* bad :
         {"", "{", "[]", "{\"op\":7}", "{\"op\":\"format\"}", "{\"op\":\"quarantine\"}", "{\"op\":\"restore\"}"}) {
        const auto reply = ask(bad);
        CHECK_FALSE(data::bool_or(reply, "ok", true));
        CHECK(data::string_or(data::member(reply, "error"), "code", "") == "invalid_input");
    }
    const UniqueFd fd(open(host.at("/home/eve/bad").c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status {};
    fstat(fd.get(), &status);
    const data::Json request{
        {"op", "quarantine"},      {"quarantine_id", "abc"},
        {"path", "/home/eve/bad"}, {"threat_name", "T"},
        {"threat_id", "1"},        {"expected", {{"device", status.st_dev}, {"inode", status.st_ino}, {"size", 3}}}};
    CHECK_FALSE(data::bool_or(ask(data::to_text(request)), "ok", true)); // no descriptor
    const auto taken = ask(data::to_text(request), fd.get());
    CHECK(data::bool_or(taken, "removed", false));
    CHECK(data::string_or(taken, "sha256", "") == crypto::sha256_hex("bad"));
    CHECK(data::member(ask("{\"op\":\"list\"}"), "items").size() == 1);
    const auto back = ask("{\"op\":\"restore\",\"quarantine_id\":\"abc\",\"overwrite\":false}");
    CHECK(data::bool_or(back, "ok", false));
    CHECK(data::string_or(back, "path", "") == "/home/eve/bad");
    const auto stale = ask(data::to_text(request), fd.get()); // what it holds open has no name any more
    CHECK_FALSE(data::bool_or(stale, "removed", true));
    CHECK(data::string_or(stale, "reason", "") == "no_parent");
    CHECK(data::member(ask("{\"op\":\"list\"}"), "items").empty());
    REQUIRE(host.quarantine(*vault, "/home/eve/bad", "abc")->removed);
    CHECK(data::bool_or(ask("{\"op\":\"remove\",\"quarantine_id\":\"abc\"}"), "ok", false));
    CHECK(host.vault_files() == 0);
    CHECK(data::string_or(data::member(ask("{\"op\":\"remove\",\"quarantine_id\":\"abc\"}"), "error"), "code", "") ==
          "not_found");
}

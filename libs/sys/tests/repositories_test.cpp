#include <doctest/doctest.h>

#include <algorithm>
#include <array>

#include <picket/sys/repositories.h>

#include "repository_clients.h"

using namespace picket;
using namespace picket::sys;

TEST_CASE("an address that goes into configuration files holds nothing that means something there") {
    for (const char* good :
         {"https://packages.example.org", "http://10.0.0.1:8080/picket", "https://[fd00::1]/a_b~c/1.0"})
        CHECK_MESSAGE(check_repository_url(good), good);
    for (const char* bad :
         {"", "https://", "https:///picket", "ftp://example.org", "file:///srv", "https://example.org/", "example.org",
          "https://joe:secret@example.org", "https://example.org/a b", "https://example.org/$releasever",
          "https://example.org/\nTrusted: yes", "https://example.org/a?b", "https://example.org/%41", "-o https://x"})
        CHECK_MESSAGE(check_repository_url(bad).error().code() == ErrorCode::invalid_input, bad);
}

TEST_CASE("each kind of package manager gets its files, with signatures demanded") {
    const Repository repository{"https://packages.example.org/picket", "KEYRING", {"ONE", "TWO"}};
    for (const RepositoryKind kind : {RepositoryKind::apt, RepositoryKind::dnf, RepositoryKind::zypper}) {
        const auto names = repository_file_names(kind);
        for (const RepositoryFile& file : repository_files(kind, repository))
            CHECK_MESSAGE(std::find(names.begin(), names.end(), file.path) != names.end(), file.path);
    }
    const auto apt = repository_files(RepositoryKind::apt, repository);
    REQUIRE(apt.size() == 2);
    CHECK(apt[0].content == "KEYRING");
    CHECK(apt[1].content.find("\nURIs: https://packages.example.org/picket/apt\n") != std::string::npos);
    CHECK(apt[1].content.find("\nSigned-By: " + apt[0].path + "\n") != std::string::npos);
    const auto dnf = repository_files(RepositoryKind::dnf, repository);
    REQUIRE(dnf.size() == 3);
    CHECK(dnf[1].content == "TWO");
    for (const char* line : {"\ngpgcheck=1\n", "\nrepo_gpgcheck=1\n", "\nsslverify=1\n",
                             "\nbaseurl=https://packages.example.org/picket/rpm\n"})
        CHECK_MESSAGE(dnf[2].content.find(line) != std::string::npos, dnf[2].content);
    for (const std::size_t key : {0U, 1U})
        CHECK(dnf[2].content.find("file://" + dnf[key].path) != std::string::npos);
}

TEST_CASE("date, end and ring of an rpm index are those of its signed file") {
    const RepositoryIndex index = index_of_repomd("<repomd><revision>1795846712</revision><tags>"
                                                  "<content>valid-until=1798438712</content>"
                                                  "<content>ring=insiders</content></tags></repomd>");
    CHECK(index.ring == "insiders");
    CHECK(index.published == WallTime(std::chrono::seconds(1795846712)));
    CHECK(index.expires == WallTime(std::chrono::seconds(1798438712)));
    CHECK_FALSE(index_of_repomd("<revision>yesterday</revision>").published);
    CHECK_FALSE(index_of_repomd("<content>valid-until=99999999999999999999</content>").expires);
}

TEST_CASE("the most telling line of a program decides, and is shown") {
    constexpr std::array kTable{Phrase{"is expired", ErrorCode::corrupt, "its index has expired"},
                                Phrase{"is not signed", ErrorCode::conflict, "it is not signed"}};
    RunOutcome outcome;
    outcome.exit_status = 100;
    outcome.error_output = "E: X is not signed.\nE: Release file for X is expired (invalid since 2 h).\n";
    const Error error = repository_error("apt", outcome, kTable);
    CHECK(error.code() == ErrorCode::corrupt);
    CHECK(error.message() == "its index has expired (apt: E: Release file for X is expired (invalid since 2 h).)");
    outcome.error_output = "E: no idea\n";
    CHECK(repository_error("apt", outcome, kTable).code() == ErrorCode::internal);
    CHECK(repository_error("apt", outcome, kTable).message() == "apt: E: no idea");
}

#include <doctest/doctest.h>

#include <map>

#include <picket/base/text.h>

#include "journal_sink.h"
#include "receiver.h"
#include "syslog_sink.h"

using namespace picket;
using namespace picket::daemon;
using testing::Receiver;

namespace {

using Fields = std::map<std::string, std::string>;

/// Names as an attacker chooses them: each must stay one record and come back byte for byte.
std::vector<std::string> hostile_names() {
    std::string every_byte = "/tmp/";
    for (int byte = 1; byte < 256; ++byte)
        every_byte += static_cast<char>(byte);
    return {"/tmp/plain",
            "/tmp/line\nPRIORITY=0\nfeed",
            "/tmp/\x1b]0;owned\x07\x1b[2J",
            "/tmp/\xe2\x80\xaetxt.exe",
            "/tmp/\xff\xfe\xc0\x80",
            R"(/tmp/"quoted"] [x@1 y="\"])",
            every_byte,
            "/" + std::string(4'090, 'n'),
            "/" + std::string(2'000, '\n') + std::string(2'000, '\xff')};
}

Event event(const std::string& path) {
    Event made;
    made.type = EventType::threat_blocked;
    made.sequence = 7;
    made.host_id = std::string(32, 'a');
    made.boot_id = "5b1c1f1e-0000-4000-8000-000000000001";
    made.monotonic_ms = 12'345;
    made.time = WallTime(std::chrono::milliseconds(1'800'000'000'123));
    made.threat_name = "Eicar-Test-Signature";
    made.path = path;
    made.pid = 42;
    made.process = path;
    made.digest = std::string(64, 'd');
    return made;
}

/// What systemd-journald makes of a datagram.
Fields parse_journal(std::string_view entry) {
    Fields fields;
    while (!entry.empty()) {
        const auto end = entry.find_first_of("=\n");
        REQUIRE(end != std::string_view::npos);
        const std::string name(entry.substr(0, end));
        const bool sized = entry[end] == '\n';
        entry.remove_prefix(end + 1);
        std::size_t size = 0;
        if (sized) {
            for (unsigned i = 0; i < 8; ++i)
                size |= static_cast<std::size_t>(static_cast<unsigned char>(entry[i])) << (8 * i);
            entry.remove_prefix(8);
        } else {
            size = entry.find('\n');
        }
        REQUIRE(size < entry.size());
        REQUIRE(entry[size] == '\n');
        CHECK(fields.emplace(name, entry.substr(0, size)).second);
        entry.remove_prefix(size + 1);
    }
    return fields;
}

/// The parameters of the one element of structured data, and the text after it as "".
Fields parse_syslog(std::string_view message) {
    Fields fields;
    const auto begin = message.find("[picket@32473");
    REQUIRE(begin != std::string_view::npos);
    std::size_t at = begin + std::string_view("[picket@32473").size();
    while (message[at] == ' ') {
        const auto equals = message.find("=\"", at);
        const std::string name(message.substr(at + 1, equals - at - 1));
        std::string value;
        for (at = equals + 2; message[at] != '"'; ++at) {
            CHECK(message[at] != ']');
            at += message[at] == '\\' ? 1U : 0U;
            value += message[at];
        }
        CHECK(fields.emplace(name, value).second);
        ++at;
    }
    REQUIRE(message.substr(at, 2) == "] ");
    fields[""] = std::string(message.substr(at + 2));
    return fields;
}

std::string bytes_of(const Fields& fields, const std::string& name) {
    const auto encoded = fields.find(name + "_b64");
    return encoded == fields.end() ? fields.at(name) : std::string(as_text(from_base64(encoded->second).value()));
}

bool shows_nothing_bad(const std::string& text) {
    return escape_for_display(text) == text;
}

} // namespace

TEST_CASE("the journal gets one record with each field, byte for byte") {
    Receiver journal;
    JournalSink sink(journal.path());
    for (const std::string& name : hostile_names()) {
        sink.send(event(name));
        const Fields fields = parse_journal(journal.next().value());
        CHECK_FALSE(journal.next().has_value());
        CHECK(fields.at("PICKET_PATH") == name);
        CHECK(fields.at("PICKET_PROCESS") == name);
        CHECK(fields.at("PRIORITY") == "4");
        CHECK(fields.at("SYSLOG_IDENTIFIER") == "picketd");
        CHECK(fields.at("PICKET_EVENT_ID") == std::string(32, 'a') + "-7");
        CHECK(fields.at("PICKET_EVENT_TYPE") == "threat.blocked");
        CHECK(fields.at("PICKET_DIGEST") == std::string(64, 'd'));
        CHECK(fields.at("MESSAGE").starts_with("threat.blocked: Eicar-Test-Signature in /"));
        CHECK(shows_nothing_bad(fields.at("MESSAGE")));
        CHECK(fields.at("MESSAGE").size() < 2'100);
    }
    CHECK(sink.dropped() == 0);
}

TEST_CASE("syslog gets one line of RFC 5424, valid UTF-8 and bounded, and the path comes back byte for byte") {
    const SyslogOrigin origin{.facility = syslog_facility("local3"), .host_name = "host.example", .pid = 99};
    for (const std::string& name : hostile_names()) {
        const std::string message = syslog_message(event(name), origin);
        CHECK(message.starts_with("<156>1 2027-01-15T08:00:00.123Z host.example picketd 99 threat.blocked "
                                  "[picket@32473 event_id=\""));
        CHECK(message.size() <= 8'000);
        CHECK(is_valid_utf8(message));
        CHECK(message.find('\n') == std::string::npos);
        CHECK(shows_nothing_bad(message));
        const Fields fields = parse_syslog(message);
        CHECK(bytes_of(fields, "path") == name);
        CHECK(fields.at("monotonic_ms") == "12345");
        CHECK((fields.count("truncated") == 1 || bytes_of(fields, "process") == name));
    }
    Event long_message = event("/a");
    long_message.message = std::string(20'000, 'x');
    CHECK(parse_syslog(syslog_message(long_message, origin)).at("truncated") == "1");
    CHECK(syslog_message(event("/a"), {.host_name = "two words", .pid = 1}).find("Z - picketd 1 ") !=
          std::string::npos);
    CHECK(syslog_facility("no such") == 3);
}

TEST_CASE("a reader that does not read costs counted records and no time") {
    Receiver receiver;
    JournalSink journal(receiver.path());
    SyslogSink syslog("");
    syslog.configure("unix:" + receiver.path(), "daemon");
    constexpr std::uint64_t kEach = 2'000;
    for (std::uint64_t i = 0; i < kEach; ++i) {
        journal.send(event("/a"));
        syslog.send(event("/a"));
    }
    std::uint64_t received = 0;
    while (receiver.next())
        ++received;
    CHECK(received > 0);
    CHECK(journal.dropped() + syslog.dropped() == 2 * kEach - received);
    journal.send(event("/a"));
    CHECK(receiver.next().has_value());
}

TEST_CASE("a reader that is dead is a loss; a journal that is not there is none, and one that comes back is used") {
    Receiver receiver;
    JournalSink journal(receiver.path());
    SyslogSink syslog("");
    syslog.send(event("/a"));
    CHECK(syslog.dropped() == 0);
    syslog.configure("unix:" + receiver.path(), "auth");
    receiver.die();
    journal.send(event("/a"));
    syslog.send(event("/a"));
    CHECK(journal.dropped() == 1);
    CHECK(syslog.dropped() == 1);
    receiver.disappear();
    journal.send(event("/a"));
    syslog.send(event("/a"));
    CHECK(journal.dropped() == 1);
    CHECK(syslog.dropped() == 2);
    receiver.listen();
    journal.send(event("/a"));
    CHECK(receiver.next().has_value());
    syslog.send(event("/a"));
    CHECK(receiver.next().value().starts_with("<36>1 "));
    syslog.configure("", "auth");
    syslog.send(event("/a"));
    CHECK_FALSE(receiver.next().has_value());
    CHECK(syslog.dropped() == 2);
}

TEST_CASE("the line of an event says what, where and who, and how grave it is") {
    Event unscanned;
    unscanned.type = EventType::open_allowed_unscanned;
    unscanned.reason = "deadline";
    unscanned.path = "/srv/a";
    unscanned.count = 3;
    unscanned.pid = 5;
    CHECK(describe(unscanned) == "open.allowed_unscanned (deadline): /srv/a (pid 5), count 3");
    CHECK(severity_of(unscanned) == Severity::warning);
    Event started;
    started.message = "picketd 1.0";
    CHECK(describe(started) == "daemon.started: picketd 1.0");
    CHECK(severity_of(started) == Severity::info);
    Event selftest = event("/x");
    selftest.origin = EventOrigin::selftest;
    CHECK(severity_of(selftest) == Severity::info);
    CHECK(display_text("äöü", 3) == "ä…");
}

#include <doctest/doctest.h>

#include <cstring>

#include <picket/scan/engine_protocol.h>

using namespace picket;
using namespace picket::scan;

TEST_CASE("a reply is refused when a field is out of range") {
    ScanReply reply;
    reply.id = 1;
    reply.verdict = Verdict::malicious;
    CHECK_FALSE(is_valid(reply)); // a threat without a name
    set_field(reply.threat_name, "Eicar-Test");
    CHECK(is_valid(reply));
    reply.verdict = Verdict::clean; // a name without a threat
    CHECK_FALSE(is_valid(reply));
    reply.verdict = static_cast<Verdict>(17);
    CHECK_FALSE(is_valid(reply));
    reply.verdict = Verdict::malicious;
    std::memset(reply.threat_name, 'x', sizeof reply.threat_name); // no NUL
    CHECK_FALSE(is_valid(reply));
}

TEST_CASE("set_field cuts and cleans") {
    char field[8];
    set_field(field, "ab\n\x1b");
    CHECK(std::string(field) == "ab??");
    set_field(field, "0123456789");
    CHECK(std::string(field) == "0123456");
}

TEST_CASE("hello, command and status are checked") {
    EngineHello hello;
    CHECK(is_valid(hello));
    hello.role = ConnectionRole::worker;
    CHECK_FALSE(is_valid(hello)); // a worker names its generation
    set_field(hello.definitions, "g1");
    CHECK(is_valid(hello));
    hello.version = 9;
    CHECK_FALSE(is_valid(hello));
    EngineCommand command;
    command.kind = EngineCommandKind::set_workers;
    CHECK(is_valid(command)); // 0: its own choice
    command.value = 64;
    CHECK(is_valid(command));
    command.value = 65;
    CHECK_FALSE(is_valid(command));
    EngineStatus status;
    status.state = static_cast<LoadState>(0);
    CHECK_FALSE(is_valid(status));
}

#include <doctest/doctest.h>

#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/scope_exit.h>
#include <picket/base/testing/fake_clock.h>

#include "../../events/tests/receiver.h"
#include "event_log.h"
#include "records_json.h"

using namespace picket;
using namespace picket::daemon;
using picket::daemon::testing::Receiver;

namespace {

/// What a piece of work writes to standard error; with `as_journal` systemd's variable says that this is the journal.
template <typename Work>
std::string standard_error_of(const std::string& file, bool as_journal, Work work) {
    const UniqueFd kept(dup(STDERR_FILENO));
    const UniqueFd taken(open(file.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    dup2(taken.get(), STDERR_FILENO);
    struct stat status {};
    fstat(taken.get(), &status);
    if (as_journal)
        setenv("JOURNAL_STREAM", fmt::format("{}:{}", status.st_dev, status.st_ino).c_str(), 1);
    else
        unsetenv("JOURNAL_STREAM");
    const ScopeExit back([&] {
        dup2(kept.get(), STDERR_FILENO);
        unsetenv("JOURNAL_STREAM");
    });
    work();
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

Event event() {
    Event made;
    made.type = EventType::threat_blocked;
    made.path = "/srv/\xff\nname";
    made.process = "/bin/\x1b[2J\xfe";
    made.message = "told by \xc0\xff";
    return made;
}

/// A log whose journal is `journal`, and whose store lies in its folder.
struct Scene {
    Receiver journal{JournalSink::kSocket};
    std::unique_ptr<store::Store> store = store::Store::open(journal.folder() + "/state.db").value();
    picket::testing::FakeClock clock;
    EventLog::Ports ports() { return {*store, clock, std::string(32, 'a'), journal.folder()}; }
};

} // namespace

TEST_CASE("an event is stamped, stored, and told to the journal and the listener as it was stored") {
    Scene scene;
    EventLog log(scene.ports());
    std::vector<Event> told;
    log.on_event([&](const Event& each) { told.push_back(each); });
    log.record(event());
    const auto stored = scene.store->events({}).value();
    REQUIRE(stored.size() == 1);
    CHECK(event_id(stored[0]) == std::string(32, 'a') + "-1");
    CHECK(stored[0].boot_id.size() == 36);
    CHECK(stored[0].path == event().path);
    REQUIRE(told.size() == 1);
    CHECK(data::to_text(to_json(told[0])) == data::to_text(to_json(stored[0])));
    CHECK(scene.journal.next().value().find("PICKET_DIGEST=" + stored[0].digest) != std::string::npos);
    CHECK(log.losses().store + log.losses().journal + log.losses().syslog == 0);
}

TEST_CASE("what the journal has as a record, standard error does not repeat where it is the journal") {
    Scene scene;
    const auto record = [&] { EventLog(scene.ports()).record(event()); };
    const std::string file = scene.journal.folder() + "/stderr";
    CHECK(standard_error_of(file, false, record) == "<4>threat.blocked: told by \\xc0\\xff, /srv/\\xff\\x0aname\n");
    CHECK(scene.journal.next().has_value());
    CHECK(standard_error_of(file, true, record) == "");
    CHECK(scene.journal.next().has_value());
}

TEST_CASE("foreign bytes of every text come back from JSON") {
    const data::Json json = to_json(event());
    CHECK(data::path_of(json, "path") == event().path);
    CHECK(data::path_of(json, "process") == event().process);
    CHECK(data::path_of(json, "message") == event().message);
    CHECK(data::parse_json(data::to_text(json)).value() == json);
}

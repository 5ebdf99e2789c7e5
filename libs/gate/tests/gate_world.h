#pragma once
#include <deque>
#include <fcntl.h>
#include <map>
#include <unistd.h>
#include <vector>

#include <picket/base/testing/fake_clock.h>
#include <picket/gate/gate.h>

namespace picket::gate::testing {

/// A kernel, an engine and a disk made of maps. Event descriptors are real ones on /dev/null, so that double closes and
/// leaks show; what they "are" is looked up by number.
class World final : public Responder,
                    public EnginePort,
                    public OutcomeSink,
                    public watch::FileInspector,
                    public IgnoreMarks {
  public:
    struct File {
        watch::FileFacts facts;
        watch::FilesystemKind kind = watch::FilesystemKind::local;
        bool writer = false;
        std::string path = "/srv/file";
        int mount = 1;
        std::uint32_t generation = 1;
    };

    World() { policy = std::make_shared<profile::Policy>(); }

    Gate& gate() {
        if (!gate_)
            gate_ =
                std::make_unique<Gate>(Gate::Ports{*this, *this, *this, *this, *this, clock}, kOwnPid, policy, limits);
        return *gate_;
    }
    void use(const profile::Policy& changed) {
        policy = std::make_shared<profile::Policy>(changed);
        gate().set_policy(policy);
    }
    /// An engine with that many workers, numbered from 1.
    void start_engine(unsigned workers = 2, const std::string& definitions = "g1") {
        gate().on_engine_ready(definitions);
        for (unsigned i = 1; i <= workers; ++i)
            gate().on_worker_ready(i, definitions);
    }
    File& add_file(std::uint64_t inode) {
        File& file = files[inode];
        const auto now = std::chrono::duration_cast<std::chrono::nanoseconds>(clock.wall().time_since_epoch()).count();
        file.facts.key = {8, inode, 100, now - 3'600'000'000'000, now - 3'600'000'000'000};
        file.facts.regular = true;
        return file;
    }
    /// A process opens the file; gives the event's descriptor number.
    int open(std::uint64_t inode, pid_t pid = 500, watch::EventKind kind = watch::EventKind::open_permission) {
        return deliver(watch::EventFile(null()), inode, pid, kind);
    }
    /// Likewise, of a file behind a server.
    int open_put_away(std::uint64_t inode) {
        return deliver(watch::EventFile(null(), null()), inode, 500, watch::EventKind::open_permission);
    }
    static UniqueFd null() { return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }
    int deliver(watch::EventFile file, std::uint64_t inode, pid_t pid, watch::EventKind kind) {
        const int number = file.fd();
        descriptors[number] = inode;
        answers.erase(number);
        gate().on_event({kind, std::move(file), pid});
        return number;
    }
    void close_write(std::uint64_t inode, pid_t pid = 500) { open(inode, pid, watch::EventKind::close_write); }
    /// The worker answers what it was asked last.
    void reply(WorkerId worker, Verdict verdict, const std::string& threat = "") {
        scan::ScanReply reply;
        reply.id = requests.at(worker).id;
        reply.verdict = verdict;
        scan::set_field(reply.threat_name, threat);
        requests.erase(worker);
        gate().on_worker_reply(worker, reply);
    }
    void advance(Milliseconds by) {
        clock.advance(by);
        gate().on_tick();
    }
    bool is_answered(int fd) const { return answers.contains(fd); }
    std::size_t scanned() const { return submitted; }

    void respond(int fd, Decision decision) override {
        if (!answers.emplace(fd, decision).second)
            ++double_answers;
        if (fcntl(fd, F_GETFD) < 0)
            ++answers_after_close;
    }
    bool submit(WorkerId worker, const scan::ScanRequest& request, int file) override {
        if (dead_workers.contains(worker) || fcntl(file, F_GETFD) < 0)
            return false;
        requests[worker] = request;
        ++submitted;
        return true;
    }
    void kill_worker(WorkerId worker) override { killed.push_back(worker); }
    void take(Outcome&& outcome) override { outcomes.push_back(std::move(outcome)); }
    bool check_digest(std::uint64_t scan, watch::EventFile) override {
        digest_questions.push_back(scan);
        return digests_work;
    }
    bool ignore(int fd) override {
        if (files.at(descriptors[fd]).writer)
            return true;                           // as the kernel does: no mark, and no word about it
        CHECK(held_off.contains(descriptors[fd])); // else somebody comes to write before the mark is there
        ignored.insert(descriptors[fd]);
        return true;
    }
    void ask_again(int fd) override { ignored.erase(descriptors[fd]); }
    void ask_about_everything() override { ignored.clear(); }
    bool pins_memory() const override { return marks_pin_memory; }
    bool facts(int fd, watch::FileFacts& facts) override {
        const auto found = files.find(descriptors[fd]);
        if (found == files.end())
            return false;
        facts = found->second.facts;
        return true;
    }
    watch::FilesystemKind kind(int, const watch::FileFacts& facts) override { return files.at(facts.key.inode).kind; }
    bool hold_off_writers(int fd) override {
        if (on_hold_off)
            on_hold_off(files.at(descriptors[fd]));
        return !files.at(descriptors[fd]).writer && held_off.insert(descriptors[fd]).second;
    }
    void let_writers_in(int fd) override { CHECK(held_off.erase(descriptors[fd]) == 1); }
    std::string path(int fd) override { return files[descriptors[fd]].path; }
    int mount_id(int fd) override { return files.at(descriptors[fd]).mount; }
    std::string executable(pid_t) override { return process; }
    uid_t owner_of(pid_t pid) override { return owners[pid]; }
    std::optional<std::uint32_t> generation(int fd) override { return files.at(descriptors[fd]).generation; }

    static constexpr pid_t kOwnPid = 100;
    picket::testing::FakeClock clock;
    std::shared_ptr<const profile::Policy> policy;
    GateLimits limits;
    std::map<std::uint64_t, File> files;
    std::map<int, std::uint64_t> descriptors;
    std::map<int, Decision> answers;
    std::map<WorkerId, scan::ScanRequest> requests;
    std::set<WorkerId> dead_workers;
    std::vector<WorkerId> killed;
    std::vector<std::uint64_t> digest_questions;
    bool digests_work = true;
    std::set<std::uint64_t> ignored;  ///< inodes
    std::set<std::uint64_t> held_off; ///< inodes that nobody can open for writing now
    std::function<void(File&)> on_hold_off;
    bool marks_pin_memory = false;
    std::deque<Outcome> outcomes;
    std::string process = "/usr/bin/cat";
    std::map<pid_t, uid_t> owners; ///< 0 where nobody is named
    std::size_t submitted = 0;
    int double_answers = 0;
    int answers_after_close = 0;

  private:
    std::unique_ptr<Gate> gate_;
};

} // namespace picket::gate::testing

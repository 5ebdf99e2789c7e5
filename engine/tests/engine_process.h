#pragma once
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

#include "fake_gate.h"

namespace picket::engine::testing {

/// A real picket-engine with a folder of its own, a fake gate, and definitions; everything is gone at the end. As root
/// it becomes an unused uid, as an ordinary user it stays that.
class EngineProcess {
  public:
    EngineProcess();
    ~EngineProcess();
    EngineProcess(const EngineProcess&) = delete;
    EngineProcess& operator=(const EngineProcess&) = delete;

    /// `extra` goes after the base set that the package ships; "" for the base set alone.
    void install(const std::string& generation, const std::string& extra_name = "", const std::string& extra = "");
    void make_current(const std::string& generation);
    void make_candidate(const std::string& generation);
    void start(const std::vector<std::string>& more_options = {});
    /// Definitions "g1", so many workers connected.
    void start_ready(unsigned workers, const std::vector<std::string>& more_options = {});
    void renew_gate();

    FakeGate& gate() { return *gate_; }
    pid_t pid() const { return pid_; }
    /// Its exit status within 20 s, 128 + signal; -1 where it goes on.
    int wait_for_end();
    std::string file(const std::string& name, const std::string& content) const;
    /// Files and directories that the engine left in its temporary directory.
    std::size_t temporary_entries() const;
    const std::string& top() const { return top_; }

  private:
    std::string top_ = "/tmp/picket-engine-test-XXXXXX";
    std::unique_ptr<FakeGate> gate_;
    pid_t pid_ = 0;
};

std::string eicar();
pid_t parent_of(pid_t pid);
/// Shared memory counted by share, in KiB; 0 where it cannot be read.
std::uint64_t proportional_set_kib(pid_t pid);

} // namespace picket::engine::testing

#pragma once
#include <memory>
#include <string>
#include <vector>

#include <picket/base/result.h>
#include <picket/model/paths.h>

namespace picket::daemon {

struct AppOptions {
    std::string root = "/";
    std::string run_directory = paths::kRunDirectory;
    std::string engine_user = paths::kEngineUser;
    /// Mount points to watch; empty = every file system of every mount namespace. For tests, and for hosts where only
    /// some file systems are to be watched.
    std::vector<std::string> only_mounts;
};

/// picketd: start-up as a visible list of steps, then the main loop, then teardown as a second list that always runs
/// to its end. run() gives the exit code.
class App {
  public:
    explicit App(AppOptions options);
    ~App();
    App(const App&) = delete;
    App& operator=(const App&) = delete;
    int run();

  private:
    struct Parts;
    struct Step {
        const char* name;
        Result<void> (App::*run)();
    };
    static const std::vector<Step>& start_up();

    Result<void> confine_process();
    Result<void> block_signals();
    Result<void> open_root();
    Result<void> open_store();
    Result<void> load_profile();
    Result<void> start_errands();
    Result<void> start_scout();
    Result<void> open_group();
    Result<void> start_gate();
    Result<void> start_aftermath();
    Result<void> start_marking();
    Result<void> start_control();
    void main_loop();
    void every_second();
    void tear_down();

    bool is_switched_off() const;
    void approve_own_files();
    void look_at_definitions();
    void connect_guard();
    void look_at_guard();
    void look_at_sockets();
    void publish_metrics();
    void look_at_brake();
    void look_at_expiry();
    void look_for_conflicts();
    std::string socket_path(const char* fixed) const;

    AppOptions options_;
    std::unique_ptr<Parts> parts_;
};

} // namespace picket::daemon

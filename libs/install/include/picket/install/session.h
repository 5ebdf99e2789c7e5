#pragma once
#include <atomic>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <picket/install/plan.h>
#include <picket/install/transaction.h>

namespace picket::install {

enum class VerbKind {
    check,
    install,
    onboard,
    offboard,
    status,
    uninstall,
    self_test,
    prepare_image,
    upgrade,
    rollback,
    os_upgrade_prepare,
    os_upgrade_finish
};
std::string_view to_string(VerbKind verb);

struct Request {
    VerbKind verb = VerbKind::check;
    std::string onboarding; ///< file; "" = not given
    std::string bundle;     ///< file; "" = none found either
    std::string from_repo;  ///< URL of a repository, instead of a bundle; "" = not given
    std::string ring;       ///< which of the repository's; from_repo names it already
    std::vector<std::string> repo_keys;
    std::vector<std::string> profiles;
    std::map<std::string, std::string> tags;
    std::vector<std::string> accepted;
    std::string trust_key;      ///< one line; "" = not given
    std::string support_matrix; ///< text; "" = the built-in one
    Milliseconds lock_timeout{120'000};
    UninstallMode uninstall_mode = UninstallMode::keep_state;
    bool replace_org = false;
    std::string version;          ///< of upgrade: no other one; "" = the bundle's, or the repository's newest
    bool allow_downgrade = false; ///< of upgrade and os-upgrade finish
    bool dry_run = false;
    bool is_root = false; ///< who runs this may change the host
};

struct StepReport {
    std::string id;
    std::string title;
    std::string status;
    std::string detail;
    std::int64_t duration_ms = 0;
};

/// What a verb did: the JSON contract of every caller.
struct Report {
    std::string verb;
    bool changed = false;
    bool dry_run = false;
    data::Json before = data::Json::object();
    data::Json after = data::Json::object(); ///< of a dry run: what the run would lead to
    std::vector<StepReport> steps;
    data::Json checks = data::Json::array();
    std::optional<Failure> failure;

    InstallerExit exit() const { return failure ? failure->exit : InstallerExit::success; }
};
data::Json to_json(const Report& report);
Failure not_installed_failure(const HostState& state);
/// Why what was given could not be opened; nothing where it could, or was not given.
std::optional<Failure> failure_of(const std::optional<CheckRequest::Input>& input);

/// Runs one verb: lock, recovery of what a killed run left, inputs, checks, plan, transaction. Prints nothing.
class Session {
  public:
    Session(const Ports& ports, JournalStore& journal, ProgressSink& progress, const std::atomic<bool>& stop_requested)
        : ports_(ports), journal_(journal), progress_(progress), stop_(stop_requested) {}

    Report run(const Request& request);

  private:
    using Refusal = std::optional<Failure>; ///< nothing: go on
    Refusal begin(const Request& request, Report& report, UniqueFd& lock);
    Refusal recover(Milliseconds lock_timeout);
    Refusal open_inputs(const Request& request, Wishes& wishes, CheckRequest& checks);
    Refusal open_onboarding(const Request& request, Wishes& wishes);
    void open_bundle(const Request& request, Wishes& wishes, CheckRequest& checks);
    void open_repository(const Request& request, Wishes& wishes, CheckRequest& checks);
    Result<void> make_incoming();
    Refusal refuse_other_organisation(const Request& request, const Wishes& wishes) const;
    Refusal requirements_of_install(const Request& request, const Wishes& wishes) const;
    void open_material(const Request& request, Wishes& wishes, CheckRequest& checks);
    Refusal install_opened(const Request& request, Wishes& wishes, CheckRequest& checks, Report& report);
    Refusal await_package_manager(const Request& request, CheckRequest& checks);
    Refusal carry_out(const Request& request, Plan plan, Report& report);
    void tidy();
    data::Json interrupted_run();

    Refusal check(const Request& request, Report& report);
    Refusal install(const Request& request, Report& report);
    Refusal onboard(const Request& request, Report& report);
    Refusal offboard(const Request& request, Report& report);
    Refusal uninstall(const Request& request, Report& report);
    Refusal self_test(const Request& request, Report& report);
    Refusal prepare_image(const Request& request, Report& report);
    Refusal upgrade(const Request& request, Report& report);
    Refusal roll_back(const Request& request, Report& report);
    Refusal prepare_os_upgrade(const Request& request, Report& report);
    Refusal finish_os_upgrade(const Request& request, Report& report);
    Refusal choose_material(Request& request, Wishes& wishes) const;
    bool take_repository_of_receipt(Request& request) const;
    Refusal open_upgrade(const Request& request, Wishes& wishes, CheckRequest& checks);
    Result<void> fetch_packages(Wishes& wishes);
    Refusal check_for_replacement(const Request& request, CheckRequest& checks, Report& report);
    Refusal replace(const Request& request, Plan plan, Report& report);

    const Ports& ports_;
    JournalStore& journal_;
    ProgressSink& progress_;
    const std::atomic<bool>& stop_;
    HostState state_;
    std::optional<HostState> planned_; ///< of a dry run: what the plan leads to
};

} // namespace picket::install

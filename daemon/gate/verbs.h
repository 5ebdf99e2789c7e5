#pragma once
#include <functional>
#include <map>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

#include <picket/base/bounded_queue.h>
#include <picket/ipc/rpc.h>

#include "definitions_keeper.h"
#include "file_taker.h"
#include "health.h"
#include "scan_manager.h"
#include "vault_keeper.h"
#include "verdict_keeper.h"

namespace picket::daemon {

/// The control protocol's methods (docs/control-protocol.md): one row each, with who may call it.
class Verbs {
  public:
    struct Ports {
        HealthSources health;
        GateLoop& gate;
        store::Store& store;
        PolicyKeeper& policy;
        Aftermath& aftermath;
        Allowances& allowances;
        const RemedyClient& remedy;
        SelfTests& selftests;
        ScanManager& scans;
        FileTaker& files;
        Brake& brake;
        const VaultKeeper& vault;
        DefinitionsKeeper& definitions;
        const VerdictKeeper& verdicts;
        const sys::Root& root;
        const Clock& clock;
    };
    explicit Verbs(Ports ports);
    ~Verbs(); ///< what waits for the remedy is finished first
    Verbs(const Verbs&) = delete;
    Verbs& operator=(const Verbs&) = delete;

    ipc::RpcResult handle(ipc::RpcRequest& request);
    /// Nobody's but root's are taken, and those of scan.file are left to an errand.
    static ipc::RpcDescriptors descriptors_of(const ipc::RpcRequest& request);
    /// Tells those who follow events. Any thread.
    void tell_followers(const Event& event);

    enum class Access { any, root };
    struct Row {
        std::string_view method;
        Access access;
        std::vector<std::string_view> parameters; ///< every other one is refused
        ipc::RpcResult (Verbs::*run)(ipc::RpcRequest&);
        ipc::RpcDescriptors descriptors = ipc::RpcDescriptors::dropped;
    };
    static const std::vector<Row>& table();

  private:
    ipc::RpcResult hello(ipc::RpcRequest&);
    ipc::RpcResult version(ipc::RpcRequest&);
    ipc::RpcResult get_health(ipc::RpcRequest&);
    ipc::RpcResult scan_start(ipc::RpcRequest&);
    ipc::RpcResult scan_file(ipc::RpcRequest&);
    ipc::RpcResult scan_list(ipc::RpcRequest&);
    ipc::RpcResult scan_cancel(ipc::RpcRequest&);
    ipc::RpcResult threat_list(ipc::RpcRequest&);
    ipc::RpcResult threat_get(ipc::RpcRequest&);
    ipc::RpcResult allowed_list(ipc::RpcRequest&);
    ipc::RpcResult allowed_add(ipc::RpcRequest&);
    ipc::RpcResult allowed_remove(ipc::RpcRequest&);
    ipc::RpcResult threat_policy_list(ipc::RpcRequest&);
    ipc::RpcResult threat_policy_set(ipc::RpcRequest&);
    ipc::RpcResult quarantine_list(ipc::RpcRequest&);
    ipc::RpcResult quarantine_add(ipc::RpcRequest&);
    ipc::RpcResult quarantine_remove(ipc::RpcRequest&);
    ipc::RpcResult quarantine_resume(ipc::RpcRequest&);
    ipc::RpcResult quarantine_restore(ipc::RpcRequest&);
    ipc::RpcResult exclusion_list(ipc::RpcRequest&);
    ipc::RpcResult exclusion_add(ipc::RpcRequest&);
    ipc::RpcResult exclusion_remove(ipc::RpcRequest&);
    ipc::RpcResult exclusion_advise(ipc::RpcRequest&);
    ipc::RpcResult config_show(ipc::RpcRequest&);
    ipc::RpcResult config_set(ipc::RpcRequest&);
    ipc::RpcResult profile_show(ipc::RpcRequest&);
    ipc::RpcResult selftest_begin(ipc::RpcRequest&);
    ipc::RpcResult selftest_result(ipc::RpcRequest&);
    ipc::RpcResult definitions_update(ipc::RpcRequest&);
    ipc::RpcResult definitions_rollback(ipc::RpcRequest&);
    ipc::RpcResult definitions_status(ipc::RpcRequest&);
    ipc::RpcResult connectivity_test(ipc::RpcRequest&);
    ipc::RpcResult tag_list(ipc::RpcRequest&);
    ipc::RpcResult tag_set(ipc::RpcRequest&);
    ipc::RpcResult tag_remove(ipc::RpcRequest&);
    ipc::RpcResult statistics(ipc::RpcRequest&);
    ipc::RpcResult event_list(ipc::RpcRequest&);
    ipc::RpcResult event_follow(ipc::RpcRequest&);
    ipc::RpcResult event_verify(ipc::RpcRequest&);

    data::Json exclusions_after(const ipc::RpcRequest& request, bool changed);
    ipc::RpcResult save_tags(const data::Json& tags, bool changed);
    std::uint64_t uptime_seconds() const;
    ipc::RpcResult later(const ipc::RpcRequest& request, std::function<ipc::RpcResult()> work);
    static const Row* row_of(const std::string& method); ///< null where there is none
    void scan_taken(watch::EventFile file, const std::string& path, const ipc::RpcReply& reply);
    void run_operations();
    ipc::RpcResult add(int named);
    void record_added(const Threat& threat, const std::string& quarantine_id);
    ipc::RpcResult restore(const std::string& id, const std::string& destination, bool overwrite);

    Ports ports_;
    const MonotonicTime started_;
    std::mutex mutex_;
    std::vector<std::weak_ptr<ipc::RpcPeer>> followers_;
    struct Announced {
        std::weak_ptr<ipc::RpcPeer> peer;
        std::uint64_t device;
        std::uint64_t inode;
    };
    std::vector<Announced> announced_;
    static constexpr std::size_t kMaximumOperations = 64;
    BoundedQueue<std::function<void()>> operations_{kMaximumOperations};
    std::thread operator_; ///< last: it uses all of the above
};

} // namespace picket::daemon

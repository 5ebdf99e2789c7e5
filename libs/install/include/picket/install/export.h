#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <picket/install/ports.h>

/// `picket-installer export KIND DIR`: files for an administrator's own tools, written to a folder. Nothing on the host
/// changes, and nobody has to be root.
namespace picket::install {

struct ExportRequest {
    std::string kind;       ///< "repo"
    std::string directory;  ///< made where it is not there
    std::string onboarding; ///< file; "" = not given
    std::string trust_key;  ///< the organisation's, one line; "" = not given
    std::string from_repo;  ///< URL; "" = not given
    std::vector<std::string> repo_keys;
};

struct ExportContext {
    const Ports& ports;
    const ExportRequest& request;
};

struct ExportedFile {
    std::string name; ///< below the folder: "hosts.yml", "group_vars/all.yml"
    std::string content;
    mode_t mode = 0644;
};

/// One row a kind. The files are made in memory; run_export() writes them, all or none where that can be seen before.
struct Exporter {
    std::string_view kind;
    Result<std::vector<ExportedFile>> (*make)(const ExportContext&);
    /// What an Error of it ends with.
    Failure (*failure)(const ExportRequest&, const Error&);
};
std::span<const Exporter> exporters();

struct ExportOutcome {
    std::vector<std::string> written; ///< as they were named, in order
    bool changed = false;             ///< any was not there with that content
    std::optional<Failure> failure;
};
/// A file that is there and differs is replaced; what else is in the folder stays.
ExportOutcome run_export(const ExportContext& context);

} // namespace picket::install

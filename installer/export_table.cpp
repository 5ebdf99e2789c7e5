#include "export_table.h"

#include <filesystem>

#include <fmt/format.h>
#include <picket/install/repository.h>
#include <picket/project/project.h>
#include <picket/release_keys/release_keys.h>
#include <picket/trust/onboarding.h>

#include "arguments.h"
#include "options.h"

namespace picket::installer {
namespace {

using command_line::Option;
using command_line::ValueKind;

const Option kFolder{
    .name = "DIR", .help = "the folder; made where it is not there", .required = true, .kind = ValueKind::path};
const Option kOnboarding{.name = "--onboarding",
                         .value = "FILE",
                         .help = "the organisation's package; default: the one that DIR has already",
                         .kind = ValueKind::path};
const Option kFromRepo{.name = "--from-repo", .value = "URL", .help = "the signed repository; needed"};

constexpr std::string_view kAgain =
    "Complete but for the names of the hosts: nothing is fetched. Onto files that an export did not write nothing is "
    "written; a later export into the same folder leaves what you changed.";

Result<project::Request> request_of(const command_line::Invocation& invocation) {
    project::Request request;
    request.folder = command_line::absolute_path(invocation.get("DIR"));
    request.bundle = bundle_of(invocation);
    request.onboarding = invocation.get("--onboarding");
    request.release_keys = release_public_keys();
    request.now = SystemClock().wall();
    if (invocation.has("--trust-key"))
        request.trust_key = PICKET_TRY(trust::read_key_argument(invocation.get("--trust-key")));
    return request;
}

install::Report report_of(const command_line::Invocation& invocation, const std::string& folder,
                          const project::Outcome& outcome) {
    install::Report report;
    report.verb = invocation.verb->words;
    report.failure = outcome.failure;
    if (outcome.failure)
        return report;
    const project::Written& files = outcome.files;
    report.changed = !files.written.empty() || !files.removed.empty();
    report.after = {{"directory", folder},          {"written", files.written}, {"kept", files.kept},
                    {"outdated", files.outdated},   {"unused", files.unused},   {"removed", files.removed},
                    {"unchanged", files.unchanged}, {"next", outcome.next}};
    report.steps.push_back(
        {"project.write", "write the project", "done",
         fmt::format("{} files written, {} left as they were changed by hand, {} removed", files.written.size(),
                     files.kept.size() + files.outdated.size() + files.unused.size(), files.removed.size()),
         0});
    return report;
}

project::Outcome failed(install::Failure failure) {
    return {.failure = std::move(failure), .files = {}, .next = {}};
}

template <project::Outcome (*Write)(const project::Request&)>
install::Report run(const command_line::Invocation& invocation, const std::atomic<bool>&) {
    const auto request = request_of(invocation);
    if (!request)
        return report_of(invocation, "", failed(install::failure_from(InstallerExit::usage, request.error())));
    return report_of(invocation, request->folder, Write(*request));
}

project::Outcome write_repository(const command_line::Invocation& invocation, const std::string& folder,
                                  const std::atomic<bool>& stop) {
    const auto wish = repository_of(invocation);
    if (!wish)
        return failed(install::failure_from(InstallerExit::usage, wish.error()));
    const std::string& url = wish->url;
    if (url.empty())
        return failed({InstallerExit::usage, "say which repository with --from-repo URL", ""});
    const auto root = sys::Root::open("/");
    if (!root)
        return failed(install::failure_from(InstallerExit::internal, root.error()));
    const SystemClock clock;
    const install::RealPorts ports(*root, clock, stop, real_options());
    const auto files = install::repository_export(ports.get(), url, wish->keys);
    if (!files)
        return failed(install::repository_failure(url, files.error()));
    project::Request request;
    request.folder = folder;
    return project::export_repository(request, *files);
}

install::Report run_repository(const command_line::Invocation& invocation, const std::atomic<bool>& stop) {
    const std::string folder = command_line::absolute_path(invocation.get("DIR"));
    return report_of(invocation, folder, write_repository(invocation, folder, stop));
}

} // namespace

install::RealOptions real_options() {
    install::RealOptions options;
    for (const crypto::PublicKey& key : release_public_keys())
        options.release_keys.push_back(key.to_base64());
    return options;
}

std::string bundle_of(const command_line::Invocation& invocation) {
    if (invocation.has("--bundle"))
        return invocation.get("--bundle");
    std::error_code ignored;
    const auto program = std::filesystem::read_symlink("/proc/self/exe", ignored);
    return install::find_bundle({program.parent_path().string(), std::filesystem::current_path(ignored).string()});
}

const std::vector<ExportKind>& export_kinds() {
    static const std::vector<ExportKind> kKinds{
        {{.words = "export ansible",
          .summary =
              "Writes an Ansible project for this organisation: inventory, collection, playbooks, profiles, bundle.",
          .options = {kFolder, kOnboarding, kBundle},
          .examples = {"picket-installer export ansible fleet --onboarding acme.zip"},
          .note = kAgain},
         run<project::export_ansible>},
        {{.words = "export puppet",
          .summary =
              "Writes an environment of a Puppet server for this organisation: module, Hiera data, site.pp, bundle.",
          .options = {kFolder, kOnboarding, kBundle},
          .examples = {"picket-installer export puppet environment --onboarding acme.zip"},
          .note = kAgain},
         run<project::export_puppet>},
        {{.words = "export profiles",
          .summary = "Writes the shipped profiles and their schema, to start your own from.",
          .options = {kFolder},
          .examples = {"picket-installer export profiles profiles"}},
         run<project::export_profiles>},
        {{.words = "export repo",
          .summary = "Writes what makes a signed repository known to hosts: for apt, dnf and zypper, with its keys.",
          .options = {kFolder, kFromRepo, kRing, kRepoKey},
          .examples =
              {"picket-installer export repo picket-repository --from-repo https://packages.example.org/picket"},
          .note = "For hosts whose packages come by other means than this program. Needs no root."},
         run_repository},
    };
    return kKinds;
}

const ExportKind* find_export(std::string_view words) {
    for (const ExportKind& kind : export_kinds())
        if (kind.verb.words == words)
            return &kind;
    return nullptr;
}

} // namespace picket::installer

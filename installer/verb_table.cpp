#include "verb_table.h"

#include <picket/base/check.h>
#include <picket/model/paths.h>

#include "export_table.h"
#include "options.h"

namespace picket::installer {
namespace {

using command_line::Option;
using command_line::ValueKind;
using command_line::Verb;
using install::VerbKind;

constexpr std::string_view kDescription =
    "It works from the bundle alone, offline. A changing command checks the host, makes a plan, carries it out with a "
    "journal, and ends with proof: a harmless test file must be denied and land in the quarantine. Where a step fails, "
    "or Ctrl-C stops it, everything done so far is undone.\n\n"
    "A second run of the same command changes nothing and says so: in JSON, \"changed\" is false. Ansible and Puppet "
    "build on that.";

std::vector<command_line::ExitStatus> exit_codes() {
    return {{0, "done (also where nothing had to change: \"changed\" tells)"},
            {1, "internal error"},
            {2, "usage"},
            {3, "not root"},
            {5, "another product holds fanotify"},
            {10, "unsupported distribution"},
            {11, "unsupported version"},
            {12, "requirement not met; an older version refused"},
            {15, "broken installation"},
            {20, "not installed"},
            {21, "failed and undone"},
            {22, "uninstall failed"},
            {27, "package manager busy"},
            {28, "bundle refused"},
            {30, "no onboarding package"},
            {31, "onboarding refused"},
            {41, "profile refused"},
            {50, "self-test failed"},
            {60, "another picket-installer runs"},
            {130, "stopped and undone"}};
}

const Option kOnboarding{
    .name = "--onboarding", .value = "FILE", .help = "the organisation's onboarding package", .kind = ValueKind::path};
const Option kProfile{.name = "--profile",
                      .value = "FILE",
                      .help = "a configuration profile, YAML or JSON; later ones win",
                      .repeatable = true,
                      .kind = ValueKind::path};
const Option kTag{.name = "--tag", .value = "KEY=VALUE", .help = "a tag of this host", .repeatable = true};
const Option kDryRun{.name = "--dry-run", .help = "show the plan, change nothing"};
const Option kReplaceOrg{.name = "--replace-org", .help = "accept a package of another organisation than the host's"};

const Option kFromRepo{.name = "--from-repo",
                       .value = "URL",
                       .help = "install from this signed repository, instead of a bundle, and set it up for updates"};

const Option kAllowDowngrade{.name = "--allow-downgrade", .help = "take an older version, too"};

const Option kVersion{.name = "--version", .value = "VERSION", .help = "only this version, also where it is held back"};

struct Row {
    VerbKind kind;
    Verb verb;
};

const std::vector<Row>& rows() {
    static const std::vector<Row> kRows{
        {VerbKind::check,
         {.words = "check",
          .summary = "Says whether Picket can run on this host. Changes nothing.",
          .options = {kOnboarding, kProfile},
          .examples = {"picket-installer check", "picket-installer check --onboarding acme.zip --output json"}}},
        {VerbKind::install,
         {.words = "install",
          .summary = "Installs Picket from the bundle, onboards the host, and proves that it protects.",
          .options = {kOnboarding, kBundle, kFromRepo, kRing, kRepoKey, kProfile, kTag, kDryRun, kReplaceOrg},
          .examples =
              {"picket-installer install --onboarding acme.zip",
               "picket-installer install --onboarding acme.zip --profile servers.yaml --tag site=ham",
               "picket-installer install --onboarding acme.zip --dry-run",
               "picket-installer install --onboarding acme.zip --from-repo https://packages.example.org/picket"},
          .note = "On an onboarded host --onboarding may be left out. What is as it should be stays untouched. A "
                  "failure undoes everything."}},
        {VerbKind::upgrade,
         {.words = "upgrade",
          .summary = "Puts another version in the place of the installed one, and proves that it protects.",
          .options = {kBundle, kFromRepo, kRing, kRepoKey, kVersion, kAllowDowngrade, kDryRun},
          .examples = {"picket-installer upgrade",
                       "picket-installer upgrade --bundle picket-0.2.0-x86_64.tar.gz --dry-run",
                       "picket-installer upgrade --from-repo https://packages.example.org/picket --version 0.2.0"},
          .note = "Without a bundle or a repository it takes the bundle at hand, else the repository that the host was "
                  "installed from. Identity, settings, quarantine and records stay. The package of the version before "
                  "stays on the host, or is fetched from the repository; where the new one does not become healthy or "
                  "fails its self-test, the one before is put back, and the command ends with 21. Where that package "
                  "is nowhere, the plan says so before anything is changed."}},
        {VerbKind::rollback,
         {.words = "rollback",
          .summary = "Goes back to the version before the last upgrade.",
          .options = {kDryRun},
          .examples = {"picket-installer rollback"},
          .note = "Proved as an upgrade is. One step: after it there is nothing further back."}},
        {VerbKind::os_upgrade_prepare,
         {.words = "os-upgrade prepare",
          .summary = "Takes Picket's programs out of the way of an upgrade of the operating system; keeps all else.",
          .options = {kDryRun},
          .examples = {"picket-installer os-upgrade prepare --dry-run"},
          .note = "The host is not protected until os-upgrade finish; picket-installer status says since when and by "
                  "whom. Identity, settings, quarantine, records and the package of this version stay on the host. "
                  "Where the package is not there, the plan says that finish will need a bundle."}},
        {VerbKind::os_upgrade_finish,
         {.words = "os-upgrade finish",
          .summary = "Puts Picket back after an upgrade of the operating system, and proves that it protects.",
          .options = {kBundle, kFromRepo, kRing, kRepoKey, kAllowDowngrade, kDryRun},
          .examples = {"picket-installer os-upgrade finish",
                       "picket-installer os-upgrade finish --bundle picket-0.2.0-x86_64.tar.gz"},
          .note =
              "Without a bundle or a repository it takes the package that os-upgrade prepare left, or the repository "
              "that the host was installed from. Also where the operating system was not upgraded after all. A "
              "failure leaves the host prepared."}},
        {VerbKind::onboard,
         {.words = "onboard",
          .summary = "Gives an installed Picket its organisation, or a newer package of it.",
          .options = {{.name = "FILE", .help = "the onboarding package", .required = true, .kind = ValueKind::path},
                      kTag,
                      kDryRun,
                      kReplaceOrg},
          .examples = {"picket-installer onboard acme.zip"}}},
        {VerbKind::offboard,
         {.words = "offboard",
          .summary = "Takes the organisation's identity and profiles away; the host stays protected.",
          .options = {kDryRun},
          .examples = {"picket-installer offboard"}}},
        {VerbKind::status,
         {.words = "status",
          .summary = "Says what is installed, who the host belongs to, and whether a run was cut off.",
          .examples = {"picket-installer status", "picket-installer status --output json"}}},
        {VerbKind::uninstall,
         {.words = "uninstall",
          .summary = "Removes Picket, also where its daemon is dead.",
          .options = {{.name = "--keep-state", .help = "keep identity, settings, quarantine and definitions (default)"},
                      {.name = "--purge", .help = "remove them too; what is not Picket's stays and is named"},
                      kDryRun},
          .examples = {"picket-installer uninstall", "picket-installer uninstall --purge"}}},
        {VerbKind::self_test,
         {.words = "selftest",
          .summary = "Proves with a harmless test file that the host is protected.",
          .examples = {"picket-installer selftest"}}},
        {VerbKind::prepare_image,
         {.words = "prepare-image",
          .summary = "Makes the host forget who it is, so that copies of its disk become hosts of their own.",
          .options = {kDryRun},
          .examples = {"picket-installer prepare-image", "picket-installer prepare-image --root /mnt/image"},
          .note = "Stops Picket until the next boot. The organisation stays."}},
    };
    return kRows;
}

command_line::Program make_program() {
    command_line::Program result{
        .name = "picket-installer",
        .summary = "Checks a host, installs Picket on it, and takes it away again.",
        .global_options =
            {{.name = "--output", .value = "FORMAT", .help = "text (default) or json", .choices = "text|json"},
             {.name = "--root",
              .value = "DIR",
              .help = "work on an image instead of the running host; nothing is started",
              .kind = ValueKind::path},
             {.name = "--non-interactive", .help = "never ask (it never does: for scripts that say so)"},
             {.name = "--log-file",
              .value = "FILE",
              .help = "append what is done, with times",
              .kind = ValueKind::path},
             {.name = "--config",
              .value = "FILE",
              .help = "YAML; every flag as a key. The command line wins",
              .kind = ValueKind::path},
             {.name = "--trust-key",
              .value = "KEY",
              .help = "the organisation's public key, or its .pub file; no other is accepted"},
             {.name = "--lock-timeout",
              .value = "S",
              .help = "wait so long for a busy package manager (120)",
              .kind = ValueKind::integer},
             {.name = "--support-matrix",
              .value = "FILE",
              .help = "supported distributions, instead of the list built in",
              .kind = ValueKind::path},
             {.name = "--accept",
              .value = "CHECK-ID",
              .help = "go on although this check fails; recorded in the receipt",
              .repeatable = true}},
        .exit_codes = exit_codes(),
        .section = 8,
        .description = kDescription,
        .files = {{paths::kOnboarding, "the host's organisation"},
                  {paths::kManagedDirectory, "central profiles, merged in the order of their names"},
                  {paths::kInstallDirectory, "journal of the run that is under way, and the receipt of the last one"}},
        .see_also = {"picket(1)", "picket-onboarding(1)", "picketd(8)"}};
    for (const Row& row : rows())
        result.verbs.push_back(row.verb);
    for (const ExportKind& kind : export_kinds())
        result.verbs.push_back(kind.verb);
    return result;
}

} // namespace

const command_line::Program& program() {
    static const command_line::Program kProgram = make_program();
    return kProgram;
}

VerbKind kind_of(std::string_view words) {
    for (const Row& row : rows())
        if (row.verb.words == words)
            return row.kind;
    PICKET_CHECK(false);
}

} // namespace picket::installer

#include <picket/base/check.h>
#include <picket/model/paths.h>

#include "context.h"

/// Every verb of `picket`. The help is made from this table, and so are manual pages and completion.
namespace picket::cli {
namespace {

using command_line::Column;
using command_line::Option;
using command_line::Shrink;
using command_line::ValueKind;

const Option kLimit = {
    .name = "--limit", .value = "N", .help = "at most N, the newest", .kind = ValueKind::integer, .field = "limit"};
const Option kThreatName = {.name = "--name",
                            .value = "NAME",
                            .help = "name of the threat, as \"picket threat list\" shows it",
                            .required = true,
                            .field = "name"};

const Option kProfileFile = {.name = "FILE",
                             .value = "",
                             .help = "JSON, or YAML by its extension .yaml or .yml",
                             .required = true,
                             .kind = ValueKind::path};
const Option kProfileFiles = {.name = "FILE",
                              .value = "",
                              .help = "JSON, or YAML by its extension .yaml or .yml",
                              .required = true,
                              .repeatable = true,
                              .kind = ValueKind::path};
const std::vector<std::string_view> kScanFields = {"scan_id",      "kind",         "status",        "path",
                                                   "started",      "ended",        "files_scanned", "bytes_scanned",
                                                   "files_failed", "threats_found"};
const std::vector<Column> kExclusionColumns = {{.field = "type", .title = "TYPE"},
                                               {.field = "value", .title = "VALUE", .shrink = Shrink::middle},
                                               {.field = "status", .title = "STATUS"},
                                               {.field = "expires", .title = "ENDS (UTC)", .time = true},
                                               {.field = "owner", .title = "OWNER", .shrink = Shrink::end},
                                               {.field = "reason", .title = "REASON", .shrink = Shrink::end},
                                               {.field = "source", .title = "SOURCE", .shrink = Shrink::end}};
const std::vector<Column> kAdviceColumns = {{.field = "advice", .title = "ADVICE"},
                                            {.field = "type", .title = "TYPE"},
                                            {.field = "value", .title = "VALUE", .shrink = Shrink::middle},
                                            {.field = "opens", .title = "OPENS", .right = true, .optional = true},
                                            {.field = "why", .title = "WHY", .shrink = Shrink::end}};
const std::vector<Column> kAllowedColumns = {{.field = "name", .title = "NAME", .shrink = Shrink::end},
                                             {.field = "source", .title = "SOURCE", .shrink = Shrink::end}};
const std::vector<Column> kPolicyColumns = {{.field = "type", .title = "TYPE"},
                                            {.field = "action", .title = "ACTION"},
                                            {.field = "source", .title = "SOURCE", .shrink = Shrink::end}};
const std::vector<Column> kThreatColumns = {
    {.field = "threat_id", .title = "ID"},
    {.field = "name", .title = "NAME", .shrink = Shrink::end},
    {.field = "status", .title = "STATUS", .shrink = Shrink::end},
    {.field = "count", .title = "COUNT", .right = true, .optional = true},
    {.field = "last_seen", .title = "LAST SEEN (UTC)", .time = true, .optional = true},
    {.field = "path", .title = "PATH", .shrink = Shrink::middle}};
const std::vector<std::string_view> kHealthFields = {"healthy",
                                                     "health_issues",
                                                     "app_version",
                                                     "build_date",
                                                     "product_expiration",
                                                     "product_expiration_days",
                                                     "onboarded",
                                                     "org_id",
                                                     "org_name",
                                                     "region",
                                                     "machine_id",
                                                     "tags",
                                                     "enforcement_level",
                                                     "real_time_protection_enabled",
                                                     "real_time_protection_available",
                                                     "real_time_protection_active",
                                                     "real_time_protection_subsystem",
                                                     "fanotify_tier",
                                                     "passive_mode_enabled",
                                                     "engine_status",
                                                     "engine_version",
                                                     "engine_workers",
                                                     "definitions_status",
                                                     "definitions_version",
                                                     "definitions_updated",
                                                     "definitions_updated_minutes_ago",
                                                     "definitions_signatures",
                                                     "definitions_expires",
                                                     "definitions_checked",
                                                     "filesystems",
                                                     "profile_status",
                                                     "profile_generation",
                                                     "profile_sources",
                                                     "conflicting_applications",
                                                     "log_level"};

struct ExclusionVerb {
    std::string_view words;
    std::string_view summary;
    std::string_view fixed;
    std::vector<Option> options;
    std::string_view example;
    bool add;
};

const Option kExclusionPath = {.name = "--path",
                               .value = "PATH",
                               .help = "absolute, or from the working directory",
                               .required = true,
                               .kind = ValueKind::path,
                               .field = "value"};

Option exclusion_name(std::string_view value, std::string_view help) {
    return {.name = "--name", .value = value, .help = help, .required = true, .field = "value"};
}
/// A process is named by its path or by its last component: one of the two.
std::vector<Option> process_options() {
    return {
        {.name = "--path", .value = "PATH", .help = "path of the program", .kind = ValueKind::path, .field = "value"},
        {.name = "--name", .value = "NAME", .help = "name of the program, whatever its folder", .field = "value"}};
}

std::vector<ExclusionVerb> exclusion_verbs() {
    const auto extension = [] { return exclusion_name("EXT", "the part after the last dot"); };
    const auto name = [] { return exclusion_name("NAME", "name of the file, whatever its folder"); };
    return {
        {"exclusion file add",
         "Leaves one file unscanned.",
         R"({"type":"file"})",
         {kExclusionPath},
         "picket exclusion file add --path /srv/db/table.dat",
         true},
        {"exclusion file remove",
         "Scans that file again.",
         R"({"type":"file"})",
         {kExclusionPath},
         "picket exclusion file remove --path /srv/db/table.dat",
         false},
        {"exclusion folder add",
         "Leaves a folder and all below it unscanned.",
         R"({"type":"folder"})",
         {kExclusionPath},
         "picket exclusion folder add --path /srv/db --reason \"table files\" --owner dba --expires 90d",
         true},
        {"exclusion folder remove",
         "Scans that folder again.",
         R"({"type":"folder"})",
         {kExclusionPath},
         "picket exclusion folder remove --path /srv/db",
         false},
        {"exclusion extension add",
         "Leaves files with this extension unscanned.",
         R"({"type":"extension"})",
         {extension()},
         "picket exclusion extension add --name iso",
         true},
        {"exclusion extension remove",
         "Scans files with this extension again.",
         R"({"type":"extension"})",
         {extension()},
         "picket exclusion extension remove --name iso",
         false},
        {"exclusion name add",
         "Leaves files of this name unscanned.",
         R"({"type":"name"})",
         {name()},
         "picket exclusion name add --name core.dump",
         true},
        {"exclusion name remove",
         "Scans files of this name again.",
         R"({"type":"name"})",
         {name()},
         "picket exclusion name remove --name core.dump",
         false},
        {"exclusion process add", "Leaves what this program opens unscanned.", R"({"type":"process"})",
         process_options(), "picket exclusion process add --path /usr/bin/postgres", true},
        {"exclusion process remove", "Scans what this program opens again.", R"({"type":"process"})", process_options(),
         "picket exclusion process remove --name postgres", false},
    };
}

const std::vector<Option> kExclusionNotes = {
    {.name = "--reason", .value = "TEXT", .help = "why, for whoever asks later", .field = "reason"},
    {.name = "--owner", .value = "NAME", .help = "who is to be asked about it", .field = "owner"},
    {.name = "--expires",
     .value = "END",
     .help = "when it ends by itself: 2027-03-31 (with that day, UTC), 2027-03-31T12:00:00Z, or 90d, 12h from now",
     .field = "expires"}};

void add_exclusions(std::vector<Row>& rows) {
    for (const ExclusionVerb& row : exclusion_verbs()) {
        std::vector<Option> options = row.options;
        if (row.add)
            options.insert(options.end(), kExclusionNotes.begin(), kExclusionNotes.end());
        rows.push_back({.verb = {.words = row.words,
                                 .summary = row.summary,
                                 .options = options,
                                 .examples = {row.example},
                                 .note = "Needs root. A managed profile may forbid local exclusions."},
                        .needs_root = true,
                        .kind = "exclusions",
                        .method = row.add ? "exclusion.add" : "exclusion.remove",
                        .fixed = row.fixed,
                        .done = row.add ? "exclusion added" : "exclusion removed"});
    }
    rows.push_back(
        {.verb = {.words = "exclusion list",
                  .summary = "Lists the exclusions, where each comes from, why, whose it is and when it ends.",
                  .examples = {"picket exclusion list"},
                  .note = "Needs root."},
         .needs_root = true,
         .kind = "exclusions",
         .method = "exclusion.list",
         .list = "exclusions",
         .columns = kExclusionColumns,
         .empty = "no exclusions"});
    rows.push_back(
        {.verb = {.words = "exclusion advise",
                  .summary = "Says which exclusions would take load off, and which are dangerous.",
                  .options = {{.name = "--top",
                               .value = "N",
                               .help = "at most N proposals (at most 100)",
                               .kind = ValueKind::integer,
                               .field = "top"}},
                  .examples = {"picket exclusion advise", "picket exclusion advise --output json"},
                  .note =
                      "Needs root. exclude: costs much, and nothing known speaks against it. refrain: costs much, and "
                      "would let malware in. risk: is excluded, and lets malware in. expired: no longer counts. Judged "
                      "by what was opened since the daemon's start; nothing is changed."},
         .needs_root = true,
         .kind = "exclusion_advice",
         .method = "exclusion.advise",
         .list = "advice",
         .columns = kAdviceColumns,
         .fields = {"advice", "type", "value", "opens", "why", "command"},
         .empty = "nothing to propose, and no exclusion is dangerous"});
}

std::vector<Row> scan_rows() {
    return {
        {.verb = {.words = "scan quick",
                  .summary = "Scans where malware usually lands.",
                  .examples = {"picket scan quick"},
                  .note = "Needs root. Ctrl-C cancels the scan. Exit code 10: threats were found."},
         .needs_root = true,
         .kind = "scan",
         .method = "scan.start",
         .fixed = R"({"kind":"quick"})",
         .fields = kScanFields,
         .run = run_scan},
        {.verb = {.words = "scan full",
                  .summary = "Scans every local file system.",
                  .examples = {"picket scan full"},
                  .note = "Needs root. Ctrl-C cancels the scan. Exit code 10: threats were found."},
         .needs_root = true,
         .kind = "scan",
         .method = "scan.start",
         .fixed = R"({"kind":"full"})",
         .fields = kScanFields,
         .run = run_scan},
        {.verb = {.words = "scan custom",
                  .summary = "Scans one file, or a folder and all below it.",
                  .options = {{.name = "--path",
                               .value = "PATH",
                               .help = "what to scan",
                               .required = true,
                               .kind = ValueKind::path},
                              {.name = "--ignore-exclusions", .value = "", .help = "scan what is excluded too (root)"},
                              {.name = "--report-only",
                               .value = "",
                               .help = "read with your own rights and change nothing; always so for an ordinary user"}},
                  .examples = {"picket scan custom --path /srv/upload",
                               "picket scan custom --path ~/Downloads --output json"},
                  .note = "Root's scan is the daemon's: it acts on what it finds. Anybody else's scan reads only what "
                          "that user may read, and reports. Exit code 10: threats were found."},
         .kind = "scan",
         .method = "scan.start",
         .fields = kScanFields,
         .run = run_scan_custom},
        {.verb = {.words = "scan list",
                  .summary = "Lists running and finished scans.",
                  .options = {kLimit},
                  .examples = {"picket scan list --limit 5"},
                  .note = "Needs root."},
         .needs_root = true,
         .kind = "scans",
         .method = "scan.list",
         .list = "scans",
         .columns = {{.field = "scan_id", .title = "ID"},
                     {.field = "kind", .title = "KIND", .shrink = Shrink::end},
                     {.field = "status", .title = "STATUS", .shrink = Shrink::end},
                     {.field = "started", .title = "STARTED (UTC)", .time = true},
                     {.field = "files_scanned", .title = "FILES", .right = true},
                     {.field = "threats_found", .title = "FOUND", .right = true},
                     {.field = "path", .title = "PATH", .shrink = Shrink::middle}},
         .empty = "no scans"},
        {.verb = {.words = "scan cancel",
                  .summary = "Cancels a running scan, or all of them.",
                  .options = {{.name = "--id", .value = "ID", .help = "the scan; without it all", .field = "scan_id"}},
                  .examples = {"picket scan cancel"},
                  .note = "Needs root."},
         .needs_root = true,
         .kind = "scan_cancel",
         .method = "scan.cancel"},
    };
}

std::vector<Row> threat_rows() {
    const Option threat_id = {
        .name = "--id", .value = "ID", .help = "id of the threat", .required = true, .field = "threat_id"};
    return {
        {.verb = {.words = "threat list",
                  .summary = "Lists what was found and what became of it.",
                  .options = {kLimit},
                  .examples = {"picket threat list", "picket threat list --output json"},
                  .note = "Needs root."},
         .needs_root = true,
         .kind = "threats",
         .method = "threat.list",
         .list = "threats",
         .columns = kThreatColumns,
         .empty = "no threats"},
        {.verb = {.words = "threat get",
                  .summary = "Shows all that is known of one threat.",
                  .options = {threat_id},
                  .examples = {"picket threat get --id 0123456789abcdef"},
                  .note = "Needs root."},
         .needs_root = true,
         .kind = "threat",
         .method = "threat.get",
         .columns = kThreatColumns},
        {.verb = {.words = "threat quarantine list",
                  .summary = "Lists the files in the quarantine.",
                  .examples = {"picket threat quarantine list"},
                  .note = "Needs root."},
         .needs_root = true,
         .kind = "quarantine",
         .method = "quarantine.list",
         .list = "items",
         .columns = {{.field = "quarantine_id", .title = "ID"},
                     {.field = "threat_name", .title = "THREAT", .shrink = Shrink::end},
                     {.field = "size_bytes", .title = "BYTES", .right = true, .optional = true},
                     {.field = "quarantined", .title = "QUARANTINED (UTC)", .time = true, .optional = true},
                     {.field = "path", .title = "PATH", .shrink = Shrink::middle}},
         .fields = {"quarantine_id", "threat_name", "definitions", "size_bytes", "sha256", "quarantined", "path"},
         .empty = "the quarantine is empty"},
        {.verb = {.words = "threat quarantine restore",
                  .summary = "Puts a file back from the quarantine, or all that one set of definitions took.",
                  .options = {{.name = "--id", .value = "ID", .help = "id in the quarantine", .field = "quarantine_id"},
                              {.name = "--definitions",
                               .value = "GENERATION",
                               .help = "every file that these definitions took"},
                              {.name = "--all", .value = "", .help = "every file"},
                              {.name = "--threat",
                               .value = "NAME",
                               .help = "with --definitions or --all: only files of this threat"},
                              {.name = "--dry-run", .value = "", .help = "only say what would be put back"},
                              {.name = "--destination",
                               .value = "PATH",
                               .help = "with --id: where to; without it where it was",
                               .kind = ValueKind::path,
                               .field = "destination"},
                              {.name = "--overwrite",
                               .value = "",
                               .help = "replace a file that is there now",
                               .field = "overwrite"}},
                  .examples = {"picket threat quarantine restore --id 0123456789abcdef",
                               "picket threat quarantine restore --id 0123456789abcdef --destination /root/sample",
                               "picket threat quarantine restore --definitions 20261125-0300 --dry-run"},
                  .note = "Needs root. The file may be opened again for a day; \"picket threat allowed add\" allows "
                          "it for good. Of many files each is reported; exit code 1: some stayed in the quarantine."},
         .needs_root = true,
         .kind = "restore",
         .method = "quarantine.restore",
         .run = run_quarantine_restore},
        {.verb = {.words = "threat quarantine add",
                  .summary = "Moves a file into the quarantine by hand.",
                  .options = {{.name = "--path",
                               .value = "PATH",
                               .help = "the file; no link",
                               .required = true,
                               .kind = ValueKind::path}},
                  .examples = {"picket threat quarantine add --path /srv/upload/invoice.exe"},
                  .note = "Needs root. It is listed as the threat Manual; other files with the same content are not "
                          "blocked by this."},
         .needs_root = true,
         .kind = "quarantine_add",
         .method = "quarantine.add",
         .fields = {"quarantine_id", "path", "sha256", "threat_id"},
         .run = run_quarantine_add},
        {.verb = {.words = "threat quarantine remove",
                  .summary = "Destroys a file in the quarantine for good.",
                  .options = {{.name = "--id",
                               .value = "ID",
                               .help = "id in the quarantine",
                               .required = true,
                               .field = "quarantine_id"}},
                  .examples = {"picket threat quarantine remove --id 0123456789abcdef"},
                  .note = "Needs root."},
         .needs_root = true,
         .kind = "quarantine_remove",
         .method = "quarantine.remove",
         .done = "destroyed"},
        {.verb = {.words = "threat quarantine resume",
                  .summary = "Releases the brake: what is found is moved into the quarantine again.",
                  .examples = {"picket threat quarantine resume"},
                  .note = "Needs root. The brake engages when more files would be moved within a minute than "
                          "quarantine-maximum-per-minute of \"picket config\"; \"picket health\" says so."},
         .needs_root = true,
         .kind = "quarantine_resume",
         .method = "quarantine.resume",
         .done = "what is found is moved into the quarantine again"},
        {.verb = {.words = "threat policy list",
                  .summary = "Lists what happens to the types of threats that are not plain malware, and who says so.",
                  .examples = {"picket threat policy list"},
                  .note = "Needs root."},
         .needs_root = true,
         .kind = "threat_policy",
         .method = "threat.policy.list",
         .list = "threat_policy",
         .columns = kPolicyColumns,
         .empty = "no policy"},
        {.verb = {.words = "threat policy set",
                  .summary = "Sets what happens to one type of threat.",
                  .options = {{.name = "--type",
                               .value = "TYPE",
                               .help =
                                   "potentially_unwanted_application, or archive_bomb (exceeds the engine's limits)",
                               .required = true,
                               .choices = "potentially_unwanted_application|archive_bomb",
                               .field = "type"},
                              {.name = "--action",
                               .value = "ACTION",
                               .help = "block: denied like malware; audit: reported and let through; off: let through",
                               .required = true,
                               .choices = "block|audit|off",
                               .field = "action"}},
                  .examples = {"picket threat policy set --type potentially_unwanted_application --action block"},
                  .note = "Needs root. What a managed profile holds cannot be changed here (exit code 5)."},
         .needs_root = true,
         .kind = "threat_policy",
         .method = "threat.policy.set",
         .done = "policy set"},
        {.verb = {.words = "threat allowed list",
                  .summary = "Lists the threats that are let through, and who says so.",
                  .examples = {"picket threat allowed list"},
                  .note = "Needs root."},
         .needs_root = true,
         .kind = "allowed_threats",
         .method = "threat.allowed.list",
         .list = "allowed_threats",
         .columns = kAllowedColumns,
         .empty = "no threat is allowed"},
        {.verb = {.words = "threat allowed add",
                  .summary = "Lets files through in which this threat is found.",
                  .options = {kThreatName},
                  .examples = {"picket threat allowed add --name Eicar-Test-Signature"},
                  .note = "Needs root. A managed profile may forbid it."},
         .needs_root = true,
         .kind = "allowed_threats",
         .method = "threat.allowed.add",
         .done = "threat allowed"},
        {.verb = {.words = "threat allowed remove",
                  .summary = "No longer lets that threat through.",
                  .options = {kThreatName},
                  .examples = {"picket threat allowed remove --name Eicar-Test-Signature"},
                  .note = "Needs root."},
         .needs_root = true,
         .kind = "allowed_threats",
         .method = "threat.allowed.remove",
         .done = "threat no longer allowed"},
    };
}

std::vector<Row> configuration_rows() {
    const std::vector<Column> setting = {{.field = "name", .title = "NAME"},
                                         {.field = "value", .title = "VALUE", .shrink = Shrink::end},
                                         {.field = "default", .title = "DEFAULT", .shrink = Shrink::end},
                                         {.field = "source", .title = "SOURCE", .shrink = Shrink::end},
                                         {.field = "managed", .title = "MANAGED"}};
    return {
        {.verb = {.words = "config",
                  .summary = "Sets a local setting, or shows it.",
                  .options =
                      {{.name = "NAME",
                        .value = "",
                        .help = "the setting, as \"picket config show\" lists it",
                        .required = true},
                       {.name = "--value", .value = "VALUE", .help = "the new value; without it the setting is shown"}},
                  .examples = {"picket config enforcement-level --value audit", "picket config scan-archives"},
                  .note = "Needs root. What a managed profile holds cannot be changed here (exit code 5)."},
         .needs_root = true,
         .kind = "setting",
         .method = "config.set",
         .columns = setting,
         .run = run_config},
        {.verb = {.words = "config show",
                  .summary = "Lists every setting: value, default, and who set it.",
                  .examples = {"picket config show"},
                  .note = "Needs root."},
         .needs_root = true,
         .kind = "settings",
         .method = "config.show",
         .list = "settings",
         .columns = setting,
         .empty = "no settings"},
        {.verb = {.words = "profile show",
                  .summary = "Shows the profile in force; as a table with the source of every value.",
                  .examples = {"picket profile show", "picket profile show --output table"},
                  .note = "Needs root."},
         .needs_root = true,
         .kind = "profile",
         .method = "profile.show",
         .columns = {{.field = "pointer", .title = "KEY", .shrink = Shrink::middle},
                     {.field = "value", .title = "VALUE", .shrink = Shrink::end},
                     {.field = "layer", .title = "LAYER"},
                     {.field = "file", .title = "FILE", .shrink = Shrink::middle}},
         .run = run_profile_show},
        {.verb = {.words = "profile validate",
                  .summary = "Checks profile files before they are distributed.",
                  .options = {kProfileFiles},
                  .examples = {"picket profile validate web-servers.yaml"},
                  .note =
                      "Needs neither root nor the daemon. What a file extends is checked, too. Exit code 41: a file "
                      "is refused; each problem is named with line and column."},
         .kind = "profile_validation",
         .run = run_profile_validate},
        {.verb = {.words = "profile render",
                  .summary = "Prints a profile file as the JSON that a host reads.",
                  .options = {kProfileFile},
                  .examples = {"picket profile render web-servers.yaml"},
                  .note =
                      "Needs neither root nor the daemon. With \"extends: NAME\" a file builds upon a shipped profile, "
                      "with \"extends: ./FILE.yaml\" upon a file in or below its own folder. Exit code 41: the file "
                      "is refused."},
         .kind = "profile_document",
         .run = run_profile_render},
        {.verb = {.words = "profile import-mde",
                  .summary =
                      "Makes a profile of Defender for Endpoint's mdatp_managed.json, and says what became of it.",
                  .options = {{.name = "FILE",
                               .value = "",
                               .help = "the mdatp_managed.json",
                               .required = true,
                               .kind = ValueKind::path},
                              {.name = "--write",
                               .value = "FILE",
                               .help = "where the profile goes; without it to standard output",
                               .kind = ValueKind::path,
                               .short_name = 'o'}},
                  .examples = {"picket profile import-mde mdatp_managed.json -o site.json"},
                  .note = "Needs neither root nor the daemon. The report names every key as taken, converted or "
                          "dropped, with the reason, and whatever protects less than Picket's defaults; without "
                          "--write it goes to standard error. Exit code 41: the file is no JSON object."},
         .kind = "profile_import",
         .fields = {"file", "taken", "converted", "dropped", "weakening"},
         .run = run_profile_import_mde},
        {.verb = {.words = "profile diff",
                  .summary = "Shows in which keys two profiles differ, or one and the profile in force.",
                  .options = {kProfileFiles,
                              {.name = "--running", .value = "", .help = "compare with the profile in force (root)"}},
                  .examples = {"picket profile diff old.yaml new.yaml", "picket profile diff new.yaml --running"},
                  .note =
                      "Exit code 0: no difference. 1: they differ. With --running only keys that the file has count."},
         .kind = "profile_differences",
         .list = "differences",
         .columns = {{.field = "key", .title = "KEY", .shrink = Shrink::middle},
                     {.field = "left", .title = "LEFT", .shrink = Shrink::end},
                     {.field = "right", .title = "RIGHT", .shrink = Shrink::end}},
         .empty = "no difference",
         .run = run_profile_diff},
        {.verb = {.words = "profile explain",
                  .summary = "Says where a value comes from: file, line, what it overrides, and why.",
                  .options =
                      {{.name = "KEY",
                        .value = "",
                        .help = "such as antivirusEngine.scanArchives, or the setting scan-archives; without it all"}},
                  .examples = {"picket profile explain", "picket profile explain enforcement-level"},
                  .note = "Needs root."},
         .needs_root = true,
         .kind = "profile_explanation",
         .columns = {{.field = "key", .title = "KEY", .shrink = Shrink::middle},
                     {.field = "value", .title = "VALUE", .shrink = Shrink::end},
                     {.field = "place", .title = "FROM", .shrink = Shrink::middle}},
         .run = run_profile_explain},
        {.verb = {.words = "log level show",
                  .summary = "Shows how much the daemon logs.",
                  .examples = {"picket log level show"},
                  .note = "Needs root."},
         .needs_root = true,
         .kind = "settings",
         .method = "config.show",
         .fixed = R"({"name":"log-level"})",
         .list = "settings",
         .columns = setting},
        {.verb = {.words = "log level set",
                  .summary = "Sets how much the daemon logs, at once and for good.",
                  .options = {{.name = "--level",
                               .value = "LEVEL",
                               .help = "the least important lines that are logged",
                               .required = true,
                               .choices = "error|warning|info|debug",
                               .field = "value"}},
                  .examples = {"picket log level set --level debug"},
                  .note = "Needs root. The same as \"picket config log-level\"; events do not depend on it."},
         .needs_root = true,
         .kind = "setting",
         .method = "config.set",
         .fixed = R"({"name":"log-level"})",
         .done = "log level set"},
    };
}

std::vector<Row> tag_rows() {
    const Option name = {.name = "--name", .value = "KEY", .help = "the tag's key", .required = true, .field = "name"};
    return {
        {.verb = {.words = "tag list",
                  .summary = "Lists this host's tags.",
                  .examples = {"picket tag list"},
                  .note = "Needs root."},
         .needs_root = true,
         .kind = "tags",
         .method = "tag.list"},
        {.verb = {.words = "tag set",
                  .summary = "Gives this host a tag, or its tag another value.",
                  .options = {name,
                              {.name = "--value",
                               .value = "VALUE",
                               .help = "one line of at most 256 bytes",
                               .required = true,
                               .field = "value"}},
                  .examples = {"picket tag set --name site --value berlin"},
                  .note = "Needs root."},
         .needs_root = true,
         .kind = "tags",
         .method = "tag.set",
         .done = "tag set"},
        {.verb = {.words = "tag remove",
                  .summary = "Takes a tag away.",
                  .options = {name},
                  .examples = {"picket tag remove --name site"},
                  .note = "Needs root."},
         .needs_root = true,
         .kind = "tags",
         .method = "tag.remove",
         .done = "tag removed"},
    };
}

std::vector<Row> definitions_rows() {
    return {
        {.verb = {.words = "definitions update",
                  .summary = "Takes the newest definitions from the organisation's mirror now.",
                  .options = {{.name = "--now",
                               .value = "",
                               .help = "also those that are younger than the profile's definitions.minimumAgeSeconds",
                               .field = "now"}},
                  .examples = {"picket definitions update", "picket definitions update --now"},
                  .note = "Needs root. They come into force once they are whole, signed, newer than what was seen "
                          "before, and the engine has loaded them and judged known good and bad samples rightly; else "
                          "the former ones go on. Those that are too young for the profile are held: that is no error. "
                          "Without this command the daemon looks every four hours."},
         .needs_root = true,
         .kind = "definitions_update",
         .method = "definitions.update",
         .fields = {"changed", "generation", "version", "received_bytes", "held"},
         .run = run_definitions},
        {.verb = {.words = "definitions status",
                  .summary = "Shows which definitions are in force, where they came from, and what is kept.",
                  .examples = {"picket definitions status", "picket definitions status --output json"},
                  .note = "Needs root."},
         .needs_root = true,
         .kind = "definitions_status",
         .method = "definitions.status",
         .fields = {"generation", "version", "issued", "expires", "signed_by", "mirror", "last_attempt", "last_success",
                    "failures", "failure", "refused", "held", "generations"},
         .run = run_definitions},
        {.verb = {.words = "definitions rollback",
                  .summary = "Goes back to the definitions before the ones in force.",
                  .examples = {"picket definitions rollback"},
                  .note = "Needs root. What is left behind is not taken again; what the mirror offers after it is."},
         .needs_root = true,
         .kind = "definitions_rollback",
         .method = "definitions.rollback",
         .fields = {"changed", "generation"},
         .run = run_definitions},
    };
}

Row connectivity_row() {
    return {.verb = {.words = "connectivity test",
                     .summary = "Says of every server that this host needs whether it is reached, hop by hop.",
                     .examples = {"picket connectivity test", "picket connectivity test --output json"},
                     .note = "Needs root. The hops are dns, tcp, proxy, tls and http; servers, proxy and CA "
                             "certificates are those of the onboarding package. What is at fault is named by a word of "
                             "operations.md, with what to do about it. Exit code 1: a server is not reached. A host "
                             "without a network is protected all the same, with the definitions that it has."},
            .needs_root = true,
            .kind = "connectivity",
            .method = "connectivity.test",
            .fields = {"all_reachable", "proxy", "no_proxy", "authorities", "endpoints", "notices"},
            .run = run_connectivity};
}

std::vector<Row> diagnostic_rows() {
    const Option top = {.name = "--top",
                        .value = "N",
                        .help = "the N most frequent (at most 100)",
                        .kind = ValueKind::integer,
                        .field = "top"};
    return {
        {.verb = {.words = "diagnostic create",
                  .summary = "Makes an archive with what support needs to know of this host.",
                  .options = {{.name = "--path",
                               .value = "DIRECTORY",
                               .help = "where to put it; without it the working directory",
                               .kind = ValueKind::path}},
                  .examples = {"picket diagnostic create --path /root"},
                  .note = "Needs root; works without the daemon, too. It holds names of files, programs and users, no "
                          "contents, and no passwords, tokens or keys."},
         .needs_root = true,
         .kind = "diagnostic",
         .run = run_diagnostic_create},
        {.verb = {.words = "diagnostic real-time-protection-statistics",
                  .summary = "Shows what real-time protection did, and what kept it busy.",
                  .options = {top},
                  .examples = {"picket diagnostic real-time-protection-statistics --top 5"},
                  .note = "Needs root. Programs and files are counted by a sample of one open in sixteen."},
         .needs_root = true,
         .kind = "real_time_protection_statistics",
         .method = "statistics",
         .run = run_statistics},
        {.verb = {.words = "diagnostic hot-event-sources executables",
                  .summary = "Shows which programs open most files.",
                  .options = {top},
                  .examples = {"picket diagnostic hot-event-sources executables"},
                  .note = "Needs root. Counted by a sample of one open in sixteen."},
         .needs_root = true,
         .kind = "hot_event_sources",
         .method = "statistics",
         .list = "processes",
         .columns = {{.field = "opens", .title = "OPENS", .right = true},
                     {.field = "process", .title = "PROCESS", .shrink = Shrink::middle}},
         .empty = "nothing was opened yet"},
        {.verb = {.words = "diagnostic hot-event-sources files",
                  .summary = "Shows which files are opened most.",
                  .options = {top},
                  .examples = {"picket diagnostic hot-event-sources files --top 20"},
                  .note = "Needs root. Counted by a sample of one open in sixteen."},
         .needs_root = true,
         .kind = "hot_event_sources",
         .method = "statistics",
         .list = "files",
         .columns = {{.field = "opens", .title = "OPENS", .right = true},
                     {.field = "path", .title = "FILE", .shrink = Shrink::middle}},
         .empty = "nothing was opened yet"},
        {.verb = {.words = "top",
                  .summary = "Shows live what real-time protection does.",
                  .options = {{.name = "--iterations",
                               .value = "N",
                               .help = "end after N pictures; without it until q or Ctrl-C",
                               .kind = ValueKind::integer}},
                  .examples = {"picket top", "picket top --iterations 1"},
                  .note = "Needs root. A picture every two seconds; without a terminal one after the other."},
         .needs_root = true,
         .kind = "top",
         .method = "statistics",
         .run = run_top},
    };
}

std::vector<Row> other_rows() {
    return {
        {.verb = {.words = "selftest",
                  .summary = "Proves that protection works, with a harmless test file.",
                  .options = {{.name = "--directory",
                               .value = "PATH",
                               .help = "make the file there, to test that file system",
                               .kind = ValueKind::path}},
                  .examples = {"picket selftest", "picket selftest --directory /home"},
                  .note = "Needs root. Another process must not be able to open the file; after that it must land in "
                          "the quarantine. Exit code 1: a step failed."},
         .needs_root = true,
         .kind = "selftest",
         .run = run_selftest},
        {.verb = {.words = "event list",
                  .summary = "Lists what happened, the newest last.",
                  .options = {kLimit,
                              {.name = "--type",
                               .value = "TYPE",
                               .help = "only this type, such as threat.blocked",
                               .field = "type"},
                              {.name = "--after",
                               .value = "SEQUENCE",
                               .help = "only what came after that event",
                               .kind = ValueKind::integer,
                               .field = "after"}},
                  .examples = {"picket event list --limit 20 --type threat.blocked"},
                  .note = "Needs root."},
         .needs_root = true,
         .kind = "events",
         .method = "event.list",
         .list = "events",
         .columns = {{.field = "sequence", .title = "SEQUENCE", .right = true, .optional = true},
                     {.field = "time", .title = "TIME (UTC)", .time = true},
                     {.field = "type", .title = "TYPE", .shrink = Shrink::end},
                     {.field = "origin", .title = "ORIGIN", .optional = true},
                     {.field = "threat_name", .title = "THREAT", .shrink = Shrink::end},
                     {.field = "path", .title = "PATH", .shrink = Shrink::middle}},
         .empty = "no events"},
        {.verb = {.words = "event follow",
                  .summary = "Prints events as they happen, until Ctrl-C.",
                  .options = {{.name = "--after",
                               .value = "SEQUENCE",
                               .help = "begin with what came after that event",
                               .kind = ValueKind::integer}},
                  .examples = {"picket event follow --output json"},
                  .note = "Needs root. As JSON: one envelope a line."},
         .needs_root = true,
         .kind = "event",
         .method = "event.follow",
         .run = run_event_follow},
        {.verb = {.words = "event verify",
                  .summary = "Says whether every recorded event is there and unchanged.",
                  .examples = {"picket event verify"},
                  .note = "Needs root. Each event carries a digest over itself and the one before. Exit code 1: the "
                          "first event that is changed, missing or added is named."},
         .needs_root = true,
         .kind = "event_verification",
         .method = "event.verify",
         .fields = {"whole", "checked", "first_sequence", "last_sequence", "sequence", "reason", "message"},
         .run = run_event_verify},
        {.verb = {.words = "version",
                  .summary = "Shows the versions of this program, the daemon and the engine.",
                  .examples = {"picket version"}},
         .kind = "version",
         .method = "version",
         .fields = {"client_version", "daemon_running", "app_version", "build_date", "product_expiration",
                    "product_expiration_days", "engine_version"},
         .run = run_version},
    };
}

Row health_row() {
    return {.verb = {.words = "health",
                     .summary = "Says whether this host is protected, and what is wrong if not.",
                     .options = {{.name = "--field",
                                  .value = "NAME",
                                  .help = "print the value of one field, and exit 0 if there is such a field"},
                                 {.name = "--details",
                                  .value = "SECTION",
                                  .help = "only this part, in full",
                                  .choices = "all|definitions|filesystems|profile|real_time_protection|statistics"}},
                     .examples = {"picket health", "picket health --field definitions_version",
                                  "picket health --details filesystems"},
                     .note = "Exit code 0: healthy. 1: not healthy, each issue with what to do about it. 4: the daemon "
                             "is not running."},
            .kind = "health",
            .method = "health",
            .fields = kHealthFields,
            .run = run_health};
}

std::vector<Row> make_rows() {
    std::vector<Row> all = {health_row()};
    const auto append = [&all](std::vector<Row> more) {
        all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    };
    append(scan_rows());
    append(threat_rows());
    add_exclusions(all);
    append(configuration_rows());
    append(tag_rows());
    append(definitions_rows());
    all.push_back(connectivity_row());
    append(diagnostic_rows());
    append(other_rows());
    return all;
}

command_line::Program make_program() {
    command_line::Program made{
        .name = "picket",
        .summary = "Asks and tells the Picket daemon, which stops malware at the moment a file is opened.",
        .global_options =
            {{.name = "--output", .value = "FORMAT", .help = "how to print", .choices = "text|table|json"},
             {.name = "--socket",
              .value = "PATH",
              .help = "control socket of the daemon, if not /run/picket/control.sock (containers, tests)",
              .kind = ValueKind::path}},
        .exit_codes = {{0, "done"},
                       {1, "failed"},
                       {2, "usage"},
                       {3, "needs root"},
                       {4, "daemon not running"},
                       {5, "refused by a managed profile"},
                       {10, "threats found"},
                       {41, "profile refused"}},
        .description = "Every command prints text for people; with --output json one line that programs can rely on: "
                       "{\"schema\": 1, \"kind\": ..., \"data\": ...}. Fields are only ever added.\n\n"
                       "The daemon decides who may do what; most commands need root.",
        .files = {{paths::kControlSocket, "where the daemon is asked"},
                  {paths::kManagedDirectory, "central profiles, merged in the order of their names"},
                  {paths::kLocalSettings,
                   "settings of this host, as \"picket config\" and \"picket exclusion\" make them"},
                  {paths::kQuarantineDirectory, "files in quarantine"},
                  {paths::kStateDatabase, "threats, scans and events"}},
        .see_also = {"picketd(8)", "picket-installer(8)", "picket-onboarding(1)"}};
    for (const Row& row : rows())
        made.verbs.push_back(row.verb);
    return made;
}

} // namespace

const std::vector<Row>& rows() {
    static const std::vector<Row> kRows = make_rows();
    return kRows;
}

std::vector<std::string_view> order_of(const Row& row) {
    std::vector<std::string_view> order = row.fields;
    if (order.empty())
        for (const Column& column : row.columns)
            order.push_back(column.field);
    return order;
}

const command_line::Program& program() {
    static const command_line::Program kProgram = make_program();
    return kProgram;
}

const Row& row_of(const command_line::Verb& verb) {
    const auto index = static_cast<std::size_t>(&verb - program().verbs.data());
    PICKET_CHECK(index < rows().size());
    return rows()[index];
}

} // namespace picket::cli

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/crypto/digest.h>
#include <picket/install/files.h>
#include <picket/install/known_files.h>
#include <picket/model/paths.h>

#include "handlers.h"

namespace picket::install {
namespace {

using data::Json;

constexpr Bytes kProgramLimit = mebibytes(512);
constexpr Bytes kFileLimit = mebibytes(1);

std::string backup_name(std::string path) {
    std::replace(path.begin(), path.end(), '/', '_');
    return fmt::format("{}/{}", files::kBackup, path);
}

// ---- directories.prepare

Result<Json> prepare_directories(const HandlerContext& context, const Step& step) {
    Json created = Json::array();
    for (const std::string& path : data::strings_of(data::member(step.parameters, "directories")))
        if (!context.ports.root.exists(path))
            created.push_back(path);
    return Json{{"created", created}};
}

StepOutcome apply_directories(const HandlerContext& context, const Step& step, const Json&) {
    for (const std::string& path : data::strings_of(data::member(step.parameters, "directories")))
        if (const auto made = context.ports.root.make_directories(path, 0755); !made)
            return outcome_of(made, InstallerExit::installation_failed);
    return {};
}

Result<void> undo_directories(const HandlerContext& context, const Step&, const Json& record) {
    auto created = data::strings_of(data::member(record, "created"));
    for (auto path = created.rbegin(); path != created.rend(); ++path)
        (void)context.ports.root.remove(*path); // fails where something of others came in: then it stays
    return {};
}

// ---- steps that write or remove a set of files

Result<Json> prepare_files(const HandlerContext& context, const Step& step) {
    Json records = Json::array();
    for (const Json& entry : data::member(step.parameters, "files")) {
        const std::string path = PICKET_TRY(data::get_string(entry, "path"));
        records.push_back(PICKET_TRY(remember_file(context.ports.root, path)));
    }
    return Json{{"files", records}};
}

Result<void> change_file(const HandlerContext& context, const Json& entry) {
    const std::string path = PICKET_TRY(data::get_string(entry, "path"));
    if (data::string_or(entry, "action", "") == "remove") {
        PICKET_TRY(context.ports.root.remove(path));
        return {};
    }
    if (entry.contains("content"))
        return context.ports.root.write_atomically(path, data::string_or(entry, "content", ""), 0644);
    const auto change = context.files.find(path);
    if (change == context.files.end() || !change->second.content)
        return Error(ErrorCode::internal, fmt::format("no content for {}", path));
    return context.ports.root.write_atomically(path, *change->second.content, change->second.mode);
}

StepOutcome apply_files(const HandlerContext& context, const Step& step, const Json&) {
    std::size_t count = 0;
    for (const Json& entry : data::member(step.parameters, "files")) {
        if (const auto changed = change_file(context, entry); !changed)
            return outcome_of(changed, InstallerExit::installation_failed);
        ++count;
    }
    return {.detail = fmt::format("{} file{}", count, count == 1 ? "" : "s")};
}

Result<void> undo_files(const HandlerContext& context, const Step&, const Json& record) {
    for (const Json& entry : data::member(record, "files"))
        PICKET_TRY(restore_file(context.ports.root, entry));
    return {};
}

// ---- installer.copy

Result<Json> prepare_copy(const HandlerContext& context, const Step& step) {
    return Json{{"existed", context.ports.root.exists(PICKET_TRY(data::get_string(step.parameters, "to")))}};
}

StepOutcome apply_copy(const HandlerContext& context, const Step& step, const Json& record) {
    if (data::bool_or(record, "existed", false))
        return {.detail = "the package brought it"};
    const auto content = context.ports.root.read(data::string_or(step.parameters, "from", ""), kProgramLimit);
    if (!content)
        return outcome_of(content.error(), InstallerExit::installation_failed);
    return outcome_of(context.ports.root.write_atomically(data::string_or(step.parameters, "to", ""), *content, 0755),
                      InstallerExit::installation_failed);
}

Result<void> undo_copy(const HandlerContext& context, const Step& step, const Json& record) {
    if (data::bool_or(record, "existed", true))
        return {};
    PICKET_TRY(context.ports.root.remove(data::string_or(step.parameters, "to", "")));
    return {};
}

// ---- receipt.write

Json file_entry(const std::string& path, const std::string& content, mode_t mode) {
    return {{"path", path}, {"sha256", crypto::sha256_hex(content)}, {"mode", fmt::format("{:04o}", mode & 07777)}};
}

Json receipt_files(const HandlerContext& context, const HostState& state) {
    Json all = Json::array();
    for (const auto& [path, content] : state.config)
        if (const auto status = context.ports.root.status(path))
            all.push_back(file_entry(path, content, status->st_mode));
    if (const auto installer = context.ports.root.read(files::kInstaller, kProgramLimit))
        all.push_back(file_entry(files::kInstaller, *installer, 0755));
    return all;
}

/// What is not told anew stays as the receipt before said.
Json receipt_of(const HandlerContext& context, const HostState& state, const Step& step) {
    Json receipt = state.receipt.is_object() ? state.receipt : Json::object();
    receipt["schema"] = 1;
    receipt["written"] = to_rfc3339(context.ports.clock.wall());
    receipt["version"] = state.package.version;
    receipt["package"] = {
        {"manager", state.package_system}, {"name", files::kPackageName}, {"version", state.package.version}};
    if (const Json& bundle = data::member(step.parameters, "bundle"); !bundle.is_null())
        receipt["bundle"] = bundle;
    if (Json repository = data::member(step.parameters, "repository"); repository.is_object()) {
        repository["files"] = Json::array();
        for (const std::string& path : sys::repository_file_names(context.ports.repositories->kind()))
            if (state.config.contains(path))
                repository["files"].push_back(path);
        receipt["repository"] = std::move(repository);
    }
    if (step.parameters.contains("previous"))
        receipt["previous"] = data::string_or(step.parameters, "previous", "");
    receipt["accepted_checks"] = data::member(step.parameters, "accepted_checks");
    receipt["organisation_key"] = state.pinned_key;
    receipt["definitions"] = state.definitions;
    receipt["service_manager"] = context.ports.services.name();
    receipt["units"] = units();
    receipt["files"] = receipt_files(context, state);
    return receipt;
}

Result<Json> prepare_receipt(const HandlerContext& context, const Step&) {
    return remember_file(context.ports.root, files::kReceipt);
}

StepOutcome apply_receipt(const HandlerContext& context, const Step& step, const Json&) {
    const auto state = read_state(context.ports);
    if (!state)
        return outcome_of(state.error(), InstallerExit::installation_failed);
    const std::string text = data::to_pretty_text(receipt_of(context, *state, step)) + "\n";
    return outcome_of(context.ports.root.write_atomically(files::kReceipt, text, 0600),
                      InstallerExit::installation_failed, files::kReceipt);
}

Result<void> undo_receipt(const HandlerContext& context, const Step&, const Json& record) {
    return restore_file(context.ports.root, record);
}

// ---- bundle.stage and staging.clear

StepOutcome apply_stage(const HandlerContext& context, const Step& step, const Json&) {
    const std::string directory = data::string_or(step.parameters, "directory", "");
    const sys::Root& root = context.ports.root;
    const auto stage = [&]() -> Result<void> {
        PICKET_TRY(root.make_directories(files::kStaged, 0700));
        const auto from = PICKET_TRY(root.open_parent(files::kIncoming));
        const auto to = PICKET_TRY(root.open_parent(directory));
        if (renameat(from.directory.get(), from.name.c_str(), to.directory.get(), to.name.c_str()) != 0)
            return Error::from_errno(errno, fmt::format("rename to {}", directory));
        return {};
    };
    return outcome_of(stage(), InstallerExit::installation_failed, directory);
}

StepOutcome apply_clear(const HandlerContext& context, const Step&, const Json&) {
    // Backups stay until the journal is closed.
    std::vector<KnownPath> staged;
    for (const KnownPath& row : working_files())
        if (std::string_view(row.pattern).find("/backup") == std::string_view::npos)
            staged.push_back(row);
    (void)remove_known(context.ports.root, staged);
    return {};
}

Result<void> undo_stage(const HandlerContext& context, const Step& step, const Json& record) {
    (void)apply_clear(context, step, record);
    return {};
}

// ---- removal

StepOutcome apply_remove_files(const HandlerContext& context, const Step& step, const Json&) {
    std::size_t removed = 0;
    for (const std::string& path : data::strings_of(data::member(step.parameters, "files"))) {
        const auto gone = context.ports.root.remove(path);
        if (!gone)
            return outcome_of(gone.error(), InstallerExit::uninstallation_failed);
        removed += *gone ? 1 : 0;
    }
    return {.detail = fmt::format("{} file{}", removed, removed == 1 ? "" : "s")};
}

StepOutcome apply_remove_state(const HandlerContext& context, const Step&, const Json&) {
    const RemovalReport report = remove_known(context.ports.root, product_files());
    if (!report.errors.empty())
        return {.failure = Failure{InstallerExit::uninstallation_failed, join(report.errors, "; "), ""}};
    if (report.left.empty())
        return {.detail = fmt::format("{} removed", report.removed)};
    std::vector<std::string> shown(
        report.left.begin(), report.left.begin() + static_cast<long>(std::min<std::size_t>(report.left.size(), 20)));
    return {.detail = fmt::format("{} removed; not ours, left: {}", report.removed, join(shown, ", "))};
}

constexpr std::array kFileHandlers{
    Handler{"directories.prepare", prepare_directories, apply_directories, undo_directories},
    Handler{"bundle.stage", prepare_nothing, apply_stage, undo_stage},
    Handler{"repository.configure", prepare_files, apply_files, undo_files},
    Handler{"identity.write", prepare_files, apply_files, undo_files},
    Handler{"profiles.write", prepare_files, apply_files, undo_files},
    Handler{"tags.write", prepare_files, apply_files, undo_files},
    Handler{"profiles.remove", prepare_files, apply_files, undo_files},
    Handler{"identity.remove", prepare_files, apply_files, undo_files},
    Handler{"installer.copy", prepare_copy, apply_copy, undo_copy},
    Handler{"receipt.write", prepare_receipt, apply_receipt, undo_receipt},
    Handler{"staging.clear", prepare_nothing, apply_clear, undo_nothing},
    Handler{"leftovers.remove", prepare_nothing, apply_remove_files, undo_nothing},
    Handler{"machine.forget", prepare_nothing, apply_remove_files, undo_nothing},
    Handler{"state.remove", prepare_nothing, apply_remove_state, undo_nothing},
};

} // namespace

std::span<const Handler> file_handlers() {
    return kFileHandlers;
}

Result<Json> remember_file(const sys::Root& root, const std::string& path) {
    const auto status = root.status(path);
    if (!status) {
        if (status.error().code() == ErrorCode::not_found)
            return Json{{"path", path}, {"existed", false}};
        return status.error();
    }
    const std::string content = PICKET_TRY(root.read(path, kFileLimit));
    const std::string backup = backup_name(path);
    PICKET_TRY(root.make_directories(files::kBackup, 0700));
    PICKET_TRY(root.write_atomically(backup, content, 0600));
    return Json{{"path", path}, {"existed", true}, {"mode", status->st_mode & 07777}, {"backup", backup}};
}

Result<void> restore_file(const sys::Root& root, const Json& record) {
    const std::string path = PICKET_TRY(data::get_string(record, "path"));
    if (!data::bool_or(record, "existed", false)) {
        PICKET_TRY(root.remove(path));
        return {};
    }
    const std::string content = PICKET_TRY(root.read(data::string_or(record, "backup", ""), kFileLimit));
    return root.write_atomically(path, content, static_cast<mode_t>(data::integer_or(record, "mode", 0600)));
}

} // namespace picket::install

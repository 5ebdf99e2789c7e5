#include <picket/install/journal.h>

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/install/files.h>
#include <picket/model/paths.h>

namespace picket::install {
namespace {

constexpr int kJournalSchema = 1;
constexpr Bytes kJournalLimit = mebibytes(4);

struct StatusName {
    StepStatus status;
    std::string_view name;
};
constexpr std::array kStatusNames{
    StatusName{StepStatus::pending, "pending"}, StatusName{StepStatus::running, "running"},
    StatusName{StepStatus::done, "done"},       StatusName{StepStatus::skipped, "skipped"},
    StatusName{StepStatus::failed, "failed"},   StatusName{StepStatus::undoing, "undoing"},
    StatusName{StepStatus::undone, "undone"},
};

Result<JournalStep> step_from(const data::Json& entry) {
    JournalStep step;
    step.step.id = PICKET_TRY(data::get_string(entry, "id"));
    step.step.title = data::string_or(entry, "title", step.step.id);
    step.step.parameters = data::member(entry, "parameters");
    step.step.changes = data::bool_or(entry, "changes", true);
    const auto status = step_status_from(PICKET_TRY(data::get_string(entry, "status")));
    if (!status)
        return Error(ErrorCode::corrupt, fmt::format("unknown status of step {}", step.step.id));
    step.status = *status;
    step.undo_record = data::member(entry, "undo");
    step.detail = data::string_or(entry, "detail", "");
    step.duration_ms = data::integer_or(entry, "ms", 0);
    return step;
}

} // namespace

std::string_view to_string(StepStatus status) {
    for (const StatusName& row : kStatusNames)
        if (row.status == status)
            return row.name;
    return "pending";
}

std::optional<StepStatus> step_status_from(std::string_view name) {
    for (const StatusName& row : kStatusNames)
        if (row.name == name)
            return row.status;
    return std::nullopt;
}

bool Journal::only_verification_left() const {
    for (std::size_t i = 0; i < verify_from && i < steps.size(); ++i)
        if (steps[i].status != StepStatus::done)
            return false;
    return true;
}

bool Journal::any_change_done() const {
    for (const JournalStep& step : steps)
        if (step.step.changes && step.status == StepStatus::done)
            return true;
    return false;
}

data::Json to_json(const Journal& journal) {
    data::Json steps = data::Json::array();
    for (const JournalStep& step : journal.steps)
        steps.push_back({{"id", step.step.id},
                         {"title", step.step.title},
                         {"parameters", step.step.parameters},
                         {"changes", step.step.changes},
                         {"status", to_string(step.status)},
                         {"undo", step.undo_record},
                         {"detail", step.detail},
                         {"ms", step.duration_ms}});
    return {{"schema", kJournalSchema},
            {"verb", journal.verb},
            {"started", journal.started},
            {"recovery", journal.recovery == Recovery::undo ? "undo" : "finish"},
            {"verify_from", journal.verify_from},
            {"undoing", journal.undoing},
            {"steps", steps}};
}

Result<Journal> journal_from(const data::Json& document) {
    if (data::integer_or(document, "schema", 0) != kJournalSchema)
        return Error(ErrorCode::corrupt, "a journal of another schema: a newer picket-installer wrote it");
    Journal journal;
    journal.verb = PICKET_TRY(data::get_string(document, "verb"));
    journal.started = data::string_or(document, "started", "");
    journal.recovery = data::string_or(document, "recovery", "undo") == "finish" ? Recovery::finish : Recovery::undo;
    journal.undoing = data::bool_or(document, "undoing", false);
    journal.verify_from =
        static_cast<std::size_t>(std::max<std::int64_t>(0, data::integer_or(document, "verify_from", 0)));
    for (const data::Json& entry : data::member(document, "steps"))
        journal.steps.push_back(PICKET_TRY(step_from(entry)));
    return journal;
}

Result<std::optional<Journal>> JournalFile::load() {
    const auto text = root_.read(files::kJournal, kJournalLimit);
    if (!text) {
        if (text.error().code() == ErrorCode::not_found)
            return std::optional<Journal>{};
        return text.error();
    }
    const auto document = data::parse_json(*text, {.size = kJournalLimit});
    if (!document)
        return Error(ErrorCode::corrupt, document.error().message()).with_context(files::kJournal);
    auto journal = journal_from(*document);
    if (!journal)
        return Error(ErrorCode::corrupt, journal.error().message()).with_context(files::kJournal);
    return std::optional<Journal>(std::move(*journal));
}

Result<void> JournalFile::save(const Journal& journal) {
    // A purge by the package manager may have taken the directory meanwhile.
    PICKET_TRY(root_.make_directories(paths::kInstallDirectory, 0700));
    return root_.write_atomically(files::kJournal, data::to_pretty_text(to_json(journal)) + "\n", 0600);
}

Result<void> JournalFile::clear() {
    PICKET_TRY(root_.remove(files::kJournal));
    return {};
}

} // namespace picket::install

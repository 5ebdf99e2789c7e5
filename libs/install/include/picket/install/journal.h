#pragma once
#include <optional>
#include <string>
#include <vector>

#include <picket/install/step.h>
#include <picket/sys/file.h>

namespace picket::install {

struct JournalStep {
    Step step;
    StepStatus status = StepStatus::pending;
    data::Json undo_record;
    std::string detail;
    std::int64_t duration_ms = 0;
};

/// What the next run does with a journal that it finds.
enum class Recovery {
    undo,   ///< back to what was before, unless nothing but verification was left
    finish, ///< go on: the verb takes away, and nothing is gained by half of it
};

struct Journal {
    std::string verb;
    std::string started; ///< RFC 3339
    Recovery recovery = Recovery::undo;
    /// undo: steps from here on only verify, so that a killed run is finished. finish: from here on there is no way
    /// back, and a stop request is not heard any more.
    std::size_t verify_from = 0;
    bool undoing = false;
    std::vector<JournalStep> steps;

    /// Whether everything before `verify_from` is done.
    bool only_verification_left() const;
    bool any_change_done() const;
};
data::Json to_json(const Journal& journal);
Result<Journal> journal_from(const data::Json& document);

/// Where the journal lives. save() returns only when it is on disk.
class JournalStore {
  public:
    virtual ~JournalStore() = default;
    /// Nothing where there is none; corrupt where it cannot be understood.
    virtual Result<std::optional<Journal>> load() = 0;
    virtual Result<void> save(const Journal& journal) = 0;
    virtual Result<void> clear() = 0;
};

/// /var/lib/picket/install/journal.json, 0600, write-fsync-rename. Whoever watches the file sees every step begin and
/// end.
class JournalFile final : public JournalStore {
  public:
    explicit JournalFile(const sys::Root& root) : root_(root) {}
    Result<std::optional<Journal>> load() override;
    Result<void> save(const Journal& journal) override;
    Result<void> clear() override;

  private:
    const sys::Root& root_;
};

} // namespace picket::install
